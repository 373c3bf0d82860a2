//! The pin: reads stay with the side that took a subject's write until the other side has it.
//!
//! It travels with the client (as a cookie, and as a header for clients without cookies), so it works over any replica and
//! needs no memory on any. It is signed because it overrides the percentage: nobody but a gateway may make one. It names
//! no subject and no secret; whoever copies another's pin moves nothing but their own reads.
//!
//! ```text
//! 2.l.1763712345678.1763712375678.1DVXdVFcwLa77KYFmtK_3A
//! | | |             |             ` HMAC-SHA-256 over rollout and all before it, first 128 bits, base64url
//! | | |             ` until, Unix milliseconds
//! | | ` since: when the write had been done, Unix milliseconds
//! | ` side, l or g
//! ` version of the format
//! ```
//!
//! The rollout's name is under the signature, so a pin of one rollout is none of another. Several keys may be held, the
//! first signs and all verify, so that keys can change while pins are about. The comparison takes the same time for
//! right and wrong (RFC 2104; truncation to half as in RFC 4868).
//!
//! # How long it holds
//!
//! Until its time, whatever is known. After it for as long as the follower of legacy is not known to have passed the
//! write ([`Following`]), but not for ever: a follower that never comes back would otherwise keep the subject's reads on
//! legacy until the rollout is over. Nobody follows gRPC, so a pin to gRPC ends with its time. It does not say when the
//! write was, and has the first format, `1.SIDE.UNTIL.SIGNATURE`, which releases before the second read too: a mark of
//! somebody who writes on gRPC lasts for months. A pin to legacy that has the first format ends with its time as well.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::Side;

const VERSION: &str = "2";
/// Tells no moment of the write.
const FIRST_VERSION: &str = "1";
const TAG_BYTES: usize = 16;

/// The clocks of two replicas may be this far apart, of which one took the write and another looks at the pin.
const CLOCKS_APART_MS: u64 = 1_000;

/// A shorter key is refused: the tag would be worth less than it looks.
pub const KEY_BYTES_MIN: usize = 32;

/// Reads stay with a side for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The side that took the write.
    pub side: Side,
    /// Unix time in milliseconds at which the write had been done; 0 where the pin does not say, as none to gRPC does.
    pub since_ms: u64,
    /// Unix time in milliseconds until which it holds whatever is known.
    pub until_ms: u64,
}

/// What is known of the gRPC side where somebody adopts what legacy is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Following {
    /// Unix time in milliseconds: what legacy had before it the gRPC side has too. 0 while nobody can say.
    pub passed_ms: u64,
    /// How long after its write a pin ends, whether or not the follower has passed that.
    pub pin_max_ms: u64,
}

