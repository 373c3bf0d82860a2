//! Keeping in step: with the store, so that what was decided at another replica is in force here within a second, and
//! with mounted files, so that what they say is in force everywhere within a second.
//!
//! A replica tells the store what its own configuration says when it starts and when it changes ([`sources`](super::sources)).

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use banyan_mesh::process::Process;
use banyan_rollout::Source;
use jiff::Timestamp;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{
    FIRST_READING, Rollouts,
    definition::weaker_setting,
    live::{Current, Live, PENDING_MAX, Taken},
    mounted::{self, Heard, MountedError, Readings},
    snapshot::switch_ignored,
};
use crate::store::{Store, StoreError, Stored};

/// How often the store is read: often enough that every replica has heard of a change before it is in force.
const READ_EVERY: Duration = Duration::from_millis(250);

/// How the last reading went; only news is logged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Never,
    Good,
    Failed { ever_good: bool },
}

impl Rollouts {
    pub(super) async fn follow_store(&self, process: &Process) {
        let Some(store) = self.inner.store.clone() else {
            self.configured().iter().for_each(|live| announce(live));
            return;
        };
        let (first, first_read) = oneshot::channel();
        let rollouts = self.clone();
        let shutdown = process.shutdown().clone();
        process.spawn("rollouts", async move {
            tokio::select! {
                () = rollouts.follow(&store, first) => {}
                () = shutdown.cancelled() => {}
            }
            Ok(())
        });
        if tokio::time::timeout(FIRST_READING, first_read)
            .await
            .is_err()
        {
            self.inner.was_alone.store(true, Ordering::Relaxed);
            warn!(
                "The store of rollouts cannot be read yet: environment and file decide until it can"
            );
        }
    }

    async fn follow(&self, store: &Store, first: oneshot::Sender<()>) {
        if !store.ready().await {
            return;
        }
        let mut first = Some(first);
        let mut reading = Reading::Never;
        loop {
            let result = self.read(store, reading).await;
            reading = self.note(reading, result);
            if let Reading::Failed { .. } = reading {
                self.go_on_alone();
            }
            if reading == Reading::Good
                && let Some(first) = first.take()
            {
                // Nobody waits any longer if the store was slow.
                first.send(()).ok();
            }
            tokio::select! {
                () = tokio::time::sleep(READ_EVERY) => {}
                () = self.inner.configured.notified() => {}
            }
        }
    }

    async fn read(&self, store: &Store, last: Reading) -> Result<(), StoreError> {
        let _in_step = self.inner.in_step.lock().await;
        let mut stored = store.states().await?;
        self.inner.steering.share(store).await?;
        let first = matches!(last, Reading::Never | Reading::Failed { ever_good: false });
        for live in self.configured() {
            let known = stored.remove(live.name());
            if let (true, Some(known)) = (first, &known) {
                let before = in_force(store, live.name(), known).await?;
                let was_alone = self.inner.was_alone.load(Ordering::Relaxed);
                if !(was_alone && live.is_ahead_of(&before)) {
                    live.apply(before);
                }
            }
            let stored = self.tell(store, &live, known).await?;
            // It stays until the follower, who is asked now, has let it, or not.
            let stays = live.is_ahead_of(&stored);
            live.ahead_of(stays.then(|| stored.clone()));
            let taken = match stays {
                true => None,
                false => self.take(store, &live, stored).await,
            };
            match taken {
                _ if first => announce(&live),
                Some(Taken { before, after }) => announce_change(&live, &before, &after),
                None => {}
            }
        }
        Ok(())
    }

    /// Puts what the store has in force at its moment. Changes before it that were not heard of here, since they were made
    /// between two readings, are in force until then, as at every other replica; as far as the store can be read.
    pub(super) async fn take(&self, store: &Store, live: &Live, stored: Stored) -> Option<Taken> {
        self.take_at(store, live, stored, Timestamp::now()).await
    }

