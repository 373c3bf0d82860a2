//! Tidies up: ends holds that have run out and forgets old request ids. Nothing waits for it; every reader and every
//! decision discounts what it has not got to yet.
//!
//! A sweep is bounded, so that it never keeps a guest waiting for long; what is left comes right after it. Several
//! replicas may sweep at once: each finds what the others have left.

use std::{collections::HashSet, sync::Arc, time::Duration};

use banyan_mesh::process::Process;
use jiff::SignedDuration;
use tracing::{debug, warn};

use super::{
    Inventory, catalogue_cache::Catalogue, decide, ledger::Ledger, load, rejection::Rejection,
};

/// How often, when there is little to do.
const INTERVAL: Duration = Duration::from_secs(5);
/// Between sweeps when more is left than one may do; those who wait for their turn get it in between.
const PAUSE: Duration = Duration::from_millis(50);
/// A sweep is given up after this long.
pub(super) const SWEEP_TIMEOUT: Duration = Duration::from_secs(30);
/// Holds of one sweep; fewer where they have more cells than a batch may touch.
const HOLDS_MAX: i64 = 100;
/// Request ids of one sweep.
const REQUEST_IDS_MAX: i64 = 1_000;
/// How long it can be found out whether a batch was committed; it is asked within seconds. After twice as long they are
/// reason enough for a sweep.
const BATCHES_KEPT: SignedDuration = SignedDuration::from_hours(1);
/// Batches of one sweep.
const BATCHES_MAX: i64 = 1_000;
/// Places in line of one sweep.
const ENTRIES_MAX: u64 = 1_000;

/// How much of what there was to do a sweep has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swept {
    /// Everything.
    All,
    /// As much as one may; there may be more.
    Some,
}

impl Inventory {
    /// Sweeps until the process ends.
    pub fn sweep_in_background(&self, process: &Process) {
        let inventory = self.clone();
        let shutdown = process.shutdown().clone();
        process.spawn("inventory sweeper", async move {
            let mut wait = INTERVAL;
            while shutdown
                .run_until_cancelled(tokio::time::sleep(wait))
                .await
                .is_some()
            {
                // A database that does not answer must not keep the turn for ever.
                let sweep = tokio::time::timeout(SWEEP_TIMEOUT, inventory.sweep());
                let swept = sweep.await.unwrap_or(Err(Rejection::TimedOut));
                wait = match swept {
                    Ok(Swept::All) => INTERVAL,
                    Ok(Swept::Some) => PAUSE,
                    Err(error) => {
                        put_off(&error);
                        INTERVAL
                    }
                }
            }
            Ok(())
        });
    }

    /// Sweeps once.
    pub(super) async fn sweep(&self) -> Result<Swept, Rejection> {
        let (now, idle) = {
            let session = self.store().read().await?;
            let now = self.shared.time.forgets_at(&session).await?;
            let lapsed = session.lapsed_holds_anywhere(now, 1).await?;
            let idle = lapsed.is_empty()
                && !session
                    .has_answers_before(now - self.shared.answers_kept)
                    .await?
                && !session.has_batches_before(now - BATCHES_KEPT * 2).await?
                && session.overdue(now, 1).await?.is_empty();
            (now, idle)
        };
        if idle {
            return Ok(Swept::All);
        }
        let mut turn = self.shared.turn().await;
        let write = self.write().await?;
        let catalogue = &mut turn.catalogue;
        Catalogue::follow(catalogue, write.head());
        let clock = self.shared.decides_at(&write)?;
        let mut ledger = Ledger::new(write.head().clone(), clock, Arc::clone(catalogue));
        let overdue = write.overdue(ledger.now, ENTRIES_MAX).await?;
        for entry in write.wait_entries_of(&overdue).await? {
            ledger.lines.add_stored(entry);
        }
        decide::end_overdue(&mut ledger, &overdue);
        let mut lapsed = write.lapsed_holds_anywhere(ledger.now, HOLDS_MAX).await?;
        let found = lapsed.len();
        load::bookings(&write, &mut ledger, lapsed.clone(), false).await?;
        lapsed.truncate(load::as_many_as_fit(&ledger, &lapsed));
        let expired = lapsed.len();
        for id in lapsed {
            decide::expire(&mut ledger, id);
        }
        load::waitlist::lines(&write, &mut ledger, catalogue, HashSet::new()).await?;
        load::rooms::plans(&write, &mut ledger, HashSet::new(), Vec::new()).await?;
        decide::serve(&mut ledger);
        let forget = ledger.now - self.shared.answers_kept;
        let (changes, head) = ledger.into_changes();
        write.apply(&changes).await?;
        let forgotten = write.forget_answers(forget, REQUEST_IDS_MAX).await?;
        let batches = now - BATCHES_KEPT;
        let batches = write.forget_batches(batches, BATCHES_MAX).await?;
        let sequence = head.sequence;
        self.commit(write, head).await?;
        self.shared.tell(sequence);
        self.shared.metrics.expired.inc_by(expired as u64);
        self.shared.metrics.forgotten.inc_by(forgotten);
        debug!(expired, forgotten, batches, "Swept");
        let full = overdue.len() as u64 >= ENTRIES_MAX
            || found as u64 >= HOLDS_MAX.unsigned_abs()
            || expired < found
            || forgotten >= REQUEST_IDS_MAX.unsigned_abs()
            || batches >= BATCHES_MAX.unsigned_abs();
        Ok(if full { Swept::Some } else { Swept::All })
    }
}

