//! A new booking, held or confirmed at once.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    super::{
        clock,
        command::{Hold, Outcome},
        ledger::Ledger,
        lodgers, lookup,
        stop::Stop,
        terms,
    },
    block,
};
use crate::domain::{
    agreement::Agreement,
    booking::{Booking, BookingKind, State},
    claim::Claim,
    name::BookingId,
    offer::{Offer, Taken},
    request::Principal,
};

pub(super) fn decide(
    ledger: &mut Ledger,
    principal: &Principal,
    hold: &Hold,
) -> Result<Outcome, Stop> {
    let (claim, offer, mut taken) = check(ledger, hold)?;

    if let Some(block) = hold.block {
        block::pick_up(ledger, block, &taken.items);
        taken.renumber(ledger.head.last_item);
    }
    let booking = new_booking(ledger, principal, hold, claim, offer, &taken);
    let id = booking.id;
    ledger.open(booking, hold.contact.as_ref());
    ledger.take(id, taken.items);
    ledger.changed(id, None)
}

/// What exactly would be held, if it can be had right now. Changes nothing.
pub(super) fn check(ledger: &Ledger, hold: &Hold) -> Result<(Claim, Offer, Taken), Stop> {
    let claim = terms::choose(ledger, &hold.claim, &HashMap::new())?;
    let own = match hold.block {
        Some(block) => block::share(ledger, block, &claim)?,
        None => HashMap::new(),
    };
    let offer = lookup::offer(ledger, &claim, hold.sells_started)?;
    if hold.block.is_none() {
        terms::unrestricted(ledger, &claim)?;
    }
    let taken = lookup::take(ledger, &offer, &own)?;
    terms::seated(ledger, &claim, &own)?;
    match hold.block {
        Some(block) => lodgers::fits_from(ledger, &claim, block)?,
        None => lodgers::fits(ledger, &claim, None)?,
    }
    terms::fits(ledger, &claim, hold.party)?;
    terms::expected(taken.total, hold.expected_total)?;
    Ok((claim, offer, taken))
}

fn new_booking(
    ledger: &Ledger,
    principal: &Principal,
    hold: &Hold,
    claim: Claim,
    offer: Offer,
    taken: &Taken,
) -> Booking {
    let (state, expires_at) = match hold.confirm {
        true => (State::Confirmed, None),
        false => (State::Held, Some(expiry(ledger.now, hold))),
    };
    let agreement = Agreement {
        party: hold.party,
        block: hold.block,
        terms: terms::cancellation(ledger, &claim, &offer.venue),
        ..Agreement::default()
    };
    Booking {
        id: BookingId(Uuid::now_v7()),
        kind: BookingKind::Guest,
        principal: principal.clone(),
        recorded_state: state,
        claim,
        rooms: Vec::new(),
        venue: offer.venue,
        venue_display_name: offer.venue_display_name,
        title: offer.title,
        starts_at: offer.starts_at,
        total: taken.total,
        agreement,
        expires_at,
        created_at: ledger.now,
        updated_at: ledger.now,
        created_sequence: ledger.next_sequence(),
        updated_sequence: ledger.next_sequence(),
    }
}

fn expiry(now: Timestamp, hold: &Hold) -> Timestamp {
    let end = now.saturating_add(hold.duration);
    clock::stored(end.unwrap_or(Timestamp::MAX))
}
