//! What is counted about upstreams, by their names in the configuration.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::queue::Gauges;

/// The metrics of all upstreams; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    waiting: Family<Labels, Gauge>,
    waited: Family<Labels, Counter>,
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
}