/// What has become of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinState {
    /// Its time is not over.
    Young,
    /// Its time is over, and the follower is not known to have passed its write.
    Waiting,
    /// Its time is over, and nothing more is to be waited for.
    Over,
    /// The follower is not known to have passed its write, and has been waited for long enough.
    GivenUp,
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
    /// What has become of it.
    #[must_use]
    pub const fn state(self, now_ms: u64, following: Option<Following>) -> PinState {
        if now_ms < self.until_ms {
            return PinState::Young;
        }
        match following {
            Some(following) if self.is_ahead_of(following) => {
                if now_ms < self.since_ms.saturating_add(following.pin_max_ms) {
                    PinState::Waiting
                } else {
                    PinState::GivenUp
                }
            }
            _ => PinState::Over,
        }
    }

    /// Whether it still counts.
    #[must_use]
    pub const fn holds(self, now_ms: u64, following: Option<Following>) -> bool {
        matches!(
            self.state(now_ms, following),
            PinState::Young | PinState::Waiting
        )
    }

    /// Whether the follower should be asked how far it is: half of the time is over, and nobody knows that it has passed.
    #[must_use]
    pub const fn asks(self, now_ms: u64, following: Option<Following>) -> bool {
        let half_ms = self.until_ms.saturating_sub(self.since_ms) / 2;
        match following {
            Some(following) => {
                self.is_ahead_of(following) && now_ms >= self.since_ms.saturating_add(half_ms)
            }
            None => false,
        }
    }

    const fn is_ahead_of(self, following: Following) -> bool {
        matches!(self.side, Side::Legacy)
            && self.since_ms > 0
            && following.passed_ms <= self.since_ms.saturating_add(CLOCKS_APART_MS)
    }

    /// As it travels: at most 70 characters that a cookie and a header may have.
    #[must_use]
    pub fn sign(self, keys: &Keys, rollout: &str) -> String {
        let signed = match self.side {
            Side::Legacy => format!("{VERSION}.l.{}.{}", self.since_ms, self.until_ms),
            Side::Grpc => format!("{FIRST_VERSION}.g.{}", self.until_ms),
        };
        let tag = mac(&keys.0[0], rollout, &signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&tag[..TAG_BYTES]))
    }

    /// A pin of this rollout that a holder of the keys has signed; `None` for anything else. It may have run out.
    #[must_use]
    pub fn verify(keys: &Keys, rollout: &str, text: &str) -> Option<Self> {
        let (signed, tag) = text.rsplit_once('.')?;
        let (version, said) = signed.split_once('.')?;
        let (side, times) = said.split_once('.')?;
        let (since, until) = match version {
            VERSION => times.split_once('.')?,
            FIRST_VERSION => ("0", times),
            _ => return None,
        };
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
        Some(Self {
            side,
            since_ms: since.parse().ok()?,
            until_ms: until.parse().ok()?,
        })
    }
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
        side: Side::Legacy,
        since_ms: 1_763_712_345_678,
        until_ms: 1_763_712_375_678,
    };

    // The signatures were made with Python's hmac, not with this function.

    #[test]
    fn the_format_is_pinned() {
        let text = PIN.sign(&keys(b"a"), "movies");
        assert_eq!(
            text,
            "2.l.1763712345678.1763712375678.1DVXdVFcwLa77KYFmtK_3A"
        );
        assert_eq!(Pin::verify(&keys(b"a"), "movies", &text), Some(PIN));
    }

    #[test]
    fn pins_of_the_first_format_hold_until_their_time_and_no_longer() {
        let text = "1.g.1763712345678.KvVJBNQ0IU8uoyq-5HnXBQ";
        let pin = Pin::verify(&keys(b"a"), "movies", text).unwrap();
        assert_eq!((pin.side, pin.until_ms), (Side::Grpc, 1_763_712_345_678));
        let behind = Some(Following {
            passed_ms: 0,
            pin_max_ms: u64::MAX,
        });
        for side in [Side::Grpc, Side::Legacy] {
            let pin = Pin { side, ..pin };
            assert!(pin.holds(pin.until_ms - 1, behind));
            assert_eq!(pin.state(pin.until_ms, behind), PinState::Over);
            assert!(!pin.asks(pin.until_ms, behind));
        }
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
        fn a_pin_survives_its_travel(
            since_ms in any::<u64>(), until_ms in any::<u64>(), grpc in any::<bool>(), rollout in "[a-z-]{1,20}",
        ) {
            let (side, since_ms) = if grpc { (Side::Grpc, 0) } else { (Side::Legacy, since_ms) };
            let pin = Pin { side, since_ms, until_ms };
            let text = pin.sign(&keys(b"k"), &rollout);
            prop_assert!(text.len() <= 70, "{text}");
            prop_assert_eq!(Pin::verify(&keys(b"k"), &rollout, &text), Some(pin));
        }

        #[test]
        fn a_pin_holds_while_it_is_young_or_the_follower_has_not_passed_it(
            since_ms in 1..20_000u64, lasts_ms in 0..5_000u64, now_ms in 0..60_000u64, passed_ms in 0..30_000u64,
            pin_max_ms in 0..40_000u64, grpc in any::<bool>(), is_followed in any::<bool>(),
        ) {
            let side = if grpc { Side::Grpc } else { Side::Legacy };
            let pin = Pin { side, since_ms, until_ms: since_ms + lasts_ms };
            let following = is_followed.then_some(Following { passed_ms, pin_max_ms });
            let is_young = now_ms < since_ms + lasts_ms;
            let is_behind = is_followed && !grpc && passed_ms <= since_ms + CLOCKS_APART_MS;
            let is_in_bounds = now_ms < since_ms + pin_max_ms;
            prop_assert_eq!(pin.holds(now_ms, following), is_young || is_behind && is_in_bounds);
            let is_given_up = pin.state(now_ms, following) == PinState::GivenUp;
            prop_assert_eq!(is_given_up, !is_young && is_behind && !is_in_bounds);
            // What is waited for is asked for, and nothing else once the follower has passed.
            if matches!(pin.state(now_ms, following), PinState::Waiting | PinState::GivenUp) {
                prop_assert!(pin.asks(now_ms, following));
            }
            prop_assert!(is_behind || !pin.asks(now_ms, following));
        }

        #[test]
        fn a_pin_that_has_ended_by_the_follower_never_holds_again(
            since_ms in 1..20_000u64, lasts_ms in 0..5_000u64, now_ms in 0..60_000u64, later_ms in 0..60_000u64,
            passed_ms in 0..30_000u64, more_ms in 0..30_000u64,
        ) {
            let pin = Pin { side: Side::Legacy, since_ms, until_ms: since_ms + lasts_ms };
            let known = |passed_ms| Some(Following { passed_ms, pin_max_ms: 40_000 });
            let is_over = !pin.holds(now_ms, known(passed_ms));
            prop_assert!(!is_over || !pin.holds(now_ms + later_ms, known(passed_ms + more_ms)));
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
        fn no_text_makes_it_panic(text in ".{0,70}") {
            prop_assert_eq!(Pin::verify(&keys(b"a"), "movies", &text), None);
        }
    }
}
