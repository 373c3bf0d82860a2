//! What is counted about requests.
//!
//! Labels have few values: route templates, never paths; status classes, never ids. A request that matched no route
//! is counted under `none`. The counters of a route are looked up once, not with every request.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
    time::Duration,
};

use banyan_mesh::process::Metrics as Registry;
use http::StatusCode;
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
    pub(crate) route: Arc<str>,
    pub(crate) side: &'static str,
    pub(crate) status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct LatencyLabels {
    pub(crate) route: Arc<str>,
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
pub(crate) struct Metrics(Arc<Families>);

#[derive(Debug)]
pub(crate) struct Families {
    pub(crate) requests: Family<RequestLabels, Counter>,
    pub(crate) latency: Family<LatencyLabels, Histogram, fn() -> Histogram>,
    pub(crate) limits: Family<LimitLabels, Counter>,
    pub(crate) streams_broken: Family<StreamLabels, Counter>,
    pub(crate) in_flight: Gauge,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Metrics {
        let latency: fn() -> Histogram = || Histogram::new(LATENCY_BUCKETS_S);
        let metrics = Families {
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
        Metrics(Arc::new(metrics))
    }
}

impl Deref for Metrics {
    type Target = Families;

    fn deref(&self) -> &Families {
        &self.0
    }
}

impl Families {
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

/// Sides of a rollout, the first for routes that have none.
const SIDES: [&str; 3] = ["", "legacy", "grpc"];
/// Classes of status codes.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The metrics of one route on one listener, each looked up when it is first needed.
pub(crate) struct Counts {
    listener: &'static str,
    route: Arc<str>,
    answers: [[OnceLock<Counter>; CLASSES.len()]; SIDES.len()],
    latency: [OnceLock<Histogram>; SIDES.len()],
}

impl Counts {
    /// `route` is `METHOD template`.
    pub(crate) fn new(listener: &'static str, route: &str) -> Arc<Counts> {
        Arc::new(Counts {
            listener,
            route: Arc::from(route),
            answers: Default::default(),
            latency: Default::default(),
        })
    }

    pub(crate) fn route(&self) -> &str {
        &self.route
    }

    /// Counts an answer of a side, `""` where there is no rollout.
    pub(crate) fn answered(&self, metrics: &Metrics, side: &'static str, status: StatusCode) {
        let (place, class) = (place_of(side), class_of(status));
        let counter = self.answers[place][class].get_or_init(|| {
            metrics.requests.get_or_create_owned(&RequestLabels {
                listener: self.listener,
                route: Arc::clone(&self.route),
                side,
                status: CLASSES[class],
            })
        });
        counter.inc();
    }

    /// Notes how long a request took.
    pub(crate) fn took(&self, metrics: &Metrics, side: &'static str, latency: Duration) {
        let histogram = self.latency[place_of(side)].get_or_init(|| {
            metrics.latency.get_or_create_owned(&LatencyLabels {
                route: Arc::clone(&self.route),
                side,
            })
        });
        histogram.observe(latency.as_secs_f64());
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counts({} {})", self.listener, self.route)
    }
}

fn place_of(side: &str) -> usize {
    let place = SIDES.iter().position(|it| *it == side);
    place.unwrap_or_default()
}

fn class_of(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1
}
