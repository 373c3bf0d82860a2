//! What a command needs to have loaded before it can be decided. Everything that a decision looks at must be named
//! here, by the request alone; `load.rs` fetches it for a whole batch at once.
//!
//! **For a new command** add its arm to [`Needs::of`]. Bookings come with their items, contacts and the catalogue of
//! their venue; claims with the catalogue of what they claim and all its cells. For anything else add a field
//! here and a step to `load.rs`.

use std::borrow::Cow;

use super::command::{Action, Hold};
use crate::domain::{
    claim::{Ask, Claim},
    name::{BookingId, EntryId},
    wait_entry::Line,
};

/// What one command needs.
#[derive(Debug, Default)]
pub(super) struct Needs<'a> {
    /// Bookings, with what they hold.
    pub(super) bookings: Vec<BookingId>,
    /// What is wanted.
    pub(super) claims: Vec<Cow<'a, Ask>>,
    /// Places in line, with what is offered to them.
    pub(super) entries: Vec<EntryId>,
    /// Lines, with everybody in them.
    pub(super) lines: Vec<Line>,
    /// Whether the room plans of those bookings and claims are needed, even where counts would do.
    pub(super) plans: bool,
}

impl<'a> Needs<'a> {
    /// What that action needs.
    pub(super) fn of(action: &'a Action) -> Self {
        let mut needs = Self::default();
        match action {
            Action::Hold(Hold { claim, block, .. }) => {
                needs.claims.push(Cow::Borrowed(claim));
                needs.bookings.extend(*block);
            }
            Action::Block { stay, .. } => {
                let claim = Claim::Stay(stay.clone());
                needs.claims.push(Cow::Owned(Ask::Claim(claim)));
            }
            Action::Confirm { booking, .. }
            | Action::Extend { booking, .. }
            | Action::Cancel { booking, .. }
            | Action::Release { booking, .. }
            | Action::CancelItems { booking, .. } => {
                needs.bookings.push(*booking);
            }
            Action::Move { booking, claim, .. } => {
                needs.bookings.push(*booking);
                needs.claims.push(Cow::Borrowed(claim));
            }
            Action::Lodge { booking, .. } => {
                needs.bookings.push(*booking);
                needs.plans = true;
            }
            Action::TakeOutOfOrder(it) => {
                needs.claims.push(Cow::Borrowed(&it.claim));
                needs.plans = true;
            }
            Action::Join { ask, .. } => {
                needs.claims.push(Cow::Borrowed(ask));
                needs.lines.push(Line::of(ask));
            }
            Action::Leave { entry } => needs.entries.push(*entry),
        }
        needs
    }
}
