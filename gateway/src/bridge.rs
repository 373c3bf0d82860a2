//! Bridging a restart: a request that could not be sent waits a little for an upstream that was there a moment ago.
//!
//! Nothing was sent, so nothing can happen twice; and a process that is started again is back within a second or two, which
//! no client needs to hear of. The time is counted from when the upstream was first found to be away, not from each
//! request: when it stays away, requests fail at once. One that was never reached is not waited for at all, and at most
//! [`WAITING_MAX`] requests wait for each upstream, so that one that is away cannot take all the places of a listener.
//!
//! What was sent and lost its connection is another matter ([`Repeats`]): only what can do nothing twice is sent again.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

/// Requests that wait for one upstream.
const WAITING_MAX: i64 = 128;
/// Between two attempts of one request.
const PAUSE: Duration = Duration::from_millis(20);
/// How often a request is sent again whose connection was lost. A process that is being killed closes its connections one
/// after the other, and may well take new ones meanwhile.
const REPEATS_MAX: u32 = 4;

/// Marks a request that need not wait: somebody else can answer it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elsewhere;

/// Sends a request again whose connection was lost, a few times and ever later. Only for requests that do nothing twice.
#[derive(Debug)]
pub(crate) struct Repeats {
    left: u32,
    pause: Duration,
}

impl Repeats {
    /// None of them where `are_allowed` says so.
    pub(crate) fn new(are_allowed: bool) -> Repeats {
        Repeats {
            left: if are_allowed { REPEATS_MAX } else { 0 },
            pause: PAUSE,
        }
    }

    /// Whether there is another one.
    pub(crate) fn is_left(&self) -> bool {
        self.left > 0
    }

    /// Waits until it is time for it.
    pub(crate) async fn waited(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.left = self.left.saturating_sub(1);
        self.pause *= 2;
    }
}

/// What is known of one upstream.
#[derive(Debug)]
pub(crate) struct Bridge {
    window: Duration,
    known: Mutex<Known>,
    counts: Counts,
}

/// What is told about one upstream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Requests that wait now.
    pub(crate) waiting: Gauge,
    /// Requests that failed because as many waited as may.
    pub(crate) turned_away: Counter,
}

#[derive(Debug, Default)]
struct Known {
    was_reached: bool,
    away_since: Option<Instant>,
}

/// One request's place among those that wait.
struct Place<'a>(&'a Gauge);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Bridge {
    /// Restarts of at most this length are bridged; none if it is zero.
    pub(crate) fn new(window: Duration, counts: Counts) -> Bridge {
        Bridge {
            window,
            known: Mutex::default(),
            counts,
        }
    }

    /// It was reached.
    pub(crate) fn reached(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Known {
            was_reached: true,
            away_since: None,
        };
    }

    /// It could not be reached: waits until it is worth another attempt. `false` where none is.
    pub(crate) async fn waited(&self) -> bool {
        if !self.is_restarting(Instant::now()) {
            return false;
        }
        let place = Place(&self.counts.waiting);
        if self.counts.waiting.inc() >= WAITING_MAX {
            self.counts.turned_away.inc();
            return false;
        }
        tokio::time::sleep(PAUSE).await;
        drop(place);
        true
    }

    /// Whether it was there, and has not been away for long.
    fn is_restarting(&self, now: Instant) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.was_reached {
            return false;
        }
        let since = *known.away_since.get_or_insert(now);
        now.saturating_duration_since(since) < self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_there_is_waited_for_and_not_for_long() {
        let (now, window) = (Instant::now(), Duration::from_secs(3));
        let bridge = Bridge::new(window, Counts::default());
        assert!(!bridge.is_restarting(now), "it was never reached");
        bridge.reached();
        assert!(bridge.is_restarting(now));
        assert!(bridge.is_restarting(now + window / 2));
        assert!(!bridge.is_restarting(now + window));
        bridge.reached();
        assert!(
            bridge.is_restarting(now + window),
            "the next time is another"
        );
        let never = Bridge::new(Duration::ZERO, Counts::default());
        never.reached();
        assert!(!never.is_restarting(now));
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let counts = Counts::default();
        let bridge = Bridge::new(Duration::from_secs(3), counts.clone());
        bridge.reached();
        counts.waiting.set(WAITING_MAX);
        assert!(!bridge.waited().await);
        let told = (counts.waiting.get(), counts.turned_away.get());
        assert_eq!(told, (WAITING_MAX, 1));
        counts.waiting.set(0);
        assert!(bridge.waited().await);
        assert_eq!(counts.waiting.get(), 0);
    }
}
