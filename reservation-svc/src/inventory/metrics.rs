//! What the inventory counts. No label can tell who booked.

use std::time::Instant;

use banyan_mesh::process::Process;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use super::{command::Outcome, rejection::Rejection};
use crate::store::StoreError;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    phase: &'static str,
}

/// What a batch spends its time on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// Waiting for the database's turn.
    Begin,
    /// Reading what its commands need.
    Load,
    /// Deciding.
    Decide,
    /// Writing.
    Write,
    /// Making it durable.
    Commit,
}

impl Phase {
    const ALL: [Self; 5] = [
        Self::Begin,
        Self::Load,
        Self::Decide,
        Self::Write,
        Self::Commit,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Load => "load",
            Self::Decide => "decide",
            Self::Write => "write",
            Self::Commit => "commit",
        }
    }
}

#[derive(Clone)]
pub(super) struct Metrics {
    pub(super) accepted: Counter,
    refused: Family<ReasonLabels, Counter>,
    pub(super) waiting: Gauge,
    pub(super) late: Counter,
    pub(super) batch_commands: Histogram,
    commit_seconds: Histogram,
    phases: [Histogram; Phase::ALL.len()],
    pub(super) bisected: Counter,
    pub(super) clock_ahead: Counter,
    pub(super) decided_ahead: Gauge,
    pub(super) expired: Counter,
    pub(super) forgotten: Counter,
}

/// Observes how long a commit took when it is over, however it ends.
pub(super) struct Timer<'a> {
    began: Instant,
    lap: Instant,
    metrics: &'a Metrics,
}

impl Timer<'_> {
    /// Ends a phase: it took as long as since the one before.
    pub(super) fn lap(&mut self, phase: Phase) {
        let lap = std::mem::replace(&mut self.lap, Instant::now());
        let took = self.lap.duration_since(lap).as_secs_f64();
        self.metrics.phases[phase as usize].observe(took);
    }
}

fn seconds() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    ])
}

impl Metrics {
    pub(super) fn register(process: &Process) -> Self {
        let by_phase = Family::<PhaseLabels, Histogram>::new_with_constructor(seconds);
        let phase = |phase: Phase| {
            let phase = phase.as_str();
            by_phase.get_or_create_owned(&PhaseLabels { phase })
        };
        let metrics = Self {
            accepted: Counter::default(),
            refused: Family::default(),
            waiting: Gauge::default(),
            late: Counter::default(),
            batch_commands: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            commit_seconds: seconds(),
            phases: Phase::ALL.map(phase),
            bisected: Counter::default(),
            clock_ahead: Counter::default(),
            decided_ahead: Gauge::default(),
            expired: Counter::default(),
            forgotten: Counter::default(),
        };
        process.metrics().register(|registry| {
            let registry = registry.sub_registry_with_prefix("reservation");
            metrics.register_commands(registry);
            metrics.register_time(registry);
            registry.register(
                "batch_phase_seconds",
                "What batches spend their time on",
                by_phase,
            );
            registry.register(
                "swept_holds",
                "Holds that had run out and were tidied up",
                metrics.expired.clone(),
            );
            registry.register(
                "swept_request_ids",
                "Request ids that were forgotten",
                metrics.forgotten.clone(),
            );
        });
        metrics
    }

    fn register_commands(&self, registry: &mut Registry) {
        registry.register(
            "commands_accepted",
            "Commands that were granted",
            self.accepted.clone(),
        );
        registry.register(
            "commands_refused",
            "Commands that were not granted, by reason",
            self.refused.clone(),
        );
        registry.register(
            "commands_waiting",
            "Commands that wait for a batch",
            self.waiting.clone(),
        );
        registry.register(
            "commands_late",
            "Commands dropped undecided because their deadline had passed or their caller had gone",
            self.late.clone(),
        );
        registry.register(
            "batch_commands",
            "Commands of one batch",
            self.batch_commands.clone(),
        );
        registry.register(
            "batch_bisections",
            "Batches that failed and were halved to find the command that made them fail",
            self.bisected.clone(),
        );
        registry.register(
            "commit_seconds",
            "Time from a batch's turn to its durable answers",
            self.commit_seconds.clone(),
        );
    }

    fn register_time(&self, registry: &mut Registry) {
        registry.register(
            "clock_ahead_refusals",
            "Batches, sweeps and changes put off because this process's clock was too far ahead",
            self.clock_ahead.clone(),
        );
        registry.register(
            "decided_ahead_seconds",
            "Seconds that the last decision is ahead of this process's clock: time stands still for as long",
            self.decided_ahead.clone(),
        );
    }

    pub(super) fn time_commit(&self) -> Timer<'_> {
        let now = Instant::now();
        Timer {
            began: now,
            lap: now,
            metrics: self,
        }
    }

    pub(super) fn decided(&self, result: &Result<Outcome, Rejection>) {
        let reason = match result {
            Ok(_) => {
                self.accepted.inc();
                return;
            }
            Err(Rejection::Refused(refusal)) => refusal.reason.as_str(),
            Err(Rejection::NotFound { .. }) => "NOT_FOUND",
            Err(Rejection::Exists { .. }) => "EXISTS",
            Err(Rejection::Invalid { .. }) => "INVALID",
            Err(Rejection::Store(error))
                if matches!(error.as_ref(), StoreError::Unconfirmed { .. }) =>
            {
                "OUTCOME_UNKNOWN"
            }
            Err(Rejection::Store(error))
                if matches!(error.as_ref(), StoreError::ClockAhead { .. }) =>
            {
                "CLOCK_AHEAD"
            }
            Err(Rejection::Store(error)) if error.is_transient() => "UNAVAILABLE",
            Err(Rejection::Crowded) => "RESOURCE_EXHAUSTED",
            Err(Rejection::TimedOut) => "UNAVAILABLE",
            Err(Rejection::Late) => "DEADLINE_EXCEEDED",
            Err(Rejection::Store(_) | Rejection::Unloaded(_) | Rejection::Aborted) => "INTERNAL",
        };
        self.refused.get_or_create(&ReasonLabels { reason }).inc();
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.metrics.commit_seconds.observe(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_turned_away_at_a_full_queue_is_counted_apart_from_failures() {
        let metrics = Metrics::register(&Process::new());
        metrics.decided(&Err(Rejection::Crowded));
        let count = |reason| {
            metrics
                .refused
                .get_or_create(&ReasonLabels { reason })
                .get()
        };
        assert_eq!(count("RESOURCE_EXHAUSTED"), 1);
        assert_eq!(count("UNAVAILABLE"), 0);
    }
}
