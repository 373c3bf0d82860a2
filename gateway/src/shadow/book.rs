//! What was found, counted by rollout, route, field path and kind: in memory first, and in the store every two seconds.
//!
//! So many answers that differ in the same way are one line for a person, with the first and last time and one redacted
//! example. A thousand lines are kept between two writes; what would be one more is only counted as a difference. What is
//! known as noise is read from the store now and then, so that all replicas know it, a new one too.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use banyan_transcode::{Finding, FindingKind};
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use super::noise::{Noisy, QUIET};
use crate::store::{Difference, Store};

/// How often findings are written down.
const WRITE_EVERY: Duration = Duration::from_secs(2);
const LINES_MAX: usize = 1_000;
/// What replicas have learned is read every so many writes.
const READ_EVERY: u32 = 5;

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) rollout: String,
    pub(super) route: Arc<str>,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    pages: Mutex<Pages>,
    /// Counts what there was no room for.
    dropped: Counter,
}

#[derive(Debug, Default)]
struct Pages {
    lines: BTreeMap<(Place, String, FindingKind), Difference>,
    noisy: Noisy,
}

impl Book {
    pub(super) fn new(dropped: Counter) -> Self {
        Self {
            pages: Mutex::default(),
            dropped,
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what one side's own answers differ in; whether any of it was not known yet.
    pub(super) fn noise(&self, place: &Place, findings: &[Finding], now: Timestamp) -> bool {
        let mut pages = self.pages();
        let mut differs = false;
        for finding in findings {
            differs |= !pages.noisy.knows(place, &finding.path);
            if !pages.noisy.learn(place, &finding.path, now) {
                self.dropped.inc();
            }
            match pages.line(place, finding, now) {
                Some(line) => line.noise += 1,
                None => {
                    self.dropped.inc();
                }
            }
        }
        differs
    }

    /// Notes what both sides differ in; whether any of it is more than noise.
    pub(super) fn add(
        &self,
        place: &Place,
        findings: Vec<Finding>,
        request_id: &str,
        now: Timestamp,
    ) -> bool {
        let mut pages = self.pages();
        let mut differs = false;
        for finding in findings {
            differs |= !pages.noisy.knows(place, &finding.path);
            let Some(line) = pages.line(place, &finding, now) else {
                self.dropped.inc();
                continue;
            };
            line.count += 1;
            line.owner = finding.owner;
            line.other = finding.other;
            request_id.clone_into(&mut line.request_id);
        }
        differs
    }

    /// Writes findings down until the process ends, and then once more. While the store is away they gather here.
    pub(super) async fn keep(&self, store: &Store, shutdown: &CancellationToken) {
        let mut writes = 0;
        loop {
            // First of all: a process that has just begun knows no noise, which would count as differences.
            if writes % READ_EVERY == 0 && store.ready().await {
                self.read(store, Timestamp::now()).await;
            }
            writes = writes.wrapping_add(1);
            let ended = tokio::time::timeout(WRITE_EVERY, shutdown.cancelled()).await;
            self.write(store).await;
            if ended.is_ok() {
                return;
            }
        }
    }

    /// Takes over what replicas have learned.
    async fn read(&self, store: &Store, now: Timestamp) {
        let since = now.checked_sub(QUIET).unwrap_or(Timestamp::MIN);
        match store.noise(since).await {
            Ok(learned) => self.pages().noisy.merge(learned, since),
            Err(error) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "What is noise cannot be read now"
            ),
        }
    }

    async fn write(&self, store: &Store) {
        let untold = self.pages().noisy.untold();
        for noise in untold {
            if store.learn_noise(&noise).await.is_err() {
                // It is told with the next writing.
                break;
            }
            self.pages().noisy.told(&noise);
        }
        let lines = std::mem::take(&mut self.pages().lines);
        for (key, line) in lines {
            if let Err(error) = store.add_difference(&line).await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "Kept a finding for later"
                );
                self.pages().merge(key, line);
            }
        }
    }
}