fn put_off(error: &Rejection) {
    match error {
        Rejection::Store(error) if error.is_transient() => debug!(%error, "Sweep put off"),
        error => warn!(error = error as &dyn std::error::Error, "Sweep failed"),
    }
}

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;
    use jiff::{SignedDuration, ToSpan as _, civil::date};

    use super::{HOLDS_MAX, Swept};
    use crate::{
        domain::{
            booking::State,
            claim::{Ask, Claim, Nights},
            name::BookingId,
            request::RequestKey,
        },
        inventory::{
            Action, Command, Rejection,
            testing::{self, Rig},
        },
        store::{StoreError, testing as sql},
    };

    fn hold() -> Command {
        let request = RequestKey {
            method: "HoldBooking",
            id: "one".into(),
            fingerprint: [1; 32],
        };
        Command {
            request: Some(request),
            ..testing::hold("banyan-suite", 1)
        }
    }

    #[tokio::test]
    async fn a_sweep_says_when_more_is_left() {
        let rig = Rig::start(TestDatabase::sqlite()).await;
        for night in 0..HOLDS_MAX + 1 {
            let check_in = date(2026, 12, 1).saturating_add(night.days());
            let mut hold = hold();
            hold.request = None;
            if let Action::Hold(hold) = &mut hold.action
                && let Ask::Claim(Claim::Stay(stay)) = &mut hold.claim
            {
                stay.nights = Nights::new(check_in, check_in.saturating_add(1.day())).unwrap();
            }
            rig.inventory.submit(hold).await.unwrap();
        }
        rig.advance(SignedDuration::from_mins(10));
        for want in [Swept::Some, Swept::All, Swept::All] {
            assert_eq!(rig.inventory.sweep().await.unwrap(), want);
        }
    }

    #[tokio::test]
    async fn a_sweep_ends_no_more_holds_than_a_batch_may_touch_cells() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            rig.add_rooms("garden-double", 8).await;
            for _ in 0..14 {
                let held = rig
                    .inventory
                    .submit(testing::long_hold("garden-double", 365));
                held.await.unwrap();
            }
            rig.advance(SignedDuration::from_mins(10));
            // 13 of them are 4,745 cells.
            for (want, ended) in [(Swept::Some, 13), (Swept::All, 14), (Swept::All, 14)] {
                assert_eq!(rig.inventory.sweep().await.unwrap(), want);
                let count = "SELECT COUNT(*) AS n FROM bookings WHERE state = 'EXPIRED'";
                assert_eq!(sql::count(&rig.database.url, count).await, ended);
            }
        }
    }

    #[tokio::test]
    async fn batches_are_forgotten_although_there_is_nothing_else_to_sweep() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let url = &rig.database.url;
            let batches = "SELECT COUNT(*) AS n FROM commit_batches";
            let before = sql::count(url, batches).await;
            let old = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) \
                 INSERT INTO commit_batches (id, sequence, committed_at) \
                 SELECT CAST(i AS TEXT), 0, 0 FROM n";
            sql::run(url, old).await;
            for (want, left) in [(Swept::Some, 501), (Swept::All, 2), (Swept::All, 2)] {
                assert_eq!(rig.inventory.sweep().await.unwrap(), want);
                assert_eq!(sql::count(url, batches).await, before + left);
            }
            // A sweep leaves a batch, which is no reason for the next one.
            let last = "SELECT MAX(committed_at) AS n FROM commit_batches";
            let mut swept_at = None;
            for _ in 0..2 {
                rig.advance(SignedDuration::from_hours(3));
                assert_eq!(rig.inventory.sweep().await.unwrap(), Swept::All);
                assert_eq!(sql::count(url, batches).await, 1);
                let last = sql::count(url, last).await;
                assert_eq!(*swept_at.get_or_insert(last), last);
            }
        }
    }

    #[tokio::test]
    async fn a_sweep_by_a_clock_that_is_ahead_ends_nothing() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let held = rig.inventory.submit(hold()).await.unwrap();
            let head = async || {
                let session = rig.inventory.store().read().await.unwrap();
                session.head().await.unwrap()
            };
            let before = head().await;
            rig.jump(SignedDuration::from_hours(24));
            let swept = rig.inventory.sweep().await;
            let Err(Rejection::Store(error)) = swept else {
                panic!("{swept:?}")
            };
            assert!(matches!(*error, StoreError::ClockAhead { .. }), "{error}");
            assert_eq!(head().await, before);
            rig.jump(SignedDuration::from_hours(-24));
            assert_eq!(rig.inventory.sweep().await.unwrap(), Swept::All);
            assert_eq!(rig.inventory.submit(hold()).await.unwrap(), held);
        }
    }

    #[tokio::test]
    async fn a_sweep_ends_lapsed_holds_and_forgets_answers_after_48_hours() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let held = rig.inventory.submit(hold()).await.unwrap();
            let id = BookingId::parse(&held.booking.name).unwrap();
            rig.inventory.sweep().await.unwrap();
            let state = async || {
                let session = rig.inventory.store().read().await.unwrap();
                session.booking(id).await.unwrap().unwrap().recorded_state
            };
            assert_eq!(state().await, State::Held);
            rig.advance(SignedDuration::from_mins(10));
            rig.inventory.sweep().await.unwrap();
            assert_eq!(state().await, State::Expired);

            rig.advance(SignedDuration::from_hours(47));
            rig.inventory.sweep().await.unwrap();
            assert_eq!(rig.inventory.submit(hold()).await.unwrap(), held);
            rig.advance(SignedDuration::from_hours(1));
            rig.inventory.sweep().await.unwrap();
            assert_ne!(
                rig.inventory.submit(hold()).await.unwrap().booking.name,
                held.booking.name
            );
        }
    }
}
