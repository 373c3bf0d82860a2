//! What is counted about requests.
//!
//! Labels have few values: route templates, never paths; status classes, never ids. A request that matched no route
//! is counted under `none`.

use banyan_mesh::process::Metrics as Registry;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

/// From 1 ms, doubling: 12 buckets reach 2 s, beyond which only time-outs are.
const LATENCY_BUCKETS_S: [f64; 12] = [
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) listener: &'static str,
    pub(crate) route: String,
    pub(crate) side: &'static str,
    pub(crate) status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct LatencyLabels {
    pub(crate) route: String,
    pub(crate) side: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct LimitLabels {
    pub(crate) listener: &'static str,
    pub(crate) limit: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct StreamLabels {
    pub(crate) listener: &'static str,
    pub(crate) code: &'static str,
}

/// The gateway's metrics; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) requests: Family<RequestLabels, Counter>,
    pub(crate) latency: Family<LatencyLabels, Histogram, fn() -> Histogram>,
    pub(crate) limits: Family<LimitLabels, Counter>,
    pub(crate) streams_broken: Family<StreamLabels, Counter>,
    pub(crate) in_flight: Gauge,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Metrics {
        let latency: fn() -> Histogram = || Histogram::new(LATENCY_BUCKETS_S);
        let metrics = Metrics {
            requests: Family::default(),
            latency: Family::new_with_constructor(latency),
            limits: Family::default(),
            streams_broken: Family::default(),
            in_flight: Gauge::default(),
        };
        registry.register(|registry| {
            let registry = registry.sub_registry_with_prefix("gateway");
            registry.register("requests", "Requests answered", metrics.requests.clone());
            let help = "Seconds from a request's header to the end of its answer";
            registry.register("request_duration_seconds", help, metrics.latency.clone());
            registry.register(
                "limits_hit",
                "Requests refused by a limit",
                metrics.limits.clone(),
            );
            registry.register(
                "streams_broken",
                "Streams that ended with an error after they began",
                metrics.streams_broken.clone(),
            );
            registry.register(
                "requests_in_flight",
                "Requests in work",
                metrics.in_flight.clone(),
            );
        });
        metrics
    }

    pub(crate) fn stream_broken(&self, listener: &'static str, code: &'static str) {
        self.streams_broken
            .get_or_create(&StreamLabels { listener, code })
            .inc();
    }

    pub(crate) fn limit_hit(&self, listener: &'static str, limit: &'static str) {
        self.limits
            .get_or_create(&LimitLabels { listener, limit })
            .inc();
    }
}
