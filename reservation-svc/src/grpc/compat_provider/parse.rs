//! Requests of the provider API as parsed values. All that is wrong with a request is told at once; only an empty list of
//! seats has words of its own, which partners match on.

use std::collections::HashSet;

use banyan_proto::compat::provider::v1::{CreateMovieRequest, CreateSeanceRequest};
use jiff::Timestamp;
use prost::Message;
use tonic::{Code, Status};

use super::super::{
    compat_status::{Violation, Violations, titled},
    parse, status,
};
use crate::domain::request::RequestKey;

const LIST_DEFAULT: u64 = 50;
const LIST_MAX: i32 = 1000;
const NAME_CHARS_MAX: usize = 500;
const DESCRIPTION_CHARS_MAX: usize = 10_000;
const IMAGE_URL_CHARS_MAX: usize = 2_000;
const PRICE_MAX: i32 = 1000;
const SEATS_MAX: usize = 50;
const EMAIL_CHARS_MAX: usize = 254;

/// How many entries a list may have.
pub(super) fn limit(max_results: Option<i32>) -> Result<u64, Status> {
    let Some(limit) = max_results else {
        return Ok(LIST_DEFAULT);
    };
    let mut violations = Violations::default();
    if !(1..=LIST_MAX).contains(&limit) {
        violations.add("max_results", Violation::Range, "must be from 1 to 1000");
    }
    violations.check()?;
    Ok(u64::try_from(limit).unwrap_or(LIST_DEFAULT))
}

/// Refuses a movie with empty, overlong or unstorable texts.
pub(super) fn movie(request: &CreateMovieRequest) -> Result<(), Status> {
    let mut violations = Violations::default();
    for (field, text, max) in [
        ("name", &request.name, NAME_CHARS_MAX),
        ("description", &request.description, DESCRIPTION_CHARS_MAX),
        ("image_url", &request.image_url, IMAGE_URL_CHARS_MAX),
    ] {
        if !(1..=max).contains(&text.chars().count()) {
            violations.add(
                field,
                Violation::Range,
                &format!("must have 1 to {max} characters"),
            );
        }
        // PostgreSQL cannot store them.
        if text.contains('\0') {
            violations.add(field, Violation::Format, "must not contain NUL characters");
        }
    }
    violations.check()
}

/// When a new seance starts. Its price, in whole units, is within its range.
pub(super) fn seance(request: &CreateSeanceRequest) -> Result<Timestamp, Status> {
    let mut violations = Violations::default();
    let start = datetime(&request.datetime);
    if start.is_none() {
        let rule = "must be a UTC time such as 2020-01-18T00:00:00.000Z";
        violations.add("datetime", Violation::Format, rule);
    }
    if !(0..=PRICE_MAX).contains(&request.price) {
        violations.add("price", Violation::Range, "must be from 0 to 1000");
    }
    violations.check()?;
    Ok(start.unwrap_or_default())
}

/// The key under which a request may be repeated.
pub(super) fn request_key(
    method: &'static str,
    id: &str,
    request: &impl Message,
) -> Result<Option<RequestKey>, Status> {
    parse::request_key(method, id, request).map_err(status::invalid)
}

/// Refuses a booking without an e-mail address, or with seats that nobody can mean. A seat may lie beyond the hall.
pub(super) fn booking(email: &str, seats_ids: &[i64]) -> Result<(), Status> {
    if seats_ids.is_empty() {
        // No violation: the old system answers these very words, and 400.
        let detail = "seatsIds must be an non-empty array".to_owned();
        return Err(titled(
            Code::InvalidArgument,
            "Validation failed",
            detail,
            "NO_SEATS",
        ));
    }
    let mut violations = Violations::default();
    if !looks_like_email(email) {
        violations.add("email", Violation::Format, "must be an e-mail address");
    }
    if seats_ids.len() > SEATS_MAX {
        violations.add("seatsIds", Violation::Range, "must have at most 50 entries");
    }
    if seats_ids.iter().any(|id| *id < 0) {
        violations.add("seatsIds", Violation::Range, "must not be negative");
    }
    let mut seen = HashSet::new();
    if !seats_ids.iter().all(|id| seen.insert(id)) {
        violations.add("seatsIds", Violation::Duplicate, "must name each seat once");
    }
    violations.check()
}

/// A UTC time of RFC 3339 and no other: what partners send has always ended with `Z`.
fn datetime(text: &str) -> Option<Timestamp> {
    let (seconds, rest) = text.split_at_checked("2020-01-18T00:00:00".len())?;
    let shaped =
        seconds
            .bytes()
            .zip("dddd-dd-ddTdd:dd:dd".bytes())
            .all(|(byte, shape)| match shape {
                b'd' => byte.is_ascii_digit(),
                _ => byte == shape,
            });
    let fraction = rest.strip_suffix('Z')?;
    let fraction_shaped = match fraction.strip_prefix('.') {
        Some(digits) => {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
        }
        None => fraction.is_empty(),
    };
    // A screening of the calendar's last year may have no end in it.
    let in_range = seconds < "9999";
    if shaped && fraction_shaped && in_range {
        text.parse().ok()
    } else {
        None
    }
}

