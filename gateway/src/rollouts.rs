//! The rollouts as they are right now: asked by every request, changed by operators, kept in step with the store.
//!
//! A request reads an immutable state and never waits: neither for the store nor for somebody who changes it. Changes,
//! operators' and what files say, go to the store first. Replicas that share one read it four times a second, and all of them put a change in
//! force at the same moment, [`CHANGES_AHEAD`] after it was made: were it in force at one replica first, subjects that
//! ask several would go there and back. So they decide alike as far as their clocks agree, and as long as they can read
//! the store; one that cannot goes by what it knows last.
//!
//! # When the store is away
//!
//! Traffic goes on by the state last known; operators' changes are refused, what files say is in force here. At start the store is given a moment
//! ([`FIRST_READING`]) before the first request, so that a restart does not send subjects back by environment or file
//! for the blink of an eye. If it cannot be read by then, environment and file decide until it can.
//!
//! # The salt
//!
//! A rollout's salt is its name, pinned in its state together with the way in which subjects are dealt. So it cannot
//! differ between replicas, restarts or restored backups; renaming a rollout makes it another one.

mod ahead;
mod answers;
mod change;
mod counts;
mod data;
mod decider;
mod definition;
mod explain;
mod follow;
mod followers;
mod found;
mod good;
mod history;
mod live;
mod metrics;
mod mounted;
mod passed;
mod pins;
mod renew;
mod request;
mod routed;
mod ruling;
mod settings;
mod snapshot;
mod sources;
mod steering;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use banyan_mesh::process::Process;
use banyan_rollout::Percent;
use futures::future::join_all;
use http::HeaderMap;
use tokio_util::sync::CancellationToken;

pub use change::{ChangeError, Operator};
pub use counts::Counts;
pub(crate) use data::Data;
pub use definition::Definition;
pub use explain::{Carried, Question};
pub(crate) use pins::{PIN, WROTE};
pub use request::Asked;
pub(crate) use request::{FORCE_SIDE, FORCE_TOKEN, Message};
pub(crate) use ruling::Comparison;
pub use ruling::Ruling;
pub use settings::{Adjustment, PolicyChange, Wish};
pub use snapshot::Snapshot;
pub use steering::{NoRandomness, Steering};

use self::{live::Live, metrics::Metrics};
use crate::{follow::Follower, shadow::Shadows, store::Store};

/// The store is waited for at most this long at start.
pub const FIRST_READING: Duration = Duration::from_secs(1);

/// After this long a change is in force, at every replica that shares the store.
const CHANGES_AHEAD: Duration = Duration::from_millis(700);

/// All rollouts of this gateway; clones share them.
#[derive(Clone, Debug)]
pub struct Rollouts {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rollouts: ArcSwap<BTreeMap<String, Arc<Live>>>,
    store: Option<Store>,
    /// Held from asking the store to applying its answer, so that an older answer never follows a newer one.
    in_step: tokio::sync::Mutex<()>,
    /// The configuration says something new, which the store has to be told.
    configured: tokio::sync::Notify,
    /// Something waits for a follower, who has to be asked.
    asking: tokio::sync::Notify,
    is_stale: AtomicBool,
    /// Requests were decided before the store was read for the first time.
    was_alone: AtomicBool,
    /// Of which some request can be compared without effect, once routes are known.
    comparable: ArcSwapOption<BTreeSet<String>>,
    /// Who follows the legacy side of which rollout.
    followers: ArcSwap<BTreeMap<String, Follower>>,
    /// They are others now.
    follows: tokio::sync::Notify,
    /// The process takes nothing new any more.
    shutdown: CancellationToken,
    steering: Steering,
    shadows: Shadows,
    metrics: Metrics,
}

impl Inner {
    fn stale(&self, is_stale: bool) {
        self.is_stale.store(is_stale, Ordering::Relaxed);
        self.metrics.stale(is_stale);
    }
}

