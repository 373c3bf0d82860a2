//! The pin: reads stay with the side that took a subject's write until the other side has caught up.
//!
//! It travels with the client (as a cookie, and as a header for clients without cookies), so it works over any replica and
//! needs no memory on any. It is signed because it overrides the percentage: nobody but a gateway may make one. It names
//! no subject and no secret; whoever copies another's pin moves nothing but their own reads, for seconds.
//!
//! ```text
//! 1.g.1763712345678.KvVJBNQ0IU8uoyq-5HnXBQ
//! | | |             ` HMAC-SHA-256 over rollout, side and time, first 128 bits, base64url
//! | | ` until, Unix milliseconds
//! | ` side, l or g
//! ` version of the format
//! ```
//!
//! The rollout's name is under the signature, so a pin of one rollout is none of another. Several keys may be held, the
//! first signs and all verify, so that keys can change while pins are about. The comparison takes the same time for
//! right and wrong (RFC 2104; truncation to half as in RFC 4868).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::Side;

const VERSION: &str = "1";
const TAG_BYTES: usize = 16;

/// A shorter key is refused: the tag would be worth less than it looks.
pub const KEY_BYTES_MIN: usize = 32;

/// Reads stay with a side for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The side that took the write.
    pub side: Side,
    /// Unix time in milliseconds at which the pin has run out.
    pub until_ms: u64,
}

/// The secrets that pins are signed with, the signing one first.
#[derive(Clone)]
pub struct Keys(Vec<Hmac<Sha256>>);

/// Keys that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// No key.
    #[error("a key is missing that pins are signed with")]
    None,
    /// A key is too short.
    #[error("a key of {bytes} bytes is too short: {KEY_BYTES_MIN} are the least")]
    Short {
        /// How long it is.
        bytes: usize,
    },
}

impl Keys {
    /// Keys of at least [`KEY_BYTES_MIN`] bytes, the one to sign with first.
    ///
    /// # Errors
    /// If there is none or one is too short.
    pub fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Result<Self, KeysError> {
        let keyed = |key: K| {
            let key = key.as_ref();
            let bytes = key.len();
            if bytes < KEY_BYTES_MIN {
                return Err(KeysError::Short { bytes });
            }
            Hmac::new_from_slice(key).map_err(|_| KeysError::Short { bytes })
        };
        let keys: Vec<_> = keys.into_iter().map(keyed).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(KeysError::None);
        }
        Ok(Self(keys))
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({} secret)", self.0.len())
    }
}

impl Pin {
    /// Whether it still counts.
    #[must_use]
    pub const fn holds(self, now_ms: u64) -> bool {
        now_ms < self.until_ms
    }

    /// As it travels: at most 60 characters that a cookie and a header may have.
    #[must_use]
    pub fn sign(self, keys: &Keys, rollout: &str) -> String {
        let signed = signed(self.side, &self.until_ms.to_string());
        let tag = mac(&keys.0[0], rollout, &signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&tag[..TAG_BYTES]))
    }

    /// A pin of this rollout that a holder of the keys has signed; `None` for anything else. It may have run out.
    #[must_use]
    pub fn verify(keys: &Keys, rollout: &str, text: &str) -> Option<Self> {
        let (signed, tag) = text.rsplit_once('.')?;
        let (side, until) = signed
            .strip_prefix(VERSION)?
            .strip_prefix('.')?
            .split_once('.')?;
        let side = match side {
            "l" => Side::Legacy,
            "g" => Side::Grpc,
            _ => return None,
        };
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        if tag.len() != TAG_BYTES {
            return None;
        }
        let right = |key| {
            mac(key, rollout, signed)
                .verify_truncated_left(&tag)
                .is_ok()
        };
        keys.0.iter().any(right).then_some(())?;
        let until_ms = until.parse().ok()?;
        Some(Self { side, until_ms })
    }
}

fn signed(side: Side, until: &str) -> String {
    let side = match side {
        Side::Legacy => 'l',
        Side::Grpc => 'g',
    };
    format!("{VERSION}.{side}.{until}")
}

fn mac(key: &Hmac<Sha256>, rollout: &str, signed: &str) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(b"banyan pin\0");
    mac.update(rollout.as_bytes());
    mac.update(&[0]);
    mac.update(signed.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(first: &[u8]) -> Keys {
        Keys::new(first.iter().map(|byte| [*byte; KEY_BYTES_MIN])).unwrap()
    }

    const PIN: Pin = Pin {
        side: Side::Grpc,
        until_ms: 1_763_712_345_678,
    };

    #[test]
    fn the_format_is_pinned() {
        let text = PIN.sign(&keys(b"a"), "movies");
        // Made with Python's hmac, not with this function.
        assert_eq!(text, "1.g.1763712345678.KvVJBNQ0IU8uoyq-5HnXBQ");
        assert_eq!(Pin::verify(&keys(b"a"), "movies", &text), Some(PIN));
    }

    #[test]
    fn keys_can_change_while_pins_are_about() {
        let old = PIN.sign(&keys(b"a"), "movies");
        assert_eq!(Pin::verify(&keys(b"ba"), "movies", &old), Some(PIN));
        assert_eq!(Pin::verify(&keys(b"b"), "movies", &old), None);
    }

    #[test]
    fn a_pin_of_one_rollout_is_none_of_another() {
        let text = PIN.sign(&keys(b"a"), "movies");
        assert_eq!(Pin::verify(&keys(b"a"), "bookings", &text), None);
    }

    #[test]
    fn bad_keys_are_refused() {
        assert_eq!(Keys::new::<&[u8]>([]).unwrap_err(), KeysError::None);
        assert_eq!(
            Keys::new([b"secret"]).unwrap_err().to_string(),
            "a key of 6 bytes is too short: 32 are the least"
        );
        assert_eq!(format!("{:?}", keys(b"ab")), "Keys(2 secret)");
    }

    proptest! {
        #[test]
        fn a_pin_survives_its_travel(until_ms in any::<u64>(), grpc in any::<bool>(), rollout in "[a-z-]{1,20}") {
            let side = if grpc { Side::Grpc } else { Side::Legacy };
            let pin = Pin { side, until_ms };
            let text = pin.sign(&keys(b"k"), &rollout);
            prop_assert!(text.len() <= 60, "{text}");
            prop_assert_eq!(Pin::verify(&keys(b"k"), &rollout, &text), Some(pin));
        }

        #[test]
        fn whatever_is_altered_is_no_pin(at in any::<prop::sample::Index>(), with in "[ -~]") {
            let mut text = PIN.sign(&keys(b"a"), "movies").into_bytes();
            let at = at.index(text.len());
            prop_assume!(text[at] != with.as_bytes()[0]);
            text[at] = with.as_bytes()[0];
            prop_assert_eq!(Pin::verify(&keys(b"a"), "movies", std::str::from_utf8(&text).unwrap()), None);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            prop_assert_eq!(Pin::verify(&keys(b"a"), "movies", &text), None);
        }
    }
}
