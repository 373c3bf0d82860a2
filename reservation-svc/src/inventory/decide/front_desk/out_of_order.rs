//! Keeps a room from being sold and slept in: a booking like any other, of nobody, that costs nothing and has the room
//! for certain.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::super::{
    command::{OutOfOrder, Outcome},
    ledger::Ledger,
    lodgers, lookup,
    rejection::Rejection,
    stop::Stop,
};
use crate::domain::{
    agreement::Agreement,
    booking::{Booking, BookingKind, State},
    claim::{Ask, Claim},
    name::BookingId,
    refusal::Reason,
    request::Principal,
};

pub(in crate::inventory::decide) fn decide(
    ledger: &mut Ledger,
    principal: &Principal,
    asked: &OutOfOrder,
) -> Result<Outcome, Stop> {
    let Ask::Claim(claim @ Claim::Stay(stay)) = &asked.claim else {
        return Err(Rejection::Unloaded("room").into());
    };
    let mut offer = lookup::offer(ledger, claim, false)?;
    for cell in &mut offer.cells {
        cell.price_minor = Some(0);
    }
    let id = BookingId(Uuid::now_v7());
    let rooms = vec![asked.number.clone()];
    let taken = lookup::take(ledger, &offer, &HashMap::new());
    // Who has the room tells more than that nothing is free.
    let fits = lodgers::fits_in(ledger, stay, id, &rooms);
    let taken = match (taken, fits) {
        (_, Err(Stop::Denied(denial))) if denial.reason == Reason::RoomTaken => {
            return Err(denial.into());
        }
        (taken, fits) => taken.and_then(|taken| fits.map(|()| taken))?,
    };

    let title = match asked.reason.as_str() {
        "" => "Out of order".to_owned(),
        reason => reason.to_owned(),
    };
    let booking = Booking {
        id,
        kind: BookingKind::OutOfOrder,
        principal: principal.clone(),
        recorded_state: State::Confirmed,
        claim: claim.clone(),
        rooms,
        venue: offer.venue,
        venue_display_name: offer.venue_display_name,
        title,
        starts_at: None,
        total: taken.total,
        agreement: Agreement::default(),
        expires_at: None,
        created_at: ledger.now,
        updated_at: ledger.now,
        created_sequence: ledger.next_sequence(),
        updated_sequence: ledger.next_sequence(),
    };
    ledger.open(booking, None);
    ledger.take(id, taken.items);
    ledger.changed(id, None)
}
