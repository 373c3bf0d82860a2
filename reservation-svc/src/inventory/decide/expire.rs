//! Ends holds that have run out. Nobody asks for it: the cells that somebody wants are cleared at the start of a batch,
//! the rest is swept.

use super::super::ledger::Ledger;
use crate::domain::{booking::State, name::BookingId};

/// Ends a hold that has run out; a change of its own.
pub(in crate::inventory) fn expire(ledger: &mut Ledger, id: BookingId) {
    let Some(entry) = ledger.booking(id) else {
        return;
    };
    let lapsed = entry.booking.recorded_state == State::Held
        && entry.booking.state_at(ledger.now) == State::Expired;
    if lapsed {
        ledger.release(id);
        let previous = ledger.enter(id, State::Expired);
        ledger.tell(id, previous);
    }
}
