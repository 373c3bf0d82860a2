//! How far the followers are, asked every two seconds: for metrics, and for those who watch, who cost the followers nothing
//! then.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use banyan_mesh::process::Process;
use banyan_rollout::Follower as State;
use futures::future::join_all;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{Data, Rollouts};
use crate::follow::{Follower, Known};

/// How old what is told without asking may be.
const ASK_EVERY: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    rollout: String,
}

/// What is told about followers. Names and labels are part of the product.
#[derive(Debug, Default)]
struct Metrics {
    ready: Family<Labels, Gauge>,
    lag: Family<Labels, Gauge<f64, AtomicU64>>,
    done: Family<Labels, Gauge>,
    total: Family<Labels, Gauge>,
}

impl Metrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("gateway_rollout");
        registry.register(
            "follower_ready",
            "1 while the follower of the legacy data has caught up, 0 while split and grpc are refused",
            metrics.ready.clone(),
        );
        registry.register(
            "follower_lag_seconds",
            "Seconds since the follower's last good poll; absent where it does not tell",
            metrics.lag.clone(),
        );
        registry.register(
            "follower_backfill_done",
            "Entries of the legacy system that the follower has, while it has some to take over; else 0",
            metrics.done.clone(),
        );
        registry.register(
            "follower_backfill_total",
            "Entries of the legacy system while the follower has some to take over; else 0",
            metrics.total.clone(),
        );
        metrics
    }

    fn tell(&self, rollout: &str, known: Option<&Known>) {
        let labels = Labels {
            rollout: rollout.to_owned(),
        };
        let is_ready = known.is_some_and(|known| known.state == State::Ready);
        self.ready.get_or_create(&labels).set(i64::from(is_ready));
        match known.and_then(|known| known.lag) {
            Some(lag) => {
                self.lag.get_or_create(&labels).set(lag.as_secs_f64());
            }
            None => {
                self.lag.remove(&labels);
            }
        }
        let backfill = known.and_then(|known| known.backfill);
        let (done, total) = backfill.map_or((0, 0), |it| (it.done, it.total));
        self.done.get_or_create(&labels).set(done);
        self.total.get_or_create(&labels).set(total);
    }

    fn forget(&self, rollout: String) {
        let labels = Labels { rollout };
        self.ready.remove(&labels);
        self.lag.remove(&labels);
        self.done.remove(&labels);
        self.total.remove(&labels);
    }
}

impl Rollouts {
    /// As [`Rollouts::data`], by what the follower said last: nobody is asked. Nothing before the first time.
    pub(crate) fn data_lately(&self, name: &str) -> Option<Data> {
        let live = self.live(name).ok()?;
        let follower = self.follower(name).ok()??;
        Some(Data::new(&live, &follower, follower.lately()?))
    }

    /// Asks the followers again and again for as long as the process lives.
    pub(super) fn ask_followers(&self, process: &Process) {
        let metrics = process.metrics().register(Metrics::register);
        let rollouts = self.clone();
        let shutdown = process.shutdown().clone();
        process.spawn("followers", async move {
            let mut told = BTreeSet::new();
            loop {
                let followers = rollouts.inner.followers.load_full();
                tokio::select! {
                    () = ask(&followers, &metrics) => {}
                    () = shutdown.cancelled() => return Ok(()),
                }
                let now = followers.keys().cloned().collect();
                for gone in told.difference(&now).cloned() {
                    metrics.forget(gone);
                }
                told = now;
                tokio::select! {
                    () = tokio::time::sleep(ASK_EVERY) => {}
                    () = rollouts.inner.follows.notified() => {}
                    () = shutdown.cancelled() => return Ok(()),
                }
            }
        });
    }
}

async fn ask(followers: &Arc<BTreeMap<String, Follower>>, metrics: &Metrics) {
    let each = followers.iter().map(|(name, follower)| async move {
        let known = follower.known().await;
        metrics.tell(name, known.as_ref());
    });
    join_all(each).await;
}
