//! Pins in the hands of clients: as a cookie for browsers, as a header for everybody else.
//!
//! A *pin* keeps reads with the side that took a write which the other side does not know yet; it lasts seconds, and beyond
//! them until the follower has passed the write ([`banyan_rollout::Pin`]), which is why its cookie is kept for longer and
//! taken back when it is of no use any more. A *mark* says for long that a subject has written on gRPC; it is given only where the rollout lets writers stay there when the
//! percentage falls. A pin's cookie is named after the pin: what takes it back, an answer that may have been long on its way,
//! takes back no other, which a write may have given meanwhile; and a new one takes the place of those that came with the
//! write. Both are signed, so that nobody but a gateway makes one, and both work over every replica.
//!
//! Replicas sign with the same key: the one of the settings, or one that the first of them made and the others found in
//! the store. Until the store was read for the first time a replica signs with a key of its own, whose pins no other
//! replica knows.

use std::time::Duration;

use banyan_rollout::{KEY_BYTES_MIN, Keys, Pin, Side};
use http::{HeaderName, HeaderValue, header::SET_COOKIE};

use super::request::Asked;
use crate::cookies;

pub(crate) const PIN: HeaderName = HeaderName::from_static("x-banyan-pin");
pub(crate) const WROTE: HeaderName = HeaderName::from_static("x-banyan-wrote");

/// A mark outlives most rollouts.
pub(super) const MARK: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Cookies that one answer takes back; a client that writes several times at once has several. The next answer takes back
/// what is left.
const TAKEN_BACK_MAX: usize = 32;

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
    /// Whether the cookie of each has a name of its own, that begins with `cookie`.
    is_named: bool,
}

impl Pins {
    pub(super) fn of(rollout: &str) -> Self {
        Self {
            pin: Kind {
                header: PIN,
                cookie: format!("banyan_pin_{rollout}"),
                purpose: rollout.to_owned(),
                is_named: true,
            },
            mark: Kind {
                header: WROTE,
                cookie: format!("banyan_wrote_{rollout}"),
                purpose: format!("{rollout}\0wrote"),
                is_named: false,
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
            .chain(cookies::find_family(asked.headers, &self.cookie).map(|(_, value)| value))
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
        let cookie = match self.is_named {
            true => cookie(&format!("{}.{}", self.cookie, pin.until_ms), &text, kept),
            false => cookie(&self.cookie, &text, kept),
        };
        // A name that no cookie can have leaves the header.
        [(self.header.clone(), text), (SET_COOKIE, cookie)]
            .map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)))
    }

    /// The cookies that take back those that a request carries: all of them, or else those of which another one of the same
    /// side lasts longer.
    pub(super) fn take_back(
        &self,
        asked: &Asked<'_>,
        keys: &Keys,
        are_over: bool,
    ) -> Vec<HeaderValue> {
        let carried = cookies::find_family(asked.headers, &self.cookie);
        let mut carried: Vec<(&str, Pin)> = carried
            .filter_map(|(name, text)| Some((name, Pin::verify(keys, &self.purpose, text)?)))
            .collect();
        if !are_over {
            carried.sort_by_key(|(_, pin)| std::cmp::Reverse(pin.until_ms));
            for side in [Side::Legacy, Side::Grpc] {
                if let Some(latest) = carried.iter().position(|(_, pin)| pin.side == side) {
                    carried.remove(latest);
                }
            }
        }
        carried
            .into_iter()
            .filter_map(|(name, _)| HeaderValue::try_from(cookie(name, "", Duration::ZERO)).ok())
            .take(TAKEN_BACK_MAX)
            .collect()
    }
}

fn cookie(name: &str, value: &str, kept: Duration) -> String {
    let kept_s = kept.as_secs();
    format!("{name}={value}; Path=/; Max-Age={kept_s}; HttpOnly; SameSite=Lax")
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

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header::COOKIE};

    use super::*;

    fn carrying(pins: &[(&str, &str)]) -> HeaderMap {
        let cookies = pins.iter().map(|(name, value)| {
            let cookie = format!("{name}={value}").parse().unwrap();
            (COOKIE, cookie)
        });
        let mut headers = HeaderMap::new();
        headers.extend(cookies);
        headers
    }

    #[test]
    fn only_what_came_is_taken_back() {
        let keys = keys_of("secret").unwrap();
        let kind = Pins::of("movies").pin;
        let given = |until_ms| {
            let pin = Pin {
                side: Side::Legacy,
                since_ms: 1,
                until_ms,
            };
            let [_, cookie] = kind.give(pin, Duration::from_secs(9), &keys);
            let cookie = cookie.unwrap().1.to_str().unwrap().to_owned();
            let (pair, rest) = cookie.split_once(';').unwrap();
            assert_eq!(rest, " Path=/; Max-Age=9; HttpOnly; SameSite=Lax");
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        };
        let (first, second) = (given(10), given(20));
        assert_eq!(first.0, "banyan_pin_movies.10");
        let headers = carrying(&[
            (&first.0, &first.1),
            ("banyan_pin_movies.30", "forged"),
            ("banyan_pin_movies_too.10", &first.1),
        ]);
        let asked = Asked::of(&headers);
        assert_eq!(kind.read(&asked, &keys).unwrap().until_ms, 10);
        let taken_back = kind.take_back(&asked, &keys, true);
        let want = "banyan_pin_movies.10=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax";
        assert_eq!(taken_back, [want]);

        // A client with both goes by the later one.
        let headers = carrying(&[(&second.0, &second.1), (&first.0, &first.1)]);
        let asked = Asked::of(&headers);
        assert_eq!(kind.read(&asked, &keys).unwrap().until_ms, 20);
        assert_eq!(kind.take_back(&asked, &keys, true).len(), 2);
        assert_eq!(kind.take_back(&asked, &keys, false), [want]);
    }
}
