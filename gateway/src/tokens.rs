//! Tokens that requests bring, and what they claim once verified.
//!
//! A token is looked at only when somebody asks: a rollout whose subject is a claim, or a route that serves nobody without
//! one; at most once a request, and a token that was verified before costs a hash instead of a signature. A token that is
//! missing and one that does not count are the same to a rollout: the request lacks this subject, and the next in the list
//! is read. Which of both it was, and why, goes to a metric by a fixed set of reasons; the token itself goes nowhere.
//!
//! Except on routes with `require_token` the gateway is not the authoriser. A token that does not count here is passed on
//! as it came: the system behind may know issuers that the gateway does not, and it says no in its own words. Were it taken
//! out or refused, a set of keys that is an hour late would be an outage instead of subjects in other buckets.
//!
//! Keys are never fetched over the network. They are in a file, such as a mounted folder has, and whoever puts it there
//! decides when a key is trusted and when no longer.
//!
//! | module | what it decides |
//! |---|---|
//! | `verify`, `keys`, `provider` | whether a token counts; which key it has to fit; by which cryptography |
//! | `cache` | which tokens need not be verified again |
//! | `files` | which keys are in force while files change |

mod cache;
mod files;
mod keys;
mod metrics;
mod provider;
mod verify;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use banyan_mesh::process::Process;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION, request::Parts};

use self::{
    cache::Cache,
    files::{Files, Read},
    keys::Keys,
    metrics::Metrics,
    verify::{TOKEN_BYTES_MAX, Terms, Trouble, Verified},
};
use crate::{config::TokensConfig, cookies, refusal::Refusal, reload::Stamps, safety, site};

/// How often the files of keys are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Which tokens count; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Tokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    terms: Terms,
    cookie: Option<String>,
    in_force: ArcSwap<InForce>,
    metrics: Metrics,
}

/// Keys, and what they have verified.
#[derive(Debug)]
struct InForce {
    keys: Keys,
    cache: Cache,
}

/// What was last read of the files.
struct Seen {
    in_force: Read,
    /// What they held, or why they could not be read.
    refused: Option<Result<Read, String>>,
}

/// The token of one request, looked at when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Presented<'t> {
    tokens: Option<&'t Tokens>,
    found: OnceLock<Found>,
}

#[derive(Debug)]
struct Found {
    place: Place,
    outcome: Option<Result<Arc<Verified>, Trouble>>,
}

/// Where a token stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Header,
    /// Browsers send it unasked, for pages of other sites too.
    Cookie,
}

impl Seen {
    fn new(in_force: Read) -> Seen {
        Seen {
            in_force,
            refused: None,
        }
    }
}

impl Tokens {
    /// Reads the keys, and follows their files until the process ends.
    ///
    /// # Errors
    /// If the keys cannot be read: a gateway that begins without them would give every subject another bucket.
    pub(crate) fn start(config: &TokensConfig, process: &Process) -> anyhow::Result<Tokens> {
        let metrics = process.metrics().register(Metrics::register);
        let files = Files::new(config);
        let read = files.read().context("[tokens] has no keys")?;
        let keys = files.keys(&read).context("[tokens] has no keys")?;
        let tokens = Tokens::new(config, keys, metrics);
        let (followed, shutdown) = (tokens.clone(), process.shutdown().clone());
        process.spawn("token keys", async move {
            tokio::select! {
                () = followed.follow(files, read) => {}
                () = shutdown.cancelled() => {}
            }
            Ok(())
        });
        Ok(tokens)
    }

    fn new(config: &TokensConfig, keys: Keys, metrics: Metrics) -> Tokens {
        provider::install();
        metrics.in_force(keys.len());
        let cache = Cache::new(metrics.cache.clone());
        Tokens(Arc::new(Inner {
            terms: Terms::new(config),
            cookie: config.cookie.clone(),
            in_force: ArcSwap::from_pointee(InForce { keys, cache }),
            metrics,
        }))
    }

