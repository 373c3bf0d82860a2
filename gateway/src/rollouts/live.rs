//! One rollout while it runs: its state, which requests read without waiting, and its counts.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use banyan_rollout::{
    Percent, Percentages, Reason, RolloutState, Side, Source, Stage, SubjectSource,
};
use http::StatusCode;
use jiff::Timestamp;

use super::{Definition, Metrics};
use crate::store::Setting;

/// A rollout, the state it is in and what it has answered.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) definition: Definition,
    current: ArcSwap<Current>,
    legacy: SideCounters,
    grpc: SideCounters,
    metrics: Metrics,
}

/// What can change while the gateway runs.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) state: RolloutState,
    update_time: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct SideCounters {
    answered: AtomicU64,
    failed: AtomicU64,
}

/// A rollout at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// How far it is; [`Stage::Legacy`] while gradual migration is switched off.
    pub stage: Stage,
    /// The share of subjects on the gRPC side.
    pub percent: Percent,
    /// Whose percentage that is.
    pub source: Source,
    /// What is kept sticky, in the order tried.
    pub subjects: Vec<SubjectSource>,
    /// Routes that move together, as `METHOD template`.
    pub routes: Vec<String>,
    /// What each side answered since this process started.
    pub counts: Counts,
    /// When an operator last changed it.
    pub update_time: Option<Timestamp>,
    /// Counts the operators' changes; 0 before the first.
    pub version: u64,
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
    pub(super) fn new(definition: Definition, metrics: &Metrics) -> Self {
        let current = Current::new(&definition, None);
        metrics.set_percent(&definition.name, current.state.percent);
        Self {
            current: ArcSwap::from_pointee(current),
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

    /// Puts an operator's word (or none) in force. Returns what was before, if that was something else.
    pub(super) fn apply(&self, setting: Option<&Setting>) -> Option<Arc<Current>> {
        let current = Current::new(&self.definition, setting);
        let before = self.current.load_full();
        if before.state == current.state {
            return None;
        }
        self.metrics.set_percent(self.name(), current.state.percent);
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

    pub(super) fn snapshot(&self) -> Snapshot {
        let current = self.current();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            name: self.name().to_owned(),
            stage: current.state.stage,
            percent: current.state.percent,
            source: current.state.source,
            subjects: self.definition.subjects.sources().cloned().collect(),
            routes: self.definition.routes.clone(),
            counts: Counts {
                legacy: read(&self.legacy.answered),
                grpc: read(&self.grpc.answered),
                legacy_errors: read(&self.legacy.failed),
                grpc_errors: read(&self.grpc.failed),
            },
            update_time: current.update_time,
            version: current.state.version,
        }
    }
}

impl Current {
    fn new(definition: &Definition, setting: Option<&Setting>) -> Self {
        let percentages = Percentages {
            operator: setting.and_then(|setting| setting.percent),
            ..definition.percentages()
        };
        let (percent, source) = percentages.in_force();
        let stage = if definition.enabled {
            Stage::Split
        } else {
            Stage::Legacy
        };
        // A row of version 0 is a lock that somebody took and has not written to.
        let setting = setting.filter(|setting| setting.version > 0);
        Self {
            state: RolloutState {
                enabled: definition.enabled,
                stage,
                writes: stage.owner(),
                percent,
                source,
                version: setting.map_or(0, |setting| setting.version),
                ..RolloutState::new(definition.name.as_str())
            },
            update_time: setting.map(|setting| setting.change_time),
        }
    }
}
