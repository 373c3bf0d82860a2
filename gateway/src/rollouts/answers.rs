//! Counts of answers by the version of the rollout that decided them.
//!
//! A version has counters of its own, found once and kept: to count an answer is one addition, and no name is looked up.
//! A rollout is changed without end, so only the [`KEPT`] versions that were in force last have theirs. When one more
//! comes into force, the series of the oldest end, as soon as nobody can count with them any more. An answer of a version
//! that is not kept, such as the end of a long stream, is counted under [`OTHER`]: no answer is ever left out.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use banyan_rollout::{Reason, Side};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

/// Versions that have series of their own: enough that whoever reads them every few seconds misses none of a hurried
/// operator's.
const KEPT: usize = 4;
/// The version of all others.
const OTHER: &str = "other";

/// Answers of all rollouts; names and labels are part of the product.
pub(super) type AnswerFamily = Family<Labels, Counter>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Labels {
    rollout: String,
    side: &'static str,
    reason: &'static str,
    version: String,
}

/// The answers of one rollout.
#[derive(Debug)]
pub(super) struct Answers {
    /// The last one in force first.
    kept: ArcSwap<Vec<Arc<Version>>>,
    other: Version,
}

/// The answers of one version. Its series end with it.
#[derive(Debug)]
struct Version {
    number: Option<u64>,
    family: AnswerFamily,
    rollout: String,
    counters: [[OnceLock<Counter>; Reason::ALL.len()]; 2],
}

impl Answers {
    pub(super) fn new(family: &AnswerFamily, rollout: &str, version: u64) -> Self {
        let other = Version::new(family, rollout, None);
        let first = Version::new(family, rollout, Some(version));
        Self {
            kept: ArcSwap::from_pointee(vec![Arc::new(first)]),
            other,
        }
    }

    /// Counts an answer that this version has decided.
    pub(super) fn count(&self, version: u64, side: Side, reason: Reason) {
        let kept = self.kept.load();
        let known = kept.iter().find(|it| it.number == Some(version));
        known.map_or(&self.other, Arc::as_ref).count(side, reason);
    }

    /// This version is in force now. Called by one at a time.
    pub(super) fn begin(&self, version: u64) {
        let before = self.kept.load_full();
        if before.first().is_some_and(|it| it.number == Some(version)) {
            return;
        }
        let known = before.iter().find(|it| it.number == Some(version)).cloned();
        let first = known.unwrap_or_else(|| {
            let Version {
                family, rollout, ..
            } = &self.other;
            Arc::new(Version::new(family, rollout, Some(version)))
        });
        let others = before.iter().filter(|it| it.number != Some(version));
        let kept = [first].into_iter().chain(others.cloned()).take(KEPT);
        self.kept.store(Arc::new(kept.collect()));
    }
}

impl Version {
    fn new(family: &AnswerFamily, rollout: &str, number: Option<u64>) -> Self {
        Self {
            number,
            family: family.clone(),
            rollout: rollout.to_owned(),
            counters: Default::default(),
        }
    }

    fn count(&self, side: Side, reason: Reason) {
        let counter = self.counters[side as usize][reason as usize].get_or_init(|| {
            let labels = self.labels(side, reason);
            self.family.get_or_create(&labels).clone()
        });
        counter.inc();
    }

    fn labels(&self, side: Side, reason: Reason) -> Labels {
        Labels {
            rollout: self.rollout.clone(),
            side: side.as_str(),
            reason: reason.as_str(),
            version: self
                .number
                .map_or_else(|| OTHER.to_owned(), |number| number.to_string()),
        }
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        for side in [Side::Legacy, Side::Grpc] {
            for reason in Reason::ALL {
                if self.counters[side as usize][reason as usize]
                    .get()
                    .is_some()
                {
                    self.family.remove(&self.labels(side, reason));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    /// `version count` of every series, in order.
    fn seen(family: &AnswerFamily) -> Vec<String> {
        let mut registry = Registry::default();
        registry.register("answers", "Answers", family.clone());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut seen: Vec<_> = lines
            .map(|line| {
                let (labels, count) = line.rsplit_once(' ').unwrap();
                let (_, version) = labels.split_once("version=\"").unwrap();
                format!("{} {count}", version.trim_end_matches("\"}"))
            })
            .collect();
        seen.sort();
        seen
    }

    #[test]
    fn every_reason_has_a_place_of_its_own() {
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at, "{reason}");
        }
        assert_eq!((Side::Legacy as usize, Side::Grpc as usize), (0, 1));
    }

    #[test]
    fn answers_are_counted_under_the_version_that_decided_them() {
        let family = AnswerFamily::default();
        let answers = Answers::new(&family, "movies", 0);
        assert!(seen(&family).is_empty(), "nothing before the first answer");
        answers.count(0, Side::Legacy, Reason::Percent);
        answers.begin(1);
        answers.count(1, Side::Grpc, Reason::Percent);
        answers.count(0, Side::Legacy, Reason::Percent);
        assert_eq!(seen(&family), ["0 2", "1 1"]);
    }

    #[test]
    fn only_the_last_versions_have_series() {
        let family = AnswerFamily::default();
        let answers = Answers::new(&family, "movies", 0);
        for version in 0..1_000 {
            answers.begin(version);
            answers.count(version, Side::Grpc, Reason::Percent);
        }
        answers.count(3, Side::Grpc, Reason::Percent);
        assert_eq!(
            seen(&family),
            ["996 1", "997 1", "998 1", "999 1", "other 1"]
        );
        answers.begin(997);
        answers.begin(5);
        answers.count(997, Side::Grpc, Reason::Percent);
        answers.count(5, Side::Grpc, Reason::Percent);
        assert_eq!(
            seen(&family),
            ["5 1", "997 2", "998 1", "999 1", "other 1"],
            "an older one may come again"
        );
    }

    #[test]
    fn who_still_counts_with_a_version_keeps_its_series() {
        let family = AnswerFamily::default();
        let answers = Answers::new(&family, "movies", 0);
        let held = answers.kept.load_full();
        for version in 1..10 {
            answers.begin(version);
        }
        held[0].count(Side::Legacy, Reason::Halted);
        assert_eq!(seen(&family), ["0 1"]);
        drop(held);
        assert!(seen(&family).is_empty());
    }
}