/// One `@` with something before it and a domain of several labels after it. Only a letter sent there can tell more.
fn looks_like_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let printable = text
        .chars()
        .all(|character| !character.is_whitespace() && !character.is_control());
    let labels: Vec<_> = domain.split('.').collect();
    let label_is_good = |label: &&str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|character| character.is_alphanumeric() || character == '-')
    };
    text.chars().count() <= EMAIL_CHARS_MAX
        && printable
        && !local.is_empty()
        && labels.len() >= 2
        && labels.iter().all(label_is_good)
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[track_caller]
    fn violations(status: &Status) -> Vec<(String, String)> {
        assert_eq!(status.code(), Code::InvalidArgument);
        let found = status
            .get_error_details()
            .bad_request()
            .unwrap()
            .field_violations
            .clone();
        found
            .into_iter()
            .map(|violation| (violation.field, violation.reason))
            .collect()
    }

    #[track_caller]
    fn check<T: std::fmt::Debug>(got: Result<T, Status>, want: &[(&str, &str)]) {
        let got = violations(&got.unwrap_err());
        let got: Vec<_> = got
            .iter()
            .map(|(field, reason)| (field.as_str(), reason.as_str()))
            .collect();
        assert_eq!(got, want);
    }

    #[test]
    fn lists_have_1_to_1000_entries() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some(1)).unwrap(), 1);
        assert_eq!(limit(Some(1000)).unwrap(), 1000);
        for wrong in [0, -1, 1001, i32::MIN] {
            check(limit(Some(wrong)), &[("max_results", "RANGE")]);
        }
    }

    #[test]
    fn a_movie_has_every_text() {
        let good = CreateMovieRequest {
            name: "Roots".to_owned(),
            description: "A forest".to_owned(),
            image_url: "roots.png".to_owned(),
        };
        movie(&good).unwrap();
        let empty = CreateMovieRequest::default();
        check(
            movie(&empty),
            &[
                ("name", "RANGE"),
                ("description", "RANGE"),
                ("image_url", "RANGE"),
            ],
        );
        let long = CreateMovieRequest {
            name: "n".repeat(501),
            image_url: "a\0".to_owned(),
            ..good
        };
        check(movie(&long), &[("name", "RANGE"), ("image_url", "FORMAT")]);
    }

    #[test]
    fn times_are_utc_with_a_z() {
        for text in [
            "2020-01-18T00:00:00.000Z",
            "2020-01-18T00:00:00Z",
            "2024-02-29T23:59:59.123456789Z",
        ] {
            assert!(datetime(text).is_some(), "{text}");
        }
        for text in [
            "",
            "Z",
            "2020-01-18",
            "2020-01-18T00:00:00",
            "2020-01-18 00:00:00Z",
            "2020-01-18T00:00:00z",
            "2020-01-18T00:00:00.Z",
            "2020-01-18T00:00:00+00:00",
            "2020-01-18T00:00Z",
            "2020-02-30T00:00:00Z",
            "2020-01-18T24:00:00Z",
            "2020-01-18T00:00:00.0000000000Z",
            "20200118T000000Z",
            "9999-01-01T00:00:00Z",
            "2020-01-18T00:00:00.0é",
            "tomorrow",
        ] {
            assert!(datetime(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_price_is_at_most_1000() {
        let request = |price| CreateSeanceRequest {
            movie_id: 1,
            datetime: "2020-01-18T00:00:00.000Z".to_owned(),
            price,
        };
        seance(&request(0)).unwrap();
        seance(&request(1000)).unwrap();
        check(seance(&request(1001)), &[("price", "RANGE")]);
        check(seance(&request(-1)), &[("price", "RANGE")]);
        let wrong = CreateSeanceRequest {
            datetime: "soon".to_owned(),
            ..request(5000)
        };
        check(
            seance(&wrong),
            &[("datetime", "FORMAT"), ("price", "RANGE")],
        );
    }

    #[test]
    fn seats_are_named_once_each() {
        let email = "anna@example.com";
        booking(email, &[3, 0]).unwrap();
        check(booking(email, &[-1]), &[("seatsIds", "RANGE")]);
        check(booking(email, &[1, 2, 1]), &[("seatsIds", "DUPLICATE")]);
        check(
            booking(email, &(0..51).collect::<Vec<_>>()),
            &[("seatsIds", "RANGE")],
        );
        check(
            booking("anna", &[-1]),
            &[("email", "FORMAT"), ("seatsIds", "RANGE")],
        );
    }

    #[test]
    fn no_seats_are_refused_in_the_old_words() {
        let status = booking("anna", &[]).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        assert!(details.bad_request().is_none());
        let words = &details.error_info().unwrap().metadata;
        assert_eq!(words["title"], "Validation failed");
        assert_eq!(words["detail"], "seatsIds must be an non-empty array");
    }

    #[test]
    fn an_email_has_one_at_and_a_domain() {
        for good in [
            "anna@example.com",
            "a.b+c@mail.example.co.uk",
            "анна@пример.рф",
            "a@xn--e1afmkfd.ru",
        ] {
            assert!(looks_like_email(good), "{good}");
        }
        for wrong in [
            "",
            "anna",
            "@example.com",
            "anna@",
            "anna@localhost",
            "a@b@c.d",
            "a b@c.d",
            "a@.d",
            "a@b.",
            "a@-b.c",
        ] {
            assert!(!looks_like_email(wrong), "{wrong}");
        }
        assert!(!looks_like_email(&format!(
            "{}@example.com",
            "a".repeat(254)
        )));
    }
}
