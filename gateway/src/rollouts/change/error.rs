//! Why a rollout could not be changed or looked at.

use banyan_rollout::{PolicyError, Refusal};
use tonic::Status;

use crate::store::StoreError;

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
