//! What is known of answers that differ by themselves: seen here, added up over replicas by the store, forgotten in time.
//!
//! A path is noise, for one kind of difference, if it was seen [`SEEN_MIN`] times in the last [`DAYS`] days and in at least
//! [`PERCENT_MIN`] per cent of the samples of its route, a sample being a request that one side was asked twice. So what
//! happened once between two answers, an entry made just then, a failure, hides nothing. Never noise are a status, an answer
//! that cannot be read, and a member that the contract does not know: those say something about an answer by itself.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use banyan_transcode::{Finding, FindingKind};
use http::StatusCode;
use jiff::Timestamp;

use super::book::Place;
use crate::store::Noise;

/// Paths and kinds that are counted of a place and day.
const PATHS_MAX: usize = 1_000;
/// How often a path has to be seen.
const SEEN_MIN: i64 = 3;
/// Of how many of the samples of its route, in per cent.
const PERCENT_MIN: i64 = 1;
/// Today and the six days before it, UTC.
pub(super) const DAYS: i64 = 7;

/// What was seen, by place.
#[derive(Debug, Default)]
pub(super) struct Noisy {
    /// In the store, of all replicas.
    shared: HashMap<Place, Tally>,
    /// By this replica, which the store has not heard yet, by day.
    own: BTreeMap<i64, HashMap<Place, Tally>>,
}

#[derive(Debug, Default)]
struct Tally {
    samples: i64,
    seen: HashMap<(String, FindingKind), i64>,
}

/// Which day it is, counted from 1970-01-01, UTC.
pub(super) fn day(now: Timestamp) -> i64 {
    now.as_second().div_euclid(24 * 60 * 60)
}

/// What two answers of one side are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    /// They tell which fields differ by themselves.
    Fields,
    /// One of them failed. No field is learned of; that it happens counts against what happens between the sides meanwhile,
    /// or an incident of both would count against gRPC.
    Failure,
    /// Nothing: an answer cannot be read, or tells that it was asked too often, which is about the asking.
    Unfit,
}

impl Sample {
    pub(super) fn of(findings: &[Finding], again: StatusCode) -> Sample {
        let has = |kind| findings.iter().any(|it| it.kind == kind);
        match (has(FindingKind::Status), has(FindingKind::Unreadable)) {
            (_, true) => Sample::Unfit,
            (true, _) if again == StatusCode::TOO_MANY_REQUESTS => Sample::Unfit,
            (true, _) => Sample::Failure,
            (false, false) => Sample::Fields,
        }
    }
}

/// Whether it can be noise at all.
pub(super) fn can_be(kind: FindingKind) -> bool {
    matches!(
        kind,
        FindingKind::Missing | FindingKind::Added | FindingKind::Changed
    )
}

impl Noisy {
    pub(super) fn knows(&self, place: &Place, finding: &Finding) -> bool {
        if !can_be(finding.kind) {
            return false;
        }
        let key = (finding.path.clone(), finding.kind);
        let own = self.own.values().filter_map(|places| places.get(place));
        let (mut samples, mut seen) = (0, 0);
        for tally in self.shared.get(place).into_iter().chain(own) {
            samples += tally.samples;
            seen += tally.seen.get(&key).copied().unwrap_or_default();
        }
        seen >= SEEN_MIN && seen * 100 >= samples * PERCENT_MIN
    }

    /// Counts a sample and what was found in it, each path and kind once; how many there was no room for.
    pub(super) fn sample(&mut self, place: &Place, findings: &[Finding], now: Timestamp) -> u64 {
        let today = day(now);
        self.own.retain(|day, _| *day > today - DAYS);
        let tally = self.own.entry(today).or_default();
        let tally = tally.entry(place.clone()).or_default();
        tally.samples += 1;
        let mut dropped = 0;
        for finding in findings.iter().filter(|it| can_be(it.kind)) {
            let key = (finding.path.clone(), finding.kind);
            if tally.seen.len() < PATHS_MAX || tally.seen.contains_key(&key) {
                *tally.seen.entry(key).or_default() += 1;
            } else {
                dropped += 1;
            }
        }
        dropped
    }

    /// What the store has not heard.
    pub(super) fn untold(&self) -> Vec<Noise> {
        let mut all = Vec::new();
        for (day, places) in &self.own {
            for (place, tally) in places {
                let mut add = |path: &str, kind: &str, count| {
                    all.push(Noise {
                        rollout: place.rollout.clone(),
                        route: place.route.to_string(),
                        path: path.to_owned(),
                        kind: kind.to_owned(),
                        day: *day,
                        count,
                    });
                };
                for ((path, kind), count) in &tally.seen {
                    add(path, kind.as_str(), *count);
                }
                if tally.samples > 0 {
                    add("", Noise::SAMPLE, tally.samples);
                }
            }
        }
        all
    }

    /// The store has heard it, or is not to hear it.
    pub(super) fn told(&mut self, noise: &Noise) {
        let place = place_of(noise);
        let Some(places) = self.own.get_mut(&noise.day) else {
            return;
        };
        if let Some(tally) = places.get_mut(&place) {
            tally.add(noise, -noise.count);
            if tally.samples == 0 && tally.seen.is_empty() {
                places.remove(&place);
            }
        }
        self.shared
            .entry(place)
            .or_default()
            .add(noise, noise.count);
    }

