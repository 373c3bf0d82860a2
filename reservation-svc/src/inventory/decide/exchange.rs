//! Moves a booking: exchanges its cells for others at the same venue. What it has itself is its own to take again, and
//! it survives a refusal as it was.

use super::super::{command::Outcome, ledger::Ledger, lookup, rejection::Rejection, stop::Stop};
use crate::{
    domain::{
        booking::Booking,
        claim::Claim,
        name::BookingId,
        request::Principal,
        violation::{Fault, Violation},
    },
    wire,
};

pub(super) fn decide(
    ledger: &mut Ledger,
    principal: &Principal,
    id: BookingId,
    etag: Option<&str>,
    claim: &Claim,
) -> Result<Outcome, Stop> {
    let entry = ledger.own(principal, id)?;
    let booking = &entry.booking;
    booking.changeable(ledger.now, etag, "moved")?;
    super::ahead(ledger, booking, "moved")?;
    same_venue(booking, claim)?;
    let previous_total = booking.total;
    let own = entry.items.iter().map(|it| (it.key, it.quantity)).collect();
    let offer = lookup::offer(ledger, claim, false)?;
    let taken = lookup::take(ledger, &offer, &own)?;

    ledger.release(id);
    ledger.take(id, taken.items);
    let state = ledger.change(id, |booking| {
        booking.claim = claim.clone();
        booking.title = offer.title;
        booking.starts_at = offer.starts_at;
        booking.total = taken.total;
    });
    let mut outcome = ledger.changed(id, state)?;
    outcome.previous_total = Some(wire::money(previous_total));
    Ok(outcome)
}

fn same_venue(booking: &Booking, claim: &Claim) -> Result<(), Rejection> {
    if claim.venue() == booking.venue {
        return Ok(());
    }
    let field = match claim {
        Claim::Stay(_) => "stay.room_type",
        Claim::Seats(_) => "seats.screening",
    };
    let description = format!("must be at {}, where the booking is", booking.venue);
    let violation = Violation::new(field, Fault::Range, description);
    Err(Rejection::invalid(violation))
}
