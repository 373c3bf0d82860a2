//! What was found, counted by rollout, route, field path and kind: in memory first, and in the store every two seconds.
//!
//! So many answers that differ in the same way are one line for a person, with the first and last time and one redacted
//! example. A thousand lines are kept between two writes; what would be one more is only counted as a difference.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use banyan_transcode::{Finding, FindingKind};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::store::{Difference, Store};

/// How often findings are written down.
const WRITE_EVERY: Duration = Duration::from_secs(2);
const LINES_MAX: usize = 1_000;
/// Noisy paths that are remembered.
const NOISY_MAX: usize = 1_000;

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) rollout: String,
    pub(super) route: Arc<str>,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    lines: BTreeMap<(Place, String, FindingKind), Difference>,
    noisy: HashMap<Place, HashSet<String>>,
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what one side's own answers differ in.
    pub(super) fn noise(&self, place: &Place, findings: &[Finding], now: Timestamp) {
        let mut pages = self.pages();
        for finding in findings {
            let noisy = pages.noisy.entry(place.clone()).or_default();
            if noisy.len() < NOISY_MAX {
                noisy.insert(finding.path.clone());
            }
            if let Some(line) = pages.line(place, finding, now) {
                line.noise += 1;
            }
        }
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
            let noisy = pages.noisy.get(place);
            differs |= !noisy.is_some_and(|noisy| noisy.contains(&finding.path));
            if let Some(line) = pages.line(place, &finding, now) {
                line.count += 1;
                line.owner = finding.owner;
                line.other = finding.other;
                request_id.clone_into(&mut line.request_id);
            }
        }
        differs
    }

    /// Writes findings down until the process ends, and then once more. While the store is away they gather here.
    pub(super) async fn keep(&self, store: &Store, shutdown: &CancellationToken) {
        loop {
            let ended = tokio::time::timeout(WRITE_EVERY, shutdown.cancelled()).await;
            self.write(store).await;
            if ended.is_ok() {
                return;
            }
        }
    }

    async fn write(&self, store: &Store) {
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
    use super::*;

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
        book.noise(&place, &[finding("movies[].views")], at(4));
        assert!(!book.add(&place, vec![finding("movies[].views")], "d", at(5)));

        let pages = book.pages();
        let lines: Vec<_> = pages.lines.values().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (lines[0].count, lines[0].first_seen, lines[0].last_seen),
            (2, at(1), at(2))
        );
        assert_eq!(lines[0].request_id, "b");
        assert_eq!((lines[1].count, lines[1].noise), (1, 1));
    }
}
