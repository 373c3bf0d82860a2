//! Cells: one pool at one slot, with a capacity and how much of it is taken. The unit of truth.
//!
//! A pool is a room type or a seat, a slot a night or a screening; both are numbers here, so that one rule, one table
//! and one CHECK guard all that is sold. What a cell is called for people is a [`CellRef`].

use std::{fmt, ops::Range};

use jiff::civil::Date;

use super::name::{RoomTypeId, ScreeningId, SeatId};

/// Something with a capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId(pub i64);

/// When: the number of a night (days since 1970-01-01) or of a screening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub i64);

impl Slot {
    /// The slot of a night.
    pub fn of_night(date: Date) -> Self {
        // Julian-day arithmetic on civil dates: no zone, no leap seconds, never fails.
        let days = (date - EPOCH).get_days();
        Self(i64::from(days))
    }

    /// The slot after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// The night of a slot, if it is one of the calendar.
pub fn night_of(slot: Slot) -> Option<Date> {
    let days = i32::try_from(slot.0).ok()?;
    EPOCH
        .checked_add(jiff::Span::new().try_days(days).ok()?)
        .ok()
}

/// Which cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellKey {
    /// Of what.
    pub pool: PoolId,
    /// When.
    pub slot: Slot,
}

/// How much there is and how much of it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How much there is.
    pub capacity: i64,
    /// How much is taken, by items not yet released.
    pub taken: i64,
}

impl Cell {
    /// What is left.
    pub fn free(self) -> i64 {
        (self.capacity - self.taken).max(0)
    }
}

/// The cells of some pools over a run of slots. Every claim is such a block: a stay is one pool over its nights, seats
/// are some pools at one screening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Of what.
    pub pools: Vec<PoolId>,
    /// When; the end is not included.
    pub slots: Range<Slot>,
}

/// What a cell is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CellRef {
    /// A night of a room type.
    Night {
        /// Of which room type.
        room_type: RoomTypeId,
        /// Which night.
        date: Date,
    },
    /// A seat at a screening.
    Seat {
        /// At which screening.
        screening: ScreeningId,
        /// Which seat.
        seat: SeatId,
    },
}

impl CellRef {
    /// The part of the name that tells the cells of one claim apart: the night or the seat.
    pub fn label(&self) -> String {
        match self {
            Self::Night { date, .. } => date.to_string(),
            Self::Seat { seat, .. } => seat.to_string(),
        }
    }
}

impl fmt::Display for CellRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Night { room_type, date } => write!(f, "{room_type}/nights/{date}"),
            Self::Seat { screening, seat } => write!(f, "{screening}/seats/{seat}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn nights_and_slots_are_one_to_one() {
        for day in [
            date(1970, 1, 1),
            date(1969, 12, 31),
            date(2024, 2, 29),
            date(2026, 11, 21),
            date(9999, 12, 31),
        ] {
            assert_eq!(night_of(Slot::of_night(day)), Some(day));
        }
        assert_eq!(Slot::of_night(date(2000, 1, 1)), Slot(10_957));
        assert_eq!(night_of(Slot(i64::MAX)), None);
    }
}
