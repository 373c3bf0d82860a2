//! State changes other than those of bookings, as the feed tells them: without personal data, enough to rebuild every
//! figure.

use super::{
    catalogue::{Hotel, Screening},
    cell::CellRef,
    name::RoomTypeId,
    refusal::Reason,
};

/// One state change.
#[derive(Clone, Debug)]
pub enum Event {
    /// A hotel was created or changed.
    Hotel(Hotel),
    /// A room type was created or changed.
    RoomType {
        /// Which.
        id: RoomTypeId,
        /// Rooms sold a night.
        capacity: i64,
    },
    /// A screening was created, changed or removed.
    Screening {
        /// As it is now.
        screening: Screening,
        /// Seats that are sold.
        capacity: i64,
        /// No longer shown.
        removed: bool,
    },
    /// Somebody wanted what could not be had.
    Denied {
        /// What.
        cell: CellRef,
        /// Why not.
        reason: Reason,
        /// How many requests.
        count: i64,
    },
}
