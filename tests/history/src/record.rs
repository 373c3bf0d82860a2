//! What is written down while clients hammer a reservation database: the records a [`History`] is made of.
//!
//! A history is a bag of [`Line`]s, in a file one JSON object a line, in any order:
//!
//! | line | how many | who writes it |
//! |---|---|---|
//! | `cell` | each cell that anybody asks for | whoever set the stage, before the first call |
//! | `start` | at most one | whoever set the stage: what the feed had before the first call is taken as given |
//! | `call` | each call, also those that never had an answer | every client, through a [`Recorder`] |
//! | `event` | every event of the feed, from sequence 1 to the last | whoever reads the feed at the end |
//! | `feed_end` | one if the feed was read | the same |
//! | `final_booking`, `final_cell` | all of them | whoever reads the database at the end |
//! | `final_end` | one if the database was read | the same |
//!
//! The two `_end` lines tell "there was nothing" from "nobody looked": without them the checks that need the feed or the
//! final state are not made, and the report says so.
//!
//! Time comes in two kinds that are never compared with each other: `_ns` is the monotonic clock of the one process that
//! records, `_micros` is the wall clock of the database under test, in microseconds since 1970.

mod file;
mod recorder;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use file::{ReadError, read, read_file, write};
pub use recorder::{Open, Recorder};

/// All that was written down of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The cells that exist.
    pub cells: Vec<Cell>,
    /// Events up to this sequence were there before the first call; 0 for an empty database.
    pub start_sequence: u64,
    /// Every call, in any order.
    pub calls: Vec<Call>,
    /// The whole feed in the order in which it was read, if it was read.
    pub feed: Option<Vec<Event>>,
    /// What the database held at the end, if it was read.
    pub end: Option<FinalState>,
}

/// What the database held when everybody had stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinalState {
    /// Every booking.
    pub bookings: Vec<FinalBooking>,
    /// Every cell that has a row. Those without have nothing taken.
    pub cells: Vec<FinalCell>,
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// A cell that exists.
    Cell(Cell),
    /// Where the recording begins.
    Start {
        /// Events up to this sequence are taken as given.
        sequence: u64,
    },
    /// A call and what came of it.
    Call(Call),
    /// An event of the feed.
    Event(Event),
    /// The feed has been read to its end.
    FeedEnd,
    /// A booking as the database held it at the end.
    FinalBooking(FinalBooking),
    /// A cell as the database held it at the end.
    FinalCell(FinalCell),
    /// The database has been read to its end.
    FinalEnd,
}

/// Something that can be sold: a night of a room type or a seat at a screening.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// As refusals name it, such as `cinemas/grand/screenings/7/seats/F7`.
    pub cell: String,
    /// How much there is.
    pub capacity: u32,
    /// Price of one, in minor units; absent where it is not sold (NOT_SOLD).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_minor: Option<i64>,
}

/// How much of a cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// Of which cell.
    pub cell: String,
    /// How much of its capacity, from 1.
    pub quantity: u32,
}

impl Claim {
    /// So much of that cell.
    pub fn new(cell: impl Into<String>, quantity: u32) -> Self {
        let cell = cell.into();
        Self { cell, quantity }
    }
}

/// One call. A BatchHold of n claims is n calls with the same begin and end. A retry is a call of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The guest who called: request ids are the guest's own, and so are bookings.
    pub client: u32,
    /// Just before the request was sent.
    pub begin_ns: u64,
    /// Just after the answer was there or was given up.
    pub end_ns: u64,
    /// The request id; empty where none was sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// What was asked for.
    pub command: Command,
    /// What came back.
    pub answer: Answer,
}

