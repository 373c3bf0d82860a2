//! Pins in the hands of clients: as a cookie for browsers, as a header for everybody else.
//!
//! A *pin* keeps reads with the side that took a write which the other side does not know yet; it lasts seconds, and beyond
//! them until the follower has passed the write ([`banyan_rollout::Pin`]), which is why its cookie is kept for longer and
//! taken back when it is of no use any more. A *mark* says for long that a client has written on gRPC; it is given only where
//! the rollout lets writers stay there when the percentage falls. Both are of one subject, and a client holds several, of
//! several subjects: each in a cookie of its own, and all in one header, separated by commas; the latest [`HELD_MAX`].
//!
//! A mark's cookie is named after its subject. A pin's is named after the pin: what takes it back, an answer that may have
//! been long on its way, takes back no other, which a write may have given meanwhile; and a new one takes the place of those
//! of its subject that came with the write. All are signed, so that nobody but a gateway makes one, and work over every
//! replica.
//!
//! Replicas sign with the same key: the one of the settings, or one that the first of them made and the others found in
//! the store. Until the store was read for the first time a replica signs with a key of its own, whose pins no other
//! replica knows.

use std::{cmp::Reverse, iter::once, time::Duration};

use banyan_rollout::{KEY_BYTES_MIN, Keys, Pin};
use http::{HeaderName, HeaderValue, header::SET_COOKIE};

use super::request::Asked;
use crate::cookies;

pub(crate) const PIN: HeaderName = HeaderName::from_static("x-banyan-pin");
pub(crate) const WROTE: HeaderName = HeaderName::from_static("x-banyan-wrote");

/// A mark outlives most rollouts.
pub(super) const MARK: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// As many of a kind a client keeps, which are less than 2 KiB of cookies; who writes for more subjects loses the oldest.
const HELD_MAX: usize = 16;

/// As many are read of each header and of all cookies; a client that writes several times at once has some more than it is to
/// keep.
const READ_MAX: usize = 2 * HELD_MAX;

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
    /// Whether the cookie of each has a name of its own, rather than one for all of its subject.
    is_named: bool,
}

/// What a request carries of one kind, verified, the latest first; some may have run out.
#[derive(Debug, Default)]
pub(super) struct Held<'a> {
    pub(super) pins: Vec<Pin>,
    /// The name of the cookie that each came in; none for those of the header.
    cookies: Vec<Option<&'a str>>,
}

/// What becomes of it.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The names of the cookies of those that are of no more use.
    spent: Vec<String>,
    /// Those of the header that are, which go back with a new one.
    kept: Vec<Pin>,
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
    /// What a request carries.
    pub(super) fn read<'a>(&self, asked: &Asked<'a>, keys: &Keys) -> Held<'a> {
        let headers = asked.headers.get_all(&self.header).iter();
        let headers = headers.filter_map(|value| value.to_str().ok());
        let headers = headers.flat_map(|value| value.split(','));
        let headers = headers.map(|text| (text.trim(), None)).take(READ_MAX);
        let mut cookies: Vec<_> = cookies::find_family(asked.headers, &self.cookie).collect();
        // Browsers send the oldest first (RFC 6265 section 5.4).
        cookies.drain(..cookies.len().saturating_sub(READ_MAX));
        let cookies = cookies.into_iter().map(|(name, text)| (text, Some(name)));
        let mut came: Vec<_> = headers
            .chain(cookies)
            .filter_map(|(text, cookie)| Some((Pin::verify(keys, &self.purpose, text)?, cookie)))
            .collect();
        came.sort_by_key(|(pin, _)| Reverse(pin.until_ms));
        let (pins, cookies) = came.into_iter().unzip();
        Held { pins, cookies }
    }

    /// The headers of an answer that give a pin to the client, who keeps it for a while, and take back what it had before.
    pub(super) fn give(
        &self,
        pin: Pin,
        kept: Duration,
        rest: &Rest,
        keys: &Keys,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let signed = |pin: &Pin| pin.sign(keys, &self.purpose);
        let name = match self.is_named {
            true => format!("{}.{}.{}", self.cookie, pin.until_ms, pin.subject),
            false => format!("{}.{}", self.cookie, pin.subject),
        };
        let all: Vec<_> = once(&pin).chain(&rest.kept).map(signed).collect();
        let given = [
            (self.header.clone(), all.join(", ")),
            (SET_COOKIE, cookie(&name, &all[0], kept)),
        ];
        // A name that no cookie can have leaves the header.
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
        let replaced = rest.taken_back(&name).map(|cookie| (SET_COOKIE, cookie));
        given.chain(replaced).collect()
    }
}

