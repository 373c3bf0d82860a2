//! How many events went in and were read back.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::Topic;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    topic: &'static str,
}

/// Counters by topic; clones share them.
#[derive(Clone, Debug, Default)]
pub struct BusStats {
    published: Family<Labels, Counter>,
    consumed: Family<Labels, Counter>,
}

impl BusStats {
    /// Counters that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let stats = Self::default();
        registry.register(
            "analytics_bus_events_published",
            "Events written and durable",
            stats.published.clone(),
        );
        registry.register(
            "analytics_bus_events_consumed",
            "Events read back and committed",
            stats.consumed.clone(),
        );
        stats
    }

    /// One event is durable.
    pub fn published(&self, topic: Topic) {
        self.published.get_or_create(&labels(topic)).inc();
    }

    /// Some events have been read back.
    pub fn consumed(&self, topic: Topic, events: usize) {
        self.consumed
            .get_or_create(&labels(topic))
            .inc_by(events as u64);
    }
}

fn labels(topic: Topic) -> Labels {
    Labels {
        topic: topic.as_str(),
    }
}
