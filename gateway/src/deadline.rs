//! How long a request may take: what its client asked for, under what the route allows.
//!
//! `grpc-timeout` is that of gRPC: up to eight digits and one of `H`, `M`, `S`, `m`, `u`, `n`. `x-request-timeout` is for
//! people: seconds (`1.5`), or a number with `h`, `m`, `s`, `ms`, `us` or `ns` (`250ms`). The shorter counts where both are
//! there. A value that is none of these, and none at all (`0`), is refused: to guess would be to wait for too long or not at
//! all.
//!
//! A client's time runs from the arrival of its request, an upload included, since the client waits for that too. The
//! route's time runs from the call: slow uploads have a limit of their own. Services are told what is left.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::refusal::Refusal;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");

/// Longest time that can be asked for; a route allows less.
const ASKED_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What a client asked for.
pub(crate) fn asked(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let grpc = read(
        headers,
        &GRPC_TIMEOUT,
        of_grpc,
        "must be up to eight digits and one of H, M, S, m, u, n",
    )?;
    let people = read(
        headers,
        &REQUEST_TIMEOUT,
        of_people,
        "must be seconds such as 1.5, or a number with one of h, m, s, ms, us, ns such as 250ms, above 0",
    )?;
    Ok(match (grpc, people) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    })
}

fn read(
    headers: &HeaderMap,
    name: &HeaderName,
    parse: fn(&str) -> Option<Duration>,
    predicate: &str,
) -> Result<Option<Duration>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::bad_header(name, "is given twice"));
    }
    let time = value.to_str().ok().and_then(|text| parse(text.trim()));
    match time.filter(|time| !time.is_zero()) {
        Some(time) => Ok(Some(time.min(ASKED_MAX))),
        None => Err(Refusal::bad_header(name, predicate)),
    }
}

