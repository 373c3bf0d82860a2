//! Gives a part of a booking back, for the fee of that part. The rest stays as it is, at the prices it was sold for.

use super::super::{
    command::{Outcome, Part},
    ledger::{Entry, Ledger},
    rejection::Rejection,
    stop::Stop,
};
use super::cancel;
use crate::{
    domain::{
        booking::Item,
        cell::CellRef,
        claim::{Claim, SeatSelection, Stay},
        money::Money,
        name::{BookingId, SeatId},
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
    part: &Part,
    accepted: Option<Money>,
) -> Result<Outcome, Stop> {
    let entry = ledger.own(principal, id)?;
    let booking = &entry.booking;
    booking.changeable(ledger.now, etag, "cancelled")?;
    super::ahead(ledger, booking, "cancelled")?;
    let Split {
        claim,
        given_back,
        kept,
    } = split(entry, part)?;
    let fee = cancel::fee(ledger, booking, &given_back, accepted)?;
    let previous_total = booking.total;

    // Seats that stay keep their items; of rooms, each night's item has them all and is replaced by a smaller one.
    let replaced = match part {
        Part::Seats(_) => Vec::new(),
        Part::Rooms(_) => renumbered(&kept, ledger.head.last_item),
    };
    let stays = |item: &Item| replaced.is_empty() && kept.iter().any(|it| it.number == item.number);
    ledger.release_where(id, |item| !stays(item));
    if !replaced.is_empty() {
        ledger.take(id, replaced.clone());
    }
    let total = kept.iter().map(|item| item.price_minor).sum();
    let previous = ledger.change(id, |booking| {
        if let Claim::Stay(stay) = &claim {
            let rooms = usize::try_from(stay.rooms).unwrap_or(0);
            booking.rooms.truncate(rooms);
        }
        booking.claim = claim;
        booking.total.minor = total;
        booking.agreement.fee_minor += fee;
    });
    let mut outcome = ledger.changed(id, previous)?;
    outcome.previous_total = Some(wire::money(previous_total));
    Ok(outcome)
}

/// A booking in two.
struct Split {
    /// What it claims afterwards.
    claim: Claim,
    given_back: Vec<Item>,
    kept: Vec<Item>,
}

fn split(entry: &Entry, part: &Part) -> Result<Split, Rejection> {
    match (&entry.booking.claim, part) {
        (Claim::Seats(selection), Part::Seats(seats)) => split_seats(entry, selection, seats),
        (Claim::Stay(stay), Part::Rooms(rooms)) => split_rooms(entry, stay, *rooms),
        (Claim::Seats(_), Part::Rooms(_)) => {
            Err(wrong("rooms", "must be 0: the booking is of seats"))
        }
        (Claim::Stay(_), Part::Seats(_)) => {
            Err(wrong("seats", "must be empty: the booking is of rooms"))
        }
    }
}

fn split_seats(
    entry: &Entry,
    selection: &SeatSelection,
    seats: &[SeatId],
) -> Result<Split, Rejection> {
    for (index, seat) in seats.iter().enumerate() {
        if !selection.seats.contains(seat) {
            let description = format!("must be a seat of the booking, {seat} is not");
            return Err(wrong(format!("seats[{index}]"), description));
        }
    }
    let rest = selection.seats.iter().filter(|it| !seats.contains(it));
    let rest: Vec<_> = rest.cloned().collect();
    if rest.is_empty() {
        return Err(wrong(
            "seats",
            "must be fewer than the booking has: cancel it",
        ));
    }
    let is_given_back =
        |item: &Item| matches!(&item.cell, CellRef::Seat { seat, .. } if seats.contains(seat));
    let (given_back, kept) = entry.items.iter().cloned().partition(is_given_back);
    let claim = Claim::Seats(SeatSelection {
        screening: selection.screening.clone(),
        seats: rest,
    });
    Ok(Split {
        claim,
        given_back,
        kept,
    })
}

fn split_rooms(entry: &Entry, stay: &Stay, rooms: i64) -> Result<Split, Rejection> {
    if !(1..stay.rooms).contains(&rooms) {
        let description = format!(
            "must be from 1 and fewer than the {} of the booking",
            stay.rooms
        );
        return Err(wrong("rooms", description));
    }
    let share = |rooms: i64| {
        let share = move |item: &Item| Item {
            quantity: rooms,
            // The price is that of one room times their number.
            price_minor: item.price_minor / item.quantity * rooms,
            ..item.clone()
        };
        entry.items.iter().map(share).collect::<Vec<_>>()
    };
    let claim = Claim::Stay(Stay {
        rooms: stay.rooms - rooms,
        ..stay.clone()
    });
    Ok(Split {
        claim,
        given_back: share(rooms),
        kept: share(stay.rooms - rooms),
    })
}

fn renumbered(items: &[Item], last_item: i64) -> Vec<Item> {
    let numbered = (last_item + 1..).zip(items);
    let numbered = numbered.map(|(number, item)| Item {
        number,
        ..item.clone()
    });
    numbered.collect()
}

fn wrong(field: impl Into<String>, description: impl Into<String>) -> Rejection {
    Rejection::invalid(Violation::new(field, Fault::Range, description))
}
