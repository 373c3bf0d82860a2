//! Ways in which a system, or somebody who records it, can be wrong.
//!
//! Each mutation works its lie into a correct history as plausibly as it can: sequences are renumbered, the final state is
//! made to fit, repeats tell the same tale. What is left is wrong for certain and not to be had by any luck of timing, so
//! that the checker must catch it every time. A mutation that finds no place in a history returns nothing.

mod answers;
mod feed;
mod state;
mod tools;

use super::chance::Chance;
use crate::{
    record::History,
    report::{Kind, Report},
};

/// A way of being wrong.
pub struct Mutation {
    /// What it is called.
    pub name: &'static str,
    /// What it does, for people.
    pub about: &'static str,
    /// What it may be caught as; others may come with it.
    pub caught_as: &'static [Kind],
    pub(super) apply: fn(&mut History, &mut Chance) -> Option<()>,
}

impl Mutation {
    /// Whether a report names it for what it is.
    pub fn is_caught_by(&self, report: &Report) -> bool {
        self.caught_as
            .iter()
            .any(|kind| report.violations_of(*kind) > 0)
    }
}

macro_rules! mutations {
    ($($name:literal, $about:literal, [$($kind:ident),+], $apply:path;)+) => {
        &[$(Mutation { name: $name, about: $about, caught_as: &[$(Kind::$kind),+], apply: $apply },)+]
    };
}

/// Every mutation.
pub const MUTATIONS: &[Mutation] = mutations![
    "lost acknowledgement", "a granted change has left no trace in feed and database", [Lost], feed::lost;
    "lost tail", "a restart has forgotten the last changes", [Lost], feed::lost_tail;
    "other than acknowledged", "the feed has another state than was answered", [Lost], feed::other_state;
    "double sale", "what was refused for want of room is granted", [Oversold], feed::double_sale;
    "silent oversale", "a call without an answer has taken a cell beyond its capacity", [Oversold], feed::silent_oversale;
    "half done", "a claim has only some of its cells", [WrongAnswer], feed::half_done;
    "half moved", "a moved booking has kept its old cells as well", [WrongAnswer, Oversold], feed::half_moved;
    "resurrected hold", "a booking that was over is confirmed by a late call", [Resurrected], feed::resurrected;
    "late confirmation", "a hold that had run out is confirmed instead of refused", [Resurrected], feed::late_confirmation;
    "ended early", "a hold is ended before it has run out", [EndedEarly], feed::ended_early;
    "phantom hold", "a hold is in feed and database that nobody asked for", [Phantom], feed::phantom_hold;
    "phantom cancellation", "a booking is cancelled that nobody cancelled", [Phantom], feed::phantom_cancel;
    "skipped sequence", "an event is missing from the feed", [Sequence], feed::skipped;
    "duplicate sequence", "an event is in the feed twice", [Sequence], feed::duplicate;
    "swapped events", "two events have changed places", [Sequence], feed::swapped;
    "time backwards", "a decision is older than the one before it", [Clock], feed::time_backwards;
    "wrong incarnation", "the feed goes on in another database", [Incarnation], feed::incarnation;
    "wrong refusal", "a hold is refused though there is room", [WrongAnswer], answers::wrong_refusal;
    "wrong reason", "a refusal gives another reason", [WrongAnswer], answers::wrong_reason;
    "wrong cells", "a refusal names a cell that is not in the way", [WrongAnswer], answers::wrong_cells;
    "forgotten cell", "a refusal does not name all cells that are in the way", [WrongAnswer], answers::forgotten_cell;
    "stale repeat", "a repetition is answered with another position", [Repeat], answers::stale_repeat;
    "changed price on repeat", "a repetition is answered with another price", [Repeat], answers::repriced_repeat;
    "second effect", "a repetition has made a second booking", [Repeat], answers::second_effect;
    "reused request id", "other content under the same request id is granted", [Repeat], answers::reused_id;
    "false reuse", "a repetition of the same content is refused as reused", [Repeat], answers::false_reuse;
    "wrong price", "granted for another price than the catalogue's", [WrongAnswer], answers::wrong_price;
    "wrong expiry", "a hold lasts for longer than asked for", [WrongAnswer], answers::wrong_expiry;
    "foreign booking", "a guest confirms another's hold", [WrongAnswer], answers::foreign;
    "shared sequence", "two grants claim the same sequence", [Sequence], answers::shared_sequence;
    "real-time inversion", "decided before what had ended when it began", [RealTime], answers::late_call;
    "stale refusal", "a refusal is older than what its caller knew", [RealTime], answers::stale_refusal;
    "ahead of time", "answered at a sequence that nobody has seen yet", [Lost, RealTime], answers::ahead;
    "taken is off", "a cell has more or less taken than its items", [Conservation], state::taken_off;
    "lost item", "an item is gone from a booking, and from the cell", [Lost], state::lost_item;
    "lost booking", "a booking is gone from the database", [Lost], state::lost_booking;
    "phantom booking", "a booking is in the database that is not in the feed", [Phantom], state::phantom_booking;
    "forgotten confirmation", "the database has a hold where the feed has a confirmation", [Lost], state::unconfirmed;
    "undead booking", "the database has a live booking that was cancelled", [Resurrected], state::undead;
    "changed capacity", "a cell has another capacity at the end", [Conservation], state::capacity;
    "over capacity", "a cell has more taken than there is", [Oversold], state::over_capacity;
];
