//! What is counted about rollouts. Names and labels are part of the product.

use std::sync::atomic::AtomicU64;

use banyan_rollout::{Failure, Side, Stage};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{answers::AnswerFamily, live::Current};
use crate::sent::Unseen;

/// The metrics of all rollouts; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    pub(super) answers: AnswerFamily,
    errors: Family<SideLabels, Counter>,
    percent: Family<RolloutLabels, Gauge<f64, AtomicU64>>,
    stage: Family<StageLabels, Gauge>,
    version: Family<RolloutLabels, Gauge>,
    refused: Family<RolloutLabels, Counter>,
    fallbacks: Family<FallbackLabels, Counter>,
    pins: Family<RolloutLabels, Counter>,
    waiting: Family<RolloutLabels, Gauge>,
    pins_given_up: Family<RolloutLabels, Counter>,
    abandoned: Family<AbandonedLabels, Counter>,
    unseen: Family<UnseenLabels, Counter>,
    store_up: Gauge,
    stale: Gauge,
    watchers_refused: Counter,
    changes_skipped: Family<RolloutLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SideLabels {
    rollout: String,
    side: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RolloutLabels {
    rollout: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FallbackLabels {
    rollout: String,
    failure: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AbandonedLabels {
    rollout: String,
    side: &'static str,
    counts: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UnseenLabels {
    rollout: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    rollout: String,
    stage: &'static str,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("gateway_rollout");
        registry.register(
            "answers",
            "Answers by rollout, the side that gave them, the reason for that side and the version that decided; of the \
             versions in force last, and other",
            metrics.answers.clone(),
        );
        registry.register(
            "errors",
            "Answers with a 5xx by rollout and side",
            metrics.errors.clone(),
        );
        registry.register(
            "percent",
            "Per cent of subjects on the gRPC side",
            metrics.percent.clone(),
        );
        registry.register(
            "stage",
            "1 for the stage that the rollout is in, 0 for the others",
            metrics.stage.clone(),
        );
        registry.register(
            "version",
            "How often the rollout was changed",
            metrics.version.clone(),
        );
        registry.register(
            "percent_refused",
            "Contents of mounted files that are no percentage",
            metrics.refused.clone(),
        );
        registry.register(
            "fallbacks",
            "Requests that legacy answered because gRPC failed, by how",
            metrics.fallbacks.clone(),
        );
        registry.register(
            "pins",
            "Writes that the other side did not know of in time, or of which nobody tells, so that their subjects' reads \
             were pinned",
            metrics.pins.clone(),
        );
        registry.register(
            "waiting",
            "1 while a percentage waits for the follower to have caught up",
            metrics.waiting.clone(),
        );
        registry.register(
            "pins_given_up",
            "Requests whose pin ended at steering.pin_max_s, although the follower had not passed its write",
            metrics.pins_given_up.clone(),
        );
        registry.register(
            "changes_skipped",
            "Changes that were never in force here, because too many were under way at once",
            metrics.changes_skipped.clone(),
        );
        registry.register(
            "abandoned",
            "Requests whose client left without an answer; counts is yes where the policy counts it as a failure",
            metrics.abandoned.clone(),
        );
        registry.register(
            "subjects_unseen",
            "Requests whose subject was looked for in a body or message of which nothing could be seen, by why; they fell \
             to the next source",
            metrics.unseen.clone(),
        );
        registry.register(
            "stale",
            "1 while the states in force are the last known ones, because the store cannot be read",
            metrics.stale.clone(),
        );
        registry.register(
            "store_up",
            "1 while the store of operators' decisions can be read, 0 while the last known ones are in force",
            metrics.store_up.clone(),
        );
        registry.register(
            "watchers_refused",
            "Those who were refused because too many watch already",
            metrics.watchers_refused.clone(),
        );
        metrics
    }

    pub(super) fn failed(&self, rollout: &str, side: Side) {
        let labels = SideLabels {
            rollout: rollout.to_owned(),
            side: side.as_str(),
        };
        self.errors.get_or_create(&labels).inc();
    }

    pub(super) fn in_force(&self, rollout: &str, current: &Current) {
        let labels = RolloutLabels {
            rollout: rollout.to_owned(),
        };
        let (percent, _) = current.state.in_force();
        self.percent.get_or_create(&labels).set(percent.as_f64());
        let waits = current.state.position.held.is_some();
        self.waiting.get_or_create(&labels).set(i64::from(waits));
        let version = i64::try_from(current.version).unwrap_or(i64::MAX);
        self.version.get_or_create(&labels).set(version);
        for stage in Stage::ALL {
            let labels = StageLabels {
                rollout: rollout.to_owned(),
                stage: stage.as_str(),
            };
            let is_in = stage == current.state.position.stage;
            self.stage.get_or_create(&labels).set(i64::from(is_in));
        }
    }

    pub(super) fn percent_refused(&self, rollout: &str) {
        let rollout = rollout.to_owned();
        self.refused.get_or_create(&RolloutLabels { rollout }).inc();
    }

    pub(super) fn fell_back(&self, rollout: &str, failure: Failure) {
        let rollout = rollout.to_owned();
        let failure = match failure {
            Failure::Unreachable => "unreachable",
            Failure::NotSent => "not_sent",
            Failure::Unavailable => "unavailable",
            Failure::Broken => "broken",
            Failure::TimedOut => "timed_out",
            Failure::Failed => "failed",
            Failure::Refused => "refused",
        };
        let labels = FallbackLabels { rollout, failure };
        self.fallbacks.get_or_create(&labels).inc();
    }

    pub(super) fn pinned(&self, rollout: &str) {
        let rollout = rollout.to_owned();
        self.pins.get_or_create(&RolloutLabels { rollout }).inc();
    }

    pub(super) fn watcher_refused(&self) {
        self.watchers_refused.inc();
    }

    pub(super) fn changes_skipped(&self, rollout: &str, changes: usize) {
        if changes > 0 {
            let rollout = rollout.to_owned();
            self.changes_skipped
                .get_or_create(&RolloutLabels { rollout })
                .inc_by(changes as u64);
        }
    }

    pub(super) fn pin_given_up(&self, rollout: &str) {
        let rollout = rollout.to_owned();
        self.pins_given_up
            .get_or_create(&RolloutLabels { rollout })
            .inc();
    }

    pub(super) fn abandoned(&self, rollout: &str, side: Side, counts: bool) {
        let labels = AbandonedLabels {
            rollout: rollout.to_owned(),
            side: side.as_str(),
            counts: if counts { "yes" } else { "no" },
        };
        self.abandoned.get_or_create(&labels).inc();
    }

    pub(super) fn unseen(&self, rollout: &str, unseen: Unseen) {
        let labels = UnseenLabels {
            rollout: rollout.to_owned(),
            reason: unseen.as_str(),
        };
        self.unseen.get_or_create(&labels).inc();
    }

    pub(super) fn stale(&self, is_stale: bool) {
        self.store_up.set(i64::from(!is_stale));
        self.stale.set(i64::from(is_stale));
    }
}