/// What was asked for. Two requests have the same content exactly if their commands are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Command {
    /// HoldBooking, or one claim of a BatchHold.
    Hold {
        /// What is wanted, all or nothing; each cell once.
        claims: Vec<Claim>,
        /// For how long.
        hold_micros: u64,
    },
    /// ConfirmBooking.
    Confirm {
        /// Which.
        booking: String,
    },
    /// CancelBooking.
    Cancel {
        /// Which.
        booking: String,
    },
    /// MoveBooking.
    Move {
        /// Which.
        booking: String,
        /// What is wanted instead.
        claims: Vec<Claim>,
    },
    /// ExtendHold.
    Extend {
        /// Which.
        booking: String,
        /// How much longer than until now.
        by_micros: u64,
    },
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "was", rename_all = "snake_case")]
pub enum Answer {
    /// Granted: from now on durable.
    Granted(Granted),
    /// Refused for good: a decision like any other (FAILED_PRECONDITION, ALREADY_EXISTS, ABORTED, NOT_FOUND).
    Refused(Refused),
    /// Turned away for certain with nothing done, and not kept under the request id: RESOURCE_EXHAUSTED, UNAVAILABLE with
    /// reason OVERLOADED, DATABASE_UNAVAILABLE or CLOCK_AHEAD, a connection that was refused.
    NotDone,
    /// No answer, or OUTCOME_UNKNOWN: it may have been done or not.
    Unknown,
}

/// A place in the order of commits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The commit sequence.
    pub sequence: u64,
    /// The database's incarnation; empty where the recording leaves it out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub incarnation: String,
}

impl Position {
    /// A position of the only incarnation there is.
    pub fn at(sequence: u64) -> Self {
        let incarnation = String::new();
        Self {
            sequence,
            incarnation,
        }
    }
}

/// A granted request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Where it was decided.
    pub position: Position,
    /// The booking as it is from then on.
    pub booking: Booking,
    /// `update_time` of the booking: when it was decided.
    pub decide_micros: i64,
}

/// A booking as an answer or an event shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// `bookings/{booking}`.
    pub booking: String,
    /// Where it is in its life.
    pub state: State,
    /// The cells it has, in any order; none once it has given them back.
    pub claims: Vec<Claim>,
    /// When a hold runs out; absent in other states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_micros: Option<i64>,
    /// Its price, in minor units; once given back, of what it had.
    pub total_minor: i64,
}

impl fmt::Display for Booking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {:?} for {}",
            self.booking, self.state, self.total_minor
        )?;
        if let Some(at) = self.expire_micros {
            write!(f, " until {at}")?;
        }
        for (place, claim) in self.claims.iter().enumerate() {
            let comma = if place == 0 { " with" } else { "," };
            write!(f, "{comma} {} x {}", claim.quantity, claim.cell)?;
        }
        Ok(())
    }
}

/// Where a booking is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Taken until it runs out.
    Held,
    /// Final.
    Confirmed,
    /// Given back.
    Cancelled,
    /// A hold that ran out.
    Expired,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// After the change of this sequence and before the next (`commit_sequence` of the ErrorInfo).
    pub position: Position,
    /// The ErrorInfo's reason, such as `CELL_UNAVAILABLE`.
    pub reason: String,
    /// The cells it names, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
    /// How many cells stood in the way, those that are not named included.
    #[serde(default)]
    pub cells_total: u32,
}

/// An event of the feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the order.
    pub position: Position,
    /// When it was decided.
    pub decide_micros: i64,
    /// What changed.
    pub change: Change,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A booking was made or changed.
    Booking {
        /// Its state before; absent for a new one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<State>,
        /// As it is now.
        now: Booking,
    },
    /// Anything else that has a sequence: the catalogue, denied demand.
    Other,
}

/// A booking as the database held it at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalBooking {
    /// Its state; a lapsed hold may show as HELD or as EXPIRED.
    #[serde(flatten)]
    pub booking: Booking,
}

/// A cell as the database held it at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalCell {
    /// Which.
    pub cell: String,
    /// How much there is.
    pub capacity: u32,
    /// How much is taken, by items not yet released.
    pub taken: u32,
}
