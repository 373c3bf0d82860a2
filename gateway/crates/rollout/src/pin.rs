//! The pin: reads stay with the side that took a subject's write until the other side has it.
//!
//! It travels with the client (as a cookie, and as a header for clients without cookies), so it works over any replica and
//! needs no memory on any. It is signed because it overrides the percentage: nobody but a gateway may make one. It says
//! which subject's write it was given for by a salted hash, the one that the subject's bucket is made of, and whether that was
//! an entity: a pin of one screening moves nothing of another, one of a client all that this client reads
//! ([`crate::decide`]).
//!
//! ```text
//! 4.l.1763712345678.1763712375678.c.-1o6Nflw1wE.O1UOVfEOfnQAsbh07UMvfw
//! | | |             |             | |           ` HMAC-SHA-256 over rollout and all before it, first 128 bits, base64url
//! | | |             |             | ` the subject's hash, 64 bits, base64url
//! | | |             |             ` what the subject is: a client, c, or an entity, e
//! | | |             ` until, Unix milliseconds
//! | | ` since: when the write had been done, Unix milliseconds
//! | ` side, l or g
//! ` version of the format
//! ```
//!
//! The rollout's name is under the signature, so a pin of one rollout is none of another. Several keys may be held, the
//! first signs and all verify, so that keys can change while pins are about. The comparison takes the same time for
//! right and wrong (RFC 2104; truncation to half as in RFC 4868). The formats before this one do not say what the
//! subject is: they are not heard.
//!
//! # How long it holds
//!
//! Until its time, whatever is known. After it for as long as the follower of legacy is not known to have passed the
//! write ([`Following`]), but not for ever: a follower that never comes back would otherwise keep the subject's reads on
//! legacy until the rollout is over. Nobody follows gRPC, so a pin to gRPC ends with its time.
//!
//! A mark of somebody who writes on gRPC is the same, for another purpose and for months.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{Side, SubjectHash};

