//! What a whole batch reads and writes at once, in a number of statements that does not grow with the batch.
//!
//! Everything here runs under the commit head: what was read stays as it is until the batch commits. Nothing decides;
//! the CHECK on cells refuses what would be sold twice whatever the caller believed. Each function makes one statement
//! on PostgreSQL ([`rows`] says how) and none at all for nothing.

mod load;
pub(super) mod rows;
pub(super) mod step;
#[cfg(test)]
mod tests;
mod write;

use jiff::Timestamp;
use uuid::Uuid;

use super::rooms::RoomChanges;
use crate::domain::{
    booking::{Booking, Contact, Item},
    cell::{Cell, CellKey},
    name::BookingId,
    wait_entry::WaitEntry,
};

/// Which request: a request id counts for one principal and one method.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AnswerKey {
    /// Who asked.
    pub(crate) principal: String,
    /// Which method was called.
    pub(crate) method: String,
    /// The caller's id.
    pub(crate) id: String,
}

/// An answer to be kept.
#[derive(Clone, Debug)]
pub(crate) struct NewAnswer {
    /// To which request.
    pub(crate) key: AnswerKey,
    /// SHA-256 of the request's content.
    pub(crate) fingerprint: [u8; 32],
    /// The booking in the answer, whose contact is kept apart.
    pub(crate) booking: Option<BookingId>,
    /// Encoded.
    pub(crate) answer: Vec<u8>,
}

/// An event for the outbox.
#[derive(Clone, Debug)]
pub(crate) struct NewEvent {
    /// Its place in the order.
    pub(crate) sequence: i64,
    /// The booking whose history it belongs to.
    pub(crate) booking: Option<BookingId>,
    /// Encoded.
    pub(crate) event: Vec<u8>,
}

/// A batch, by what its commit is known by afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchId(pub(crate) Uuid);

/// Everything that a batch changes, but for the head.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    /// Cells that do not exist yet, as they are at the end.
    pub(crate) cells_new: Vec<(CellKey, Cell)>,
    /// How much more is taken of cells that exist; each once, never 0.
    pub(crate) cell_deltas: Vec<(CellKey, i64)>,
    /// Bookings made, as they are at the end.
    pub(crate) bookings_new: Vec<Booking>,
    /// Bookings changed, each once, as they are at the end.
    pub(crate) bookings_changed: Vec<Booking>,
    /// Who to reach about bookings; a contact there was before is replaced.
    pub(crate) contacts_new: Vec<(BookingId, Contact)>,
    /// Items taken and still held at the end.
    pub(crate) items_new: Vec<(BookingId, Item)>,
    /// Numbers of items given back, with the commit sequence.
    pub(crate) items_released: Vec<(i64, i64)>,
    /// Answers to keep.
    pub(crate) answers_new: Vec<NewAnswer>,
    /// Places in line that were taken.
    pub(crate) entries_new: Vec<WaitEntry>,
    /// Places in line that changed, each once.
    pub(crate) entries_changed: Vec<WaitEntry>,
    /// Who has which rooms.
    pub(crate) rooms: RoomChanges,
    /// Events, in order.
    pub(crate) events: Vec<NewEvent>,
    /// When all of it was decided.
    pub(crate) decided_at: Timestamp,
}

impl Changes {
    /// No changes, decided at that time.
    pub(crate) fn none(decided_at: Timestamp) -> Self {
        Self {
            cells_new: Vec::new(),
            cell_deltas: Vec::new(),
            bookings_new: Vec::new(),
            bookings_changed: Vec::new(),
            contacts_new: Vec::new(),
            items_new: Vec::new(),
            items_released: Vec::new(),
            answers_new: Vec::new(),
            entries_new: Vec::new(),
            entries_changed: Vec::new(),
            rooms: RoomChanges::default(),
            events: Vec::new(),
            decided_at,
        }
    }
}
