//! Operators' changes: to the store first, in force here as soon as the store has them.

use std::sync::Arc;

use banyan_proto::follow::v1::Authority;
use banyan_rollout::{
    Circumstances, Command, Follower, Percent, PolicyError, Refusal, Stage, transition,
};
use jiff::Timestamp;
use serde_json::json;
use tonic::Status;
use tracing::info;

use super::{
    CHANGES_AHEAD, Rollouts, Snapshot,
    live::{Live, Taken},
};
use crate::store::{Action, Entry, NewEntry, Reached, State, Store, StoreError, Verdict};
use crate::{follow::Follower as LegacyFollower, store::Difference};

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

/// A rollout could not be changed, or its log not be read.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The configuration has no rollout of that name.
    #[error("there is no rollout `{name}`")]
    NoSuchRollout {
        /// The name asked for.
        name: String,
    },
    /// Neither a subject was named, nor a fact that holds one.
    #[error(
        "of which subject? rollout `{name}` reads it from {sources}, and none of these is among the facts"
    )]
    NoSubject {
        /// The rollout.
        name: String,
        /// Where it looks.
        sources: String,
    },
    /// The log does not hold where subjects stood at the moment asked about, and none was named.
    #[error(
        "of which subject? where rollout `{name}` read it from at that moment is not in the log: an older release wrote it"
    )]
    Unrecorded {
        /// The rollout.
        name: String,
    },
    /// This gateway runs without a store.
    #[error("this gateway keeps no store: percentages come from environment and file only")]
    NoStore,
    /// The step is not one that can be taken now.
    #[error("cannot change rollout `{name}`")]
    Refused {
        /// The rollout.
        name: String,
        /// Why.
        #[source]
        source: Refusal,
    },
    /// The policy cannot be meant.
    #[error("cannot change the policy of rollout `{name}`")]
    Policy {
        /// The rollout.
        name: String,
        /// Which of its settings.
        #[source]
        source: PolicyError,
    },
    /// The store refused the change or is away.
    #[error("cannot change rollout `{name}`")]
    Change {
        /// The rollout.
        name: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The follower could not do what has to be done first.
    #[error("cannot change rollout `{name}`: the legacy side has to have all data first: {}", status.message())]
    Data {
        /// The rollout.
        name: String,
        /// What the follower says.
        status: Status,
    },
    /// The store is away.
    #[error("cannot read the log of rollout `{name}`")]
    History {
        /// The rollout.
        name: String,
        /// Why.
        #[source]
        source: StoreError,
    },
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
        let store = self.store()?;
        let (follower, keeps_ids) = self.follower_of(&live, commands).await;
        if operator.is_forced {
            evidence["forced"] = json!(true);
            evidence["follower"] = json!(format!("{follower:?}"));
        }
        let change = |state: &State, now: Timestamp| {
            moved(
                state,
                commands,
                &live,
                &operator,
                (follower, keeps_ids),
                now,
            )
        };
        self.give_back(&live, &|state: &State| change(state, from(store)))
            .await?;
        let in_step = self.inner.in_step.lock().await;
        let now = from(store);
        let entry = NewEntry {
            rollout: name.to_owned(),
            initial: live.initial(),
            expected_version: operator.expected_version,
            action,
            actor: operator.actor.clone(),
            reason: operator.reason.clone(),
            evidence: evidence.to_string(),
            now,
        };
        let stored = store
            .change(entry, |state| change(state, now))
            .await
            .map_err(|source| ChangeError::Change {
                name: name.to_owned(),
                source,
            })?
            .map_err(|source| ChangeError::Refused {
                name: name.to_owned(),
                source,
            })?;
        let taken = live.take(stored);
        drop(in_step);
        Ok(self.put_in_force(&live, action, &operator, taken).await)
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

    /// At most `limit` changes of a rollout, newest first, those before version `before` only.
    ///
    /// # Errors
    /// If there is no such rollout, or the store is away.
    pub async fn changes(
        &self,
        name: &str,
        before: Option<u64>,
        limit: u64,
    ) -> Result<Vec<Entry>, ChangeError> {
        self.live(name)?;
        self.store()?
            .entries(name, before, limit)
            .await
            .map_err(|source| ChangeError::History {
                name: name.to_owned(),
                source,
            })
    }

    /// Walks the whole log of a rollout. `known_hash`, where given, must be that of one of its entries.
    ///
    /// # Errors
    /// If there is no such rollout, or the store is away.
    pub async fn verify(
        &self,
        name: &str,
        known_hash: Option<&str>,
    ) -> Result<Verdict, ChangeError> {
        self.live(name)?;
        self.store()?
            .verify(name, known_hash)
            .await
            .map_err(|source| ChangeError::History {
                name: name.to_owned(),
                source,
            })
    }

    /// At most `limit` differences between the answers of both sides, the most frequent first, those after `reached`
    /// only.
    ///
    /// # Errors
    /// If there is no such rollout, or the store is away.
    pub async fn differences(
        &self,
        name: &str,
        reached: Option<Reached>,
        limit: u64,
    ) -> Result<Vec<Difference>, ChangeError> {
        self.live(name)?;
        let differences = self.store()?.differences(name, reached, limit).await;
        differences.map_err(|source| ChangeError::History {
            name: name.to_owned(),
            source,
        })
    }

    /// Forgets what the answers of both sides differ in.
    ///
    /// # Errors
    /// If there is no such rollout, or the store is away.
    pub async fn forget_differences(&self, name: &str) -> Result<(), ChangeError> {
        self.live(name)?;
        let forgotten = self.store()?.forget_differences(name).await;
        forgotten.map_err(|source| ChangeError::Change {
            name: name.to_owned(),
            source,
        })
    }

    /// Who follows the legacy side of a rollout, if anybody does.
    pub(crate) fn follower(&self, name: &str) -> Result<Option<LegacyFollower>, ChangeError> {
        self.live(name)?;
        Ok(self.inner.followers.load().get(name).cloned())
    }

    /// How well the follower knows the legacy data, and whether legacy keeps ids; asked only where somebody wants to go on,
    /// or back from the last stage.
    async fn follower_of(&self, live: &Live, commands: &[Command]) -> (Follower, bool) {
        let is_last = live.current().state.position.stage == Stage::Grpc;
        let matters = |command: &Command| match command {
            Command::SetStage { .. } | Command::Promote | Command::Advance => true,
            Command::Abort(_) | Command::RollBack(_) => is_last,
            _ => false,
        };
        let declared = live.definition().legacy_keeps_ids;
        match self.inner.followers.load_full().get(live.name()) {
            None => (Follower::None, declared.unwrap_or_default()),
            Some(follower) if commands.iter().any(matters) => match follower.known().await {
                Some(known) => (known.state, known.keeps_ids() && declared != Some(false)),
                None => (Follower::Unknown, false),
            },
            Some(_) => (Follower::None, false),
        }
    }

    /// Before the last stage is left, legacy gets everything that was created on the gRPC side, and gives the ids again:
    /// while the rollout is still in that stage, whatever is created goes there first from then on.
    async fn give_back(
        &self,
        live: &Live,
        change: &impl Fn(&State) -> Result<State, Refusal>,
    ) -> Result<(), ChangeError> {
        let state = live.current().state.clone();
        let leaves = state.position.stage == Stage::Grpc
            && change(&state).is_ok_and(|after| after.position.stage != Stage::Grpc);
        let Some(follower) = self.follower(live.name())?.filter(|_| leaves) else {
            return Ok(());
        };
        let given = follower.set_authority(Authority::Legacy).await;
        given.map_err(|status| ChangeError::Data {
            name: live.name().to_owned(),
            status,
        })
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

/// The state after the commands. Where nothing is different the state is the same, the beginning of its step too.
fn moved(
    state: &State,
    commands: &[Command],
    live: &Live,
    operator: &Operator,
    (follower, legacy_keeps_ids): (Follower, bool),
    now: Timestamp,
) -> Result<State, Refusal> {
    let usual: Vec<Percent> = STEPS
        .into_iter()
        .filter_map(Percent::from_hundredths)
        .collect();
    let (policy, definition) = (state.policy(), live.definition());
    let circumstances = Circumstances {
        enabled: state.configured.enabled,
        weaker: state.weaker(),
        steps: policy.map_or(&usual, |policy| &policy.steps),
        follower,
        comparable: definition.is_comparable(),
        legacy_keeps_ids,
        forced: operator.is_forced.then_some(operator.reason.as_str()),
        confirmed: operator.is_confirmed,
    };
    let mut position = state.position;
    for command in commands {
        position = transition(&position, *command, &circumstances)?.position;
    }
    if position == state.position {
        return Ok(state.clone());
    }
    Ok(State {
        position,
        step_since: now,
        ..state.clone()
    })
}
