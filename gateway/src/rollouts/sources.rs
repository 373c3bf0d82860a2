//! What variables, mounted files and gateway.toml say, put in force: everywhere from one moment, and never too early.
//!
//! Whichever replica hears something new tells the store, where it becomes an entry of the log by `settings` with its
//! moment, like an operator's: no replica goes by it before the others do. The latest word counts for all: while a new
//! value reaches the replicas one after the other (a rolling update, a folder that is mounted anew), they still decide
//! alike. While the store is away, or where there is none, it is in force here at once, and the store is told later; until
//! all go by it from one moment, it stays in force here.
//!
//! # What waits
//!
//! What would send more subjects to gRPC wants the follower to have caught up. A file cannot be refused, so it waits: the
//! percentage in force stays, which the log has too, and rises by itself as soon as the follower is found to have caught
//! up. It is asked every [`ASK_EVERY`] while something waits, by every replica, and by nothing that others wait for.

use std::{convert::Infallible, time::Duration};

use banyan_mesh::process::Process;
use banyan_rollout::Follower;
use futures::future::join_all;
use serde_json::json;
use tracing::{info, warn};

use super::{
    Rollouts, change, definition,
    follow::announce_change,
    good::Good,
    live::{Live, Taken},
};
use crate::store::{Action, NewEntry, State, Store, StoreError, Stored};

/// How often a follower is asked that something waits for.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Who changes a rollout when variables, mounted files or gateway.toml do, in the log.
const SETTINGS: &str = "settings";

impl Rollouts {
    /// This replica's own configuration says something new.
    pub(super) fn hear(&self, live: &Live) {
        if self.is_alone() {
            self.go_alone(live, None);
        }
        self.inner.configured.notify_one();
        self.inner.asking.notify_one();
    }

    /// Whether nobody can be told of what is new here.
    fn is_alone(&self) -> bool {
        self.inner.store.is_none() || self.is_stale()
    }

    /// The store is away: what is new here is in force here, as far as nobody has to be asked.
    pub(super) fn go_on_alone(&self) {
        for live in self.configured() {
            live.ahead_of(None);
            if live.untold().is_some() {
                self.go_alone(&live, None);
            }
        }
    }

    /// Puts in force here what is configured, by what the follower has answered if it was asked.
    fn go_alone(&self, live: &Live, asked: Option<Follower>) {
        let current = live.current().clone();
        if asked.is_none() && live.waits_from(&current.state) {
            return self.inner.asking.notify_one();
        }
        let alone = Stored {
            state: live.settled(&current.state, asked.unwrap_or(Follower::None)),
            version: current.version,
            change_time: current.change_time,
        };
        if let Some(before) = live.apply(alone) {
            announce_change(live, &before, &live.current());
        }
    }

    /// Tells the store what is new here, where it knows something else. Returns what the store has then. What has to
    /// wait for the follower is left to whoever asks it ([`Rollouts::settle`]).
    pub(super) async fn tell(
        &self,
        store: &Store,
        live: &Live,
        stored: Option<Stored>,
    ) -> Result<Stored, StoreError> {
        let Some(stored) = stored else {
            let (mine, initial) = (live.mine(), live.initial());
            store.introduce(live.name(), &initial).await?;
            live.told(mine);
            return Ok(Stored {
                state: initial,
                version: 0,
                change_time: None,
            });
        };
        if live.waits_from(&stored.state) {
            if live.untold().is_some() {
                self.inner.asking.notify_one();
            }
            return Ok(stored);
        }
        // Decided anew on what the store has by then: nothing rises unasked.
        let unasked = match live.definition().has_follower {
            true => Follower::Unknown,
            false => Follower::None,
        };
        write(store, live, stored, unasked).await
    }

    /// Asks for as long as the process lives, while something waits.
    pub(super) fn follow_followers(&self, process: &Process) {
        let rollouts = self.clone();
        let shutdown = process.shutdown().clone();
        process.spawn("rollouts' followers", async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(ASK_EVERY) => {}
                    () = rollouts.inner.asking.notified() => {}
                    () = shutdown.cancelled() => return Ok(()),
                }
                tokio::select! {
                    () = rollouts.settle() => {}
                    () = shutdown.cancelled() => return Ok(()),
                }
            }
        });
    }

    /// Asks the followers of all rollouts of which something waits, and puts in force what need not wait.
    pub(crate) async fn settle(&self) {
        let all = self.configured();
        join_all(all.iter().map(|live| self.settle_one(live))).await;
    }

    async fn settle_one(&self, live: &Live) {
        let newest = live.newest_stored();
        if !live.waits_from(&newest.state) {
            if live.waits_for(None).is_some() {
                let (percent, source) = newest.state.in_force();
                info!(rollout = live.name(), %percent, %source, "A percentage waits no longer");
            }
            return;
        }
        let follower = self.inner.followers.load().get(live.name()).cloned();
        let Some(follower) = follower else {
            // Not known yet: the gateway starts, or takes up another gateway.toml.
            return;
        };
        let known = follower.known().await;
        let follower = known.map_or(Follower::Unknown, |known| known.state);
        if !follower.has_caught_up() && live.waits_for(Some(follower)).is_none() {
            let (percent, source) = newest.state.in_force();
            warn!(
                rollout = live.name(),
                %percent,
                %source,
                reason = %follower,
                "A percentage waits for the follower: what was in force stays until it has caught up"
            );
        }
        match &self.inner.store {
            Some(store) if !self.is_stale() => self.settle_with(store, live, follower).await,
            _ => self.go_alone(live, Some(follower)),
        }
    }

    async fn settle_with(&self, store: &Store, live: &Live, follower: Follower) {
        let in_step = self.inner.in_step.lock().await;
        let known = live.newest_stored();
        // That the store is away is found, and said, by whoever reads it; this is tried again.
        let Ok(stored) = write(store, live, known, follower).await else {
            return;
        };
        live.ahead_of(None);
        let taken = self.take(store, live, stored).await;
        drop(in_step);
        if let Some(Taken { before, after }) = taken {
            announce_change(live, &before, &after);
        }
    }
}

/// Writes what is new here, and what the follower lets rise, unless the store is `known` to have it.
async fn write(
    store: &Store,
    live: &Live,
    known: Stored,
    follower: Follower,
) -> Result<Stored, StoreError> {
    let mine = live.untold();
    let now = change::from(store);
    let settled = |state: &State| {
        let configured = mine.as_ref().unwrap_or(&state.configured);
        state.configured_by(configured, follower, now)
    };
    let after = settled(&known.state);
    let stored = match after == known.state {
        true => known,
        false => {
            let good = match after.in_force().0 > known.state.in_force().0 {
                true => Good::find(store, live.name(), &known.state).await?,
                false => None,
            };
            let evidence = good
                .as_ref()
                .map(|good| json!({"found_good": good.evidence()}));
            let entry = NewEntry {
                rollout: live.name().to_owned(),
                initial: live.initial(),
                expected_version: None,
                action: Action::Configure,
                actor: SETTINGS.to_owned(),
                reason: definition::news(&known.state, &after),
                evidence: evidence.unwrap_or_else(|| json!({})).to_string(),
                now,
            };
            let change = |state: &State| {
                let after = settled(state);
                Ok::<_, Infallible>(match &good {
                    Some(good) => good.left(state, after),
                    None => after,
                })
            };
            match store.change(entry, change).await? {
                Ok(stored) => stored,
                Err(never) => match never {},
            }
        }
    };
    if let Some(mine) = mine {
        live.told(mine);
    }
    Ok(stored)
}