fn of_grpc(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

fn of_people(text: &str) -> Option<Duration> {
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let nanos_per_unit: u128 = match unit {
        "" | "s" => 1_000_000_000,
        "h" => 3_600_000_000_000,
        "m" => 60_000_000_000,
        "ms" => 1_000_000,
        "us" => 1_000,
        "ns" => 1,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| {
        (1..=12).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let parts = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let nanos = whole.parse::<u128>().ok()? * nanos_per_unit
        + fraction.parse::<u128>().ok()? * nanos_per_unit / parts;
    Some(Duration::from_nanos(
        u64::try_from(nanos).unwrap_or(u64::MAX),
    ))
}

/// How long calls of a route may take, and the header that tells it.
#[derive(Clone, Debug)]
pub(crate) struct Cap {
    time: Duration,
    header: HeaderValue,
}

impl Cap {
    pub(crate) fn new(time: Duration) -> Cap {
        Cap {
            time,
            header: header(time),
        }
    }

    /// How long a call may take that begins when `elapsed` of the client's time is gone, and the header that tells the
    /// service; `None` where the client waits no longer.
    pub(crate) fn left(
        &self,
        asked: Option<Duration>,
        elapsed: impl FnOnce() -> Duration,
    ) -> Option<(Duration, HeaderValue)> {
        let Some(asked) = asked else {
            return Some((self.time, self.header.clone()));
        };
        let left = asked
            .checked_sub(elapsed())
            .filter(|left| !left.is_zero())?;
        Some(match left < self.time {
            true => (left, header(left)),
            false => (self.time, self.header.clone()),
        })
    }
}

/// The header that tells a service.
fn header(left: Duration) -> HeaderValue {
    const DIGITS_MAX: u128 = 99_999_999;
    let forms = [
        (left.as_nanos(), 'n'),
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
        (u128::from(left.as_secs()), 'S'),
        (u128::from(left.as_secs() / 60), 'M'),
    ];
    let fits = forms.iter().find(|(number, _)| *number <= DIGITS_MAX);
    let (number, unit) = fits.copied().unwrap_or((DIGITS_MAX, 'M'));
    HeaderValue::try_from(format!("{number}{unit}"))
        .unwrap_or_else(|_| HeaderValue::from_static("1m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Option<Duration>, String> {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::try_from(*value).unwrap(),
            )
        });
        asked(&pairs.collect()).map_err(|refusal| refusal.message)
    }

    #[test]
    fn times_are_read_in_both_spellings() {
        #[track_caller]
        fn check(name: &'static str, text: &str, nanos: u64) {
            assert_eq!(
                read(&[(name, text)]),
                Ok(Some(Duration::from_nanos(nanos))),
                "{text}"
            );
        }
        assert_eq!(read(&[]), Ok(None));
        check("grpc-timeout", "250m", 250_000_000);
        check("grpc-timeout", "1S", 1_000_000_000);
        check("grpc-timeout", "2M", 120_000_000_000);
        check("grpc-timeout", "1H", 3_600_000_000_000);
        check("grpc-timeout", "7u", 7_000);
        check("grpc-timeout", "99999999n", 99_999_999);
        check("x-request-timeout", "2", 2_000_000_000);
        check("x-request-timeout", " 1.5 ", 1_500_000_000);
        check("x-request-timeout", "0.001", 1_000_000);
        check("x-request-timeout", "250ms", 250_000_000);
        check("x-request-timeout", "2s", 2_000_000_000);
        check("x-request-timeout", "1.5m", 90_000_000_000);
        check("x-request-timeout", "1h", 3_600_000_000_000);
        let both = [("grpc-timeout", "2S"), ("x-request-timeout", "1")];
        assert_eq!(
            read(&both),
            Ok(Some(Duration::from_secs(1))),
            "the shorter counts"
        );
        let long = read(&[("x-request-timeout", "999999999999h")]);
        assert_eq!(long, Ok(Some(ASKED_MAX)));
    }

    #[test]
    fn what_is_no_time_is_refused_by_name() {
        for (name, text) in [
            ("grpc-timeout", ""),
            ("grpc-timeout", "1"),
            ("grpc-timeout", "0S"),
            ("grpc-timeout", "S"),
            ("grpc-timeout", "1s"),
            ("grpc-timeout", "-1S"),
            ("grpc-timeout", "1.5S"),
            ("grpc-timeout", "123456789S"),
            ("grpc-timeout", "1é"),
            ("x-request-timeout", ""),
            ("x-request-timeout", "0"),
            ("x-request-timeout", "0.0000000001"),
            ("x-request-timeout", "-1"),
            ("x-request-timeout", "+1"),
            ("x-request-timeout", "1."),
            ("x-request-timeout", ".5"),
            ("x-request-timeout", "1e3"),
            ("x-request-timeout", "1 s"),
            ("x-request-timeout", "1S"),
            ("x-request-timeout", "NaN"),
            ("x-request-timeout", "inf"),
            ("x-request-timeout", "1d"),
        ] {
            let message = read(&[(name, text)]).unwrap_err();
            assert!(message.contains(name), "{text:?}: {message}");
        }
    }

    #[test]
    fn a_client_waits_from_its_request_on_and_a_route_from_the_call_on() {
        let cap = Cap::new(Duration::from_secs(5));
        let left = |asked: Option<u64>| {
            let asked = asked.map(Duration::from_secs);
            let (left, header) = cap.left(asked, || Duration::from_secs(3))?;
            Some((left.as_secs(), header.to_str().unwrap().to_owned()))
        };
        assert_eq!(left(None), Some((5, "5000000u".to_owned())));
        assert_eq!(left(Some(60)), left(None));
        assert_eq!(left(Some(4)), Some((1, "1000000u".to_owned())));
        assert_eq!((left(Some(3)), left(Some(2))), (None, None));
    }

    #[test]
    fn services_are_told_in_eight_digits() {
        for (time, want) in [
            (Duration::from_nanos(5), "5n"),
            (Duration::from_millis(99), "99000000n"),
            (Duration::from_millis(2_000), "2000000u"),
            (Duration::from_secs(5_000), "5000000m"),
            (Duration::from_secs(5_000_000), "5000000S"),
            (ASKED_MAX, "5256000M"),
        ] {
            assert_eq!(header(time), want);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "[0-9.HMSmunsh ]{0,14}|[ -~]{0,20}") {
            for name in ["grpc-timeout", "x-request-timeout"] {
                if let Ok(Some(time)) = read(&[(name, &text)]) {
                    assert!(!time.is_zero() && time <= ASKED_MAX);
                    let header = header(time);
                    assert!((2..=9).contains(&header.len()), "{header:?}");
                }
            }
        }
    }
}
