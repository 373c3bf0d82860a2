//! What the inventory counts. No label can tell who booked.

use std::time::Instant;

use banyan_mesh::process::Process;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

use super::{command::Outcome, rejection::Rejection};
use crate::store::StoreError;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

pub(super) struct Metrics {
    pub(super) accepted: Counter,
    refused: Family<ReasonLabels, Counter>,
    commit_seconds: Histogram,
    pub(super) expired: Counter,
    pub(super) forgotten: Counter,
}

/// Observes how long a commit took when it is over, however it ends.
pub(super) struct Timer<'a> {
    began: Instant,
    histogram: &'a Histogram,
}

impl Metrics {
    pub(super) fn register(process: &Process) -> Self {
        let metrics = Self {
            accepted: Counter::default(),
            refused: Family::default(),
            commit_seconds: Histogram::new([
                0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
            ]),
            expired: Counter::default(),
            forgotten: Counter::default(),
        };
        process.metrics().register(|registry| {
            let registry = registry.sub_registry_with_prefix("reservation");
            registry.register(
                "commands_accepted",
                "Commands that were granted",
                metrics.accepted.clone(),
            );
            registry.register(
                "commands_refused",
                "Commands that were not granted, by reason",
                metrics.refused.clone(),
            );
            registry.register(
                "commit_seconds",
                "Time from a command's turn to its durable answer",
                metrics.commit_seconds.clone(),
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

    pub(super) fn time_commit(&self) -> Timer<'_> {
        Timer {
            began: Instant::now(),
            histogram: &self.commit_seconds,
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
            Err(Rejection::Store(StoreError::Unconfirmed { .. })) => "OUTCOME_UNKNOWN",
            Err(Rejection::Store(error)) if error.is_transient() => "UNAVAILABLE",
            Err(Rejection::Crowded) => "RESOURCE_EXHAUSTED",
            Err(Rejection::TimedOut) => "UNAVAILABLE",
            Err(Rejection::Store(_) | Rejection::Aborted(_)) => "INTERNAL",
        };
        self.refused.get_or_create(&ReasonLabels { reason }).inc();
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.histogram.observe(self.began.elapsed().as_secs_f64());
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
