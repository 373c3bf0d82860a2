//! `google.protobuf.Timestamp` and `Duration` as JSON text, in the ranges that their definitions give.
//!
//! A fraction prints with 0, 3, 6 or 9 digits; any number from 1 to 9 is read.

use std::io::Write;

/// 0001-01-01T00:00:00Z.
const SECONDS_MIN: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const SECONDS_MAX: i64 = 253_402_300_799;
/// About 10,000 years; any fraction of a second may come on top, as the conformance suite has it.
const DURATION_MAX: u64 = 315_576_000_000;
const DAY: i64 = 86_400;

/// Seconds and nanoseconds of a text like `2020-01-18T00:00:00.5+03:00` (RFC 3339); `None` when it is no such text or
/// out of range.
pub(super) fn parse_timestamp(text: &str) -> Option<(i64, i32)> {
    let bytes = text.as_bytes();
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        rest @ ..,
    ] = bytes
    else {
        return None;
    };
    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    let (month, day) = (two(*m1, *m2)?, two(*d1, *d2)?);
    let (hour, minute, second) = (two(*h1, *h2)?, two(*n1, *n2)?, two(*s1, *s2)?);
    let valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !valid || year == 0 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, rest) = fraction(rest)?;
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset(rest)?;
    (SECONDS_MIN..=SECONDS_MAX)
        .contains(&seconds)
        .then_some((seconds, nanos))
}

/// `.5` and what follows it.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let [b'.', digits @ ..] = text else {
        return Some((0, text));
    };
    let len = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=9).contains(&len) {
        return None;
    }
    let value = digits[..len]
        .iter()
        .fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    Some((value * 10_i32.pow(9 - len as u32), &digits[len..]))
}

/// `Z` or `+03:00`, in seconds.
fn offset(text: &[u8]) -> Option<i64> {
    match text {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
            let seconds = hours * 3600 + minutes * 60;
            (hours <= 23 && minutes <= 59).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, which puts the leap day
/// last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// The date that lies that many days after 1970-01-01: the inverse of [`days`].
fn date(days: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (ERA - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Prints `"2020-01-18T00:00:00.500Z"`; `None` when out of range.
pub(super) fn put_timestamp(out: &mut Vec<u8>, seconds: i64, nanos: i64) -> Option<()> {
    if !(SECONDS_MIN..=SECONDS_MAX).contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let time = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    );
    put_fraction(out, nanos);
    out.extend_from_slice(b"Z\"");
    Some(())
}

fn put_fraction(out: &mut Vec<u8>, nanos: i64) {
    let _ = match nanos {
        0 => Ok(()),
        n if n % 1_000_000 == 0 => write!(out, ".{:03}", n / 1_000_000),
        n if n % 1_000 == 0 => write!(out, ".{:06}", n / 1_000),
        n => write!(out, ".{n:09}"),
    };
}

/// Seconds and nanoseconds, of one sign, of a text like `-1.5s`.
pub(super) fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let text = text.strip_suffix('s')?;
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    let seconds: i64 = text[..len].parse().ok()?;
    let (nanos, rest) = fraction(&text.as_bytes()[len..])?;
    let in_range = seconds.unsigned_abs() <= DURATION_MAX;
    (rest.is_empty() && in_range).then_some((sign * seconds, sign as i32 * nanos))
}

/// Prints `"-1.500s"`; `None` when out of range or of two signs.
pub(super) fn put_duration(out: &mut Vec<u8>, seconds: i64, nanos: i64) -> Option<()> {
    let one_sign = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
    if seconds.unsigned_abs() > DURATION_MAX || nanos.unsigned_abs() >= 1_000_000_000 || !one_sign {
        return None;
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let _ = write!(out, "\"{sign}{}", seconds.abs());
    put_fraction(out, nanos.abs());
    out.extend_from_slice(b"s\"");
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn timestamp(text: &str, want: Option<(i64, i32, &str)>) {
        let got = parse_timestamp(text);
        assert_eq!(
            got,
            want.map(|(seconds, nanos, _)| (seconds, nanos)),
            "{text}"
        );
        if let Some((seconds, nanos, printed)) = want {
            let mut out = Vec::new();
            put_timestamp(&mut out, seconds, i64::from(nanos)).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{printed}\""));
        }
    }

    #[test]
    fn timestamps_follow_rfc_3339() {
        timestamp("1970-01-01T00:00:00Z", Some((0, 0, "1970-01-01T00:00:00Z")));
        timestamp(
            "2020-01-18T00:00:00.000Z",
            Some((1_579_305_600, 0, "2020-01-18T00:00:00Z")),
        );
        timestamp(
            "2020-02-29T23:59:59.5+03:00",
            Some((1_583_009_999, 500_000_000, "2020-02-29T20:59:59.500Z")),
        );
        timestamp(
            "1969-12-31T23:59:59.000001Z",
            Some((-1, 1000, "1969-12-31T23:59:59.000001Z")),
        );
        timestamp(
            "0001-01-01T00:00:00Z",
            Some((SECONDS_MIN, 0, "0001-01-01T00:00:00Z")),
        );
        timestamp(
            "9999-12-31T23:59:59.999999999Z",
            Some((SECONDS_MAX, 999_999_999, "9999-12-31T23:59:59.999999999Z")),
        );
        for bad in [
            "",
            "2020-01-18",
            "2020-01-18 00:00:00Z",
            "2020-01-18t00:00:00Z",
            "2020-01-18T00:00:00z",
            "2020-01-18T00:00:00",
            "2021-02-29T00:00:00Z",
            "2020-13-01T00:00:00Z",
            "2020-01-18T24:00:00Z",
            "2020-01-18T00:00:60Z",
            "2020-01-18T00:00:00.Z",
            "2020-01-18T00:00:00.1234567890Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "2020-01-18T00:00:00+0100",
        ] {
            timestamp(bad, None);
        }
    }

    #[test]
    fn dates_survive_both_ways() {
        for day in (SECONDS_MIN / DAY..=SECONDS_MAX / DAY).step_by(37) {
            let (year, month, day_of_month) = date(day);
            assert_eq!(days(year, month, day_of_month), day);
        }
    }

    #[test]
    fn durations_are_decimal_seconds() {
        #[track_caller]
        fn check(text: &str, want: Option<(i64, i32)>) {
            assert_eq!(parse_duration(text), want, "{text}");
        }
        check("1s", Some((1, 0)));
        check("-0.5s", Some((0, -500_000_000)));
        check("315576000000s", Some((315_576_000_000, 0)));
        check(
            "-315576000000.999999999s",
            Some((-315_576_000_000, -999_999_999)),
        );
        for bad in [
            "1",
            "s",
            "1.s",
            ".5s",
            "1 s",
            "+1s",
            "315576000001s",
            "99999999999999999999s",
            "--1s",
        ] {
            check(bad, None);
        }
        let mut out = Vec::new();
        put_duration(&mut out, -1, -500_000_000).unwrap();
        assert_eq!(out, b"\"-1.500s\"");
        for (seconds, nanos) in [(1, -1), (i64::MIN, 0), (0, i64::MIN)] {
            assert_eq!(put_duration(&mut out, seconds, nanos), None);
        }
    }
}
