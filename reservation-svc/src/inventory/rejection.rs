//! How a command can fail to be granted.

use std::sync::Arc;

use super::command::Position;
use crate::{
    domain::{refusal::Reason, violation::Violation},
    store::StoreError,
};

/// Why a command was not granted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Rejection {
    /// Decided: the answer to the request id from now on.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// Something that the command names is not there.
    #[error("{} not found", names.join(", "))]
    NotFound {
        /// Of what kind, such as `reservation.banyan/Booking`.
        kind: &'static str,
        /// Which.
        names: Vec<String>,
        /// Where that was so; nothing if nobody says.
        position: Option<Position>,
    },
    /// Something that the command would add is there already.
    #[error("{} exists already", names.join(", "))]
    Exists {
        /// Of what kind, such as `reservation.banyan/Hotel`.
        kind: &'static str,
        /// Which.
        names: Vec<String>,
        /// Where that was so; nothing if nobody says.
        position: Option<Position>,
    },
    /// The command makes no sense for what it names.
    #[error("the request is not valid")]
    Invalid {
        /// Every wrong field.
        violations: Vec<Violation>,
        /// Where that was so; nothing if nobody says.
        position: Option<Position>,
    },
    /// The database failed; nothing was decided unless it is [`StoreError::Unconfirmed`]. Shared by all of a batch.
    #[error("the reservation database failed")]
    Store(#[source] Arc<StoreError>),
    /// Too many others wait.
    #[error("too many commands are waiting")]
    Crowded,
    /// Its deadline had passed before its turn came; nothing was decided.
    #[error("the deadline passed before a decision")]
    Late,
    /// It took too long and was given up; nothing was decided.
    #[error("the decision took too long")]
    TimedOut,
    /// A decision asked for what had not been loaded for it, and was not made.
    #[error("a {0} was not loaded for the decision")]
    Unloaded(&'static str),
    /// The process ended before it was decided, or while.
    #[error("the decision was aborted")]
    Aborted,
}

/// A refusal with its place in the order of commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// The cells that could not be had; empty where it is not about cells.
    pub unmet: Vec<Unmet>,
    /// Facts that programs decide on.
    pub details: Vec<(String, String)>,
    /// Where it was decided.
    pub position: Position,
}

/// A cell that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The cell's name, such as `cinemas/grand/screenings/7/seats/F7`.
    pub subject: String,
    /// Its last part: the seat's id or the night.
    pub label: String,
    /// Why it could not be had.
    pub description: String,
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl Rejection {
    /// Something that is not there.
    pub(super) fn not_found(kind: &'static str, name: impl ToString) -> Self {
        Self::NotFound {
            kind,
            names: vec![name.to_string()],
            position: None,
        }
    }

    /// Something that is there already.
    pub(super) fn exists(kind: &'static str, names: Vec<String>) -> Self {
        Self::Exists {
            kind,
            names,
            position: None,
        }
    }

    /// A wrong field.
    pub(super) fn invalid(violation: Violation) -> Self {
        Self::Invalid {
            violations: vec![violation],
            position: None,
        }
    }

    /// The same, found at that place in the order of commits.
    pub(super) fn at(mut self, place: Position) -> Self {
        if let Self::NotFound { position, .. }
        | Self::Exists { position, .. }
        | Self::Invalid { position, .. } = &mut self
        {
            *position = Some(place);
        }
        self
    }
}
