//! Gives everything back, for the fee that was agreed and that the caller accepts.

use super::super::{command::Outcome, ledger::Ledger, rejection::Rejection, stop::Stop};
use crate::domain::{
    booking::{Booking, Item, State},
    cancellation,
    money::Money,
    name::BookingId,
    request::Principal,
    sale,
};

pub(super) fn decide(
    ledger: &mut Ledger,
    principal: &Principal,
    id: BookingId,
    etag: Option<&str>,
    accepted: Option<Money>,
) -> Result<Outcome, Stop> {
    let entry = ledger.own(principal, id)?;
    let booking = &entry.booking;
    booking.changeable(ledger.now, etag, "cancelled")?;
    super::ahead(ledger, booking, "cancelled")?;
    let fee = fee(ledger, booking, &entry.items, accepted)?;

    ledger.release(id);
    let previous = ledger.enter(id, State::Cancelled);
    ledger.change(id, |booking| booking.agreement.fee_minor += fee);
    ledger.changed(id, previous)
}

/// What it costs to give those items of a booking back, in minor units; refused unless that is accepted.
pub(super) fn fee(
    ledger: &Ledger,
    booking: &Booking,
    items: &[Item],
    accepted: Option<Money>,
) -> Result<i64, Stop> {
    let accepted = accepted
        .map(|amount| sale::in_currency("accepted_fee", amount, booking.total))
        .transpose()
        .map_err(Rejection::invalid)?;
    // A hold is not a sale yet.
    if booking.recorded_state == State::Held {
        return Ok(0);
    }
    let fee = Money {
        minor: booking.agreement.terms.fee(ledger.now, items),
        ..booking.total
    };
    cancellation::accept(fee, accepted)?;
    Ok(fee.minor)
}
