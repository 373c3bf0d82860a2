//! What is counted about upstreams, by their names in the configuration.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::queue::Gauges;
use crate::bridge::{Bridge, Counts};

/// The metrics of all upstreams; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    waiting: Family<Labels, Gauge>,
    waited: Family<Labels, Counter>,
    restart_waiting: Family<Labels, Gauge>,
    restart_turned_away: Family<Labels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    upstream: String,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics::default();
        let registry = registry.sub_registry_with_prefix("gateway_upstream");
        registry.register(
            "waiting",
            "Calls that wait because every connection to the upstream has as many as it takes",
            metrics.waiting.clone(),
        );
        registry.register(
            "waited",
            "Calls that had to wait because every connection to the upstream had as many as it takes",
            metrics.waited.clone(),
        );
        registry.register(
            "restart_waiting",
            "Attempts that wait because the upstream was there a moment ago and cannot be reached",
            metrics.restart_waiting.clone(),
        );
        registry.register(
            "restart_turned_away",
            "Requests that failed because too many wait for an upstream that cannot be reached",
            metrics.restart_turned_away.clone(),
        );
        metrics
    }

    pub(super) fn of(&self, upstream: &str) -> Gauges {
        let labels = Labels {
            upstream: upstream.to_owned(),
        };
        Gauges {
            waiting: self.waiting.get_or_create_owned(&labels),
            waited: self.waited.get_or_create_owned(&labels),
        }
    }

    /// Bridges restarts of an upstream of at most this length.
    pub(super) fn bridge(&self, upstream: &str, window: Duration) -> Bridge {
        let labels = Labels {
            upstream: upstream.to_owned(),
        };
        let counts = Counts {
            waiting: self.restart_waiting.get_or_create_owned(&labels),
            turned_away: self.restart_turned_away.get_or_create_owned(&labels),
        };
        Bridge::new(window, counts)
    }
}
