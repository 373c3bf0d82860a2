//! Trims the feed in steps: each moves a bounded run of the oldest events into the snapshot, in one transaction that
//! holds the `commit_head`. Reading and compacting is done before it: events do not change, so that if nobody else has
//! trimmed meanwhile what was read still holds, and sales wait for the writing only.
//!
//! A step that does not come to its end leaves everything as it was. Several replicas may trim at once: one of them is
//! first, the others find that out. What is trimmed does not come back: by a clock that is ahead nothing is.

use std::time::Duration;

use banyan_mesh::process::Process;
use jiff::{SignedDuration, Timestamp};
use tracing::{debug, info, warn};

use super::compaction::Compaction;
use crate::{
    inventory::Inventory,
    store::{Store, StoreError},
};

/// Events of one step.
const STEP: u64 = 500;
/// Steps of one call.
const STEPS_MAX: usize = 40;
/// Between steps: those who want to buy get their turn.
const PAUSE: Duration = Duration::from_millis(5);
/// How often old events are looked for.
const INTERVAL: Duration = Duration::from_secs(60);

/// Trims the feed of one database.
#[derive(Clone)]
pub(crate) struct Trimmer {
    inventory: Inventory,
}

/// What a call has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trimmed {
    /// Events that it moved.
    pub(crate) events: u64,
    /// Whether no event is left that is old enough.
    pub(crate) complete: bool,
}

/// What a step has done.
enum Step {
    /// It moved so many events.
    Moved(u64),
    /// Somebody else has trimmed meanwhile.
    Overtaken,
}

impl Trimmer {
    pub(crate) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }

    /// Trims what was decided before that time, as far as one call goes.
    pub(crate) async fn trim(&self, before: Timestamp) -> Result<Trimmed, StoreError> {
        let mut events = 0;
        for _ in 0..STEPS_MAX {
            match self.step(before).await? {
                Step::Overtaken => {}
                Step::Moved(moved) => {
                    events += moved;
                    if moved < STEP {
                        return Ok(Trimmed {
                            events,
                            complete: true,
                        });
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Trimmed {
            events,
            complete: false,
        })
    }

    async fn step(&self, before: Timestamp) -> Result<Step, StoreError> {
        let store = self.inventory.store();
        let Some((trimmed, compaction)) = prepare(store, before).await? else {
            return Ok(Step::Moved(0));
        };
        let write = self.inventory.write().await?;
        if write.trimmed().await? != trimmed {
            return Ok(Step::Overtaken);
        }
        let upto = compaction.upto;
        write.trim(upto, compaction.rows()).await?;
        let head = write.head().clone();
        self.inventory.commit(write, head).await?;
        Ok(Step::Moved((upto - trimmed).unsigned_abs()))
    }

    /// Trims what is older than so many days, until the process ends.
    pub(crate) fn trim_in_background(self, days: u32, process: &Process) {
        let shutdown = process.shutdown().clone();
        process.spawn("feed trimmer", async move {
            shutdown.run_until_cancelled(self.keep(days)).await;
            Ok(())
        });
    }

    /// Trims what is older than that, as far as one call goes.
    async fn trim_older_than(&self, kept: SignedDuration) -> Result<Trimmed, StoreError> {
        let before = self.inventory.forgets_at().await?.checked_sub(kept);
        self.trim(before.unwrap_or(Timestamp::MIN)).await
    }

    async fn keep(self, days: u32) {
        let kept = SignedDuration::from_hours(i64::from(days) * 24);
        self.inventory.store().ready().await;
        loop {
            let trimmed = self.trim_older_than(kept).await;
            // An unfinished one goes on at once, a failed one does not.
            let goes_on = matches!(&trimmed, Ok(trimmed) if !trimmed.complete);
            match trimmed {
                Ok(Trimmed { events: 0, .. }) => {}
                Ok(Trimmed { events, .. }) => info!(events, "Trimmed the feed"),
                Err(error) if error.is_transient() => debug!(%error, "Trimming the feed put off"),
                Err(error) => warn!(
                    error = &error as &dyn std::error::Error,
                    "The feed cannot be trimmed"
                ),
            }
            let wait = if goes_on { PAUSE } else { INTERVAL };
            tokio::time::sleep(wait).await;
        }
    }
}

/// Where the outbox begins and what a step is to move, if there is anything.
async fn prepare(
    store: &Store,
    before: Timestamp,
) -> Result<Option<(i64, Compaction)>, StoreError> {
    let session = store.read().await?;
    let trimmed = session.trimmed().await?;
    let events = session
        .oldest_events(trimmed, before.as_microsecond(), STEP)
        .await?;
    if events.is_empty() {
        return Ok(None);
    }
    let mut compaction = Compaction::of(trimmed, events)?;
    let known = session.snapshot_of(&compaction.counted()).await?;
    compaction.add(known)?;
    Ok(Some((trimmed, compaction)))
}

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;

    use super::*;
    use crate::inventory::testing::Rig;

    #[tokio::test]
    async fn by_a_clock_that_is_ahead_nothing_is_trimmed() {
        const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let trimmer = Trimmer::new(rig.inventory.clone());
            let trimmed = async || {
                let session = rig.inventory.store().read().await.unwrap();
                session.trimmed().await.unwrap()
            };
            rig.jump(KEPT * 2);
            let put_off = trimmer.trim_older_than(KEPT).await;
            assert!(
                matches!(put_off, Err(StoreError::ClockAhead { .. })),
                "{put_off:?}"
            );
            assert_eq!(trimmed().await, 0);

            rig.jump(-KEPT * 2);
            assert_eq!(trimmer.trim_older_than(KEPT).await.unwrap().events, 0);
            rig.advance(KEPT * 2);
            assert!(trimmer.trim_older_than(KEPT).await.unwrap().events > 0);
            assert!(trimmed().await > 0);
        }
    }
}
