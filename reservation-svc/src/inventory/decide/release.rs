//! Ends a booking at the wish of whoever runs the venue: whosever it is, and without a fee.

use super::super::{command::Outcome, ledger::Ledger, rejection::Rejection, stop::Stop};
use crate::domain::{booking::State, name::BookingId};

pub(super) fn decide(
    ledger: &mut Ledger,
    id: BookingId,
    etag: Option<&str>,
) -> Result<Outcome, Stop> {
    let found = ledger.booking(id);
    let entry = found.ok_or_else(|| Rejection::not_found("reservation.banyan/Booking", id))?;
    entry.booking.changeable(ledger.now, etag, "released")?;

    ledger.release(id);
    let previous = ledger.enter(id, State::Cancelled);
    ledger.changed(id, previous)
}
