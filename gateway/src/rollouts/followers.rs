//! How far the followers are, asked every two seconds by one task: for metrics, for those who watch, and for pins
//! ([`passed`](super::passed)), which may want to know sooner. None of them costs the followers anything beyond that.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
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
use crate::follow::Known;

/// How old what is told without asking may be.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How soon one is asked that pins want to know of, and how often any is asked at most.
const LOOK_EVERY: Duration = Duration::from_millis(500);

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
            let mut asked = BTreeMap::new();
            loop {
                tokio::select! {
                    () = rollouts.ask_due(&mut asked, &metrics) => {}
                    () = shutdown.cancelled() => return Ok(()),
                }
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    // A replica that has just started should not honour pins of long ago.
                    () = rollouts.inner.follows.notified() => {}
                    () = shutdown.cancelled() => return Ok(()),
                }
            }
        });
    }

    /// Asks those that were not asked for a while, and those of whom somebody wants to know. `asked`: when each was last.
    async fn ask_due(&self, asked: &mut BTreeMap<String, Instant>, metrics: &Metrics) {
        let followers = self.inner.followers.load_full();
        asked.retain(|name, _| {
            let stays = followers.contains_key(name);
            if !stays {
                metrics.forget(name.clone());
            }
            stays
        });
        let now = Instant::now();
        let mut due = Vec::new();
        for (name, follower) in followers.iter() {
            let Ok(live) = self.live(name) else {
                continue;
            };
            let is_wanted = live.passed.take_wanted();
            let last = asked.get(name);
            if is_wanted || last.is_none_or(|last| now.duration_since(*last) >= ASK_EVERY) {
                asked.insert(name.clone(), now);
                due.push((live, follower));
            }
        }
        let followers = &followers;
        let each = due.into_iter().map(|(live, follower)| async move {
            let known = follower.known().await;
            // Of another follower, who may be there by now, that says nothing.
            if !Arc::ptr_eq(&self.inner.followers.load(), followers) {
                return;
            }
            metrics.tell(live.name(), known.as_ref());
            if let Some(passed_ms) = known.and_then(|known| known.passed_ms) {
                live.passed.learn(passed_ms);
            }
        });
        join_all(each).await;
    }
}
