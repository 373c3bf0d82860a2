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
    /// Every night has a room left, but with the rooms that are fixed no plan gives each stay one room.
    RoomFragmented,
    /// Too few nights for the day of arrival.
    MinStay,
    /// Too many nights for the day of arrival.
    MaxStay,
    /// Nobody arrives on that day.
    ClosedToArrival,
    /// Nobody leaves on that day.
    ClosedToDeparture,
    /// A night is not sold.
    StopSell,
    /// Too late for the day of arrival.
    CutOff,
    /// Too few or too many days ahead.
    AdvanceWindow,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::CellUnavailable,
        Self::NotSold,
        Self::ScreeningStarted,
        Self::HoldExpired,
        Self::BookingState,
        Self::EtagMismatch,
        Self::RequestIdReused,
        Self::RoomFragmented,
        Self::MinStay,
        Self::MaxStay,
        Self::ClosedToArrival,
        Self::ClosedToDeparture,
        Self::StopSell,
        Self::CutOff,
        Self::AdvanceWindow,
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
            Self::RoomFragmented => "ROOM_FRAGMENTED",
            Self::MinStay => "MIN_STAY",
            Self::MaxStay => "MAX_STAY",
            Self::ClosedToArrival => "CLOSED_TO_ARRIVAL",
            Self::ClosedToDeparture => "CLOSED_TO_DEPARTURE",
            Self::StopSell => "STOP_SELL",
            Self::CutOff => "CUT_OFF",
            Self::AdvanceWindow => "ADVANCE_WINDOW",
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
    /// Facts that programs decide on, such as `min_nights` and `3`.
    pub details: Vec<(&'static str, String)>,
}

impl Denial {
    /// A refusal that is not about cells.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            cells: Vec::new(),
            details: Vec::new(),
        }
    }

    /// The same with one more fact.
    pub fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.details.push((key, value.to_string()));
        self
    }
}
