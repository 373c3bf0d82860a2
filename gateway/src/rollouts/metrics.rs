//! What is counted about rollouts. Names and labels are part of the product.

use std::sync::atomic::AtomicU64;

use banyan_rollout::{Percent, Reason, Side};
use http::StatusCode;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The metrics of all rollouts; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    answers: Family<AnswerLabels, Counter>,
    errors: Family<SideLabels, Counter>,
    percent: Family<RolloutLabels, Gauge<f64, AtomicU64>>,
    store_up: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    rollout: String,
    side: &'static str,
    reason: &'static str,
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

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("gateway_rollout");
        registry.register(
            "answers",
            "Answers by rollout, the side that gave them and the reason for that side",
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
            "store_up",
            "1 while the store of operators' decisions can be read, 0 while the last known ones are in force",
            metrics.store_up.clone(),
        );
        metrics
    }

    pub(super) fn answered(&self, rollout: &str, side: Side, reason: Reason, status: StatusCode) {
        let rollout = rollout.to_owned();
        let side = side.as_str();
        if status.is_server_error() {
            let rollout = rollout.clone();
            self.errors
                .get_or_create(&SideLabels { rollout, side })
                .inc();
        }
        let reason = reason.as_str();
        self.answers
            .get_or_create(&AnswerLabels {
                rollout,
                side,
                reason,
            })
            .inc();
    }

    pub(super) fn set_percent(&self, rollout: &str, percent: Percent) {
        let rollout = rollout.to_owned();
        self.percent
            .get_or_create(&RolloutLabels { rollout })
            .set(percent.as_f64());
    }

    pub(super) fn store_up(&self, up: bool) {
        self.store_up.set(i64::from(up));
    }
}
