//! What a rollout does by itself: the steps it goes, what a step has to show, and what sends it back.
//!
//! Two lines are drawn for every metric. Beyond the *bound* gRPC is worse than it may be: evidence for that rolls back.
//! At the *harm* a release would be plainly bad (twice the errors): a step is left only when there is evidence that gRPC
//! is better than that. Between too little of either evidence a rollout stays where it is, for weeks if need be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BackTo, Percent};

/// How a rollout advances and returns by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Whether it advances by itself; `false` leaves that to people.
    pub advance: bool,
    /// Whether it rolls back by itself; `false` only says that it would.
    pub roll_back: bool,
    /// Per cent of subjects on the gRPC side, step by step. The policy ends at the last one; beyond it only people go.
    #[schemars(with = "Vec<f64>")]
    pub steps: Vec<Percent>,
    /// A step lasts at least this long.
    pub step_time_s: u64,
    /// Each side answers at least this many of the counted requests in a step.
    pub step_requests: u64,
    /// At least this many answers are compared in stage `shadow`.
    pub shadow_requests: u64,
    /// Answers in the first seconds of a step do not count: caches are cold and connections new.
    pub settle_s: u64,
    /// A client that leaves without an answer after it has waited this long counts as a failure of the side that was asked,
    /// which took at least that long. One that leaves earlier says nothing about the side.
    #[serde(skip_serializing_if = "is_gave_up_default")]
    pub gave_up_ms: u64,
    /// How likely a release with equal sides may be rolled back on its whole way, in per cent: all metrics, steps and
    /// looks together.
    pub false_rollback_percent: f64,
    /// How likely a harmful release may be taken for a harmless one in a step, by one metric, in per cent.
    pub false_advance_percent: f64,
    /// How many more answers of gRPC may be failures (5xx).
    pub errors: RateBound,
    /// How much slower gRPC may be.
    pub latency: Vec<LatencyBound>,
    /// How many answers may differ from the owner's.
    pub differences: DifferenceBound,
    /// Where it rolls back to: `zero` or `last-good`, which is the last step found good below the one in force, or 0.
    pub back_to: BackTo,
}

/// How many more of gRPC's answers may be failures than of legacy's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateBound {
    /// Allowed: this times legacy's rate ..
    pub ratio_max: f64,
    /// .. and this many per cent of the answers more.
    pub more_max_percent: f64,
    /// Harmful: this times legacy's rate ..
    pub harm_ratio: f64,
    /// .. and at least this many per cent of the answers more.
    pub harm_more_percent: f64,
}

/// How much slower than legacy gRPC may be. Ratios count in steps of 2^(1/4) = 1.19 and are taken up to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyBound {
    /// Which quantile, such as 0.99.
    pub quantile: f64,
    /// Allowed: this times legacy's quantile.
    #[serde(default = "latency_ratio")]
    pub ratio_max: f64,
    /// Harmful: this times legacy's quantile.
    #[serde(default = "harm_ratio")]
    pub harm_ratio: f64,
}

/// How many answers may differ from the owner's, beyond what the owner differs from itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DifferenceBound {
    /// Allowed, in per cent of the answers compared.
    pub max_percent: f64,
    /// Harmful, in per cent of the answers compared.
    pub harm_percent: f64,
}

/// A policy that cannot be meant.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{field}` = {value}: {allowed}")]
pub struct PolicyError {
    /// The setting.
    pub field: String,
    /// What it says.
    pub value: String,
    /// What it may say.
    pub allowed: &'static str,
}

/// Long enough that few answers of a service that works take it, short enough for clients whose patience ends after a
/// second.
const GAVE_UP_MS: u64 = 500;

// What is written down of a policy that says nothing of it is what it was before there was the setting.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_gave_up_default(gave_up_ms: &u64) -> bool {
    *gave_up_ms == GAVE_UP_MS
}

fn latency_ratio() -> f64 {
    1.25
}

fn harm_ratio() -> f64 {
    2.0
}

impl Default for Policy {
    fn default() -> Self {
        let steps = [100, 500, 2_500, 5_000, 10_000];
        Self {
            advance: true,
            roll_back: true,
            steps: steps
                .into_iter()
                .filter_map(Percent::from_hundredths)
                .collect(),
            step_time_s: 300,
            step_requests: 500,
            shadow_requests: 500,
            settle_s: 10,
            gave_up_ms: GAVE_UP_MS,
            false_rollback_percent: 1.0,
            false_advance_percent: 5.0,
            errors: RateBound::default(),
            latency: [0.5, 0.99].map(LatencyBound::of).to_vec(),
            differences: DifferenceBound::default(),
            back_to: BackTo::default(),
        }
    }
}

impl Default for RateBound {
    fn default() -> Self {
        Self {
            ratio_max: 1.1,
            more_max_percent: 0.01,
            harm_ratio: harm_ratio(),
            harm_more_percent: 0.1,
        }
    }
}

impl Default for DifferenceBound {
    fn default() -> Self {
        Self {
            max_percent: 0.1,
            harm_percent: 1.0,
        }
    }
}

impl LatencyBound {
    /// The usual ratios for a quantile.
    #[must_use]
    pub fn of(quantile: f64) -> Self {
        Self {
            quantile,
            ratio_max: latency_ratio(),
            harm_ratio: harm_ratio(),
        }
    }
}

impl RateBound {
    /// The rate that would be harmful where this is legacy's.
    pub(crate) fn harmful(&self, rate: f64) -> f64 {
        (self.harm_ratio * rate).max(rate + self.harm_more_percent / 100.0)
    }
}

impl Policy {
    /// How many metrics share the probability of a false rollback.
    #[must_use]
    pub fn metrics(&self) -> usize {
        self.latency.len() + 2
    }

