//! Keeping in step with the store: what other replicas' operators decided is in force here within a second.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use banyan_mesh::process::Process;
use banyan_rollout::Source;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{FIRST_READING, Rollouts, live::Current, live::Live};
use crate::store::{Setting, Store, StoreError};

/// How often the store is read: twice in the second that a change may take.
const READ_EVERY: Duration = Duration::from_millis(500);

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
            self.inner.rollouts.values().for_each(|live| announce(live));
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
            if reading == Reading::Good
                && let Some(first) = first.take()
            {
                // Nobody waits any longer if the store was slow.
                first.send(()).ok();
            }
            tokio::time::sleep(READ_EVERY).await;
        }
    }

    async fn read(&self, store: &Store, last: Reading) -> Result<(), StoreError> {
        let _in_step = self.inner.in_step.lock().await;
        let settings = store.settings().await?;
        let first = matches!(last, Reading::Never | Reading::Failed { ever_good: false });
        self.take_over(&settings, first);
        Ok(())
    }

    fn take_over(&self, settings: &BTreeMap<String, Setting>, first: bool) {
        for live in self.inner.rollouts.values() {
            let before = live.apply(settings.get(live.name()));
            match before {
                _ if first => announce(live),
                Some(before) => announce_change(live, &before),
                None => {}
            }
        }
    }

    fn note(&self, last: Reading, result: Result<(), StoreError>) -> Reading {
        self.inner.metrics.store_up(result.is_ok());
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
}

/// Says whose percentage is in force: an operator's word outlives restarts, and whoever edits a manifest must learn
/// why nothing happens.
fn announce(live: &Live) {
    let state = &live.current().state;
    let (rollout, percent, source) = (live.name(), state.percent, state.source);
    if !state.enabled {
        warn!(
            rollout,
            %percent,
            %source,
            "gradual migration is switched off: everything goes to legacy until it is on"
        );
    } else if let (Source::Operator, Some(ignored)) = (source, live.definition.weaker_setting()) {
        warn!(
            rollout,
            %percent,
            version = state.version,
            "operator's percentage {percent} in force; {ignored} is ignored; \
             `banyan rollout unset {rollout}` returns to it"
        );
    } else {
        info!(rollout, %percent, %source, "Rollout in force");
    }
}

fn announce_change(live: &Live, before: &Arc<Current>) {
    let state = &live.current().state;
    info!(
        rollout = live.name(),
        percent = %state.percent,
        source = %state.source,
        previous_percent = %before.state.percent,
        previous_source = %before.state.source,
        version = state.version,
        "Took over a change of a rollout from the store"
    );
}
