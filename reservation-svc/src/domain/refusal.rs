//! Why a request that is well formed cannot be granted, in words that programs decide on.

use super::cell::CellRef;

/// Why; part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A cell has too little left.
    CellUnavailable,
    /// A cell has no price.
    NotSold,
    /// The screening has started.
    ScreeningStarted,
    /// The hold has run out.
    HoldExpired,
    /// The booking's state does not allow it.
    BookingState,
    /// The booking has changed since.
    EtagMismatch,
    /// The request id was used for something else.
    RequestIdReused,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::CellUnavailable,
        Self::NotSold,
        Self::ScreeningStarted,
        Self::HoldExpired,
        Self::BookingState,
        Self::EtagMismatch,
        Self::RequestIdReused,
    ];

    /// UPPER_SNAKE_CASE, as in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CellUnavailable => "CELL_UNAVAILABLE",
            Self::NotSold => "NOT_SOLD",
            Self::ScreeningStarted => "SCREENING_STARTED",
            Self::HoldExpired => "HOLD_EXPIRED",
            Self::BookingState => "BOOKING_STATE",
            Self::EtagMismatch => "ETAG_MISMATCH",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
        }
    }

    /// The reason of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// A refusal as decided, before it has a place in the order of commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// The cells that could not be had, each with why; empty where it is not about cells.
    pub cells: Vec<(CellRef, String)>,
}

impl Denial {
    /// A refusal that is not about cells.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            cells: Vec::new(),
        }
    }
}