    /// Whether a client that left without an answer after this long counts as a failure.
    ///
    /// The same for both sides, and by the time alone: if they are equal, so is what is counted of them, and the stated
    /// probability holds. A side is not made quicker by clients that leave it early, since those are not counted at all.
    #[must_use]
    pub const fn is_given_up(&self, waited_us: u64) -> bool {
        waited_us >= self.gave_up_ms.saturating_mul(1_000)
    }

    /// Whether this can be meant.
    ///
    /// # Errors
    /// The first setting that cannot.
    pub fn check(&self) -> Result<(), PolicyError> {
        let mut checks = vec![
            rising(&self.steps),
            between(
                "false_rollback_percent",
                self.false_rollback_percent,
                (0.0001, 50.0),
                "0.0001 to 50 is allowed",
            ),
            between(
                "false_advance_percent",
                self.false_advance_percent,
                (0.0001, 50.0),
                "0.0001 to 50 is allowed",
            ),
            between(
                "gave_up_ms",
                self.gave_up_ms as f64,
                (10.0, 600_000.0),
                "10 to 600000 is allowed",
            ),
        ];
        checks.extend(self.errors.checks());
        checks.extend(self.differences.checks());
        for (index, bound) in self.latency.iter().enumerate() {
            let field = |name| format!("latency[{index}].{name}");
            checks.push(between(
                &field("quantile"),
                bound.quantile,
                (0.01, 0.9999),
                "0.01 to 0.9999 is allowed",
            ));
            checks.push(between(
                &field("ratio_max"),
                bound.ratio_max,
                (1.0, 16.0),
                "1 to 16 is allowed",
            ));
            checks.push(between(
                &field("harm_ratio"),
                bound.harm_ratio,
                (bound.ratio_max * 1.2, 64.0),
                "at least 1.2 times ratio_max and at most 64 is allowed",
            ));
        }
        checks.into_iter().collect()
    }
}

impl RateBound {
    fn checks(&self) -> [Result<(), PolicyError>; 4] {
        [
            between(
                "errors.ratio_max",
                self.ratio_max,
                (1.0, 100.0),
                "1 to 100 is allowed",
            ),
            between(
                "errors.more_max_percent",
                self.more_max_percent,
                (0.0, 100.0),
                "0 to 100 is allowed",
            ),
            between(
                "errors.harm_ratio",
                self.harm_ratio,
                (self.ratio_max * 1.01, 1000.0),
                "more than ratio_max and at most 1000 is allowed",
            ),
            between(
                "errors.harm_more_percent",
                self.harm_more_percent,
                (self.more_max_percent.max(0.001) * 1.01, 100.0),
                "more than more_max_percent and 0.001, and at most 100 is allowed",
            ),
        ]
    }
}

impl DifferenceBound {
    fn checks(&self) -> [Result<(), PolicyError>; 2] {
        [
            between(
                "differences.max_percent",
                self.max_percent,
                (0.0, 50.0),
                "0 to 50 is allowed",
            ),
            between(
                "differences.harm_percent",
                self.harm_percent,
                (self.max_percent.max(0.001) * 1.01, 100.0),
                "more than max_percent and 0.001, and at most 100 is allowed",
            ),
        ]
    }
}

fn between(
    field: &str,
    value: f64,
    (least, most): (f64, f64),
    allowed: &'static str,
) -> Result<(), PolicyError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(PolicyError {
        field: field.to_owned(),
        value: value.to_string(),
        allowed,
    })
}

fn rising(steps: &[Percent]) -> Result<(), PolicyError> {
    let rising = steps.windows(2).all(|pair| pair[0] < pair[1]);
    if rising && steps.first().is_some_and(|first| *first > Percent::ZERO) {
        return Ok(());
    }
    let steps: Vec<_> = steps.iter().map(ToString::to_string).collect();
    Err(PolicyError {
        field: "steps".to_owned(),
        value: format!("[{}]", steps.join(", ")),
        allowed: "rising percentages above 0 are allowed, at least one",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_meant() {
        assert_eq!(Policy::default().check(), Ok(()));
        let empty: Policy = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, Policy::default());
        let text = serde_json::to_string(&empty).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), empty);
    }

    #[test]
    fn who_leaves_early_says_nothing_and_who_waits_long_enough_gives_up() {
        let policy = Policy::default();
        for (waited_us, want) in [(5_000, false), (499_999, false), (500_000, true)] {
            assert_eq!(policy.is_given_up(waited_us), want, "{waited_us}");
        }
    }

    #[track_caller]
    fn check(json: &str, want: &str) {
        let policy: Policy = serde_json::from_str(json).unwrap();
        assert_eq!(policy.check().unwrap_err().to_string(), want);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        check(
            r#"{"steps": [5, 5, 25]}"#,
            "`steps` = [5, 5, 25]: rising percentages above 0 are allowed, at least one",
        );
        check(
            r#"{"steps": []}"#,
            "`steps` = []: rising percentages above 0 are allowed, at least one",
        );
        check(
            r#"{"false_rollback_percent": 0}"#,
            "`false_rollback_percent` = 0: 0.0001 to 50 is allowed",
        );
        check(
            r#"{"gave_up_ms": 5}"#,
            "`gave_up_ms` = 5: 10 to 600000 is allowed",
        );
        check(
            r#"{"errors": {"ratio_max": 3}}"#,
            "`errors.harm_ratio` = 2: more than ratio_max and at most 1000 is allowed",
        );
        check(
            r#"{"latency": [{"quantile": 99}]}"#,
            "`latency[0].quantile` = 99: 0.01 to 0.9999 is allowed",
        );
    }
}
