//! One rollout while it runs: its state, which requests read without waiting, and its counts.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use banyan_rollout::{Failure, Percent, Reason, Recorder, RolloutState, Side};
use http::StatusCode;
use jiff::Timestamp;

use super::{Definition, Metrics, Snapshot, pins::Pins};
use crate::store::{Configured, State, Stored};

/// A rollout, the state it is in and what it has answered.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) definition: Definition,
    current: ArcSwap<Current>,
    said: Mutex<Said>,
    legacy: SideCounters,
    grpc: SideCounters,
    recorder: ArcSwap<Recorder>,
    pub(super) pins: Pins,
    verdict: ArcSwap<String>,
    metrics: Metrics,
}

/// What can change while the gateway runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Current {
    pub(super) state: State,
    pub(super) version: u64,
    pub(super) change_time: Option<Timestamp>,
    pub(super) decides_by: RolloutState,
}

/// What this replica's own configuration says, and what of it the store has been told.
#[derive(Debug)]
struct Said {
    mine: Configured,
    told: Option<Configured>,
}

#[derive(Debug, Default)]
struct SideCounters {
    answered: AtomicU64,
    failed: AtomicU64,
}

/// Answers by side since this process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered by legacy.
    pub legacy: u64,
    /// Answered by gRPC.
    pub grpc: u64,
    /// Of `legacy`, answered with a 5xx.
    pub legacy_errors: u64,
    /// Of `grpc`, answered with a 5xx.
    pub grpc_errors: u64,
}

impl Live {
    pub(super) fn new(definition: Definition, mounted: Option<Percent>, metrics: &Metrics) -> Self {
        let mine = definition.configured(mounted);
        let initial = Stored {
            state: State::new(&definition.name, definition.position, mine.clone()),
            version: 0,
            change_time: None,
        };
        let current = Current::new(initial);
        metrics.in_force(&definition.name, &current);
        Self {
            recorder: ArcSwap::from_pointee(Recorder::new(current.decides_by.percent)),
            pins: Pins::of(&definition.name),
            verdict: ArcSwap::default(),
            current: ArcSwap::from_pointee(current),
            said: Mutex::new(Said { mine, told: None }),
            definition,
            legacy: SideCounters::default(),
            grpc: SideCounters::default(),
            metrics: metrics.clone(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.definition.name
    }

    pub(super) fn current(&self) -> arc_swap::Guard<Arc<Current>> {
        self.current.load()
    }

    /// What it is where nobody has changed it yet.
    pub(super) fn initial(&self) -> State {
        State::new(self.name(), self.definition.position, self.mine())
    }

    /// What this replica's own configuration says.
    pub(super) fn mine(&self) -> Configured {
        self.said().mine.clone()
    }

    /// Takes note of what a mounted file says now. In force here at once, whether or not the store can be told.
    /// Returns what was before, if that was something else.
    pub(super) fn configure(&self, mounted: Option<Percent>) -> Option<Arc<Current>> {
        let mine = self.definition.configured(mounted);
        self.said().mine.clone_from(&mine);
        let current = self.current.load_full();
        self.apply(Stored {
            state: State {
                configured: mine,
                ..current.state.clone()
            },
            version: current.version,
            change_time: current.change_time,
        })
    }

    /// What the store has not been told yet of this replica's own configuration, if anything.
    pub(super) fn untold(&self) -> Option<Configured> {
        let said = self.said();
        (said.told.as_ref() != Some(&said.mine)).then(|| said.mine.clone())
    }

    /// The store knows of it now.
    pub(super) fn told(&self, configured: Configured) {
        self.said().told = Some(configured);
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a state in force. Returns what was before, if that was something else.
    pub(super) fn apply(&self, stored: Stored) -> Option<Arc<Current>> {
        let current = Current::new(stored);
        let before = self.current.load_full();
        if *before == current {
            return None;
        }
        self.metrics.in_force(self.name(), &current);
        // What was counted at the percentage of before can be compared with nothing that comes.
        if before.decides_by.percent != current.decides_by.percent {
            let recorder = Recorder::new(current.decides_by.percent);
            self.recorder.store(Arc::new(recorder));
        }
        self.current.store(Arc::new(current));
        Some(before)
    }

    /// Counts an answer.
    pub(super) fn record(&self, side: Side, reason: Reason, status: StatusCode) {
        let counters = match side {
            Side::Legacy => &self.legacy,
            Side::Grpc => &self.grpc,
        };
        counters.answered.fetch_add(1, Ordering::Relaxed);
        if status.is_server_error() {
            counters.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.metrics.answered(self.name(), side, reason, status);
    }

    /// What is counted for the policy.
    pub(super) fn recorder(&self) -> arc_swap::Guard<Arc<Recorder>> {
        self.recorder.load()
    }

    /// Takes note of what the policy last said.
    pub(super) fn show_verdict(&self, verdict: &str) {
        if self.verdict.load().as_str() != verdict {
            self.verdict.store(Arc::new(verdict.to_owned()));
        }
    }

    /// Counts a request that legacy answers because gRPC failed.
    pub(super) fn fell_back(&self, failure: Failure) {
        self.metrics.fell_back(self.name(), failure);
    }

    /// Counts a write that the other side did not know of in time.
    pub(super) fn pinned(&self) {
        self.metrics.pinned(self.name());
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            legacy: read(&self.legacy.answered),
            grpc: read(&self.grpc.answered),
            legacy_errors: read(&self.legacy.failed),
            grpc_errors: read(&self.grpc.failed),
        }
    }

    pub(super) fn snapshot(&self, is_stale: bool) -> Snapshot {
        let current = self.current();
        Snapshot {
            verdict: self.verdict.load().as_str().to_owned(),
            ..Snapshot::new(&self.definition, &current, self.counts(), is_stale)
        }
    }
}

impl Current {
    pub(super) fn new(stored: Stored) -> Self {
        let Stored {
            state,
            version,
            change_time,
        } = stored;
        Self {
            decides_by: state.decides_by(version),
            state,
            version,
            change_time,
        }
    }
}
