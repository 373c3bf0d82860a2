//! Advancing and returning by itself: every replica writes down what it counted, one of them decides.
//!
//! Each replica drains its counts into a window every [`WINDOW`] and writes that to the store. Whoever holds the lease
//! reads everybody's windows, once they have had time to arrive ([`ARRIVAL`]), adds them to the analysis, and does what
//! it says: one change with the evidence in the log. The analysis itself is in the store, so the next holder goes on
//! where the last one stopped. A holder that does not know that its lease is over does no harm: its change names the
//! version that it saw.
//!
//! What was counted belongs to one coming to a stage and a percentage ([`State::step_since`](crate::store::State)). Where
//! somebody has come back since, to the same place too, or has resumed, the analysis begins anew there: what spoke against
//! a release that was rolled back says nothing about the one that was mended. Of the probability of a false rollback it
//! goes on with what is left.
//!
//! While the store is away nothing moves by itself; what was counted meanwhile is lost, which only makes the analysis
//! slower.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    sync::Arc,
    time::Duration,
};

use banyan_mesh::process::Process;
use banyan_rollout::{Analysis, Command, Outcome, Policy, Stage, Verdict, Window as Counted};
use jiff::Timestamp;
use serde_json::json;
use tracing::{info, warn};
use uuid::Uuid;

use super::{ChangeError, Operator, Rollouts, found::Found, live::Live};
use crate::store::{Action, Store, StoreError, StoredAnalysis, Window};

/// How long a window is, and how often a decision is made.
const WINDOW: Duration = Duration::from_secs(5);
/// A window of another replica is waited for so long after it began.
pub(super) const ARRIVAL: Duration = Duration::from_secs(15);
/// A holder that is gone is replaced after this.
const LEASE: Duration = Duration::from_secs(15);
/// Windows are kept so long, for people who look.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The name of the lease.
const NAME: &str = "rollout analysis";
/// Who decided, in the log.
const POLICY: &str = "policy";

