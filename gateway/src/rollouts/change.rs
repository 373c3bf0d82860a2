//! Operators' changes: to the store first, in force here as soon as the store has them.
//!
//! Whether a change may be made is decided on what the store has, under its lock. Nothing else waits while the follower is
//! asked, so it is asked before; to go down at once it is not asked at all.

mod error;

use std::sync::Arc;

use banyan_rollout::{
    Circumstances, Command, Follower, Percent, Position, Refusal, Stage, transition,
};
use jiff::Timestamp;
use serde_json::json;
use tracing::info;

pub use self::error::ChangeError;
use super::{
    CHANGES_AHEAD, Rollouts, Snapshot,
    data::Told,
    good::Good,
    live::{Live, Taken},
};
use crate::store::{Action, NewEntry, State, Store};

/// The percentages that are gone through where no policy names others.
const STEPS: [u16; 5] = [100, 500, 2_500, 5_000, 10_000];

/// Who changes a rollout, and on what terms.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// Who, as the caller names itself.
    pub actor: String,
    /// Why, in the caller's words.
    pub reason: String,
    /// Only if the rollout is still at this version.
    pub expected_version: Option<u64>,
    /// Whether what would be refused is done all the same; wants a reason.
    pub is_forced: bool,
    /// Whether they know that there is no way back.
    pub is_confirmed: bool,
}

/// What somebody wants, and on what it rests.
struct Wanted<'a> {
    action: Action,
    commands: &'a [Command],
    operator: &'a Operator,
    evidence: String,
    /// Whether any request can be compared without effect.
    is_comparable: bool,
    /// What is left behind by it, if that was found good.
    good: Option<Good>,
}

impl Rollouts {
    /// Sets the operator's percentage. It beats environment, mounted file and gateway.toml until it is unset.
    ///
    /// # Errors
    /// If there is no such rollout, it is at another version than expected, or the store is away.
    pub async fn set_percent(
        &self,
        name: &str,
        percent: Percent,
        operator: Operator,
    ) -> Result<Snapshot, ChangeError> {
        let set = [Command::SetPercent(percent)];
        self.command(name, Action::Set, &set, operator).await
    }

    /// Takes the operator's percentage back, so that environment, mounted file, gateway.toml or default decide again. Where
    /// there is none nothing changes.
    ///
    /// # Errors
    /// If there is no such rollout, it is at another version than expected, or the store is away.
    pub async fn unset_percent(
        &self,
        name: &str,
        operator: Operator,
    ) -> Result<Snapshot, ChangeError> {
        let unset = [Command::UnsetPercent];
        self.command(name, Action::Unset, &unset, operator).await
    }

    /// Does all of `commands`, as one change, if [`transition`] lets each be done.
    ///
    /// # Errors
    /// If there is no such rollout, a command is refused, the rollout is at another version than expected, or the store
    /// is away.
    pub async fn command(
        &self,
        name: &str,
        action: Action,
        commands: &[Command],
        operator: Operator,
    ) -> Result<Snapshot, ChangeError> {
        self.command_with(name, action, commands, operator, json!({}))
            .await
    }

    /// [`Rollouts::command`] with what it rests on.
    pub(super) async fn command_with(
        &self,
        name: &str,
        action: Action,
        commands: &[Command],
        operator: Operator,
        mut evidence: serde_json::Value,
    ) -> Result<Snapshot, ChangeError> {
        let live = self.live(name)?;
        let is_last = live.current().state.position.stage == Stage::Grpc;
        let is_certain = operator.is_forced || is_last || commands.iter().any(wants_kept_ids);
        let mut told = self.told_without_asking(&live);
        if told.is_none() && is_certain {
            told = Some(self.ask(&live).await);
        }
        if operator.is_forced {
            evidence["forced"] = json!(true);
            let follower = told.map_or(Follower::Unknown, |told| told.follower);
            evidence["follower"] = json!(format!("{follower:?}"));
        }
        let good = self.found_good(&live, commands).await?;
        if let Some(good) = &good {
            evidence["found_good"] = good.evidence();
        }
        let wanted = Wanted {
            action,
            commands,
            operator: &operator,
            evidence: evidence.to_string(),
            is_comparable: self.is_comparable(name),
            good,
        };
        let changed = match self.try_to(&live, &wanted, told).await {
            // It would be more than before, or back from the last stage, which this replica may not have seen yet: that is
            // for the follower to say. To go down nobody is asked.
            Err(ChangeError::Refused {
                source: Refusal::FollowerUnknown | Refusal::NoWayBack,
                ..
            }) if told.is_none() => {
                let told = self.ask(&live).await;
                self.try_to(&live, &wanted, Some(told)).await
            }
            changed => changed,
        };
        let taken = changed?;
        Ok(self.put_in_force(&live, action, &operator, taken).await)
    }

    /// What the policy has found of the percentage that these commands may leave for more, if that is good.
    async fn found_good(
        &self,
        live: &Live,
        commands: &[Command],
    ) -> Result<Option<Good>, ChangeError> {
        let newest = live.newest();
        let state = &newest.state;
        if !commands.iter().any(|command| may_raise(command, state)) {
            return Ok(None);
        }
        let found = Good::find(self.store()?, live.name(), state).await;
        found.map_err(|source| ChangeError::Change {
            name: live.name().to_owned(),
            source,
        })
    }

