//! Whether this process's clock is to be trusted with a decision.
//!
//! Time only moves forward: no decision is made before an earlier one, whichever replica made that. So one that was made
//! by a clock which was a day ahead would stop time for a day, at every replica: tonight's stays would be refused as past,
//! and holds would last a day. Therefore a clock that runs ahead of its witness by more than [`AHEAD_MAX`] decides nothing,
//! and callers are told to come back. On PostgreSQL the witness is the server's clock, which the statement that locks the
//! head tells by the way. SQLite has none: there it is what this clock last said plus the time gone by since, by a clock
//! that nobody sets. As a clock may also be set for good (a machine that slept, one that was wrong at the start), a jump
//! that has lasted for [`LASTING`] is believed; so is whatever the clock says at the start.
//!
//! Nor does such a clock delete what it takes for old: that would not come back with the right time.
//!
//! A clock that is behind decides, but never before the last decision. That time then stands still is shown.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tracing::warn;

use super::{Inventory, clock, clock::Clock, metrics::Metrics};
use crate::store::{Head, Session, StoreError};

/// How far ahead of its witness a clock may be. Clocks that are kept in step differ by far less; what a server says may
/// be older by as long as a transaction waits for its turn and stands by until it is used, some 20 seconds.
const AHEAD_MAX: SignedDuration = SignedDuration::from_secs(60);
/// A jump that lasts as long is believed where nobody else tells the time: an NTP client that was led astray has asked
/// again by then (every 64 seconds when in doubt).
const LASTING: Duration = Duration::from_secs(5 * 60);
/// Decisions of a clock so far ahead of this one are worth a word: replicas that are kept in step come nowhere near.
const STANDS_STILL: SignedDuration = SignedDuration::from_secs(5);
/// The same is said at most so often.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Tells when decisions are made.
pub(super) struct Timekeeper {
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
    refusals: Counter,
    decided_ahead: Gauge,
}

/// What was seen so far.
struct Seen {
    steady: Steady,
    said_ahead: Seldom,
    said_still: Seldom,
}

impl Timekeeper {
    pub(super) fn new(clock: Arc<dyn Clock>, metrics: &Metrics) -> Self {
        let seen = Seen {
            steady: Steady::new(clock.now(), clock.elapsed()),
            said_ahead: Seldom::default(),
            said_still: Seldom::default(),
        };
        Self {
            clock,
            seen: Mutex::new(seen),
            refusals: metrics.clock_ahead.clone(),
            decided_ahead: metrics.decided_ahead.clone(),
        }
    }

    /// What time it is for those who only look.
    pub(super) fn now(&self) -> Timestamp {
        clock::read(self.clock.as_ref())
    }

    /// What time it is for whoever decides on that head, when the database's server, where it has one, said that.
    ///
    /// # Errors
    /// If the clock is too far ahead.
    pub(super) fn decides_at(
        &self,
        head: &Head,
        server_said: Option<Timestamp>,
    ) -> Result<Timestamp, StoreError> {
        let (now, elapsed) = (self.now(), self.clock.elapsed());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (expected, witness) = match server_said {
            Some(said) => (self.clock.of_server(said), "the database's"),
            None => (seen.steady.expected(now, elapsed), "the time gone by"),
        };
        let ahead = now.duration_since(expected);
        if ahead > AHEAD_MAX {
            self.refusals.inc();
            if seen.said_ahead.is_due(elapsed) {
                let ahead_s = ahead.as_secs();
                warn!(
                    ahead_s,
                    witness, "Nothing is decided: the clock is ahead of its witness"
                );
            }
            return Err(StoreError::ClockAhead { ahead, witness });
        }
        let still = head.decided_at.duration_since(now);
        self.decided_ahead.set(still.as_secs().max(0));
        if still > STANDS_STILL && seen.said_still.is_due(elapsed) {
            let ahead_s = still.as_secs();
            warn!(
                ahead_s,
                "Time stands still: the last decision was made by a clock that was ahead of this one"
            );
        }
        Ok(now)
    }

