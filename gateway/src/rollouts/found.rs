//! What the policy last found, as people are told: with what it cannot find where the rollout stands now.
//!
//! Errors and latency are judged against legacy's. Where everybody is on gRPC nobody is left to judge against, and a
//! verdict without a word against gRPC would look like a good one.

use banyan_rollout::{Evidence, Percent, Stage};

use super::Snapshot;

/// What the policy last found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) verdict: String,
    pub(super) evidence: Vec<Evidence>,
}

impl Found {
    /// With what cannot be found of a rollout as it is now; one without a policy says nothing.
    pub(super) fn told(self, now: &Snapshot, shadow: Percent) -> Found {
        let policy = now.policy.as_ref();
        let missing = policy.and_then(|_| incomparable(now.stage, now.percent, shadow));
        let Some(missing) = missing else {
            return self;
        };
        // It is not asked in the last stage: what it said before is over.
        let before = match now.stage {
            Stage::Grpc => Found::default(),
            Stage::Legacy | Stage::Shadow | Stage::Split => self,
        };
        let words = [before.verdict.as_str(), missing].into_iter();
        Found {
            verdict: words
                .filter(|words| !words.is_empty())
                .collect::<Vec<_>>()
                .join("; "),
            evidence: before.evidence,
        }
    }
}

/// What nobody can judge where nobody is dealt to legacy, for people; nothing where both sides answer.
fn incomparable(stage: Stage, percent: Percent, shadow: Percent) -> Option<&'static str> {
    match stage {
        Stage::Grpc => Some(
            "errors, latency and differences: nothing to compare in stage grpc: nobody is dealt to legacy",
        ),
        Stage::Split if percent < Percent::HUNDRED => None,
        Stage::Split if shadow == Percent::ZERO => Some(
            "errors and latency: nothing to compare at 100 %: nobody is dealt to legacy; \
             differences: nothing to compare: shadow is off",
        ),
        Stage::Split => {
            Some("errors and latency: nothing to compare at 100 %: nobody is dealt to legacy")
        }
        Stage::Legacy | Stage::Shadow => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_where_nothing_is_left_to_compare() {
        let percent = |value: f64| Percent::try_from(value).unwrap();
        let said = |stage, value, shadow| incomparable(stage, percent(value), percent(shadow));
        assert_eq!(said(Stage::Split, 99.99, 0.0), None);
        assert_eq!(said(Stage::Shadow, 100.0, 0.0), None);
        assert_eq!(said(Stage::Legacy, 100.0, 0.0), None);
        let at_the_end =
            "errors and latency: nothing to compare at 100 %: nobody is dealt to legacy";
        assert_eq!(said(Stage::Split, 100.0, 1.0), Some(at_the_end));
        let without = said(Stage::Split, 100.0, 0.0).unwrap();
        assert!(without.starts_with(at_the_end) && without.ends_with("shadow is off"));
        assert!(
            said(Stage::Grpc, 100.0, 1.0)
                .unwrap()
                .contains("stage grpc")
        );
    }
}