impl Pages {
    /// The line of a finding, begun if there is room.
    fn line(
        &mut self,
        place: &Place,
        finding: &Finding,
        now: Timestamp,
    ) -> Option<&mut Difference> {
        let key = (place.clone(), finding.path.clone(), finding.kind);
        if self.lines.len() >= LINES_MAX && !self.lines.contains_key(&key) {
            return None;
        }
        let line = self.lines.entry(key).or_insert_with(|| Difference {
            rollout: place.rollout.clone(),
            route: place.route.to_string(),
            path: finding.path.clone(),
            kind: finding.kind.as_str().to_owned(),
            count: 0,
            noise: 0,
            first_seen: now,
            last_seen: now,
            owner: finding.owner.clone(),
            other: finding.other.clone(),
            request_id: String::new(),
        });
        line.last_seen = now;
        Some(line)
    }

    /// Puts back a line that could not be written, before what came meanwhile.
    fn merge(&mut self, key: (Place, String, FindingKind), line: Difference) {
        let newer = self.lines.remove(&key);
        let merged = match newer {
            None => line,
            Some(newer) => Difference {
                count: line.count + newer.count,
                noise: line.noise + newer.noise,
                first_seen: line.first_seen,
                ..newer
            },
        };
        self.lines.insert(key, merged);
    }
}

#[cfg(test)]
mod tests {
    use banyan_mesh::{database::DatabaseSettings, process::Process, testing::TestDatabase};

    use super::*;

    #[tokio::test]
    async fn what_one_replica_learned_the_others_know_and_a_restart_keeps() {
        for database in TestDatabase::each() {
            let process = Process::new();
            let settings = DatabaseSettings::new(database.url.clone());
            let store = Store::open(&process, &settings).await.unwrap();
            assert!(store.ready().await);
            let place = Place {
                rollout: "movies".to_owned(),
                route: "GET /api/movies".into(),
            };
            let (one, other, now) = (Book::default(), Book::default(), Timestamp::now());
            one.noise(&place, &[finding("movies[].views")], now);
            one.write(&store).await;
            assert!(other.add(&place, vec![finding("movies[].views")], "a", now));
            other.read(&store, now).await;
            assert!(!other.add(&place, vec![finding("movies[].views")], "b", now));
            assert!(other.add(&place, vec![finding("movies[].title")], "c", now));

            let later = now + QUIET + Duration::from_secs(1);
            other.read(&store, later).await;
            assert!(other.add(&place, vec![finding("movies[].views")], "d", later));
            assert_eq!(store.noise(Timestamp::MIN).await.unwrap(), []);
            process.stop(Duration::from_secs(5)).await.unwrap();
        }
    }

    fn finding(path: &str) -> Finding {
        Finding {
            path: path.to_owned(),
            kind: FindingKind::Changed,
            owner: "0".to_owned(),
            other: "00".to_owned(),
        }
    }

    #[test]
    fn findings_group_and_noisy_paths_make_no_difference() {
        let book = Book::default();
        let place = Place {
            rollout: "movies".to_owned(),
            route: "GET /api/movies".into(),
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(book.add(&place, vec![finding("movies[].rating")], "a", at(1)));
        assert!(book.add(&place, vec![finding("movies[].rating")], "b", at(2)));
        assert!(!book.add(&place, Vec::new(), "c", at(3)));
        assert!(book.noise(&place, &[finding("movies[].views")], at(4)));
        assert!(
            !book.noise(&place, &[finding("movies[].views")], at(4)),
            "known"
        );
        assert!(!book.add(&place, vec![finding("movies[].views")], "d", at(5)));

        let pages = book.pages();
        let lines: Vec<_> = pages.lines.values().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (lines[0].count, lines[0].first_seen, lines[0].last_seen),
            (2, at(1), at(2))
        );
        assert_eq!(lines[0].request_id, "b");
        assert_eq!((lines[1].count, lines[1].noise), (1, 2));
    }
}
