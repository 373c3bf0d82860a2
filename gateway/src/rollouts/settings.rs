//! Settings that operators change at run time: the share of answers compared, the fallback, the policy.
//!
//! They beat gateway.toml until they are unset, as an operator's percentage does, and go the same way: to the store
//! first, as an entry of the log, and in force here as soon as the store has them.

use banyan_rollout::{BackTo, LatencyBound, Percent, Policy, PolicyError};

use super::{ChangeError, Operator, Rollouts, Snapshot, change};
use crate::store::{Action, NewEntry, Overrides, PolicyWord, State};

/// Where nothing is said of it, differences are harmful from this times what is allowed on: 1 per cent where that is the
/// usual 0.1.
const HARM: f64 = 10.0;

/// What an operator wants of one setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish<T> {
    /// It stays.
    #[default]
    Keep,
    /// gateway.toml decides again.
    Unset,
    /// It beats gateway.toml.
    Set(T),
}

/// What an operator changes of the settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adjustment {
    /// The share of comparable answers that are compared.
    pub shadow: Wish<Percent>,
    /// The share of these whose owner is asked twice.
    pub noise: Wish<Percent>,
    /// Whether legacy answers for gRPC where that cannot do anything twice.
    pub fallback: Wish<bool>,
    /// How the rollout moves by itself; `None` is not at all.
    pub policy: Wish<Option<PolicyChange>>,
}

/// What of a policy is to be otherwise; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyChange {
    /// Per cent of subjects on the gRPC side, step by step.
    pub steps: Option<Vec<Percent>>,
    /// A step lasts at least this long.
    pub step_time_s: Option<u64>,
    /// Each side answers at least this many in a step.
    pub step_requests: Option<u64>,
    /// At least this many answers are compared in stage `shadow`.
    pub shadow_requests: Option<u64>,
    /// Answers in the first seconds of a step do not count.
    pub settle_s: Option<u64>,
    /// In per cent.
    pub false_rollback_percent: Option<f64>,
    /// In per cent.
    pub false_advance_percent: Option<f64>,
    /// Whether it advances by itself.
    pub advance: Option<bool>,
    /// Whether it rolls back by itself.
    pub roll_back: Option<bool>,
    /// Where it rolls back to.
    pub back_to: Option<BackTo>,
    /// `ratio_max`, `more_max_percent`, `harm_ratio`, `harm_more_percent`.
    pub errors: [Option<f64>; 4],
    /// All quantiles that count from then on.
    pub latency: Option<Vec<LatencyBound>>,
    /// `max_percent`, `harm_percent`.
    pub differences: [Option<f64>; 2],
}

impl<T> Wish<T> {
    /// Whether it changes nothing.
    #[must_use]
    pub fn keeps(&self) -> bool {
        matches!(self, Self::Keep)
    }

