//! The vocabulary of the feed after parsing: each event is one [`Change`] at one [`Position`].
//!
//! A change carries the whole of what it is about, never a difference (denied demand is the exception: it is counted).
//! So folding a run of changes needs only the last of each, which is why a snapshot of the feed, which has only those,
//! comes to the same; and nothing personal is in any of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::name::{BookingName, HotelName, Night, RoomTypeName, ScreeningName};

/// A place in the order of one reservation database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Which database's order; another incarnation is another order.
    pub incarnation: String,
    /// From 1, without gaps.
    pub sequence: i64,
}

/// One event of the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its own place.
    pub position: Position,
    /// When it was decided.
    pub decide_time: Timestamp,
    /// What changed.
    pub change: Change,
    /// It stands for all earlier events about the same thing; those that it has overtaken are left out. Its count of
    /// refusals is that of all of them.
    pub snapshot: bool,
}

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A hotel as it is from now on.
    Hotel(Hotel),
    /// A room type as it is from now on.
    RoomType(RoomType),
    /// A screening as it is from now on.
    Screening(Screening),
    /// A booking as it is from now on.
    Booking(Booking),
    /// Requests that were refused for want of a cell.
    Denied(Denied),
}

/// A hotel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hotel {
    /// Its name.
    pub name: HotelName,
    /// What guests call it.
    pub display_name: String,
    /// IANA.
    pub time_zone: String,
    /// ISO 4217; what its revenue is reported in.
    pub currency_code: String,
}

/// What a hotel sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomType {
    /// Its name.
    pub name: RoomTypeName,
    /// Rooms for sale a night.
    pub capacity: i64,
}

/// One showing of a movie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screening {
    /// Its name.
    pub name: ScreeningName,
    /// `movies/{movie}`.
    pub movie: String,
    /// When it starts.
    pub start_time: Option<Timestamp>,
    /// Seats for sale.
    pub capacity: i64,
    /// No longer shown; its bookings stay.
    pub removed: bool,
}

/// A booking's state and what it claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// Its name.
    pub name: BookingName,
    /// `hotels/{hotel}` or `cinemas/{cinema}`.
    pub venue: String,
    /// Why it has its cells.
    pub kind: BookingKind,
    /// Its state.
    pub state: BookingState,
    /// Its claims, each cell once; empty once it has given them back.
    pub items: BTreeMap<Cell, Claim>,
    /// What cancelling it, or parts of it, has cost in all; absent where nothing.
    pub cancellation_fee: Option<Money>,
}

/// Why a booking has its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BookingKind {
    /// A guest booked it.
    Guest,
    /// Put aside for a group.
    Block,
    /// Nobody can sleep there.
    OutOfOrder,
}

impl BookingKind {
    const ALL: [Self; 3] = [Self::Guest, Self::Block, Self::OutOfOrder];

    /// The stable text that it is stored as.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "GUEST",
            Self::Block => "BLOCK",
            Self::OutOfOrder => "OUT_OF_ORDER",
        }
    }

    /// Reads what [`as_str`](Self::as_str) wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How much of a cell, and for how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Of the cell's capacity.
    pub quantity: i64,
    /// Price of all of it.
    pub price: Money,
}

/// An amount in minor units; the code is empty where there is no price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// ISO 4217.
    pub currency_code: String,
    /// In the smallest unit.
    pub amount_minor: i64,
}

/// One pool at one slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// A night of a room type.
    Night(RoomTypeName, Night),
    /// A seat at a screening.
    Seat(ScreeningName, String),
}

/// Demand that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// What could not be had.
    pub cell: Cell,
    /// Why: an UPPER_SNAKE_CASE reason.
    pub reason: String,
    /// How many requests.
    pub count: i64,
}

/// Where a booking is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BookingState {
    /// Taken for a while.
    Held,
    /// Final.
    Confirmed,
    /// Given back.
    Cancelled,
    /// A hold that ran out.
    Expired,
    /// The guest has come.
    CheckedIn,
    /// The guest has left.
    Completed,
    /// The guest never came.
    NoShow,
}

impl BookingState {
    const ALL: [Self; 7] = [
        Self::Held,
        Self::Confirmed,
        Self::Cancelled,
        Self::Expired,
        Self::CheckedIn,
        Self::Completed,
        Self::NoShow,
    ];

    /// Whether its cells count as sold. A no-show has paid: its night is sold.
    #[must_use]
    pub fn is_sold(self) -> bool {
        matches!(
            self,
            Self::Confirmed | Self::CheckedIn | Self::Completed | Self::NoShow
        )
    }

    /// Whether it has given its cells back.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Cancelled | Self::Expired)
    }

    /// The stable text that it is stored as.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::CheckedIn => "CHECKED_IN",
            Self::Completed => "COMPLETED",
            Self::NoShow => "NO_SHOW",
        }
    }

    /// Reads what [`as_str`](Self::as_str) wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_read_back_as_written() {
        for state in BookingState::ALL {
            assert_eq!(BookingState::parse(state.as_str()), Some(state));
        }
        assert_eq!(BookingState::parse("HELD "), None);
    }

    #[test]
    fn kinds_read_back_as_written() {
        for kind in BookingKind::ALL {
            assert_eq!(BookingKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(BookingKind::parse(""), None);
    }

    #[test]
    fn holds_and_returned_bookings_are_not_sold() {
        let sold = BookingState::ALL
            .into_iter()
            .filter(|state| state.is_sold());
        assert_eq!(sold.count(), 4);
        assert!(!BookingState::Held.is_sold());
        assert!(!BookingState::Expired.is_sold());
    }
}
