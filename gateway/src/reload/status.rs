//! What operators see of the state in force and of what was refused: a log line once, metrics, a page.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
};

use banyan_mesh::process::Process;
use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use serde::Serialize;

use super::{InForce, Outcome, candidate::fingerprint};
use crate::descriptors::Sets;

/// The state in force, as told; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Status {
    told: Arc<Mutex<Told>>,
    metrics: Metrics,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    /// Counts what was put in force since the process started.
    version: u64,
    /// Of configuration and contracts: the same in every replica that serves the same.
    hash: String,
    /// When this version was put in force.
    apply_time: Timestamp,
    /// When files and upstreams last held what is in force.
    success_time: Timestamp,
    failures: u64,
    /// Why what files and upstreams hold now is not in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
    /// Keys that were changed and need a restart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    needs_restart: Vec<String>,
    sources: Vec<Source>,
}

#[derive(Clone, Debug, Serialize)]
struct Refused {
    time: Timestamp,
    reason: String,
}

#[derive(Clone, Debug, Serialize)]
struct Source {
    source: String,
    /// `None` while it is away and never was there.
    hash: Option<String>,
    services: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Metrics {
    version: Gauge,
    info: Family<HashLabels, Gauge>,
    success_time: Gauge<f64, AtomicU64>,
    reloads: Family<ResultLabels, Counter>,
    refused: Gauge,
    source_up: Family<SourceLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HashLabels {
    hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

impl Status {
    pub(super) fn new(in_force: &InForce, process: &Process) -> Status {
        let now = Timestamp::now();
        let told = Told {
            version: 1,
            hash: String::new(),
            apply_time: now,
            success_time: now,
            failures: 0,
            refused: None,
            needs_restart: Vec::new(),
            sources: Vec::new(),
        };
        let status = Status {
            told: Arc::new(Mutex::new(told)),
            metrics: process.metrics().register(Metrics::register),
        };
        status.show(&mut status.lock(), in_force);
        for set in &in_force.sets.0 {
            if let Some(reason) = &set.trouble {
                let source = set.source.to_string();
                tracing::warn!(source, reason, "Contracts cannot be had yet: asking again");
            }
        }
        status
    }

    pub(super) fn told(&self) -> Told {
        self.lock().clone()
    }

    /// Why the last look refused what it saw.
    pub(super) fn reason(&self) -> String {
        let told = self.lock();
        told.refused
            .as_ref()
            .map_or_else(String::new, |refused| refused.reason.clone())
    }

    /// Another state is in force.
    pub(super) fn next_version(&self) -> u64 {
        let mut told = self.lock();
        told.version += 1;
        told.apply_time = Timestamp::now();
        told.version
    }

    /// Names keys that cannot change while the gateway runs, once.
    pub(super) fn needs_restart(&self, keys: &[String]) {
        let mut told = self.lock();
        if told.needs_restart != keys {
            if !keys.is_empty() {
                let keys = keys.join(", ");
                tracing::warn!(
                    keys,
                    "Changed in gateway.toml, and in force after a restart only"
                );
            }
            told.needs_restart = keys.to_vec();
        }
    }

    /// Tells what became of a look.
    pub(super) fn looked(&self, outcome: &Outcome, in_force: &InForce) {
        let mut told = self.lock();
        let was_refused = told.refused.take();
        match outcome {
            Outcome::Refused(reason) => {
                let is_news = was_refused.as_ref().is_none_or(|was| was.reason != *reason);
                if is_news {
                    told.failures += 1;
                    self.metrics.count("refused");
                    tracing::error!(
                        reason,
                        "Refused changed routes or contracts: the old stay in force"
                    );
                }
                let news = Refused {
                    time: Timestamp::now(),
                    reason: reason.clone(),
                };
                told.refused = Some(was_refused.filter(|_| !is_news).unwrap_or(news));
            }
            Outcome::Unchanged => {
                told.success_time = Timestamp::now();
                if was_refused.is_some() {
                    tracing::info!("Routes and contracts are again what is in force");
                }
            }
            Outcome::Applied(version) => {
                told.success_time = Timestamp::now();
                self.metrics.count("applied");
                let routes = in_force.contracts.routes();
                let (methods, absent) = (routes.served.len(), routes.absent.len());
                tracing::info!(
                    version,
                    methods,
                    absent,
                    "Changed routes and contracts are in force"
                );
            }
        }
        self.show(&mut told, in_force);
    }

    fn show(&self, told: &mut Told, in_force: &InForce) {
        told.hash = hex(&fingerprint(&in_force.config, &in_force.sets));
        told.sources = sources(&in_force.sets);
        self.metrics.show(told);
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sources(sets: &Sets) -> Vec<Source> {
    let sources = sets.0.iter().map(|set| {
        let known = set.known.as_ref();
        let services = known.into_iter().flat_map(|known| known.pool.services());
        Source {
            source: set.source.to_string(),
            hash: known.map(|known| hex(&known.hash)),
            services: services
                .map(|service| service.full_name().to_owned())
                .collect(),
            trouble: set.trouble.clone(),
        }
    });
    sources.collect()
}

/// Enough of a hash to tell states apart.
fn hex(hash: &[u8]) -> String {
    hash.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

impl Metrics {
    fn register(registry: &mut prometheus_client::registry::Registry) -> Metrics {
        let metrics = Metrics::default();
        let registry = registry.sub_registry_with_prefix("gateway_contracts");
        let help = "Counts the states of routes and contracts put in force since the start";
        registry.register("version", help, metrics.version.clone());
        let help = "1 for the hash of the configuration and contracts in force";
        registry.register("info", help, metrics.info.clone());
        let help = "When files and upstreams last held what is in force";
        registry.register(
            "last_success_timestamp_seconds",
            help,
            metrics.success_time.clone(),
        );
        let help = "Changed routes or contracts by what became of them";
        registry.register("reloads", help, metrics.reloads.clone());
        let help = "1 while files or upstreams hold something that was refused";
        registry.register("refused", help, metrics.refused.clone());
        let help = "0 while an upstream cannot be asked for its contracts";
        registry.register("source_up", help, metrics.source_up.clone());
        for result in ["applied", "refused"] {
            metrics
                .reloads
                .get_or_create(&ResultLabels { result })
                .inc_by(0);
        }
        metrics
    }

    fn count(&self, result: &'static str) {
        self.reloads.get_or_create(&ResultLabels { result }).inc();
    }

    fn show(&self, told: &Told) {
        self.version
            .set(i64::try_from(told.version).unwrap_or(i64::MAX));
        self.success_time.set(told.success_time.as_second() as f64);
        self.refused.set(i64::from(told.refused.is_some()));
        self.info.clear();
        let hash = told.hash.clone();
        self.info.get_or_create(&HashLabels { hash }).set(1);
        self.source_up.clear();
        for source in &told.sources {
            let labels = SourceLabels {
                source: source.source.clone(),
            };
            let up = i64::from(source.trouble.is_none());
            self.source_up.get_or_create(&labels).set(up);
        }
    }
}
