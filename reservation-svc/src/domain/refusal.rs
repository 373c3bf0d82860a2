//! Why a request that is well formed cannot be granted, in words that programs decide on.

use super::cell::CellRef;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// Why; part of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// UPPER_SNAKE_CASE, as in the contract.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// A cell has too little left.
    CellUnavailable => "CELL_UNAVAILABLE",
    /// A cell has no price.
    NotSold => "NOT_SOLD",
    /// Every night has a room left, but with the rooms that are fixed no plan gives each stay one room.
    RoomFragmented => "ROOM_FRAGMENTED",
    /// Somebody else has the room for certain.
    RoomTaken => "ROOM_TAKEN",
    /// So many seats are free, but not side by side.
    SeatsNotTogether => "SEATS_NOT_TOGETHER",
    /// It would leave a single free seat, against the rule of the hall.
    LeavesSingleSeat => "LEAVES_SINGLE_SEAT",
    /// The screening has started.
    ScreeningStarted => "SCREENING_STARTED",
    /// Too few nights for the day of arrival.
    MinStay => "MIN_STAY",
    /// Too many nights for the day of arrival.
    MaxStay => "MAX_STAY",
    /// Nobody arrives on that day.
    ClosedToArrival => "CLOSED_TO_ARRIVAL",
    /// Nobody leaves on that day.
    ClosedToDeparture => "CLOSED_TO_DEPARTURE",
    /// A night is not sold.
    StopSell => "STOP_SELL",
    /// Too late for the day of arrival.
    CutOff => "CUT_OFF",
    /// Too few or too many days ahead.
    AdvanceWindow => "ADVANCE_WINDOW",
    /// The price is not what the caller expected.
    PriceChanged => "PRICE_CHANGED",
    /// More people than the rooms take.
    PartyTooLarge => "PARTY_TOO_LARGE",
    /// The hold has run out.
    HoldExpired => "HOLD_EXPIRED",
    /// It would be held for too long in all.
    HoldLimit => "HOLD_LIMIT",
    /// The booking's state does not allow it.
    BookingState => "BOOKING_STATE",
    /// Cancelling costs a fee that the caller has not accepted.
    OutsideCancellationWindow => "OUTSIDE_CANCELLATION_WINDOW",
    /// Paid for a hold that had run out: pay it back.
    PaidButExpired => "PAID_BUT_EXPIRED",
    /// It is paid under another reference.
    PaymentReferenceMismatch => "PAYMENT_REFERENCE_MISMATCH",
    /// The booking has changed since.
    EtagMismatch => "ETAG_MISMATCH",
    /// The request id was used for something else.
    RequestIdReused => "REQUEST_ID_REUSED",
    /// There is nothing to wait for.
    AlreadyAvailable => "ALREADY_AVAILABLE",
    /// Too many wait already.
    WaitlistFull => "WAITLIST_FULL",
    /// The guest has too many places in the line already.
    WaitlistLimit => "WAITLIST_LIMIT",
    /// The place in line's state does not allow it.
    EntryState => "ENTRY_STATE",
    /// The hall shows something else at that time.
    HallBusy => "HALL_BUSY",
}

impl Reason {
    /// The reason of that name.
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|reason| reason.as_str() == name)
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
