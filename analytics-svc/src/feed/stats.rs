//! How far the feed has been followed, for `/metrics`.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use crate::{domain::batch::Cursor, store::Applied};

/// Gauges and counters of the follower; clones share them.
#[derive(Clone, Debug, Default)]
pub struct FeedStats {
    position: Gauge,
    lag: Gauge,
    applied: Counter,
    redelivered: Counter,
    sessions_ended: Counter,
    rebuilds: Counter,
}

impl FeedStats {
    /// Metrics that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let stats = Self::default();
        registry.register(
            "analytics_feed_position",
            "Last applied commit sequence of the reservation feed",
            stats.position.clone(),
        );
        registry.register(
            "analytics_feed_lag",
            "Commits that the reservation feed is known to be ahead",
            stats.lag.clone(),
        );
        registry.register(
            "analytics_feed_events_applied",
            "Events of the reservation feed that took effect",
            stats.applied.clone(),
        );
        registry.register(
            "analytics_feed_events_redelivered",
            "Events of the reservation feed that had taken effect before",
            stats.redelivered.clone(),
        );
        registry.register(
            "analytics_feed_reconnects",
            "Streams of the reservation feed that ended",
            stats.sessions_ended.clone(),
        );
        registry.register(
            "analytics_feed_rebuilds",
            "Times that all facts were forgotten for another incarnation",
            stats.rebuilds.clone(),
        );
        stats
    }

    pub(super) fn at(&self, cursor: &Cursor) {
        self.position.set(cursor.sequence);
        self.lag.set(cursor.lag());
    }

    pub(super) fn applied(&self, applied: &Applied) {
        self.at(&applied.cursor);
        self.applied.inc_by(applied.applied);
        self.redelivered.inc_by(applied.skipped);
    }

    pub(super) fn session_ended(&self) {
        self.sessions_ended.inc();
    }

    pub(super) fn rebuilt(&self) {
        self.rebuilds.inc();
    }
}
