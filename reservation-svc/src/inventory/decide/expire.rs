//! Ends holds that have run out. Nobody asks for it: the cells that somebody wants are cleared at the start of a batch,
//! the rest is swept.

use super::super::ledger::Ledger;
use crate::domain::{booking::State, name::BookingId};

/// Ends a hold that has run out; a change of its own.
pub(in crate::inventory) fn expire(ledger: &mut Ledger, id: BookingId) {
    let Some(entry) = ledger.booking(id) else {
        return;
    };
    if entry.booking.state_at(ledger.now) == State::Expired {
        end(ledger, id);
    }
}

/// Ends a hold that has run out or can no longer be confirmed; what is no hold stays as it is.
pub(super) fn end(ledger: &mut Ledger, id: BookingId) {
    let state = ledger.booking(id).map(|it| it.booking.recorded_state);
    if state == Some(State::Held) {
        ledger.release(id);
        let previous = ledger.enter(id, State::Expired);
        ledger.tell(id, previous);
    }
}
