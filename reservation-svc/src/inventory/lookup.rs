//! What a claim comes to in the catalogue, and whether it can be had.

use std::collections::HashMap;

use super::{
    catalogue_cache::{Seating, Showing},
    ledger::Ledger,
    rejection::Rejection,
    stop::Stop,
};
use crate::domain::{
    catalogue::Seat,
    cell::CellKey,
    claim::{Claim, SeatSelection, Stay},
    offer::{Offer, Taken},
    refusal::{Denial, Reason},
};

/// Looks a claim up. `sells_started`: seats of a screening that has started can be had, too.
pub(super) fn offer(ledger: &Ledger, claim: &Claim, sells_started: bool) -> Result<Offer, Stop> {
    match claim {
        Claim::Stay(claim) => stay(ledger, claim),
        Claim::Seats(claim) => seats(ledger, claim, sells_started),
    }
}

/// Whether all of an offer can be had, over the cells as they are now; `own` is what the same booking has of them and
/// gives back. Changes nothing.
pub(super) fn take(
    ledger: &Ledger,
    offer: &Offer,
    own: &HashMap<CellKey, i64>,
) -> Result<Taken, Stop> {
    // A cell that was not looked up could be sold twice.
    if !offer.cells.iter().all(|it| ledger.cells.has(it.key)) {
        return Err(Rejection::Unloaded("cell").into());
    }
    let cell = |key| ledger.cells.get(key);
    Ok(offer.take(cell, own, ledger.head.last_item)?)
}

fn stay(ledger: &Ledger, stay: &Stay) -> Result<Offer, Stop> {
    let unknown = || Rejection::not_found("reservation.banyan/RoomType", &stay.room_type);
    let hotel = ledger.catalogue.hotel(&stay.room_type.hotel);
    let hotel = hotel.ok_or_else(unknown)?;
    let sold = ledger.catalogue.room_type(&stay.room_type);
    let sold = sold.ok_or_else(unknown)?;
    stay.nights
        .not_before(hotel.today(ledger.now))
        .map_err(|violation| Rejection::invalid(violation.within("stay")))?;
    Ok(Offer::stay(hotel, &sold.room_type, &sold.rates, stay))
}

fn seats(ledger: &Ledger, claim: &SeatSelection, sells_started: bool) -> Result<Offer, Stop> {
    let unknown = || Rejection::not_found("reservation.banyan/Screening", &claim.screening);
    let Showing {
        screening,
        cinema,
        movie,
        hall,
        prices,
    } = ledger
        .catalogue
        .showing(&claim.screening)
        .ok_or_else(unknown)?;
    let seats = pick(claim, hall)?;
    if screening.started(ledger.now) && !sells_started {
        let message = format!("{} has started", claim.screening);
        return Err(Denial::new(Reason::ScreeningStarted, message).into());
    }
    Ok(Offer::seats(cinema, movie, screening, &seats, prices))
}

/// The seats asked for, in that order; all that the hall does not have are named at once.
fn pick<'a>(claim: &SeatSelection, hall: &'a Seating) -> Result<Vec<&'a Seat>, Rejection> {
    let seats: Vec<_> = claim.seats.iter().filter_map(|id| hall.seat(id)).collect();
    if seats.len() == claim.seats.len() {
        return Ok(seats);
    }
    let unknown = claim.seats.iter().filter(|id| hall.seat(id).is_none());
    Err(Rejection::NotFound {
        kind: "reservation.banyan/Seat",
        names: unknown
            .map(|id| format!("{}/seats/{id}", claim.screening))
            .collect(),
        position: None,
    })
}
