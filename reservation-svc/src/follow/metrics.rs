//! How following goes, for whoever watches: polls by result, adopted movies, how old the last good poll is, and how far
//! one is that has something to adopt.

use banyan_mesh::process::Metrics as Registered;
use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _},
    metrics::{MetricType, counter::Counter, family::Family, gauge::ConstGauge},
};
use tokio::sync::watch;

use super::{COLLECTION, Progress};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PollLabels {
    collection: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CollectionLabels {
    collection: &'static str,
}

type Count = Family<CollectionLabels, Counter>;

#[derive(Debug)]
pub(super) struct Metrics {
    polls: Family<PollLabels, Counter>,
    adopted: Count,
    lost_answers: Count,
    removed: Count,
    backfills: Count,
    catch_ups_refused: Count,
}

impl Metrics {
    pub(super) fn register(metrics: &Registered, progress: watch::Receiver<Progress>) -> Self {
        let polls = Family::default();
        let (adopted, lost_answers, removed): (Count, Count, Count) = Default::default();
        let (backfills, refused): (Count, Count) = Default::default();
        metrics.register(|registry| {
            let registry = registry.sub_registry_with_prefix("reservation");
            let about = "Polls of the monolith, by collection and result";
            registry.register("follow_polls", about, polls.clone());
            let about = "Entries adopted from the monolith since start";
            registry.register("follow_adopted", about, adopted.clone());
            let about = "Writes at the monolith whose answers were lost and had to be looked for";
            registry.register("follow_lost_answers", about, lost_answers.clone());
            let about = "Entries removed because the monolith removed them, since start";
            registry.register("follow_removed", about, removed.clone());
            let about = "Times that everything was read because the feed of changes could not say what changed";
            registry.register("follow_backfills", about, backfills.clone());
            let about = "Questions to catch up that were refused because too many wait for the next poll";
            registry.register("follow_catch_ups_refused", about, refused.clone());
            registry.register_collector(Box::new(Now {
                since: Timestamp::now(),
                progress,
            }));
        });
        Self {
            polls,
            adopted,
            lost_answers,
            removed,
            backfills,
            catch_ups_refused: refused,
        }
    }

    pub(super) fn polled(&self, succeeded: bool) {
        let result = if succeeded { "succeeded" } else { "failed" };
        self.polls
            .get_or_create(&PollLabels {
                collection: COLLECTION,
                result,
            })
            .inc();
    }

    pub(super) fn lost_answer(&self) {
        self.lost_answers
            .get_or_create(&CollectionLabels {
                collection: COLLECTION,
            })
            .inc();
    }

    pub(super) fn removed(&self, count: usize) {
        self.removed
            .get_or_create(&CollectionLabels {
                collection: COLLECTION,
            })
            .inc_by(count as u64);
    }

    pub(super) fn backfill(&self) {
        self.backfills
            .get_or_create(&CollectionLabels {
                collection: COLLECTION,
            })
            .inc();
    }

    pub(super) fn catch_up_refused(&self) {
        self.catch_ups_refused
            .get_or_create(&CollectionLabels {
                collection: COLLECTION,
            })
            .inc();
    }

    pub(super) fn adopted(&self, count: usize) {
        self.adopted
            .get_or_create(&CollectionLabels {
                collection: COLLECTION,
            })
            .inc_by(count as u64);
    }
}

/// Counted when it is asked for: a gauge that the poller sets would stand still exactly when polls do.
#[derive(Debug)]
struct Now {
    since: Timestamp,
    progress: watch::Receiver<Progress>,
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let progress = *self.progress.borrow();
        let last = progress.last_success.unwrap_or(self.since);
        let lag = Timestamp::now().duration_since(last).as_secs_f64().max(0.0);
        let (done, total) = progress.adopting.unwrap_or_default();
        for (name, about, value) in [
            (
                "follow_lag_seconds",
                "Seconds since the last good poll of the monolith, or since start if there was none",
                lag,
            ),
            (
                "follow_backfill_done",
                "Entries of the monolith that are here, while a poll has some to adopt; else 0",
                done as f64,
            ),
            (
                "follow_backfill_total",
                "Entries of the monolith while a poll has some to adopt; else 0",
                total as f64,
            ),
        ] {
            let mut metric = encoder.encode_descriptor(name, about, None, MetricType::Gauge)?;
            let labels = CollectionLabels {
                collection: COLLECTION,
            };
            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use banyan_mesh::process::Process;
    use jiff::ToSpan as _;

    use super::*;

    #[test]
    fn the_lag_grows_while_no_poll_succeeds() {
        let process = Process::new();
        let told = |name: &str| {
            let metrics = process.metrics().encode().unwrap();
            let name = format!("reservation_follow_{name}{{collection=\"movies\"}} ");
            let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
            value.unwrap().parse::<f64>().unwrap()
        };
        let (progress, watched) = watch::channel(Progress::default());
        Metrics::register(process.metrics(), watched);
        assert!(
            (0.0..60.0).contains(&told("lag_seconds")),
            "since the start"
        );
        assert_eq!(told("backfill_total"), 0.0);

        let last_success = Timestamp::now() - 1.hour();
        progress.send_replace(Progress {
            last_success: Some(last_success),
            adopting: Some((3, 10)),
            ..Progress::default()
        });
        let lag = told("lag_seconds");
        assert!((3_600.0..3_660.0).contains(&lag), "{lag}");
        let mut looks = (0..1_000_000).map(|_| told("lag_seconds"));
        assert!(looks.any(|it| it > lag), "nobody polls");
        assert_eq!((told("backfill_done"), told("backfill_total")), (3.0, 10.0));
    }
}
