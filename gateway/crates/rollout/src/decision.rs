//! From a rollout's state and a subject to a side, with the reason.
//!
//! The reason is what a person reads in the access log a week later, and what metrics are grouped by: its names are
//! part of the product and never change their meaning.

use std::fmt;

use crate::{Bucket, RolloutState, Stage, Subject, bucket};

/// Who serves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The system being replaced.
    Legacy,
    /// Its replacement.
    Grpc,
}

/// Why that side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The subject's bucket against the percentage.
    Percent,
    /// The rollout has not begun.
    StageLegacy,
    /// The rollout only compares; legacy answers.
    StageShadow,
    /// The rollout is over.
    StageGrpc,
    /// Gradual migration is switched off.
    MigrationDisabled,
}

/// Who serves a request, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who serves it.
    pub side: Side,
    /// The subject's place; known in every stage, so that a log tells where the subject would be.
    pub bucket: Bucket,
    /// Why that side.
    pub reason: Reason,
}

/// Decides who serves `subject`.
#[must_use]
pub fn decide(state: &RolloutState, subject: &Subject) -> Decision {
    let bucket = bucket(&state.salt, subject.value());
    let (side, reason) = match (state.enabled, state.stage) {
        (false, _) => (Side::Legacy, Reason::MigrationDisabled),
        (true, Stage::Legacy) => (Side::Legacy, Reason::StageLegacy),
        (true, Stage::Shadow) => (Side::Legacy, Reason::StageShadow),
        (true, Stage::Split) if state.percent.includes(bucket) => (Side::Grpc, Reason::Percent),
        (true, Stage::Split) => (Side::Legacy, Reason::Percent),
        (true, Stage::Grpc) => (Side::Grpc, Reason::StageGrpc),
    };
    Decision {
        side,
        bucket,
        reason,
    }
}

impl Side {
    /// The stable name in headers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Grpc => "grpc",
        }
    }
}

impl Reason {
    /// The stable name in headers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::StageLegacy => "stage_legacy",
            Self::StageShadow => "stage_shadow",
            Self::StageGrpc => "stage_grpc",
            Self::MigrationDisabled => "migration_disabled",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Percent, Source};

    fn state(hundredths: u16) -> RolloutState {
        RolloutState {
            salt: "movies".into(),
            enabled: true,
            stage: Stage::Split,
            percent: Percent::from_hundredths(hundredths).unwrap(),
            source: Source::Operator,
            version: 1,
        }
    }

    #[track_caller]
    fn check(state: &RolloutState, want: (Side, Reason)) {
        for n in 0..100 {
            let decision = decide(state, &Subject::new(n.to_string()));
            assert_eq!((decision.side, decision.reason), want);
        }
    }

    #[test]
    fn stages_decide_for_everybody() {
        let at = |stage| RolloutState {
            stage,
            ..state(5_000)
        };
        check(&at(Stage::Legacy), (Side::Legacy, Reason::StageLegacy));
        check(&at(Stage::Shadow), (Side::Legacy, Reason::StageShadow));
        check(&at(Stage::Grpc), (Side::Grpc, Reason::StageGrpc));
    }

    #[test]
    fn switched_off_is_legacy_in_every_stage() {
        for stage in [Stage::Legacy, Stage::Shadow, Stage::Split, Stage::Grpc] {
            let off = RolloutState {
                enabled: false,
                stage,
                ..state(10_000)
            };
            check(&off, (Side::Legacy, Reason::MigrationDisabled));
        }
    }

    #[test]
    fn nought_is_nobody_and_a_hundred_is_everybody() {
        check(&state(0), (Side::Legacy, Reason::Percent));
        check(&state(10_000), (Side::Grpc, Reason::Percent));
    }

    #[test]
    fn the_share_is_the_percentage() {
        for hundredths in [100, 1_000, 5_000, 9_000] {
            let state = state(hundredths);
            let grpc = (0..100_000)
                .filter(|n: &u32| {
                    decide(&state, &Subject::new(format!("guest-{n}"))).side == Side::Grpc
                })
                .count() as f64;
            // Four standard deviations of a binomial distribution.
            let share = state.percent.as_f64() / 100.0;
            let bound = 4.0 * (100_000.0 * share * (1.0 - share)).sqrt();
            assert!(
                (grpc - share * 100_000.0).abs() < bound,
                "{hundredths}: {grpc}"
            );
        }
    }

    proptest! {
        #[test]
        fn raising_the_percentage_never_evicts_a_subject(
            salt in "[a-z-]{1,20}", subject in ".{1,40}", low in 0..=10_000u16, more in 0..=10_000u16
        ) {
            let high = low.saturating_add(more).min(10_000);
            let subject = Subject::new(subject);
            let side = |hundredths| {
                decide(&RolloutState { salt: salt.clone(), ..state(hundredths) }, &subject).side
            };
            // `Grpc` is the greater: whoever was there stays there.
            prop_assert!(side(low) <= side(high));
            prop_assert_eq!(side(0), Side::Legacy);
            prop_assert_eq!(side(10_000), Side::Grpc);
        }

        #[test]
        fn every_replica_decides_alike(subject in ".{0,40}", hundredths in 0..=10_000u16, version in any::<u64>()) {
            // Two replicas hold equal states built apart; the version and whose word it is have no say.
            let here = decide(&state(hundredths), &Subject::new(subject.clone()));
            let there = decide(
                &RolloutState { version, source: Source::File, ..state(hundredths) },
                &Subject::new(subject),
            );
            prop_assert_eq!(here, there);
        }
    }
}
