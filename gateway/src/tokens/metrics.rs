//! What is counted of tokens: how many came and what was wrong with them, and what becomes of changed keys.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{cache::Counts, verify::Trouble};

#[derive(Clone, Debug)]
pub(super) struct Metrics {
    verified: Counter,
    /// In the order of [`Trouble::ALL`].
    troubles: [Counter; Trouble::ALL.len()],
    pub(super) cache: Counts,
    keys: Gauge,
    applied: Counter,
    refused: Counter,
    is_refused: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Metrics {
        let presented = Family::<ResultLabels, Counter>::default();
        let reloads = Family::<ResultLabels, Counter>::default();
        let of = |family: &Family<ResultLabels, Counter>, result| {
            family.get_or_create_owned(&ResultLabels { result })
        };
        let metrics = Metrics {
            verified: of(&presented, "verified"),
            troubles: Trouble::ALL.map(|trouble| of(&presented, trouble.as_str())),
            cache: Counts::default(),
            keys: Gauge::default(),
            applied: of(&reloads, "applied"),
            refused: of(&reloads, "refused"),
            is_refused: Gauge::default(),
        };
        let registry = registry.sub_registry_with_prefix("gateway_tokens");
        let help = "Tokens that were looked at, by what was found";
        registry.register("presented", help, presented);
        let help = "Tokens that had been verified before";
        registry.register("cache_hits", help, metrics.cache.hits.clone());
        let help = "Verified tokens remembered, at most 10000";
        registry.register("cache_entries", help, metrics.cache.entries.clone());
        let help = "Tokens forgotten for lack of room though they still counted";
        registry.register("cache_evictions", help, metrics.cache.evictions.clone());
        registry.register("keys", "Keys in force", metrics.keys.clone());
        let help = "Changed files of keys by what became of them";
        registry.register("key_reloads", help, reloads);
        let help = "1 while the files of keys hold something that was refused";
        registry.register("keys_refused", help, metrics.is_refused.clone());
        metrics
    }

    /// Counts a token that was looked at.
    pub(super) fn presented(&self, trouble: Option<Trouble>) {
        let counter = match trouble {
            None => &self.verified,
            Some(trouble) => &self.troubles[trouble as usize],
        };
        counter.inc();
    }

    pub(super) fn in_force(&self, keys: usize) {
        self.keys.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    pub(super) fn applied(&self) {
        self.applied.inc();
        self.is_refused.set(0);
    }

    pub(super) fn refused(&self) {
        self.refused.inc();
        self.is_refused.set(1);
    }

    /// The files hold again what is in force.
    pub(super) fn unchanged(&self) {
        self.is_refused.set(0);
    }
}
