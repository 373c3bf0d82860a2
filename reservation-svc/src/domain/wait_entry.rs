//! A place in line, with everything that is known of it.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    booking::Contact,
    claim::{Ask, Claim},
    name::{BookingId, EntryId, RoomTypeId, ScreeningId},
    request::Principal,
    waitlist::EntryState,
};

/// What one stands in line for: a room type or a screening.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    /// Its rooms.
    RoomType(RoomTypeId),
    /// Its seats.
    Screening(ScreeningId),
}

/// A place in line.
#[derive(Clone, Debug)]
pub struct WaitEntry {
    /// Its name.
    pub id: EntryId,
    /// Whose it is.
    pub principal: Principal,
    /// As recorded; see [`WaitEntry::state_at`].
    pub recorded_state: EntryState,
    /// What is waited for: a stay, or seats together.
    pub ask: Ask,
    /// The hold that is or was offered.
    pub offer: Option<BookingId>,
    /// Who to reach; becomes the contact of the offer.
    pub contact: Option<Contact>,
    /// When what it waits for can no longer be had.
    pub ends_at: Timestamp,
    /// When the guest joined.
    pub created_at: Timestamp,
    /// The commit at which the guest joined; with the id, the place in line.
    pub created_sequence: i64,
}

impl EntryId {
    /// A new name; later ones sort after earlier ones of this process.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for EntryId {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// The line for what is asked for.
    pub fn of(ask: &Ask) -> Self {
        match ask {
            Ask::Claim(claim) => Self::of_claim(claim),
            Ask::Best(best) => Self::Screening(best.screening.clone()),
        }
    }

    /// The line for what is, or was, claimed.
    pub fn of_claim(claim: &Claim) -> Self {
        match claim {
            Claim::Stay(stay) => Self::RoomType(stay.room_type.clone()),
            Claim::Seats(seats) => Self::Screening(seats.screening.clone()),
        }
    }
}

impl WaitEntry {
    /// Its state for anybody who looks at that time: nobody waits for what is past.
    pub fn state_at(&self, now: Timestamp) -> EntryState {
        match self.recorded_state {
            EntryState::Waiting if self.ends_at <= now => EntryState::Over,
            state => state,
        }
    }

    /// What it stands in line for.
    pub fn line(&self) -> Line {
        Line::of(&self.ask)
    }

    /// Orders a line.
    pub fn place(&self) -> (i64, EntryId) {
        (self.created_sequence, self.id)
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RoomType(id) => id.fmt(f),
            Self::Screening(id) => id.fmt(f),
        }
    }
}