impl Rollouts {
    /// Puts the rollouts in force. With a store, waits for its first reading at most [`FIRST_READING`], and follows it
    /// until the process ends.
    pub async fn start(
        definitions: Vec<Definition>,
        store: Option<Store>,
        steering: Steering,
        process: &Process,
    ) -> Self {
        let metrics = process.metrics().register(Metrics::register);
        let mounted = join_all(definitions.iter().map(mounted_percent)).await;
        let all: BTreeMap<_, _> = definitions
            .into_iter()
            .zip(mounted)
            .map(|(definition, mounted)| {
                let live = Live::new(definition.steered(&steering), mounted, &metrics);
                (live.name().to_owned(), Arc::new(live))
            })
            .collect();
        let has_store = store.is_some();
        let shadows = Shadows::start(store.clone(), process);
        let rollouts = Self {
            inner: Arc::new(Inner {
                rollouts: ArcSwap::from_pointee(all),
                store,
                in_step: tokio::sync::Mutex::default(),
                configured: tokio::sync::Notify::new(),
                asking: tokio::sync::Notify::new(),
                is_stale: AtomicBool::new(has_store),
                was_alone: AtomicBool::default(),
                comparable: ArcSwapOption::empty(),
                followers: ArcSwap::default(),
                follows: tokio::sync::Notify::new(),
                shutdown: process.shutdown().clone(),
                steering,
                shadows,
                metrics,
            }),
        };
        if has_store {
            rollouts.inner.stale(true);
        }
        rollouts.follow_store(process).await;
        rollouts.follow_files(process);
        rollouts.follow_followers(process);
        rollouts.follow_policies(process);
        rollouts.follow_authorities(process);
        rollouts.ask_followers(process);
        rollouts
    }

    /// Says who follows the legacy side of which rollout.
    pub(crate) fn know_followers(&self, followers: BTreeMap<String, Follower>) {
        let followers = Arc::new(followers);
        // In this order: what one that is asked right now answers is of no use any more.
        self.inner.followers.store(Arc::clone(&followers));
        for (name, live) in self.inner.rollouts.load().iter() {
            live.passed.begin(followers.contains_key(name));
        }
        self.inner.follows.notify_one();
    }

    /// Cancelled when whoever watches has to go.
    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.inner.shutdown
    }

    /// Counts somebody who was not let in to watch.
    pub(crate) fn watcher_refused(&self) {
        self.inner.metrics.watcher_refused();
    }

    /// Those that gateway.toml has, by name.
    fn configured(&self) -> Vec<Arc<Live>> {
        let all = self.inner.rollouts.load();
        let configured = all.values().filter(|live| live.is_configured());
        configured.cloned().collect()
    }

    /// Who compares answers.
    pub(crate) fn shadows(&self) -> &Shadows {
        &self.inner.shadows
    }

    /// Decides who serves a request that changes nothing and shows nothing but headers; see [`Rollouts::rule`].
    #[must_use]
    pub fn decide(&self, name: &str, headers: &HeaderMap) -> Option<Ruling> {
        self.rule(name, &Asked::of(headers))
    }

    /// Decides who serves a request under rollout `name`; `None` if there is no such rollout.
    #[must_use]
    pub fn rule(&self, name: &str, asked: &Asked<'_>) -> Option<Ruling> {
        let rollouts = self.inner.rollouts.load();
        let live = rollouts.get(name)?;
        Some(Ruling::new(Arc::clone(live), asked, &self.inner.steering))
    }

    /// Whether the body of a request has to be looked at before it can be decided.
    #[must_use]
    pub fn wants_body(&self, name: &str) -> bool {
        let rollouts = self.inner.rollouts.load();
        let live = rollouts.get(name);
        live.is_some_and(|live| live.current().subjects.want_body())
    }

    /// Whether the message of a gRPC call has to be looked at before the call can be decided.
    pub(crate) fn wants_message(&self, name: &str) -> bool {
        let rollouts = self.inner.rollouts.load();
        let live = rollouts.get(name);
        live.is_some_and(|live| live.current().subjects.want_request())
    }

    /// What requests may say about their side.
    #[must_use]
    pub fn steering(&self) -> &Steering {
        &self.inner.steering
    }

    /// All rollouts, ordered by name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Snapshot> {
        self.configured()
            .iter()
            .map(|live| live.snapshot(self.is_stale()))
            .collect()
    }

    /// One rollout; `None` if there is no such rollout.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Snapshot> {
        let live = self.live(name).ok()?;
        Some(live.snapshot(self.is_stale()))
    }

    /// Whether the store is away, so that what is in force is what was last known.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.inner.is_stale.load(Ordering::Relaxed)
    }
}

/// What the mounted file says at the start; one that says something else than a percentage says nothing, aloud.
async fn mounted_percent(definition: &Definition) -> Option<Percent> {
    let path = definition.percent_file.clone()?;
    let read = mounted::read_first(path).await;
    read.unwrap_or_else(|error| {
        tracing::warn!(
            rollout = definition.name,
            error = &error as &dyn std::error::Error,
            "Refused what a file says about a rollout"
        );
        None
    })
}
