//! Who asks: a guest, by the secret token that the gateway passes on. Only its hash goes any further.

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

fn unauthenticated(reason: &str, message: &str) -> Status {
    status::reasoned(Code::Unauthenticated, reason, message, [])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
