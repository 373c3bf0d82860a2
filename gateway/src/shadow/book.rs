//! What was found, counted by rollout, route, field path and kind: in memory first, and in the store every two seconds.
//!
//! So many answers that differ in the same way are one line for a person, with the first and last time and one redacted
//! example. A thousand lines are kept between two writes; what would be one more is only counted as a difference. The store
//! keeps a thousand of a rollout, those seen last, and one that it cannot hold is dropped; both are counted. How often what
//! was noise is read from the store now and then, so that all replicas know it, a new one too.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use banyan_transcode::{Finding, FindingKind};
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use super::noise::{self, Noisy};
use crate::store::{Difference, Store, StoreError};

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

    /// Notes what one side's own answers differ in; whether any of it was not known as noise yet.
    pub(super) fn noise(&self, place: &Place, findings: &[Finding], now: Timestamp) -> bool {
        let mut pages = self.pages();
        let mut differs = false;
        for finding in findings.iter().filter(|it| noise::can_be(it.kind)) {
            differs |= !pages.noisy.knows(place, finding);
            match pages.line(place, finding, now) {
                Some(line) => line.noise += 1,
                None => {
                    self.dropped.inc();
                }
            }
        }
        self.dropped
            .inc_by(pages.noisy.sample(place, findings, now));
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
            differs |= !pages.noisy.knows(place, &finding);
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

    /// Takes over what replicas have seen.
    async fn read(&self, store: &Store, now: Timestamp) {
        match store.noise(noise::day(now) - noise::DAYS + 1).await {
            Ok(known) => self.pages().noisy.share(&known),
            Err(error) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "What is noise cannot be read now"
            ),
        }
    }

    async fn write(&self, store: &Store) {
        let untold = self.pages().noisy.untold();
        for noise in untold {
            match store.add_noise(&noise).await {
                Err(error) if !error.blames_row() => return for_later(&error),
                told => self.count_refused(told),
            }
            self.pages().noisy.told(&noise);
        }
        let mut lines = std::mem::take(&mut self.pages().lines).into_iter();
        let mut rollouts = BTreeSet::new();
        while let Some((key, line)) = lines.next() {
            match store.add_difference(&line).await {
                Err(error) if !error.blames_row() => {
                    let mut pages = self.pages();
                    for (key, line) in std::iter::once((key, line)).chain(lines) {
                        pages.merge(key, line);
                    }
                    return for_later(&error);
                }
                told => self.count_refused(told),
            }
            rollouts.insert(line.rollout);
        }
        for rollout in rollouts {
            match store.trim_differences(&rollout).await {
                Ok(dropped) => {
                    self.dropped.inc_by(dropped);
                }
                Err(error) => return for_later(&error),
            }
        }
    }

    /// What the store cannot hold is not tried again.
    fn count_refused(&self, told: Result<(), StoreError>) {
        if let Err(error) = told {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "Dropped a finding that the store cannot hold");
            self.dropped.inc();
        }
    }
}

fn for_later(error: &StoreError) {
    let error = error as &dyn std::error::Error;
    tracing::debug!(error, "Kept findings for later");
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

    async fn open(database: &TestDatabase) -> (Process, Store) {
        let process = Process::new();
        let settings = DatabaseSettings::new(database.url.clone());
        let store = Store::open(&process, &settings).await.unwrap();
        assert!(store.ready().await);
        (process, store)
    }

    #[tokio::test]
    async fn what_one_replica_learned_the_others_know_and_a_restart_keeps() {
        for database in TestDatabase::each() {
            let (process, store) = open(&database).await;
            let place = place();
            let (one, other, now) = (Book::default(), Book::default(), Timestamp::now());
            let views = || vec![finding("movies[].views")];
            one.noise(&place, &views(), now);
            one.write(&store).await;
            other.read(&store, now).await;
            assert!(other.add(&place, views(), "a", now), "seen once");
            one.noise(&place, &views(), now);
            other.noise(&place, &views(), now);
            one.write(&store).await;
            other.write(&store).await;
            for book in [&one, &other, &Book::default()] {
                book.read(&store, now).await;
                assert!(!book.add(&place, views(), "b", now), "three times");
                assert!(book.add(&place, vec![finding("movies[].title")], "c", now));
            }

            let later = now + Duration::from_secs(7 * 24 * 60 * 60);
            other.read(&store, later).await;
            assert!(other.add(&place, views(), "d", later));
            assert_eq!(store.noise(0).await.unwrap(), []);
            process.stop(Duration::from_secs(5)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_cleared_is_compared_again() {
        for database in TestDatabase::each() {
            let (process, store) = open(&database).await;
            let (book, now) = (Book::default(), Timestamp::now());
            let views = || vec![finding("movies[].views")];
            for _ in 0..3 {
                book.noise(&place(), &views(), now);
            }
            book.write(&store).await;
            assert!(!book.add(&place(), views(), "a", now));
            store.forget_differences("users").await.unwrap();
            book.read(&store, now).await;
            assert!(!book.add(&place(), views(), "b", now), "of another rollout");
            store.forget_differences("movies").await.unwrap();
            book.read(&store, now).await;
            assert!(book.add(&place(), views(), "c", now));
            process.stop(Duration::from_secs(5)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_the_store_cannot_hold_stops_nothing_and_the_rest_has_a_limit() {
        for database in TestDatabase::each() {
            let (process, store) = open(&database).await;
            let book = Book::default();
            let at = |second| Timestamp::from_second(second).unwrap();
            let is_strict = store.is_shared();
            // PostgreSQL has no text with a NUL.
            let bad = || vec![finding("a\0")];
            book.noise(&place(), &bad(), at(1));
            book.add(&place(), bad(), "a", at(1));
            book.add(&place(), vec![finding("z")], "b", at(2));
            book.write(&store).await;
            let kept = store.differences("movies", None, 10).await.unwrap();
            assert!(kept.iter().any(|it| it.path == "z"), "{kept:?}");
            assert_eq!(book.dropped.get(), if is_strict { 2 } else { 0 });
            assert_eq!(book.pages().lines.len(), 0, "not tried again");

            for index in 0..1_000 {
                let found = finding(&format!("f{index}"));
                book.add(&place(), vec![found], "c", at(3 + index));
            }
            book.write(&store).await;
            let kept = store.differences("movies", None, 2_000).await.unwrap();
            assert_eq!(kept.len(), 1_000);
            assert!(kept.iter().all(|it| it.path.starts_with('f')), "the newest");
            assert_eq!(book.dropped.get(), if is_strict { 3 } else { 2 });
            process.stop(Duration::from_secs(5)).await.unwrap();
        }
    }

    fn place() -> Place {
        Place {
            rollout: "movies".to_owned(),
            route: "GET /api/movies".into(),
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
        let place = place();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(book.add(&place, vec![finding("movies[].rating")], "a", at(1)));
        assert!(book.add(&place, vec![finding("movies[].rating")], "b", at(2)));
        assert!(!book.add(&place, Vec::new(), "c", at(3)));
        for _ in 0..3 {
            assert!(book.noise(&place, &[finding("movies[].views")], at(4)));
        }
        let known = book.noise(&place, &[finding("movies[].views")], at(4));
        assert!(!known, "known");
        assert!(!book.add(&place, vec![finding("movies[].views")], "d", at(5)));

        let pages = book.pages();
        let lines: Vec<_> = pages.lines.values().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (lines[0].count, lines[0].first_seen, lines[0].last_seen),
            (2, at(1), at(2))
        );
        assert_eq!(lines[0].request_id, "b");
        assert_eq!((lines[1].count, lines[1].noise), (1, 4));
    }
}
