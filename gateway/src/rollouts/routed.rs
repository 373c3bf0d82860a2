//! What the routes of a rollout say about it: whether some of its requests can be compared, and whether any writes.

use std::sync::{Arc, atomic::Ordering};

use super::{
    Rollouts,
    live::{Current, Live},
};
use crate::routes::Routes;

impl Rollouts {
    /// Takes over what routes say, before they are in force.
    pub(crate) fn know_routes(&self, routes: &Routes) {
        let comparable = Arc::new(routes.comparable.clone());
        self.inner.comparable.store(Some(comparable));
        for (name, live) in self.inner.rollouts.load().iter() {
            let only_reads = !routes.writing.contains(name);
            live.only_reads.store(only_reads, Ordering::Relaxed);
        }
    }

    /// Whether some request of a rollout can be compared without effect.
    pub(super) fn is_comparable(&self, name: &str) -> bool {
        let known = self.inner.comparable.load();
        known.as_ref().is_none_or(|names| names.contains(name))
    }
}

impl Live {
    /// Whether legacy has in stage `grpc` too what was written: both sides write one database, or no route writes. Where
    /// somebody follows, the gRPC side is handed the writes in that stage, by whichever way they come.
    pub(super) fn shares_writes(&self, current: &Current) -> bool {
        let only_reads = self.only_reads.load(Ordering::Relaxed);
        current.state.configured.shares_data || only_reads && !self.definition().has_follower
    }
}