    /// Takes over what the store knows of the last days.
    pub(super) fn share(&mut self, known: &[Noise]) {
        self.shared.clear();
        for noise in known {
            let tally = self.shared.entry(place_of(noise)).or_default();
            tally.add(noise, noise.count);
        }
    }
}

impl Tally {
    fn add(&mut self, noise: &Noise, count: i64) {
        if noise.kind == Noise::SAMPLE {
            self.samples += count;
        } else if let Some(kind) = FindingKind::from_name(&noise.kind) {
            let key = (noise.path.clone(), kind);
            let seen = self.seen.get(&key).copied().unwrap_or_default() + count;
            match seen > 0 {
                true => self.seen.insert(key, seen),
                false => self.seen.remove(&key),
            };
        }
    }
}

fn place_of(noise: &Noise) -> Place {
    Place {
        rollout: noise.rollout.clone(),
        route: Arc::from(noise.route.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn place() -> Place {
        Place {
            rollout: "movies".to_owned(),
            route: "GET /api/movies".into(),
        }
    }

    fn found(path: &str, kind: FindingKind) -> Finding {
        Finding {
            path: path.to_owned(),
            kind,
            owner: String::new(),
            other: String::new(),
        }
    }

    #[test]
    fn a_path_is_noise_for_its_kind_once_it_was_seen_often_enough() {
        let (place, added) = (place(), found("movies[]", FindingKind::Added));
        let missing = found("movies[]", FindingKind::Missing);
        let mut noisy = Noisy::default();
        for sighting in 1..=3 {
            assert!(!noisy.knows(&place, &added), "after {sighting}");
            assert_eq!(noisy.sample(&place, std::slice::from_ref(&added), at(1)), 0);
        }
        assert!(noisy.knows(&place, &added) && !noisy.knows(&place, &missing));
        for _ in 3..300 {
            noisy.sample(&place, &[], at(1));
        }
        assert!(noisy.knows(&place, &added), "3 of 300");
        noisy.sample(&place, &[], at(1));
        assert!(!noisy.knows(&place, &added), "3 of 301");
    }

    #[test]
    fn an_answer_that_failed_teaches_nothing() {
        let of = |kinds: &[FindingKind], again| {
            let findings: Vec<_> = kinds.iter().map(|kind| found("", *kind)).collect();
            Sample::of(&findings, again)
        };
        use FindingKind::{Changed, Status, Unknown, Unreadable};
        assert_eq!(of(&[], StatusCode::OK), Sample::Fields);
        assert_eq!(of(&[Changed, Unknown], StatusCode::OK), Sample::Fields);
        assert_eq!(of(&[Unreadable, Changed], StatusCode::OK), Sample::Unfit);
        let busy = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(of(&[Status], busy), Sample::Unfit);
        assert_eq!(of(&[], busy), Sample::Fields, "both say so");
        let away = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(of(&[Status], away), Sample::Failure);
    }

    #[test]
    fn what_is_said_of_one_answer_is_never_noise() {
        let mut noisy = Noisy::default();
        for kind in [
            FindingKind::Status,
            FindingKind::Unreadable,
            FindingKind::Unknown,
        ] {
            let finding = found("", kind);
            for _ in 0..10 {
                noisy.sample(&place(), std::slice::from_ref(&finding), at(1));
            }
            assert!(!noisy.knows(&place(), &finding), "{kind:?}");
        }
    }

    #[test]
    fn what_one_sees_another_counts_and_a_week_later_nobody() {
        let (place, views) = (place(), found("movies[].views", FindingKind::Changed));
        let (mut one, mut other) = (Noisy::default(), Noisy::default());
        for _ in 0..2 {
            one.sample(&place, std::slice::from_ref(&views), at(100));
        }
        let news = one.untold();
        assert_eq!(news.len(), 2, "{news:?}");
        for noise in &news {
            one.told(noise);
        }
        assert_eq!(one.untold(), [], "told once");
        other.share(&news);
        other.sample(&place, std::slice::from_ref(&views), at(100));
        assert!(other.knows(&place, &views) && !one.knows(&place, &views));
        assert_eq!(other.untold().len(), 2, "its own only");

        other.share(&[]);
        assert!(!other.knows(&place, &views), "the store has forgotten it");
        for _ in 0..3 {
            one.sample(&place, std::slice::from_ref(&views), at(100));
        }
        assert!(one.knows(&place, &views));
        one.share(&[]);
        one.sample(&place, &[], at(100 + DAYS * 24 * 60 * 60));
        assert!(!one.knows(&place, &views), "without a store too");
    }

    #[test]
    fn a_place_has_a_limited_number_of_them() {
        let mut noisy = Noisy::default();
        let changed = |index: usize| found(&index.to_string(), FindingKind::Changed);
        let all: Vec<_> = (0..PATHS_MAX).map(changed).collect();
        assert_eq!(noisy.sample(&place(), &all, at(1)), 0);
        let more = [changed(0), changed(PATHS_MAX)];
        assert_eq!(noisy.sample(&place(), &more, at(1)), 1);
    }
}
