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
                Some(line) => {
                    line.noise += 1;
                    if line.count == 0 {
                        line.last_seen = now;
                    }
                }
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
            if line.count == 0 {
                line.first_seen = now;
            }
            line.count += 1;
            line.last_seen = now;
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
        Some(self.lines.entry(key).or_insert_with(|| Difference {
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
        }))
    }

    /// Puts back a line that could not be written, before what came meanwhile.
    fn merge(&mut self, key: (Place, String, FindingKind), line: Difference) {
        let newer = self.lines.remove(&key);
        let merged = match newer {
            None => line,
            Some(newer) => {
                let (count, noise) = (line.count + newer.count, line.noise + newer.noise);
                // What one side's own answers differ in is no example of what both do, nor the beginning of it.
                let first_seen = match line.count > 0 || newer.count == 0 {
                    true => line.first_seen,
                    false => newer.first_seen,
                };
                let example = match newer.count > 0 || line.count == 0 {
                    true => newer,
                    false => line,
                };
                Difference {
                    count,
                    noise,
                    first_seen,
                    ..example
                }
            }
        };
        self.lines.insert(key, merged);
    }
}

#[cfg(test)]
mod tests;
