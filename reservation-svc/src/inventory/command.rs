//! What can be asked of the inventory, and what it answers.

use std::{fmt, time::Instant};

use banyan_proto::reservation::v1;
use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::{
        booking::Contact,
        claim::{Ask, Stay},
        money::Money,
        name::{BookingId, EntryId, RoomId, SeatId},
        payment::Reference,
        request::{Principal, RequestKey},
        sale::Party,
    },
    store::Head,
};

/// One request.
#[derive(Clone, Debug)]
pub struct Command {
    /// Who asks; sees and changes only its own bookings.
    pub principal: Principal,
    /// What makes a repetition safe; nothing if the caller does not care.
    pub request: Option<RequestKey>,
    /// Not to be decided any more from then on; nothing if the caller sets no deadline.
    pub deadline: Option<Instant>,
    /// What is asked.
    pub action: Action,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Action {
    /// A new booking.
    Hold(Hold),
    /// Make a hold final.
    Confirm {
        /// Which.
        booking: BookingId,
        /// Only if it still has this etag.
        etag: Option<String>,
        /// The payment that was made for it.
        payment: Option<Reference>,
    },
    /// Let a hold run out later.
    Extend {
        /// Which.
        booking: BookingId,
        /// Only if it still has this etag.
        etag: Option<String>,
        /// How much later.
        by: SignedDuration,
    },
    /// Give the cells back.
    Cancel {
        /// Of which booking.
        booking: BookingId,
        /// Only if it still has this etag.
        etag: Option<String>,
        /// The most that it may cost; nothing at all where absent.
        accepted_fee: Option<Money>,
    },
    /// Give some of the cells back.
    CancelItems {
        /// Of which booking.
        booking: BookingId,
        /// Only if it still has this etag.
        etag: Option<String>,
        /// Which.
        part: Part,
        /// The most that it may cost; nothing at all where absent.
        accepted_fee: Option<Money>,
    },
    /// Exchange the cells for others at the same venue.
    Move {
        /// Of which booking.
        booking: BookingId,
        /// Only if it still has this etag.
        etag: Option<String>,
        /// For what.
        claim: Ask,
        /// What the new ones cost by what the caller was shown.
        expected_total: Option<Money>,
    },
    /// Put rooms aside for a group.
    Block {
        /// Which, and when.
        stay: Stay,
        /// When what is left of it is free again.
        until: Timestamp,
        /// For whom, for people; the room type's name where empty.
        title: String,
    },
    /// End a booking, whosever it is, without a fee.
    Release {
        /// Which.
        booking: BookingId,
        /// Only if it still has this etag.
        etag: Option<String>,
    },
    /// At the front desk: whosever booking it is.
    Lodge {
        /// Which.
        booking: BookingId,
        /// Only if it still has this etag.
        etag: Option<String>,
        /// What becomes of the stay.
        change: Lodge,
    },
    /// Keep a room from being sold and slept in.
    TakeOutOfOrder(OutOfOrder),
    /// Stand in line for what is taken.
    Join {
        /// What: a stay, or seats together.
        ask: Ask,
        /// Who to reach.
        contact: Option<Contact>,
    },
    /// Stand in line no longer.
    Leave {
        /// With which place in line.
        entry: EntryId,
    },
}

/// What becomes of a stay at the front desk. Rooms are named for each of those booked; the plan's where none is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lodge {
    /// The guest has come.
    CheckIn(Vec<RoomId>),
    /// The guest has left.
    CheckOut,
    /// The guest never came.
    NoShow,
    /// It has its rooms for certain.
    Pin(Vec<RoomId>),
    /// The plan may move it again.
    Unpin,
}

/// A room that cannot be used.
#[derive(Clone, Debug)]
pub struct OutOfOrder {
    /// Its number.
    pub number: String,
    /// One room of its type, over the nights.
    pub claim: Ask,
    /// Why, for people; may be empty.
    pub reason: String,
}

/// A part of a booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These of its seats.
    Seats(Vec<SeatId>),
    /// So many of its rooms, on all its nights.
    Rooms(i64),
}

/// A new booking.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Of what.
    pub claim: Ask,
    /// What it costs by what the caller was shown.
    pub expected_total: Option<Money>,
    /// Who comes; of a stay only.
    pub party: Option<Party>,
    /// The block to take the rooms from.
    pub block: Option<BookingId>,
    /// Who to reach.
    pub contact: Option<Contact>,
    /// How long to hold it. Without effect if it is confirmed at once.
    pub duration: SignedDuration,
    /// Confirm it in the same step.
    pub confirm: bool,
    /// Sell seats of a screening that has started, too: partners' systems always could.
    pub sells_started: bool,
}

impl Hold {
    /// A hold of that for so long, with nothing else said.
    pub(super) fn of(claim: Ask, duration: SignedDuration) -> Self {
        Self {
            claim,
            expected_total: None,
            party: None,
            block: None,
            contact: None,
            duration,
            confirm: false,
            sells_started: false,
        }
    }
}

/// A place in the order of commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Of which database.
    pub incarnation: String,
    /// The commit sequence.
    pub sequence: i64,
}

impl From<&Head> for Position {
    fn from(head: &Head) -> Self {
        Self {
            incarnation: head.incarnation.clone(),
            sequence: head.sequence,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.incarnation, self.sequence)
    }
}

/// What was decided, durably.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The booking as it was right after the decision; nothing in it where it was about a place in line.
    pub booking: v1::Booking,
    /// The place in line that it was about.
    pub entry: Option<Box<v1::WaitlistEntry>>,
    /// What a moved booking cost before.
    pub previous_total: Option<v1::Money>,
    /// Where it was decided.
    pub position: Position,
    /// The numbers of the items taken, in the order asked for.
    pub item_ids: Vec<i64>,
}