    fn of(self, now: Option<T>) -> Option<T> {
        match self {
            Self::Keep => now,
            Self::Unset => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl PolicyChange {
    /// The policy after the change.
    ///
    /// # Errors
    /// The first setting that cannot be meant.
    pub fn apply(&self, policy: &Policy) -> Result<Policy, PolicyError> {
        fn put<T: Clone>(value: &mut T, new: Option<&T>) {
            if let Some(new) = new {
                value.clone_from(new);
            }
        }
        let mut policy = policy.clone();
        put(&mut policy.steps, self.steps.as_ref());
        put(&mut policy.step_time_s, self.step_time_s.as_ref());
        put(&mut policy.step_requests, self.step_requests.as_ref());
        put(&mut policy.shadow_requests, self.shadow_requests.as_ref());
        put(&mut policy.settle_s, self.settle_s.as_ref());
        let rollback = self.false_rollback_percent.as_ref();
        put(&mut policy.false_rollback_percent, rollback);
        let advance = self.false_advance_percent.as_ref();
        put(&mut policy.false_advance_percent, advance);
        put(&mut policy.advance, self.advance.as_ref());
        put(&mut policy.roll_back, self.roll_back.as_ref());
        put(&mut policy.back_to, self.back_to.as_ref());
        put(&mut policy.latency, self.latency.as_ref());
        let [ratio, more, harm, harm_more] = &self.errors;
        put(&mut policy.errors.ratio_max, ratio.as_ref());
        put(&mut policy.errors.more_max_percent, more.as_ref());
        put(&mut policy.errors.harm_ratio, harm.as_ref());
        put(&mut policy.errors.harm_more_percent, harm_more.as_ref());
        let differences = &mut policy.differences;
        let [max, harm] = self.differences;
        // Who allows more and says nothing of harm means that it begins as far beyond as usual.
        let usual = max.map(|max| differences.harm_percent.max((HARM * max).min(100.0)));
        put(&mut differences.max_percent, max.as_ref());
        put(&mut differences.harm_percent, harm.or(usual).as_ref());
        policy.check()?;
        Ok(policy)
    }
}

impl Rollouts {
    /// Sets or unsets settings, all as one change. Where nothing is otherwise after it nothing is written.
    ///
    /// # Errors
    /// If there is no such rollout, the policy cannot be meant, the rollout is at another version than expected, or the
    /// store is away.
    pub async fn adjust(
        &self,
        name: &str,
        adjustment: Adjustment,
        operator: Operator,
    ) -> Result<Snapshot, ChangeError> {
        let live = self.live(name)?;
        let store = self.store()?;
        let entry = NewEntry {
            rollout: name.to_owned(),
            initial: live.initial(),
            expected_version: operator.expected_version,
            action: Action::Adjust,
            actor: operator.actor.clone(),
            reason: operator.reason.clone(),
            evidence: "{}".to_owned(),
            now: change::from(store),
        };
        let in_step = self.inner.in_step.lock().await;
        let stored = store
            .change(entry, |state| adjusted(state, adjustment))
            .await
            .map_err(|source| ChangeError::Change {
                name: name.to_owned(),
                source,
            })?
            .map_err(|source| ChangeError::Policy {
                name: name.to_owned(),
                source,
            })?;
        let taken = self.take(store, &live, stored).await;
        drop(in_step);
        Ok(self
            .put_in_force(&live, Action::Adjust, &operator, taken)
            .await)
    }
}

fn adjusted(state: &State, wanted: Adjustment) -> Result<State, PolicyError> {
    let now = &state.overrides;
    let policy = match wanted.policy {
        Wish::Keep => now.policy.clone(),
        Wish::Unset => None,
        Wish::Set(None) => Some(PolicyWord::Off),
        Wish::Set(Some(change)) => {
            let base = state.policy().cloned().unwrap_or_default();
            Some(PolicyWord::On(change.apply(&base)?))
        }
    };
    Ok(State {
        overrides: Overrides {
            shadow: wanted.shadow.of(now.shadow),
            noise: wanted.noise.of(now.noise),
            fallback: wanted.fallback.of(now.fallback),
            policy,
        },
        ..state.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_changed_where_something_is_said_and_checked_as_a_whole() {
        let change = PolicyChange {
            steps: Some(vec!["10".parse().unwrap(), "100".parse().unwrap()]),
            errors: [Some(1.5), None, None, None],
            ..PolicyChange::default()
        };
        let policy = change.apply(&Policy::default()).unwrap();
        assert_eq!(policy.steps.len(), 2);
        assert_eq!(policy.step_time_s, Policy::default().step_time_s);
        let harmful = PolicyChange {
            errors: [Some(5.0), None, None, None],
            ..PolicyChange::default()
        };
        let error = harmful.apply(&Policy::default()).unwrap_err();
        assert_eq!(error.field, "errors.harm_ratio");
    }

    #[test]
    fn what_differs_may_be_allowed_more_without_a_word_about_harm() {
        let harm = |differences| {
            let change = PolicyChange {
                differences,
                ..PolicyChange::default()
            };
            let policy = change.apply(&Policy::default());
            policy.map(|policy| policy.differences.harm_percent)
        };
        assert_eq!(harm([Some(0.05), None]), Ok(1.0));
        assert_eq!(harm([Some(5.0), None]), Ok(50.0));
        assert_eq!(harm([Some(50.0), None]), Ok(100.0));
        assert_eq!(harm([Some(5.0), Some(6.0)]), Ok(6.0));
        assert_eq!(harm([None, None]), Ok(1.0));
        let error = harm([Some(5.0), Some(5.0)]).unwrap_err();
        assert_eq!(error.field, "differences.harm_percent");
    }
}
