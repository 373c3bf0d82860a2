//! Moves a booking: exchanges its cells for others at the same venue. What it has itself is its own to take again, and
//! it survives a refusal as it was. Only the difference is written: what it has at the same price it keeps.

use super::super::{
    command::Outcome, ledger::Ledger, lodgers, lookup, rejection::Rejection, stop::Stop, terms,
};
use crate::{
    domain::{
        booking::{Booking, Item, State},
        claim::{Ask, Claim},
        money::Money,
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
    ask: &Ask,
    expected: Option<Money>,
) -> Result<Outcome, Stop> {
    let entry = ledger.own(principal, id)?;
    let (booking, before) = (&entry.booking, entry.items.clone());
    booking.changeable(ledger.now, etag, "moved")?;
    super::ahead(ledger, booking, "moved")?;
    same_venue(booking, ask)?;
    let previous_total = booking.total;
    let own = before.iter().map(|it| (it.key, it.quantity)).collect();
    let claim = terms::choose(ledger, ask, &own)?;
    let offer = lookup::offer(ledger, &claim, false)?;
    terms::unrestricted(ledger, &claim)?;
    let taken = lookup::take(ledger, &offer, &own)?;
    terms::seated(ledger, &claim, &own)?;
    lodgers::fits(ledger, &claim, Some(id))?;
    let mut agreement = booking.agreement.clone();
    terms::fits(ledger, &claim, agreement.party)?;
    terms::expected(taken.total, expected)?;
    let terms = terms::cancellation(ledger, &claim, &offer.venue);
    agreement.terms = match booking.recorded_state {
        // Nothing has been sold yet.
        State::Held => terms,
        _ => agreement.terms.moved(ledger.now, terms),
    };

    let (after, new): (Vec<_>, Vec<_>) = taken
        .items
        .into_iter()
        .partition(|item| before.iter().any(|it| is_same(it, item)));
    ledger.release_where(id, |item| !after.iter().any(|it| is_same(it, item)));
    ledger.take(id, new);
    let state = ledger.change(id, |booking| {
        booking.claim = claim;
        // They were certain for other nights.
        booking.rooms.clear();
        booking.title = offer.title;
        booking.starts_at = offer.starts_at;
        booking.total = taken.total;
        booking.agreement = agreement;
    });
    let mut outcome = ledger.changed(id, state)?;
    outcome.previous_total = Some(wire::money(previous_total));
    Ok(outcome)
}

/// Whether an item is as good as another one but for its number: then it stays.
fn is_same(one: &Item, other: &Item) -> bool {
    (one.key, one.quantity, one.price_minor) == (other.key, other.quantity, other.price_minor)
}

fn same_venue(booking: &Booking, ask: &Ask) -> Result<(), Rejection> {
    if ask.venue() == booking.venue {
        return Ok(());
    }
    let field = match ask {
        Ask::Claim(Claim::Stay(_)) => "stay.room_type",
        Ask::Claim(Claim::Seats(_)) | Ask::Best(_) => "seats.screening",
    };
    let description = format!("must be at {}, where the booking is", booking.venue);
    let violation = Violation::new(field, Fault::Range, description);
    Err(Rejection::invalid(violation))
}
