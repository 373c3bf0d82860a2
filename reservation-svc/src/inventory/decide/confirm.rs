//! Makes a hold final.

use super::super::{command::Outcome, ledger::Ledger, stop::Stop};
use crate::domain::{booking::State, name::BookingId, request::Principal};

pub(super) fn decide(
    ledger: &mut Ledger,
    principal: &Principal,
    id: BookingId,
    etag: Option<&str>,
) -> Result<Outcome, Stop> {
    let booking = &ledger.own(principal, id)?.booking;
    booking.confirmable(ledger.now, etag)?;
    super::ahead(ledger, booking, "confirmed")?;

    let previous = ledger.enter(id, State::Confirmed);
    ledger.changed(id, previous)
}
