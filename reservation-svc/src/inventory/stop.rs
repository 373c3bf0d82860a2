//! Why a decision ended early.

use super::rejection::Rejection;
use crate::domain::refusal::Denial;

/// Why a command ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// Refused by the rules: a decision like any other.
    Denied(Denial),
    /// Not decided.
    Rejected(Rejection),
}

impl From<Denial> for Stop {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}
