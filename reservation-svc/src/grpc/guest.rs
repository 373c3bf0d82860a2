//! Who asks: a guest, by the secret token that the gateway passes on. Only its hash goes any further.

use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tonic::{Code, Status, metadata::MetadataMap};

use super::status;
use crate::domain::request::Principal;

const GUEST: &str = "x-banyan-guest";
/// Shorter tokens could be guessed, longer ones are not ours.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// The guest of a call. UNAUTHENTICATED without one.
pub(super) fn guest(metadata: &MetadataMap) -> Result<Principal, Status> {
    let token = metadata.get(GUEST).and_then(|value| value.to_str().ok());
    match token {
        Some(token) if TOKEN_BYTES.contains(&token.len()) => {
            Ok(Principal::guest(hex(&Sha256::digest(token))))
        }
        Some(_) => Err(unauthenticated(
            "GUEST_INVALID",
            "the guest's token is not one",
        )),
        None => Err(unauthenticated("GUEST_MISSING", "bookings need a guest")),
    }
}

/// Who asks for a change, and until when the answer is of use.
pub(super) struct Caller {
    pub(super) principal: Principal,
    pub(super) deadline: Option<Instant>,
}

/// The guest of a call that changes something. UNAUTHENTICATED without one.
pub(super) fn caller(metadata: &MetadataMap) -> Result<Caller, Status> {
    Ok(Caller {
        principal: guest(metadata)?,
        deadline: deadline(metadata),
    })
}

/// Until when the caller waits; nothing if it does not say.
pub(super) fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    Instant::now().checked_add(timeout(text)?)
}

/// A `grpc-timeout`: at most eight digits and a unit (gRPC over HTTP/2, "Requests").
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    let timeout = match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    };
    Some(timeout)
}

fn unauthenticated(reason: &str, message: &str) -> Status {
    status::reasoned(Code::Unauthenticated, reason, message, [])
}

/// Every call of a guest needs this; `format!` for each byte takes fifty times as long.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(token: Option<&str>) -> Result<Principal, Status> {
        let mut metadata = MetadataMap::new();
        if let Some(token) = token {
            metadata.insert(GUEST, token.parse().unwrap());
        }
        guest(&metadata)
    }

    #[test]
    fn a_timeout_is_a_count_and_a_unit() {
        for (text, millis) in [
            ("1H", 3_600_000),
            ("2M", 120_000),
            ("3S", 3_000),
            ("40m", 40),
        ] {
            assert_eq!(timeout(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(timeout("7u"), Some(Duration::from_micros(7)));
        assert_eq!(timeout("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for text in ["", "S", "1", "1s", "-1S", "+1S", "999999999S", "1 S", "1é"] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }

    #[test]
    fn a_guest_is_the_hash_of_its_token() {
        let guest = call(Some("0123456789abcdef")).unwrap();
        assert_eq!(
            guest.as_str(),
            "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"
        );
        assert_eq!(format!("{guest:?}"), "Principal(..)");
    }

    #[test]
    fn without_a_sound_token_nobody_is_anybody() {
        for token in [
            None,
            Some(""),
            Some("short"),
            Some("a".repeat(513).as_str()),
        ] {
            assert_eq!(call(token).unwrap_err().code(), Code::Unauthenticated);
        }
    }
}
