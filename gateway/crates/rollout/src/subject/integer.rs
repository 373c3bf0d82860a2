//! One integer is one subject, however it is spelt.
//!
//! Services read `7`, `7.0`, `70e-1` and `"7.0"` as one integer, in JSON and some of them in a path or query too. Were these
//! subjects of their own, a client could choose by the spelling who takes what it writes to an entity.

use std::borrow::Cow;

/// More digits than the largest number of 64 bits has, be it a floating one; a longer one is only made of what came longer.
const DIGITS_MAX: usize = 400;

/// The digits of an integer that is not spelt by them: `7.0`, `70e-1`, `-0`. All other text stays as it is, also a number with
/// so large an exponent that nobody reads it as an integer.
pub(super) fn digits_of(text: Cow<'_, str>) -> Cow<'_, str> {
    // Nearly all.
    if is_digits(&text) {
        return text;
    }
    respelt(&text).map_or(text, Cow::Owned)
}

/// `None` for what is no integer, or none of the grammar of JSON.
fn respelt(text: &str) -> Option<String> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => ("-", size),
        None => ("", text),
    };
    let (mantissa, exponent) = match size.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (size, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_whole = is_digits(whole) && (whole == "0" || !whole.starts_with('0'));
    let power = exponent.map(|it| it.strip_prefix(['+', '-']).unwrap_or(it));
    if !is_whole || !fraction.is_none_or(is_digits) || !power.is_none_or(is_digits) {
        return None;
    }
    let all = [whole, fraction.unwrap_or_default()].concat();
    let to_last = all.trim_end_matches('0');
    let digits = to_last.trim_start_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    let moved: isize = exponent.unwrap_or("0").parse().ok()?;
    let before_point = whole.len().checked_add_signed(moved)?;
    if before_point < to_last.len() {
        return None;
    }
    let length = before_point - (to_last.len() - digits.len());
    (length <= text.len().max(DIGITS_MAX)).then(|| format!("{sign}{digits:0<length$}"))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(spelt: &str, want: &str) {
        assert_eq!(digits_of(spelt.into()), want, "{spelt}");
    }

    #[test]
    fn an_integer_is_its_digits() {
        check("7", "7");
        check("7.0", "7");
        check("70e-1", "7");
        check("0.0007e4", "7");
        check("0.0007E+0004", "7");
        check("-7.000", "-7");
        check("1e3", "1000");
        check("-0", "0");
        check("-0.0", "0");
        check("0e999999999999999999999", "0");
        check("18446744073709551616.0", "18446744073709551616");
        check("1.8446744073709551617e19", "18446744073709551617");
        let long = format!("1{}", "0".repeat(1_000));
        check(&format!("{long}.0"), &long);
    }

    #[test]
    fn what_is_no_integer_stays_as_it_is() {
        for text in [
            "1.50",
            "-1.5",
            "7e-1",
            "1e-99999999999999999999",
            "1e999999",
            "1e99999999999999999999",
            // No numbers.
            "",
            "-",
            "007",
            "07.0",
            "+7.0",
            "7.",
            ".0",
            "7e",
            "7e+",
            "7e+-1",
            "--7.0",
            "7.0.0",
            "7.0 ",
            "1e3e3",
            "7.+0",
            "alice",
            "e",
            "é.0",
        ] {
            check(text, text);
        }
    }

    proptest! {
        #[test]
        fn every_spelling_of_an_integer_is_the_same(
            id in prop_oneof![any::<i64>(), -99..99i64], moved in 0..30usize, zeros in 1..9usize,
            e in prop::sample::select(vec!["e", "E"]), plus in prop::sample::select(vec!["", "+"]),
        ) {
            let (sign, digits) = (if id < 0 { "-" } else { "" }, id.unsigned_abs().to_string());
            // The point moved to the left, or zeros added at the right, and the exponent that takes it back.
            let padded = format!("{digits:0>width$}", width = moved + 1);
            let (whole, fraction) = padded.split_at(padded.len() - moved);
            let zeros = "0".repeat(zeros);
            let larger = if id == 0 { "0".to_owned() } else { format!("{digits}{}", "0".repeat(moved)) };
            for spelt in [
                format!("{sign}{digits}.{zeros}"),
                format!("{sign}{whole}.{fraction}{zeros}{e}{plus}{zeros}{moved}"),
                format!("{sign}{larger}{e}-{moved}"),
                format!("{sign}{larger}.{zeros}{e}-{zeros}{moved}"),
            ] {
                prop_assert_eq!(digits_of(spelt.as_str().into()), id.to_string(), "{}", spelt);
            }
        }

        #[test]
        fn no_text_becomes_much_longer(text in "-?[0-9]{1,9}[.]?[0-9]{0,9}[eE]?[+-]?[0-9]{0,30}") {
            prop_assert!(digits_of(text.as_str().into()).len() <= text.len().max(DIGITS_MAX) + 1);
        }

        #[test]
        fn what_is_spelt_by_digits_stays(text in "-?[1-9][0-9]{0,500}|0") {
            prop_assert_eq!(digits_of(text.as_str().into()), text.as_str());
        }
    }
}