    /// Takes up what the files say whenever it is something else.
    async fn follow(self, files: Files, in_force: Read) {
        let (mut stamps, mut seen) = (Stamps::default(), Seen::new(in_force));
        loop {
            if stamps.have_changed(files.paths()).await {
                self.take_up(&files, &mut seen);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn take_up(&self, files: &Files, seen: &mut Seen) {
        let metrics = &self.0.metrics;
        let (now, keys) = match files.read() {
            Ok(now) if now == seen.in_force => {
                seen.refused = None;
                metrics.unchanged();
                return;
            }
            Ok(now) => {
                let keys = files.keys(&now);
                (Ok(now), keys)
            }
            Err(error) => (Err(error.to_string()), Err(error)),
        };
        // A file that is just being changed may be looked at twice.
        if seen.refused.as_ref() == Some(&now) {
            return;
        }
        match (now, keys) {
            (Ok(now), Ok(keys)) => {
                *seen = Seen::new(now);
                metrics.in_force(keys.len());
                metrics.applied();
                tracing::info!(keys = keys.len(), "Changed token keys are in force");
                // What was verified by keys that are gone is forgotten with them.
                let cache = Cache::new(metrics.cache.clone());
                self.0.in_force.store(Arc::new(InForce { keys, cache }));
            }
            (now, keys) => {
                seen.refused = Some(now);
                metrics.refused();
                // The whole chain: which key is wrong stands at its end.
                let reason = keys
                    .err()
                    .map(|error| format!("{:#}", anyhow::Error::from(error)));
                tracing::error!(reason, "Refused changed token keys: the old stay in force");
            }
        }
    }

    /// The token of a request, and where it stands; `None` without one.
    fn of<'h>(&self, headers: &'h HeaderMap) -> Option<(Place, Result<&'h str, Trouble>)> {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        if let Some(token) = all.next().and_then(bearer) {
            // Which of several would be meant, nobody can say.
            let token = token.filter(|_| all.next().is_none());
            return Some((Place::Header, token.ok_or(Trouble::Malformed)));
        }
        let token = cookies::find(headers, self.0.cookie.as_deref()?)?;
        (!token.is_empty()).then_some((Place::Cookie, Ok(token)))
    }

    /// Whether a token counts at a moment, in milliseconds since 1970.
    fn judge(&self, token: &str, now_ms: i64) -> Result<Arc<Verified>, Trouble> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Trouble::TooLong);
        }
        let in_force = self.0.in_force.load();
        let hash = cache::hash(token);
        if let Some(known) = in_force.cache.get(&hash) {
            return known.at(now_ms).map(|()| known);
        }
        let verified = Arc::new(self.0.terms.verify(token, &in_force.keys)?);
        verified.at(now_ms)?;
        in_force.cache.put(hash, Arc::clone(&verified), now_ms);
        Ok(verified)
    }

    fn find(&self, headers: &HeaderMap, now_ms: i64) -> Found {
        let Some((place, token)) = self.of(headers) else {
            return Found {
                place: Place::Header,
                outcome: None,
            };
        };
        let outcome = token.and_then(|token| self.judge(token, now_ms));
        self.0.metrics.presented(outcome.as_ref().err().copied());
        Found {
            place,
            outcome: Some(outcome),
        }
    }
}

impl<'t> Presented<'t> {
    /// Of a request that has not been looked at. Without settings there are no tokens.
    pub(crate) fn new(tokens: Option<&'t Tokens>) -> Presented<'t> {
        Presented {
            tokens,
            found: OnceLock::new(),
        }
    }

    fn found(&self, headers: &HeaderMap) -> Option<&Found> {
        let tokens = self.tokens?;
        Some(self.found.get_or_init(|| tokens.find(headers, now_ms())))
    }

    /// A claim that is text, of a token that counts.
    pub(crate) fn claim(&self, headers: &HeaderMap, name: &str) -> Option<&str> {
        let outcome = self.found(headers)?.outcome.as_ref()?;
        outcome.as_ref().ok()?.claim(name)
    }

    /// Refuses whoever brings no token that counts.
    pub(crate) fn require(
        &self,
        parts: &Parts,
        host: Option<&HeaderValue>,
        is_safe: bool,
    ) -> Result<(), Refusal> {
        let found = self.found(&parts.headers);
        match found.and_then(|found| Some((found.place, found.outcome.as_ref()?))) {
            None => Err(Refusal::unauthenticated()),
            Some((_, Err(trouble))) => Err(Refusal::bad_token(trouble.words())),
            // Otherwise a page of another site could act with the rights of whoever looks at it.
            Some((Place::Cookie, Ok(_)))
                if !safety::may_come_from_elsewhere(&parts.method, is_safe)
                    && site::is_other_behind_proxies(&parts.headers, host) =>
            {
                let message = "requests from pages of other sites are refused";
                Err(Refusal::forbidden(message))
            }
            Some((_, Ok(_))) => Ok(()),
        }
    }
}

/// What stands after `Bearer`, whose case does not matter (RFC 9110 section 11.1); `None` for another scheme, `Some(None)`
/// for what cannot be a token.
fn bearer(header: &HeaderValue) -> Option<Option<&str>> {
    const SCHEME: &[u8] = b"bearer";
    let (scheme, rest) = header.as_bytes().split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) || rest.first().is_some_and(|byte| *byte != b' ') {
        return None;
    }
    let token = std::str::from_utf8(rest).ok().map(str::trim);
    Some(token.filter(|token| !token.is_empty()))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests;