    /// Decides on what the store has, and writes that there.
    async fn try_to(
        &self,
        live: &Live,
        wanted: &Wanted<'_>,
        told: Option<Told>,
    ) -> Result<Option<Taken>, ChangeError> {
        let store = self.store()?;
        let name = live.name().to_owned();
        let told = told.unwrap_or(Told::UNKNOWN);
        let change = |state: &State, now| moved(state, wanted, told, now);
        self.give_back(live, &|state: &State| change(state, from(store)))
            .await?;
        let _in_step = self.inner.in_step.lock().await;
        let now = from(store);
        let entry = NewEntry {
            rollout: name.clone(),
            initial: live.initial(),
            expected_version: wanted.operator.expected_version,
            action: wanted.action,
            actor: wanted.operator.actor.clone(),
            reason: wanted.operator.reason.clone(),
            evidence: wanted.evidence.clone(),
            now,
        };
        let stored = store.change(entry, |state| change(state, now)).await;
        let stored = stored.map_err(|source| ChangeError::Change {
            name: name.clone(),
            source,
        })?;
        let stored = stored.map_err(|source| ChangeError::Refused { name, source })?;
        live.ahead_of(None);
        Ok(self.take(store, live, stored).await)
    }

    /// What the store has accepted of an operator. Who is answered finds it in force, here and at every other replica.
    pub(super) async fn put_in_force(
        &self,
        live: &Live,
        action: Action,
        operator: &Operator,
        taken: Option<Taken>,
    ) -> Snapshot {
        if let Some(left) = live.pending() {
            tokio::time::sleep(left).await;
        }
        if let Some(Taken { before, after }) = taken {
            let (percent, source) = after.state.in_force();
            let (previous_percent, previous_source) = before.state.in_force();
            info!(
                rollout = live.name(),
                actor = operator.actor,
                reason = operator.reason,
                action = action.as_str(),
                stage = %after.state.position.stage,
                percent = %percent,
                source = %source,
                previous_stage = %before.state.position.stage,
                previous_percent = %previous_percent,
                previous_source = %previous_source,
                version = after.version,
                "Changed rollout"
            );
        }
        live.snapshot(self.is_stale())
    }

    pub(super) fn live(&self, name: &str) -> Result<Arc<Live>, ChangeError> {
        match self.inner.rollouts.load().get(name) {
            Some(live) if live.is_configured() => Ok(Arc::clone(live)),
            _ => Err(ChangeError::NoSuchRollout {
                name: name.to_owned(),
            }),
        }
    }

    pub(super) fn store(&self) -> Result<&Store, ChangeError> {
        self.inner.store.as_ref().ok_or(ChangeError::NoStore)
    }
}

/// From when on a change that is made now is in force. Replicas hear of it one after the other, and none of them may
/// decide otherwise than the others meanwhile: a subject would move there and back. So all of them, those that know of it
/// already too, go by what was until the same moment, by which all of them have heard.
pub(super) fn from(store: &Store) -> Timestamp {
    let now = Timestamp::now();
    match store.is_shared() {
        true => now.saturating_add(CHANGES_AHEAD).unwrap_or(now),
        false => now,
    }
}

/// Whether it may enter the last stage, which depends on whether legacy keeps ids.
fn wants_kept_ids(command: &Command) -> bool {
    match command {
        Command::SetStage { stage, .. } => *stage == Stage::Grpc,
        Command::Promote => true,
        _ => false,
    }
}

/// Whether more subjects may be on gRPC after it than in this state; the policy, which may too, remembers by itself.
fn may_raise(command: &Command, state: &State) -> bool {
    let (now, _) = state.in_force();
    match command {
        Command::SetPercent(percent) => *percent > now,
        Command::SetStage { stage, .. } => *stage == Stage::Grpc,
        Command::UnsetPercent => state.weaker().in_force().0 > now,
        Command::Promote => true,
        _ => false,
    }
}

/// The state after the commands. Where nothing is different the state is the same, the beginning of its step too.
fn moved(state: &State, wanted: &Wanted<'_>, told: Told, now: Timestamp) -> Result<State, Refusal> {
    let usual: Vec<Percent> = STEPS
        .into_iter()
        .filter_map(Percent::from_hundredths)
        .collect();
    let (policy, operator) = (state.policy(), wanted.operator);
    let circumstances = Circumstances {
        enabled: state.configured.enabled,
        weaker: state.weaker(),
        steps: policy.map_or(&usual, |policy| &policy.steps),
        follower: told.follower,
        comparable: wanted.is_comparable,
        legacy_keeps_ids: told.keeps_ids,
        forced: operator.is_forced.then_some(operator.reason.as_str()),
        confirmed: operator.is_confirmed,
    };
    let mut position = state.position;
    for command in wanted.commands {
        position = transition(&position, *command, &circumstances)?.position;
    }
    if position == state.position {
        return Ok(state.clone());
    }
    let stopped = Position {
        paused: true,
        ..state.position
    };
    let after = State {
        position,
        // Who only stops the policy has come nowhere.
        step_since: match position == stopped {
            true => state.step_since,
            false => now,
        },
        ..state.clone()
    };
    Ok(match &wanted.good {
        Some(good) => good.left(state, after),
        None => after,
    })
}
