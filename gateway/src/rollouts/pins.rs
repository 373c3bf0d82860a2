//! Pins in the hands of clients: as a cookie for browsers, as a header for everybody else.
//!
//! A *pin* keeps reads with the side that took a write which the other side does not know yet; it lasts seconds, and beyond
//! them until the follower has passed the write ([`banyan_rollout::Pin`]), which is why its cookie is kept for longer and
//! taken back when it is of no use any more. A *mark* says for long that a subject has written on gRPC; it is given only where the rollout lets writers stay there when the
//! percentage falls. Both are signed, so that nobody but a gateway makes one, and both work over every replica.
//!
//! Replicas sign with the same key: the one of the settings, or one that the first of them made and the others found in
//! the store. Until the store was read for the first time a replica signs with a key of its own, whose pins no other
//! replica knows.

use std::time::Duration;

use banyan_rollout::{KEY_BYTES_MIN, Keys, Pin};
use http::{HeaderName, HeaderValue, header::SET_COOKIE};

use super::request::Asked;
use crate::cookies;

pub(crate) const PIN: HeaderName = HeaderName::from_static("x-banyan-pin");
pub(crate) const WROTE: HeaderName = HeaderName::from_static("x-banyan-wrote");

/// A mark outlives most rollouts.
pub(super) const MARK: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The two kinds, of one rollout.
#[derive(Debug)]
pub(super) struct Pins {
    pub(super) pin: Kind,
    pub(super) mark: Kind,
}

/// How pins of a kind travel.
#[derive(Debug)]
pub(super) struct Kind {
    header: HeaderName,
    cookie: String,
    /// What they are signed for.
    purpose: String,
}

impl Pins {
    pub(super) fn of(rollout: &str) -> Self {
        Self {
            pin: Kind {
                header: PIN,
                cookie: format!("banyan_pin_{rollout}"),
                purpose: rollout.to_owned(),
            },
            mark: Kind {
                header: WROTE,
                cookie: format!("banyan_wrote_{rollout}"),
                purpose: format!("{rollout}\0wrote"),
            },
        }
    }
}

impl Kind {
    /// The latest that a request carries, verified; it may have run out.
    pub(super) fn read(&self, asked: &Asked<'_>, keys: &Keys) -> Option<Pin> {
        let headers = asked.headers.get_all(&self.header).iter();
        let headers = headers.filter_map(|value| value.to_str().ok());
        headers
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .chain(cookies::find_all(asked.headers, &self.cookie))
            .filter_map(|text| Pin::verify(keys, &self.purpose, text))
            .max_by_key(|pin| pin.until_ms)
    }

    /// The headers of an answer that give a pin to the client, who keeps it for a while.
    pub(super) fn give(
        &self,
        pin: Pin,
        kept: Duration,
        keys: &Keys,
    ) -> [Option<(HeaderName, HeaderValue)>; 2] {
        let text = pin.sign(keys, &self.purpose);
        let cookie = self.cookie(&text, kept);
        // A name that no cookie can have leaves the header.
        [(self.header.clone(), text), (SET_COOKIE, cookie)]
            .map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)))
    }

    /// The cookie that takes back the one of a request.
    pub(super) fn take_back(&self, asked: &Asked<'_>) -> Option<HeaderValue> {
        cookies::find(asked.headers, &self.cookie)?;
        HeaderValue::try_from(self.cookie("", Duration::ZERO)).ok()
    }

    fn cookie(&self, value: &str, kept: Duration) -> String {
        let (name, kept_s) = (&self.cookie, kept.as_secs());
        format!("{name}={value}; Path=/; Max-Age={kept_s}; HttpOnly; SameSite=Lax")
    }
}

/// A key of the settings: hashed, so that any text will do.
pub(super) fn keys_of(secret: &str) -> Option<Keys> {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    hash.update("banyan.pins.v1\0");
    hash.update(secret);
    Keys::new([hash.finalize()]).ok()
}

/// A key that nobody can guess; `None` when the system has no randomness to give.
pub(super) fn fresh_secret() -> Option<String> {
    const { assert!(KEY_BYTES_MIN <= 32) };
    cookies::token()
}
