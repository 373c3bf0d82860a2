//! The rollouts as they are right now: asked by every request, changed by operators, kept in step with the store.
//!
//! A request reads an immutable state and never waits: neither for the store nor for somebody who changes it. Operators'
//! changes go to the store first and are in force here when the store has them; other replicas read the store twice a
//! second, so they follow within a second.
//!
//! # When the store is away
//!
//! Traffic goes on by the state last known; changes are refused. At start the store is given a moment
//! ([`FIRST_READING`]) before the first request, so that a restart does not send subjects back by environment or file
//! for the blink of an eye. If it cannot be read by then, environment and file decide until it can.
//!
//! # The salt
//!
//! A rollout's salt is its name. It is nowhere stored and cannot differ between replicas, restarts or restored
//! backups; renaming a rollout makes it another one.

mod change;
mod definition;
mod follow;
mod live;
mod metrics;
mod request;
mod ruling;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use banyan_mesh::process::Process;
use http::HeaderMap;

pub use change::{ChangeError, Operator};
pub use definition::Definition;
pub use live::{Counts, Snapshot};
pub use ruling::Ruling;

use self::{live::Live, metrics::Metrics};
use crate::store::Store;

/// The store is waited for at most this long at start.
pub const FIRST_READING: Duration = Duration::from_secs(1);

/// All rollouts of this gateway; clones share them.
#[derive(Clone, Debug)]
pub struct Rollouts {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rollouts: BTreeMap<String, Arc<Live>>,
    store: Option<Store>,
    /// Held from asking the store to applying its answer, so that an older answer never follows a newer one.
    in_step: tokio::sync::Mutex<()>,
    metrics: Metrics,
}

impl Rollouts {
    /// Puts the rollouts in force. With a store, waits for its first reading at most [`FIRST_READING`], and follows it
    /// until the process ends.
    pub async fn start(
        definitions: Vec<Definition>,
        store: Option<Store>,
        process: &Process,
    ) -> Self {
        let metrics = process.metrics().register(Metrics::register);
        let rollouts = definitions
            .into_iter()
            .map(|definition| {
                let live = Live::new(definition, &metrics);
                (live.name().to_owned(), Arc::new(live))
            })
            .collect();
        let rollouts = Self {
            inner: Arc::new(Inner {
                rollouts,
                store,
                in_step: tokio::sync::Mutex::default(),
                metrics,
            }),
        };
        rollouts.follow_store(process).await;
        rollouts
    }

    /// Decides who serves a request under rollout `name`; `None` if there is no such rollout.
    #[must_use]
    pub fn decide(&self, name: &str, headers: &HeaderMap) -> Option<Ruling> {
        let live = self.inner.rollouts.get(name)?;
        Some(Ruling::new(Arc::clone(live), headers))
    }

    /// All rollouts, ordered by name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Snapshot> {
        self.inner
            .rollouts
            .values()
            .map(|live| live.snapshot())
            .collect()
    }

    /// One rollout; `None` if there is no such rollout.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Snapshot> {
        Some(self.inner.rollouts.get(name)?.snapshot())
    }
}
