//! A percentage that is one: 0 to 100, in hundredths.
//!
//! Floating point stays at the edge. A value that is out of range, not a number or finer than a hundredth is an error
//! and never clamped or rounded: somebody who writes `1000` meant something, and it was not `100`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Bucket;

const HUNDREDTHS_MAX: u16 = 10_000;
const EXPECTED: &str = "a number from 0 to 100 with at most two decimals, such as 25 or 0.5";

/// A share of all subjects, 0 to 100 per cent in steps of a hundredth of a per cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u16);

/// The value is not a percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a percentage: {EXPECTED} is")]
pub struct ParsePercentError {
    value: String,
}

impl Percent {
    /// Nobody.
    pub const ZERO: Self = Self(0);
    /// Everybody.
    pub const HUNDRED: Self = Self(HUNDREDTHS_MAX);

    /// From hundredths of a per cent, 0 to 10,000; `None` beyond.
    #[must_use]
    pub const fn from_hundredths(hundredths: u16) -> Option<Self> {
        if hundredths <= HUNDREDTHS_MAX {
            Some(Self(hundredths))
        } else {
            None
        }
    }

    /// Hundredths of a per cent, 0 to 10,000.
    #[must_use]
    pub const fn hundredths(self) -> u16 {
        self.0
    }

    /// Per cent, 0.0 to 100.0.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Whether a subject dealt to `bucket` is among this share of all subjects.
    #[must_use]
    pub fn includes(self, bucket: Bucket) -> bool {
        bucket.index() < self.0
    }
}

impl TryFrom<f64> for Percent {
    type Error = ParsePercentError;

    /// From per cent. A float is taken as the decimal it prints as, so 0.29 is 29 hundredths though its product with
    /// 100 is not 29.
    fn try_from(value: f64) -> Result<Self, Self::Error> {
        // -0.0 prints its sign, and is 0 all the same.
        let value = if value == 0.0 { 0.0 } else { value };
        value.to_string().parse()
    }
}

impl FromStr for Percent {
    type Err = ParsePercentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ParsePercentError {
            value: text.chars().take(40).collect(),
        })
    }
}

fn parse(text: &str) -> Option<Percent> {
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) if (1..=2).contains(&decimals.len()) => (whole, decimals),
        Some(_) => return None,
        None => (text, "0"),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=3).contains(&whole.len()) || !digits(whole) || !digits(decimals) {
        return None;
    }
    let whole: u16 = whole.parse().ok()?;
    let fraction: u16 = decimals.parse().ok()?;
    let fraction = if decimals.len() == 1 {
        fraction * 10
    } else {
        fraction
    };
    Percent::from_hundredths(whole.checked_mul(100)?.checked_add(fraction)?)
}

impl fmt::Display for Percent {
    /// The shortest spelling: `25`, `12.5`, `0.01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.0 / 100, self.0 % 100) {
            (whole, 0) => whole.to_string(),
            (whole, fraction) if fraction % 10 == 0 => format!("{whole}.{}", fraction / 10),
            (whole, fraction) => format!("{whole}.{fraction:02}"),
        };
        f.pad(&text)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(100) {
            serializer.serialize_u16(self.0 / 100)
        } else {
            serializer.serialize_f64(self.as_f64())
        }
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PercentVisitor)
    }
}

/// Settings write percentages as numbers; environment variables carry them as text. Both are taken.
struct PercentVisitor;

impl de::Visitor<'_> for PercentVisitor {
    type Value = Percent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Percent, E> {
        value.to_string().parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Percent, E> {
        value.to_string().parse().map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Percent, E> {
        Percent::try_from(value).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Percent, E> {
        value.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<u16>) {
        assert_eq!(text.parse().ok().map(Percent::hundredths), want, "{text:?}");
    }

    #[test]
    fn text_is_taken_or_refused_never_bent() {
        check("0", Some(0));
        check("25", Some(2_500));
        check("0.5", Some(50));
        check("12.34", Some(1_234));
        check("0.01", Some(1));
        check("007", Some(700));
        check("100", Some(10_000));
        check("100.0", Some(10_000));
        for wrong in [
            "", " 5", "5 ", "5%", "-1", "+5", "101", "100.01", "1000", "0.001", "5.", ".5", "1e1",
            "NaN", "inf", "half", "٣", "65536",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_refusal_says_what_is_allowed() {
        let error = "101".parse::<Percent>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`101` is not a percentage: a number from 0 to 100 with at most two decimals, such as 25 or 0.5 is"
        );
    }

    #[test]
    fn floats_are_the_decimals_they_print_as() {
        let hundredths = |value: f64| Percent::try_from(value).ok().map(Percent::hundredths);
        assert_eq!(hundredths(0.29), Some(29));
        assert_eq!(hundredths(-0.0), Some(0));
        assert_eq!(hundredths(100.0), Some(10_000));
        for wrong in [
            -0.01,
            100.01,
            33.333,
            f64::NAN,
            f64::INFINITY,
            1e300,
            1e-300,
        ] {
            assert_eq!(hundredths(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_percentage_survives_text_float_and_back(hundredths in 0..=10_000u16) {
            let percent = Percent::from_hundredths(hundredths).unwrap();
            prop_assert_eq!(percent.to_string().parse(), Ok(percent));
            prop_assert_eq!(Percent::try_from(percent.as_f64()), Ok(percent));
        }

        #[test]
        fn beyond_a_hundred_does_not_exist(hundredths in 10_001..=u16::MAX) {
            prop_assert_eq!(Percent::from_hundredths(hundredths), None);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,12}") {
            let _ = text.parse::<Percent>();
        }
    }
}