const VERSION: &str = "4";
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
    /// Unix time in milliseconds at which the write had been done.
    pub since_ms: u64,
    /// Unix time in milliseconds until which it holds whatever is known.
    pub until_ms: u64,
    /// The subject that the write was decided for.
    pub subject: SubjectHash,
    /// Whether that is an entity, which others write to as well, and no client.
    pub of_entity: bool,
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
            && following.passed_ms <= self.since_ms.saturating_add(CLOCKS_APART_MS)
    }

    /// As it travels: 68 characters that a cookie and a header may have, until the year 2286.
    #[must_use]
    pub fn sign(self, keys: &Keys, rollout: &str) -> String {
        let Self {
            side,
            since_ms,
            until_ms,
            subject,
            of_entity,
        } = self;
        let side = match side {
            Side::Legacy => "l",
            Side::Grpc => "g",
        };
        let kind = if of_entity { "e" } else { "c" };
        let signed = format!("{VERSION}.{side}.{since_ms}.{until_ms}.{kind}.{subject}");
        let tag = mac(&keys.0[0], rollout, &signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&tag[..TAG_BYTES]))
    }

    /// A pin of this rollout that a holder of the keys has signed; `None` for anything else. It may have run out.
    #[must_use]
    pub fn verify(keys: &Keys, rollout: &str, text: &str) -> Option<Self> {
        let (signed, tag) = text.rsplit_once('.')?;
        let said = signed.strip_prefix(VERSION)?.strip_prefix('.')?;
        let mut parts = said.splitn(5, '.');
        let side = match parts.next()? {
            "l" => Side::Legacy,
            "g" => Side::Grpc,
            _ => return None,
        };
        let pin = Self {
            side,
            since_ms: parts.next()?.parse().ok()?,
            until_ms: parts.next()?.parse().ok()?,
            of_entity: match parts.next()? {
                "c" => false,
                "e" => true,
                _ => return None,
            },
            subject: SubjectHash::from_text(parts.next()?)?,
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
        keys.0.iter().any(right).then_some(pin)
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
    use crate::Algorithm;

    fn keys(first: &[u8]) -> Keys {
        Keys::new(first.iter().map(|byte| [*byte; KEY_BYTES_MIN])).unwrap()
    }

    fn hash(subject: &str) -> SubjectHash {
        Algorithm::Sha256V1.hash("movies", subject)
    }

    fn pin(side: Side) -> Pin {
        Pin {
            side,
            since_ms: 1_763_712_345_678,
            until_ms: 1_763_712_375_678,
            subject: hash("alice"),
            of_entity: false,
        }
    }

    fn lasting(side: Side, since_ms: u64, lasts_ms: u64) -> Pin {
        Pin {
            since_ms,
            until_ms: since_ms + lasts_ms,
            ..pin(side)
        }
    }

    // The signatures were made with Python's hmac, not with this function.

    #[test]
    fn the_format_is_pinned() {
        for (of_entity, want) in [
            (
                false,
                "4.l.1763712345678.1763712375678.c.-1o6Nflw1wE.O1UOVfEOfnQAsbh07UMvfw",
            ),
            (
                true,
                "4.l.1763712345678.1763712375678.e.-1o6Nflw1wE.OSylQ-s1HnOBljK7Do8leA",
            ),
        ] {
            let pin = Pin {
                of_entity,
                ..pin(Side::Legacy)
            };
            assert_eq!(pin.sign(&keys(b"a"), "movies"), want);
            assert_eq!(Pin::verify(&keys(b"a"), "movies", want), Some(pin));
        }
    }

    #[test]
    fn pins_that_do_not_say_what_they_are_of_are_not_heard() {
        for old in [
            "1.g.1763712345678.KvVJBNQ0IU8uoyq-5HnXBQ",
            "2.l.1763712345678.1763712375678.1DVXdVFcwLa77KYFmtK_3A",
            "3.l.1763712345678.1763712375678.-1o6Nflw1wE.ZojjxSUfC_uv4akwX5RkHw",
        ] {
            assert_eq!(Pin::verify(&keys(b"a"), "movies", old), None, "{old}");
        }
    }

    #[test]
    fn keys_can_change_while_pins_are_about() {
        let pin = pin(Side::Grpc);
        let old = pin.sign(&keys(b"a"), "movies");
        assert_eq!(Pin::verify(&keys(b"ba"), "movies", &old), Some(pin));
        assert_eq!(Pin::verify(&keys(b"b"), "movies", &old), None);
    }

    #[test]
    fn a_pin_of_one_rollout_is_none_of_another() {
        let text = pin(Side::Legacy).sign(&keys(b"a"), "movies");
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
            subject in ".*", of_entity in any::<bool>(),
        ) {
            let side = if grpc { Side::Grpc } else { Side::Legacy };
            let pin = Pin { side, since_ms, until_ms, subject: hash(&subject), of_entity };
            let text = pin.sign(&keys(b"k"), &rollout);
            prop_assert!(text.len() <= 82, "{text}");
            prop_assert_eq!(Pin::verify(&keys(b"k"), &rollout, &text), Some(pin));
        }

        #[test]
        fn a_pin_holds_while_it_is_young_or_the_follower_has_not_passed_it(
            since_ms in 1..20_000u64, lasts_ms in 0..5_000u64, now_ms in 0..60_000u64, passed_ms in 0..30_000u64,
            pin_max_ms in 0..40_000u64, grpc in any::<bool>(), is_followed in any::<bool>(),
        ) {
            let side = if grpc { Side::Grpc } else { Side::Legacy };
            let pin = lasting(side, since_ms, lasts_ms);
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
            let pin = lasting(Side::Legacy, since_ms, lasts_ms);
            let known = |passed_ms| Some(Following { passed_ms, pin_max_ms: 40_000 });
            let is_over = !pin.holds(now_ms, known(passed_ms));
            prop_assert!(!is_over || !pin.holds(now_ms + later_ms, known(passed_ms + more_ms)));
        }

        #[test]
        fn whatever_is_altered_is_no_pin(at in any::<prop::sample::Index>(), with in "[ -~]") {
            let mut text = pin(Side::Legacy).sign(&keys(b"a"), "movies").into_bytes();
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
