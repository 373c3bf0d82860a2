//! Gives everything back.

use super::super::{command::Outcome, ledger::Ledger, stop::Stop};
use crate::domain::{booking::State, name::BookingId, request::Principal};

pub(super) fn decide(
    ledger: &mut Ledger,
    principal: &Principal,
    id: BookingId,
    etag: Option<&str>,
) -> Result<Outcome, Stop> {
    let booking = &ledger.own(principal, id)?.booking;
    booking.changeable(ledger.now, etag, "cancelled")?;
    super::ahead(ledger, booking, "cancelled")?;

    ledger.release(id);
    let previous = ledger.enter(id, State::Cancelled);
    ledger.changed(id, previous)
}