    async fn take_at(
        &self,
        store: &Store,
        live: &Live,
        stored: Stored,
        now: Timestamp,
    ) -> Option<Taken> {
        let heard = live.newest().version;
        let is_ahead = stored.change_time.is_some_and(|from| from > now);
        if is_ahead && heard + 1 < stored.version {
            let entries = store.entries(live.name(), Some(stored.version), PENDING_MAX as u64);
            let missed = entries.await.unwrap_or_default().into_iter().rev();
            let missed: Vec<_> = missed.filter(|it| it.number > heard).collect();
            // Of what is due by now only the last is in force, at once; what came before it would be so for a moment only.
            let due = missed.iter().rposition(|it| it.time <= now);
            for missed in missed.into_iter().skip(due.unwrap_or_default()) {
                let missed = Stored {
                    state: missed.after,
                    version: missed.number,
                    change_time: Some(missed.time),
                };
                if let Some(Taken { before, after }) = live.take(missed, now) {
                    announce_change(live, &before, &after);
                }
            }
        }
        live.take(stored, now)
    }

    fn note(&self, last: Reading, result: Result<(), StoreError>) -> Reading {
        self.inner.stale(result.is_err());
        match (last, result) {
            (Reading::Failed { .. }, Ok(())) => {
                info!("The store of rollouts can be read again");
                Reading::Good
            }
            (_, Ok(())) => Reading::Good,
            (Reading::Failed { ever_good }, Err(_)) => Reading::Failed { ever_good },
            (Reading::Never | Reading::Good, Err(error)) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "The store of rollouts cannot be read: the last known percentages stay in force"
                );
                Reading::Failed {
                    ever_good: last == Reading::Good,
                }
            }
        }
    }

    /// Reads the mounted files for as long as the process lives.
    pub(super) fn follow_files(&self, process: &Process) {
        let rollouts = self.clone();
        let shutdown = process.shutdown().clone();
        process.spawn("rollouts' files", async move {
            let mut readings: HashMap<String, Readings> = HashMap::new();
            loop {
                tokio::select! {
                    () = tokio::time::sleep(mounted::READ_EVERY) => {}
                    () = shutdown.cancelled() => return Ok(()),
                }
                for live in rollouts.configured() {
                    let readings = readings.entry(live.name().to_owned()).or_default();
                    rollouts.read_file(&live, readings).await;
                }
            }
        });
    }

    async fn read_file(&self, live: &Arc<Live>, readings: &mut Readings) {
        let Some(path) = live.definition().percent_file.clone() else {
            return;
        };
        match readings.hear(mounted::read_aside(path).await) {
            // What it said before may have been overtaken by another replica's: only news counts.
            Heard::Says(percent) if live.mounted() != percent => {
                if live.configure(percent) {
                    self.hear(live);
                }
            }
            Heard::Refused(error) => self.refuse(live, &error),
            Heard::Says(_) | Heard::Unsure | Heard::StillRefused => {}
        }
    }

    fn refuse(&self, live: &Live, error: &MountedError) {
        self.inner.metrics.percent_refused(live.name());
        warn!(
            rollout = live.name(),
            percent = %live.current().state.in_force().0,
            error = error as &dyn std::error::Error,
            "Refused what a file says about a rollout: what was in force stays"
        );
    }
}

/// What is in force at this moment of a rollout that was changed last as `known` says: not yet that, if it is dated ahead.
async fn in_force(store: &Store, rollout: &str, known: &Stored) -> Result<Stored, StoreError> {
    let now = Timestamp::now();
    let is_ahead = known.change_time.is_some_and(|from| from > now);
    let before = match is_ahead {
        true => store.state_at(rollout, now).await?,
        false => None,
    };
    Ok(before.unwrap_or_else(|| known.clone()))
}