/// Something of a round of deciding failed.
#[derive(Debug, thiserror::Error)]
enum DeciderError {
    #[error("the store of rollouts is away")]
    Store(#[from] StoreError),
    #[error("an analysis in the store is none")]
    Analysis(#[source] serde_json::Error),
}

impl Rollouts {
    /// Counts and decides until the process ends, while any rollout has a policy.
    pub(super) fn follow_policies(&self, process: &Process) {
        let Some(store) = self.inner.store.clone() else {
            return;
        };
        let (rollouts, shutdown) = (self.clone(), process.shutdown().clone());
        let replica = Uuid::new_v4().simple().to_string();
        process.spawn("rollouts' policies", async move {
            let mut decider = Decider {
                rollouts,
                store,
                replica,
                had_lease: false,
                refused: HashMap::new(),
            };
            tokio::select! {
                () = decider.run() => {}
                () = shutdown.cancelled() => {}
            }
            // Another replica need not wait for its end.
            if decider.had_lease {
                let _ = decider.store.give_back(NAME, &decider.replica).await;
            }
            Ok(())
        });
    }

    fn with_policy(&self) -> Vec<(Arc<Live>, Policy)> {
        let all = self.configured().into_iter();
        all.filter_map(|live| {
            let policy = live.current().state.policy().cloned()?;
            Some((live, policy))
        })
        .collect()
    }
}

struct Decider {
    rollouts: Rollouts,
    store: Store,
    replica: String,
    had_lease: bool,
    /// Why what a rollout's policy wants is not done, as it was last said.
    refused: HashMap<String, String>,
}

impl Decider {
    async fn run(&mut self) {
        if !self.store.ready().await {
            return;
        }
        let mut from = Timestamp::now();
        let mut is_away = false;
        loop {
            tokio::time::sleep(WINDOW).await;
            let now = Timestamp::now();
            let result = self.round(from, now).await;
            match (&result, is_away) {
                (Err(error), false) => warn!(
                    error = error as &dyn Error,
                    "Nothing moves by itself: a round of the policies failed"
                ),
                (Ok(()), true) => info!("Policies decide again"),
                _ => {}
            }
            is_away = result.is_err();
            from = now;
        }
    }

    async fn round(&mut self, from: Timestamp, now: Timestamp) -> Result<(), DeciderError> {
        let with_policy = self.rollouts.with_policy();
        for live in self.rollouts.configured() {
            if live.current().state.policy().is_none() {
                live.show_verdict(Found::default());
            }
        }
        if with_policy.is_empty() {
            return Ok(());
        }
        for (live, _) in &with_policy {
            self.write_window(live, from, now).await?;
        }
        let lease = self.store.lease(NAME, &self.replica, now, LEASE).await?;
        let mut stored = self.store.analyses().await?;
        if lease.holder == self.replica {
            self.had_lease = true;
            for (live, policy) in &with_policy {
                let before = stored.remove(live.name());
                let after = self.decide(live, policy, before, now).await?;
                stored.extend(after.map(|after| (live.name().to_owned(), after)));
            }
            let old = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
            self.store.sweep_windows(old).await?;
        }
        for (live, _) in &with_policy {
            live.show_verdict(stored.get(live.name()).map(found).unwrap_or_default());
        }
        Ok(())
    }

    async fn write_window(
        &self,
        live: &Live,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<(), DeciderError> {
        let counted = live.recorder().drain(ms(from), ms(now));
        let window = Window {
            start: from,
            replica: self.replica.clone(),
            version: i64::try_from(live.current().version).unwrap_or(i64::MAX),
            counts: serde_json::to_string(&counted).map_err(DeciderError::Analysis)?,
        };
        Ok(self.store.put_window(live.name(), &window).await?)
    }

    /// Adds what has come since to the analysis of a rollout, and does what it says.
    async fn decide(
        &mut self,
        live: &Live,
        policy: &Policy,
        before: Option<StoredAnalysis>,
        now: Timestamp,
    ) -> Result<Option<StoredAnalysis>, DeciderError> {
        let current = live.current().clone();
        let position = current.state.position;
        let moves = matches!(position.stage, Stage::Shadow | Stage::Split);
        if !moves || !current.state.configured.enabled {
            return Ok(before);
        }
        let policy_json = serde_json::to_string(policy).map_err(DeciderError::Analysis)?;
        let percent = current.decides_by.percent;
        let since_ms = ms(current.state.step_since);
        // A policy that was changed begins anew; so does an analysis that another release wrote.
        let same = before.filter(|before| before.policy == policy_json);
        let parsed = same.and_then(|same| {
            let analysis: Analysis = serde_json::from_str(&same.analysis).ok()?;
            Some((analysis, same.until))
        });
        let (mut analysis, from) = parsed.unwrap_or_else(|| {
            let fresh = Analysis::new(policy, position.stage, percent, since_ms);
            (fresh, now.checked_sub(ARRIVAL).unwrap_or(now))
        });
        let place = (position.stage, percent, since_ms);
        if (analysis.stage(), analysis.percent(), analysis.since_ms()) != place {
            analysis.step(position.stage, percent, since_ms);
        }
        // What was counted before is not read, however long ago that was.
        let from = from.max(current.state.step_since);
        let until = now.checked_sub(ARRIVAL).unwrap_or(from).max(from);
        for window in self.windows(live.name(), from, until).await? {
            analysis.observe(policy, &window);
        }
        let verdict = analysis.judge(policy, ms(now));
        let words = if position.paused {
            format!("paused; {}", in_words(&verdict))
        } else if let Err(refused) = self.act(live, &verdict, current.version).await {
            with_metrics(format!("hold: {}", innermost(&refused)), &verdict)
        } else {
            in_words(&verdict)
        };
        let stored = StoredAnalysis {
            until,
            policy: policy_json,
            analysis: serde_json::to_string(&analysis).map_err(DeciderError::Analysis)?,
            verdict: json!({"words": words, "evidence": verdict.evidence}).to_string(),
        };
        self.store.put_analysis(live.name(), &stored).await?;
        Ok(Some(stored))
    }

    /// The windows of all replicas, those of the same time as one.
    async fn windows(
        &self,
        rollout: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Counted>, DeciderError> {
        let slot_us = i64::try_from(WINDOW.as_micros()).unwrap_or(1);
        let mut slots: BTreeMap<(i64, u16), Counted> = BTreeMap::new();
        for window in self.store.windows(rollout, from, until).await? {
            // Another release may count otherwise: its windows are left out.
            let Ok(counted) = serde_json::from_str::<Counted>(&window.counts) else {
                continue;
            };
            let slot = window.start.as_microsecond() / slot_us;
            let key = (slot, counted.percent.hundredths());
            match slots.get_mut(&key) {
                // Of the same percentage; of another release, it is left out.
                Some(sum) => {
                    sum.merge(&counted).ok();
                }
                None => {
                    slots.insert(key, counted);
                }
            }
        }
        Ok(slots.into_values().collect())
    }

    /// Does what the verdict says.
    ///
    /// # Errors
    /// What stands against it; it is in the log once, until something else does or nothing any more.
    async fn act(
        &mut self,
        live: &Live,
        verdict: &Verdict,
        version: u64,
    ) -> Result<(), ChangeError> {
        let done = self.try_to(live, verdict, version).await;
        let reason = done.as_ref().err().map(|error| match error {
            // Not its text, which may say by how much.
            ChangeError::Refused { source, .. } => source.as_str().to_owned(),
            error => innermost(error),
        });
        let before = match &reason {
            Some(reason) => self.refused.insert(live.name().to_owned(), reason.clone()),
            None => self.refused.remove(live.name()),
        };
        if let Err(error) = &done
            && before != reason
        {
            warn!(
                rollout = live.name(),
                error = error as &dyn Error,
                "A rollout cannot be moved by its policy: it stays until that is over"
            );
        }
        done
    }

    async fn try_to(
        &self,
        live: &Live,
        verdict: &Verdict,
        version: u64,
    ) -> Result<(), ChangeError> {
        let (action, command) = match verdict.outcome {
            Outcome::Hold(_) => return Ok(()),
            Outcome::Advance => (Action::Advance, Command::Advance),
            Outcome::RollBack(to) => (Action::RollBack, Command::RollBack(to)),
        };
        let operator = Operator {
            actor: POLICY.to_owned(),
            reason: in_words(verdict),
            expected_version: Some(version),
            ..Operator::default()
        };
        let evidence = json!({"outcome": verdict.outcome.as_str(), "metrics": verdict.evidence});
        let changed = self
            .rollouts
            .command_with(live.name(), action, &[command], operator, evidence)
            .await;
        match changed {
            Ok(_) => Ok(()),
            // Somebody was faster: the next round looks at what is now.
            Err(ChangeError::Change {
                source: StoreError::Changed { .. },
                ..
            }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What an analysis last found; one of an earlier release holds nothing but words.
fn found(stored: &StoredAnalysis) -> Found {
    let json: Option<serde_json::Value> = serde_json::from_str(&stored.verdict).ok();
    let evidence = json.as_ref().map(|json| json["evidence"].clone());
    let words = json.as_ref().and_then(|json| json["words"].as_str());
    Found {
        verdict: words.unwrap_or(&stored.verdict).to_owned(),
        evidence: evidence
            .and_then(|evidence| serde_json::from_value(evidence).ok())
            .unwrap_or_default(),
    }
}

/// `hold: too few requests ..; errors: 0.1 % against 0.2 %, undecided`
fn in_words(verdict: &Verdict) -> String {
    let outcome = match &verdict.outcome {
        Outcome::Hold(hold) => format!("hold: {hold}"),
        outcome => outcome.as_str().replace('_', " "),
    };
    with_metrics(outcome, verdict)
}

fn with_metrics(outcome: String, verdict: &Verdict) -> String {
    let metrics = verdict
        .evidence
        .iter()
        .map(|evidence| format!("{} {}", evidence.metric, evidence.judgement.as_str()));
    [outcome]
        .into_iter()
        .chain(metrics)
        .collect::<Vec<_>>()
        .join("; ")
}

/// What it all comes from.
fn innermost(error: &ChangeError) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

pub(super) fn ms(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or_default()
}
