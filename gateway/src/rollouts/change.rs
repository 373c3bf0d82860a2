//! Operators' changes: to the store first, in force here as soon as the store has them.

use banyan_rollout::Percent;
use jiff::Timestamp;
use tracing::info;

use super::{Rollouts, Snapshot};
use crate::store::{Change, NewChange, StoreError};

/// Who changes a rollout, and on what terms.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Who, as the caller names itself.
    pub actor: String,
    /// Why, in the caller's words.
    pub reason: String,
    /// Only if the rollout is still at this version.
    pub expected_version: Option<u64>,
}

/// A rollout could not be changed, or its changes not be read.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The configuration has no rollout of that name.
    #[error("there is no rollout `{name}`")]
    NoSuchRollout {
        /// The name asked for.
        name: String,
    },
    /// This gateway runs without a store.
    #[error("this gateway keeps no store: percentages come from environment and file only")]
    NoStore,
    /// The store refused the change or is away.
    #[error("cannot change rollout `{name}`")]
    Change {
        /// The rollout.
        name: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The store is away.
    #[error("cannot read the changes of rollout `{name}`")]
    History {
        /// The rollout.
        name: String,
        /// Why.
        #[source]
        source: StoreError,
    },
}

impl Rollouts {
    /// Sets the operator's percentage. It beats environment and file until it is unset.
    ///
    /// # Errors
    /// If there is no such rollout, it is at another version than expected, or the store is away.
    pub async fn set_percent(
        &self,
        name: &str,
        percent: Percent,
        operator: Operator,
    ) -> Result<Snapshot, ChangeError> {
        self.change(name, Some(percent), operator).await
    }

    /// Takes the operator's percentage back, so that environment, file or default decide again. Where there is none
    /// nothing changes.
    ///
    /// # Errors
    /// If there is no such rollout, it is at another version than expected, or the store is away.
    pub async fn unset_percent(
        &self,
        name: &str,
        operator: Operator,
    ) -> Result<Snapshot, ChangeError> {
        self.change(name, None, operator).await
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
    ) -> Result<Vec<Change>, ChangeError> {
        if !self.inner.rollouts.contains_key(name) {
            return Err(no_such_rollout(name));
        }
        let store = self.inner.store.as_ref().ok_or(ChangeError::NoStore)?;
        store
            .changes(name, before, limit)
            .await
            .map_err(|source| ChangeError::History {
                name: name.to_owned(),
                source,
            })
    }

    async fn change(
        &self,
        name: &str,
        percent: Option<Percent>,
        operator: Operator,
    ) -> Result<Snapshot, ChangeError> {
        let live = self
            .inner
            .rollouts
            .get(name)
            .ok_or_else(|| no_such_rollout(name))?;
        let store = self.inner.store.as_ref().ok_or(ChangeError::NoStore)?;
        let new = NewChange {
            rollout: name.to_owned(),
            percent,
            weaker: live.definition.percentages(),
            expected_version: operator.expected_version,
            actor: operator.actor.clone(),
            reason: operator.reason.clone(),
            now: Timestamp::now(),
        };
        let _in_step = self.inner.in_step.lock().await;
        let setting = store
            .change(new)
            .await
            .map_err(|source| ChangeError::Change {
                name: name.to_owned(),
                source,
            })?;
        if let Some(before) = live.apply(Some(&setting)) {
            let state = &live.current().state;
            info!(
                rollout = name,
                actor = operator.actor,
                reason = operator.reason,
                percent = %state.percent,
                source = %state.source,
                previous_percent = %before.state.percent,
                previous_source = %before.state.source,
                version = state.version,
                "Changed rollout"
            );
        }
        Ok(live.snapshot())
    }
}

fn no_such_rollout(name: &str) -> ChangeError {
    ChangeError::NoSuchRollout {
        name: name.to_owned(),
    }
}