/// Says whose percentage is in force: an operator's word outlives restarts, and whoever edits a manifest must learn
/// why nothing happens.
fn announce(live: &Live) {
    let current = live.current();
    let (percent, source) = current.state.in_force();
    let (rollout, stage) = (live.name(), current.state.position.stage);
    // What this process was started with may have to wait for its moment.
    if live.newest().state.ignores_switch() {
        warn!(rollout, %stage, "{}", switch_ignored(rollout));
    } else if !current.state.is_on() {
        warn!(
            rollout,
            %percent,
            %source,
            "gradual migration is switched off: everything goes to legacy until it is on"
        );
    } else if let (Source::Operator, Some(ignored)) =
        (source, weaker_setting(&current.state.configured))
    {
        warn!(
            rollout,
            %stage,
            %percent,
            version = current.version,
            "operator's percentage {percent} in force; {ignored} is ignored; \
             `banyan rollout unset {rollout}` returns to it"
        );
    } else {
        info!(rollout, %stage, %percent, %source, "Rollout in force");
    }
}

pub(super) fn announce_change(live: &Live, before: &Current, current: &Current) {
    let (percent, source) = current.state.in_force();
    let (previous_percent, previous_source) = before.state.in_force();
    info!(
        rollout = live.name(),
        stage = %current.state.position.stage,
        percent = %percent,
        source = %source,
        previous_stage = %before.state.position.stage,
        previous_percent = %previous_percent,
        previous_source = %previous_source,
        version = current.version,
        "Took over a change of a rollout"
    );
    if current.state.ignores_switch() && !before.state.ignores_switch() {
        let (rollout, stage) = (live.name(), current.state.position.stage);
        warn!(rollout, %stage, "{}", switch_ignored(rollout));
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use banyan_mesh::{database::DatabaseSettings, testing::TestDatabase};
    use banyan_rollout::{Percent, Subjects};
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        config::SteeringConfig,
        rollouts::{Definition, Steering},
        store::{Action, NewEntry, State},
    };

    /// An operator's percentage, in the store only.
    async fn set(store: &Store, live: &Live, percent: f64, now: Timestamp) -> Stored {
        let entry = NewEntry {
            rollout: live.name().to_owned(),
            initial: live.initial(),
            expected_version: None,
            action: Action::Set,
            actor: "ada".to_owned(),
            reason: String::new(),
            evidence: "{}".to_owned(),
            now,
        };
        let set = |state: &State| {
            let mut after = state.clone();
            after.position.percent = Percent::try_from(percent).ok();
            Ok::<_, Infallible>(after)
        };
        match store.change(entry, set).await.unwrap() {
            Ok(stored) => stored,
            Err(never) => match never {},
        }
    }

    #[tokio::test]
    async fn who_reads_late_goes_by_what_is_due_until_the_next_ones_moment() {
        for database in TestDatabase::each() {
            let process = Process::new();
            let settings = DatabaseSettings::new(&database.url);
            let store = Store::open(&process, &settings).await.unwrap();
            assert!(store.ready().await);
            let subjects = Subjects::new(vec!["cookie:c".parse().unwrap()]).unwrap();
            let definition = Definition::new("movies", subjects);
            let steering = Steering::new(&SteeringConfig::default()).unwrap();
            // Nobody but the test reads the store for it.
            let rollouts = Rollouts::start(vec![definition], None, steering, &process).await;
            let live = rollouts.live("movies").unwrap();
            // By the clocks of this machine nothing of it comes to be due meanwhile.
            let ten = Timestamp::now() + SignedDuration::from_hours(1);
            let at = |ms| ten + SignedDuration::from_millis(ms);

            let known = set(&store, &live, 10.0, at(-5_000)).await;
            rollouts.take_at(&store, &live, known, at(-5_000)).await;
            assert_eq!(live.current().version, 1);

            set(&store, &live, 15.0, at(-200)).await;
            set(&store, &live, 20.0, at(0)).await;
            set(&store, &live, 25.0, at(300)).await;
            let last = set(&store, &live, 30.0, at(600)).await;
            let taken = rollouts.take_at(&store, &live, last, at(100)).await;
            assert_eq!(live.current().version, 3, "{database:?}");
            let twenty = Percent::try_from(20.0).unwrap();
            assert_eq!(live.current().decides_by.percent, twenty);
            assert_eq!(live.newest().version, 5);
            let taken = taken.unwrap();
            assert_eq!((taken.before.version, taken.after.version), (4, 5));
            process.stop(Duration::from_secs(5)).await.unwrap();
        }
    }
}