impl Held<'_> {
    /// What becomes of it once a request is answered: what a write is given takes the place of what is its subject's own.
    pub(super) fn answered(
        &self,
        is_safe: bool,
        is_own: impl Fn(&Pin) -> bool,
        holds: impl Fn(&Pin) -> bool,
    ) -> Rest {
        match is_safe {
            true => self.rest(HELD_MAX, |pin| !holds(pin)),
            false => self.rest(HELD_MAX - 1, |pin| !holds(pin) || is_own(pin)),
        }
    }

    /// What becomes of it, where as many as there is room for are kept, the latest. Of no use is also one that another of
    /// its subject outlasts, on the same side.
    fn rest(&self, room: usize, is_spent: impl Fn(&Pin) -> bool) -> Rest {
        let (mut rest, mut kept) = (Rest::default(), Vec::<Pin>::new());
        for (pin, cookie) in self.pins.iter().zip(&self.cookies) {
            let is_twice = kept.contains(pin);
            let is_of = |it: &Pin| (it.subject, it.of_entity, it.side);
            let outlasts = |it: &Pin| it != pin && is_of(it) == is_of(pin);
            let is_full = kept.len() == room && !is_twice;
            if is_spent(pin) || is_full || kept.iter().any(outlasts) {
                rest.spent.extend(cookie.map(str::to_owned));
                continue;
            }
            if !is_twice {
                kept.push(*pin);
            }
            if cookie.is_none() && !rest.kept.contains(pin) {
                rest.kept.push(*pin);
            }
        }
        rest
    }
}

