//! How creating goes, where it is not as usual.

use banyan_mesh::process::Metrics as Registered;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ends {
    end: &'static str,
}

#[derive(Debug)]
pub(super) struct Metrics {
    /// Turns that were ended because nobody went on with them.
    pub(super) abandoned: Counter,
    /// Creates that waited for their turn as long as they may.
    pub(super) waited_out: Counter,
    /// Creates that were refused because as many are under way as may be.
    pub(super) turned_away: Counter,
    forgotten: Family<Ends, Counter>,
}

impl Metrics {
    pub(super) fn register(metrics: &Registered) -> Self {
        let (abandoned, waited_out, turned_away) = <(Counter, Counter, Counter)>::default();
        let forgotten = Family::default();
        metrics.register(|registry| {
            let registry = registry.sub_registry_with_prefix("reservation");
            let about = "Creates of movies that somebody had begun and nobody went on with";
            registry.register("follow_creates_abandoned", about, abandoned.clone());
            let about = "Creates of movies that waited for an equal one as long as they may";
            registry.register("follow_creates_waited_out", about, waited_out.clone());
            let about = "Creates of movies that were refused because too many were under way";
            registry.register("follow_creates_turned_away", about, turned_away.clone());
            let about =
                "Creates of movies that were forgotten because of their age, by how they ended";
            registry.register("follow_creates_forgotten", about, forgotten.clone());
        });
        Self {
            abandoned,
            waited_out,
            turned_away,
            forgotten,
        }
    }

    pub(super) fn forgot(&self, end: &'static str, count: u64) {
        self.forgotten.get_or_create(&Ends { end }).inc_by(count);
    }
}