    /// As [`decides_at`](Self::decides_at), for whoever looks for what is old enough to go.
    pub(super) async fn forgets_at(&self, session: &Session) -> Result<Timestamp, StoreError> {
        let (head, server_said) = session.head_and_time().await?;
        self.decides_at(&head, server_said)
    }
}

impl Inventory {
    /// What time it is for whoever deletes what is old: that does not come back, so not by a clock that is ahead.
    ///
    /// # Errors
    /// If the clock is too far ahead.
    pub(crate) async fn forgets_at(&self) -> Result<Timestamp, StoreError> {
        let session = self.store().read().await?;
        self.shared.time.forgets_at(&session).await
    }
}

/// What a clock should say by what it said before and the time gone by since.
struct Steady {
    /// What it said when it was last believed, and when that was.
    believed: (Timestamp, Duration),
    /// By how much it was off when it was first disbelieved, and when that was.
    disbelieved: Option<(SignedDuration, Duration)>,
}

impl Steady {
    fn new(now: Timestamp, elapsed: Duration) -> Self {
        Self {
            believed: (now, elapsed),
            disbelieved: None,
        }
    }

    /// What time it should be when the clock says `now`: the same, as far as it is believed.
    fn expected(&mut self, now: Timestamp, elapsed: Duration) -> Timestamp {
        let (said, when) = self.believed;
        let gone = SignedDuration::try_from(elapsed.saturating_sub(when));
        let expected = said.saturating_add(gone.unwrap_or(SignedDuration::MAX));
        let expected = expected.unwrap_or(Timestamp::MAX);
        let off = now.duration_since(expected);
        let (first, since) = match self.disbelieved {
            Some((first, since)) if (off - first).abs() <= AHEAD_MAX => (first, since),
            _ => (off, elapsed),
        };
        let lasts = elapsed.saturating_sub(since) >= LASTING;
        if off.abs() <= AHEAD_MAX || lasts {
            *self = Self::new(now, elapsed);
            return now;
        }
        self.disbelieved = Some((first, since));
        expected
    }
}

/// Says when something may be said again.
#[derive(Default)]
struct Seldom(Option<Duration>);

impl Seldom {
    fn is_due(&mut self, elapsed: Duration) -> bool {
        let is_due = self
            .0
            .is_none_or(|last| elapsed.saturating_sub(last) >= SAID_EVERY);
        if is_due {
            self.0 = Some(elapsed);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    /// Shows a clock, as (seconds gone by, seconds that it is off); whether each was believed.
    #[track_caller]
    fn check(shown: &[(u64, i64)], want: &[bool]) {
        let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let mut steady = Steady::new(start, Duration::ZERO);
        let believed = shown.iter().map(|(gone, off)| {
            let true_time = start + SignedDuration::from_secs(i64::try_from(*gone).unwrap());
            let now = true_time + SignedDuration::from_secs(*off);
            steady.expected(now, Duration::from_secs(*gone)) == now
        });
        assert_eq!(believed.collect::<Vec<_>>(), want, "{shown:?}");
    }

    #[test]
    fn a_jump_is_believed_once_it_has_lasted() {
        check(&[(9, 60), (10, 120), (3_000, 180)], &[true, true, true]);
        check(
            &[(10, DAY), (11, DAY), (309, DAY), (310, DAY), (311, DAY)],
            &[false, false, false, true, true],
        );
        check(
            &[(10, -DAY), (310, -DAY), (311, -DAY)],
            &[false, true, true],
        );
    }

    #[test]
    fn one_that_is_taken_back_or_goes_on_is_not() {
        check(&[(10, DAY), (20, 0), (320, DAY)], &[false, true, false]);
        check(
            &[(10, DAY), (300, 2 * DAY), (320, 2 * DAY), (600, 2 * DAY)],
            &[false, false, false, true],
        );
        // Believed again, it counts as it is.
        check(
            &[(10, DAY), (310, DAY), (320, 0), (330, DAY)],
            &[false, true, false, true],
        );
    }

    #[test]
    fn the_same_is_said_seldom() {
        let mut said = Seldom::default();
        let due = [0, 1, 59, 60, 61, 120].map(|s| said.is_due(Duration::from_secs(s)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
