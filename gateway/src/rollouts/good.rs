//! Whether the policy had found good what somebody leaves for more.
//!
//! Its analysis is in the store, the same for all replicas and after every restart. What is left for more is remembered
//! in the state, by the entry of the change that leaves it ([`State::left_good`]), with the evidence: so a step that is found
//! good again and again, and not left, makes no entries.

use banyan_rollout::{Analysis, Percent, Policy, Stage, Verdict};
use serde_json::{Value, json};

use super::decider::{ARRIVAL, ms};
use crate::store::{State, Store, StoreError};

/// A stay at a percentage that the policy has found good.
#[derive(Debug)]
pub(super) struct Good {
    state: State,
    verdict: Verdict,
}

impl Good {
    /// What the policy has found of a rollout in this state, if that is good.
    ///
    /// # Errors
    /// If the store is away.
    pub(super) async fn find(
        store: &Store,
        rollout: &str,
        state: &State,
    ) -> Result<Option<Self>, StoreError> {
        let is_split = state.position.stage == Stage::Split;
        let Some(policy) = state.policy().filter(|_| is_split) else {
            return Ok(None);
        };
        let analyses = store.analyses().await?;
        let verdict = analyses.get(rollout).and_then(|stored| {
            // An analysis that another release wrote, or of another policy, says nothing of this one.
            let of: Policy = serde_json::from_str(&stored.policy).ok()?;
            let analysis: Analysis = serde_json::from_str(&stored.analysis).ok()?;
            let place = (analysis.stage(), analysis.percent(), analysis.since_ms());
            let is_of = of == *policy && place == stay(state);
            // As it was when it was last judged: by no clock of this replica.
            let judged = stored.until.saturating_add(ARRIVAL).ok()?;
            is_of.then(|| analysis.judge(policy, ms(judged)))
        });
        let verdict = verdict.filter(|verdict| verdict.outcome.is_good());
        Ok(verdict.map(|verdict| Self {
            state: state.clone(),
            verdict,
        }))
    }

    /// What is remembered of it in the state after it. Where another one is left than was looked at, nothing.
    pub(super) fn left(&self, before: &State, after: State) -> State {
        match stay(before) == stay(&self.state) && before.policy() == self.state.policy() {
            true => after.left_good(before),
            false => after,
        }
    }

    /// For the log.
    pub(super) fn evidence(&self) -> Value {
        let (percent, _) = self.state.in_force();
        json!({"percent": percent, "metrics": self.verdict.evidence})
    }
}

/// Which coming to a stage and percentage it is.
fn stay(state: &State) -> (Stage, Percent, u64) {
    (
        state.position.stage,
        state.in_force().0,
        ms(state.step_since),
    )
}
