//! Numbers and strings as JSON text, and integers from it.

use std::io::Write;

use super::plain::{is_plain_ascii, plain_len};

/// Why the text of a number is no integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotInteger {
    Fraction,
    Range,
}

/// The integer that a JSON number stands for: `1.0` and `1e2` are integers, `1.5` is none. The text has the grammar of
/// a number already.
pub(super) fn integer(text: &str) -> Result<i128, NotInteger> {
    /// More digits than any 64-bit integer has.
    const DIGITS_MAX: i64 = 20;
    // Nearly all: digits and nothing else, few enough for 64 bits.
    if (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let digit = |value: u64, byte: u8| value * 10 + u64::from(byte - b'0');
        return Ok(text.bytes().fold(0, digit).into());
    }
    let (negative, text) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    let significant = digits().rev().skip_while(|&b| b == b'0').count();
    let leading = digits().take_while(|&b| b == b'0').count();
    if significant <= leading {
        return Ok(0);
    }
    // An exponent too long for i64 is far out of range in its own direction.
    let exponent = exponent
        .parse::<i64>()
        .unwrap_or(if exponent.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        });
    let point = (whole.len() as i64).saturating_add(exponent);
    if point < significant as i64 {
        return Err(NotInteger::Fraction);
    }
    if point.saturating_sub(leading as i64) > DIGITS_MAX {
        return Err(NotInteger::Range);
    }
    let mut value = 0i128;
    for digit in digits().take(significant).skip(leading) {
        value = value * 10 + i128::from(digit - b'0');
    }
    for _ in significant as i64..point {
        value *= 10;
    }
    Ok(if negative { -value } else { value })
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

pub(super) fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The shortest text that reads back as the same number; NaN and the infinities as the strings that ProtoJSON names.
pub(super) fn put_f64(out: &mut Vec<u8>, value: f64) {
    if let Some(name) = special(value) {
        out.extend_from_slice(name);
        return;
    }
    if put_short(out, zmij::Buffer::new().format_finite(value)) {
        return;
    }
    let plain = value == 0.0 || (1e-5..1e17).contains(&value.abs());
    // Writing to a Vec cannot fail.
    let _ = if plain {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
}

/// As [`put_f64`], with the digits that a 32-bit float needs.
pub(super) fn put_f32(out: &mut Vec<u8>, value: f32) {
    if let Some(name) = special(f64::from(value)) {
        out.extend_from_slice(name);
        return;
    }
    let plain = value == 0.0 || (1e-5..1e17).contains(&value.abs());
    if plain && put_short(out, zmij::Buffer::new().format_finite(value)) {
        return;
    }
    let _ = if plain {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
}

/// Takes the digits of a number where they have no exponent, which is written in several ways.
fn put_short(out: &mut Vec<u8>, digits: &str) -> bool {
    let is_short = !digits.as_bytes().contains(&b'e');
    if is_short {
        let digits = digits.strip_suffix(".0").unwrap_or(digits);
        out.extend_from_slice(digits.as_bytes());
    }
    is_short
}

fn special(value: f64) -> Option<&'static [u8]> {
    if value.is_nan() {
        Some(b"\"NaN\"")
    } else if value == f64::INFINITY {
        Some(b"\"Infinity\"")
    } else if value == f64::NEG_INFINITY {
        Some(b"\"-Infinity\"")
    } else {
        None
    }
}

/// A string in quotes, if it is ASCII of which nothing has to be escaped.
pub(super) fn put_plain(out: &mut Vec<u8>, content: &[u8]) -> bool {
    let is_plain = is_plain_ascii(content);
    if is_plain {
        out.reserve(content.len() + 2);
        out.push(b'"');
        out.extend_from_slice(content);
        out.push(b'"');
    }
    is_plain
}

/// A string in quotes, escaping only what JSON demands.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else {
            break;
        };
        rest = after;
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact() {
        #[track_caller]
        fn check(text: &str, want: Result<i128, NotInteger>) {
            assert_eq!(integer(text), want, "{text}");
        }
        check("0", Ok(0));
        check("-0", Ok(0));
        check("0.000", Ok(0));
        check("0e999999999999999999999", Ok(0));
        check("1.0", Ok(1));
        check("-1.50e1", Ok(-15));
        check("100e-2", Ok(1));
        check("0.001e3", Ok(1));
        check("1e2", Ok(100));
        check("18446744073709551615", Ok(i128::from(u64::MAX)));
        check("-9223372036854775808", Ok(i128::from(i64::MIN)));
        check("1.5", Err(NotInteger::Fraction));
        check("1e-1", Err(NotInteger::Fraction));
        check("1e-99999999999999999999", Err(NotInteger::Fraction));
        check("1e30", Err(NotInteger::Range));
        check("1e99999999999999999999", Err(NotInteger::Range));
        check("123456789012345678901", Err(NotInteger::Range));
    }

    #[test]
    fn numbers_print_shortest() {
        #[track_caller]
        fn check(value: f64, want: &str) {
            let mut out = Vec::new();
            put_f64(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(0.1, "0.1");
        check(1e300, "1e300");
        check(5e-324, "5e-324");
        check(f64::NAN, "\"NaN\"");
        check(f64::NEG_INFINITY, "\"-Infinity\"");
        let mut out = Vec::new();
        put_f32(&mut out, 0.1);
        put_i64(&mut out, i64::MIN);
        assert_eq!(out, b"0.1-9223372036854775808");
    }

    proptest::proptest! {
        /// Of two that are as near the standard library may take the other one.
        #[test]
        fn any_number_reads_back_and_is_as_short_as_can_be(value: f64, short: f32) {
            let print = |put: &dyn Fn(&mut Vec<u8>)| {
                let mut out = Vec::new();
                put(&mut out);
                String::from_utf8(out).unwrap()
            };
            for value in [value, f64::from(short), f64::from(short.to_bits()) / 1000.0] {
                let is_plain = value == 0.0 || (1e-5..1e17).contains(&value.abs());
                let want = if is_plain { format!("{value}") } else { format!("{value:e}") };
                let text = print(&|out| put_f64(out, value));
                proptest::prop_assert_eq!(text.parse(), Ok(value));
                proptest::prop_assert_eq!(text.len(), want.len(), "{} {}", text, want);
            }
            let is_plain = short == 0.0 || (1e-5..1e17).contains(&short.abs());
            let want = if is_plain { format!("{short}") } else { format!("{short:e}") };
            let text = print(&|out| put_f32(out, short));
            proptest::prop_assert_eq!(text.parse(), Ok(short));
            proptest::prop_assert_eq!(text.len(), want.len(), "{} {}", text, want);
        }
    }

    #[test]
    fn strings_escape_what_json_demands() {
        let mut out = Vec::new();
        put_string(&mut out, "a\"\\\n\u{1}я/");
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"\\\\\\n\\u0001я/\"");
    }
}