impl Rest {
    /// Cookies that take back what is of no use any more, except one of this name.
    pub(super) fn taken_back(&self, except: &str) -> impl Iterator<Item = HeaderValue> {
        let spent = self.spent.iter().filter(move |name| *name != except);
        spent.filter_map(|name| HeaderValue::try_from(cookie(name, "", Duration::ZERO)).ok())
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
    use banyan_rollout::{Algorithm, Side};
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

    fn pin(subject: &str, side: Side, until_ms: u64) -> Pin {
        Pin {
            side,
            since_ms: 1,
            until_ms,
            subject: Algorithm::default().hash("movies", subject),
            of_entity: false,
        }
    }

    /// Name and value of the cookie that gives one.
    fn given(kind: &Kind, pin: Pin, keys: &Keys) -> (String, String) {
        let given = kind.give(pin, Duration::from_secs(9), &Rest::default(), keys);
        let cookie = given[1].1.to_str().unwrap();
        let (pair, rest) = cookie.split_once(';').unwrap();
        assert_eq!(rest, " Path=/; Max-Age=9; HttpOnly; SameSite=Lax");
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    }

    fn taken_back(rest: &Rest) -> Vec<String> {
        let cookies = rest
            .taken_back("")
            .map(|it| it.to_str().unwrap().to_owned());
        let end = "=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax";
        cookies
            .map(|it| it.strip_suffix(end).unwrap().to_owned())
            .collect()
    }

    #[test]
    fn only_what_came_is_taken_back() {
        let keys = keys_of("secret").unwrap();
        let kind = Pins::of("movies").pin;
        let alice = |until_ms| pin("alice", Side::Legacy, until_ms);
        let [first, second] = [10, 20].map(|until_ms| given(&kind, alice(until_ms), &keys));
        assert_eq!(first.0, "banyan_pin_movies.10.-1o6Nflw1wE");
        let old = "3.l.1763712345678.1763712375678.-1o6Nflw1wE.ZojjxSUfC_uv4akwX5RkHw";
        let headers = carrying(&[
            (&first.0, &first.1),
            ("banyan_pin_movies.30", "forged"),
            ("banyan_pin_movies.40", old),
            ("banyan_pin_movies_too.10", &first.1),
        ]);
        let held = kind.read(&Asked::of(&headers), &keys);
        assert_eq!(held.pins, [alice(10)]);
        assert_eq!(taken_back(&held.rest(9, |_| true)), [first.0.as_str()]);

        // Of two of one subject and side the later one is enough.
        let headers = carrying(&[(&second.0, &second.1), (&first.0, &first.1)]);
        let held = kind.read(&Asked::of(&headers), &keys);
        assert_eq!(held.pins, [alice(20), alice(10)]);
        assert_eq!(taken_back(&held.rest(9, |_| true)).len(), 2);
        assert_eq!(taken_back(&held.rest(9, |_| false)), [first.0.as_str()]);
    }

    #[test]
    fn pins_of_several_subjects_are_held_at_once_and_the_oldest_are_given_up() {
        let keys = keys_of("secret").unwrap();
        let kind = Pins::of("movies").pin;
        let of = |n: u64| pin(&format!("screening {n}"), Side::Grpc, 100 + n);
        let cookies: Vec<_> = (0..40).map(|n| given(&kind, of(n), &keys)).collect();
        let cookies: Vec<_> = cookies
            .iter()
            .map(|it| (it.0.as_str(), it.1.as_str()))
            .collect();
        let mut headers = carrying(&cookies);
        let held = kind.read(&Asked::of(&headers), &keys);
        let latest: Vec<_> = (8..40).rev().map(of).collect();
        assert_eq!(held.pins, latest);
        let rest = held.rest(HELD_MAX, |_| false);
        let oldest: Vec<_> = cookies[8..24].iter().rev().map(|it| it.0).collect();
        assert_eq!(taken_back(&rest), oldest);
        let kept: Vec<_> = cookies
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .collect();
        assert!(kept[..HELD_MAX].iter().sum::<usize>() < 2_048);

        // As a header they come back in one, with the new one before them.
        let old = [of(1), of(2)]
            .map(|pin| pin.sign(&keys, "movies"))
            .join(", ");
        headers.clear();
        headers.insert(PIN, old.parse().unwrap());
        let rest = kind
            .read(&Asked::of(&headers), &keys)
            .rest(9, |pin| *pin == of(1));
        let header = &kind.give(of(3), Duration::from_secs(9), &rest, &keys)[0];
        headers.insert(header.0.clone(), header.1.clone());
        let held = kind.read(&Asked::of(&headers), &keys);
        assert_eq!(held.pins, [of(3), of(2)]);
    }

    #[test]
    fn a_mark_takes_the_place_of_the_one_before_and_takes_nothing_back_by_its_own_name() {
        let keys = keys_of("secret").unwrap();
        let kind = Pins::of("movies").mark;
        let mark = |until_ms| pin("alice", Side::Grpc, until_ms);
        let (name, value) = given(&kind, mark(10), &keys);
        assert_eq!(name, "banyan_wrote_movies.-1o6Nflw1wE");
        let headers = carrying(&[(&name, &value)]);
        let rest = kind.read(&Asked::of(&headers), &keys).rest(9, |_| true);
        assert_eq!(taken_back(&rest), [name]);
        let given = kind.give(mark(20), Duration::from_secs(9), &rest, &keys);
        assert_eq!(given.len(), 2, "{given:?}");
    }
}
