//! The front desk: who has come, gone or stayed away, and which rooms are certain. Operators act on every booking.

mod out_of_order;

use jiff::{ToSpan as _, civil::Date};

use super::super::{
    command::{Lodge, Outcome},
    ledger::{Entry, Ledger},
    lodgers,
    rejection::Rejection,
    stop::Stop,
};
use crate::domain::{
    booking::{Booking, BookingKind, State},
    cell::Slot,
    claim::{Claim, Nights, Stay},
    name::{BookingId, RoomId},
    refusal::{Denial, Reason},
    violation::{Fault, Violation},
};

pub(super) use out_of_order::decide as out_of_order;

/// Decides what becomes of a stay.
pub(super) fn lodge(
    ledger: &mut Ledger,
    id: BookingId,
    etag: Option<&str>,
    change: &Lodge,
) -> Result<Outcome, Stop> {
    let unknown = || Rejection::not_found("reservation.banyan/Booking", id);
    let entry = ledger.booking(id).ok_or_else(unknown)?;
    let (done, next) = match change {
        Lodge::CheckIn(_) => ("checked in", Some(State::CheckedIn)),
        Lodge::CheckOut => ("checked out", Some(State::Completed)),
        Lodge::NoShow => ("a no-show", Some(State::NoShow)),
        Lodge::Pin(_) | Lodge::Unpin => ("given rooms", None),
    };
    let booking = &entry.booking;
    let stay = guests_stay(booking, done)?.clone();
    match (next, change, booking.state_at(ledger.now)) {
        (Some(next), ..) => {
            booking.may_become(next, ledger.now, done)?;
            booking.unchanged_since(etag)?;
        }
        // A guest who is there may be given another room, but not none.
        (None, Lodge::Pin(_), State::CheckedIn) => booking.unchanged_since(etag)?,
        _ => booking.changeable(ledger.now, etag, done)?,
    }
    // Venues do not go away; where one had, nobody would have come yet.
    let today = ledger.today(&booking.venue).unwrap_or(Date::MIN);
    match change {
        Lodge::CheckIn(rooms) => check_in(ledger, id, &stay, today, rooms),
        Lodge::CheckOut => check_out(ledger, id, stay, today),
        Lodge::NoShow => no_show(ledger, id, &stay, today),
        Lodge::Pin(rooms) => pin(ledger, id, &stay, rooms),
        Lodge::Unpin => unpin(ledger, id),
    }
}

fn guests_stay<'a>(booking: &'a Booking, done: &str) -> Result<&'a Stay, Denial> {
    match &booking.claim {
        Claim::Stay(stay) if booking.kind == BookingKind::Guest => Ok(stay),
        _ => {
            let message = format!("{} is no guest's stay and cannot be {done}", booking.id);
            Err(Denial::new(Reason::BookingState, message))
        }
    }
}

fn check_in(
    ledger: &mut Ledger,
    id: BookingId,
    stay: &Stay,
    today: Date,
    rooms: &[RoomId],
) -> Result<Outcome, Stop> {
    let first = stay.nights.check_in();
    if today < first {
        let message = format!("the stay of {id} begins on {first}, and it is {today}");
        return Err(Denial::new(Reason::BookingState, message).into());
    }
    let rooms = assign(ledger, id, stay, "checked in", rooms)?;
    let previous = ledger.enter(id, State::CheckedIn);
    ledger.change(id, |booking| booking.rooms = rooms);
    ledger.changed(id, previous)
}

/// Ends a stay. Who leaves on the day of coming has slept no night: the claim keeps the first, and costs nothing.
fn check_out(ledger: &mut Ledger, id: BookingId, stay: Stay, today: Date) -> Result<Outcome, Stop> {
    let least = stay.nights.check_in().saturating_add(1.day());
    let end = today.max(least).min(stay.nights.check_out());
    let nights = Nights::new(stay.nights.check_in(), end).map_err(Rejection::invalid)?;
    release_from(ledger, id, today);
    let slept = ledger.booking(id).map_or(&[][..], |it| it.items.as_slice());
    let total = slept.iter().map(|item| item.price_minor).sum();
    let previous = ledger.enter(id, State::Completed);
    ledger.change(id, |booking| {
        booking.claim = Claim::Stay(Stay { nights, ..stay });
        booking.total.minor = total;
    });
    ledger.changed(id, previous)
}

fn no_show(ledger: &mut Ledger, id: BookingId, stay: &Stay, today: Date) -> Result<Outcome, Stop> {
    let first = stay.nights.check_in();
    if today <= first {
        let message = format!("the guest of {id} may still come: it begins on {first}");
        return Err(Denial::new(Reason::BookingState, message).into());
    }
    release_from(ledger, id, today);
    let previous = ledger.enter(id, State::NoShow);
    ledger.changed(id, previous)
}

/// Gives back the nights from that day on.
fn release_from(ledger: &mut Ledger, id: BookingId, today: Date) {
    let today = Slot::of_night(today);
    ledger.release_where(id, |item| item.key.slot >= today);
}

fn pin(ledger: &mut Ledger, id: BookingId, stay: &Stay, rooms: &[RoomId]) -> Result<Outcome, Stop> {
    let rooms = assign(ledger, id, stay, "given rooms", rooms)?;
    let had = ledger.booking(id).map(|it| it.booking.rooms == rooms);
    if had == Some(true) {
        return ledger.as_it_is(id);
    }
    let previous = ledger.change(id, |booking| booking.rooms = rooms);
    ledger.changed(id, previous)
}

fn unpin(ledger: &mut Ledger, id: BookingId) -> Result<Outcome, Stop> {
    let had = ledger.booking(id).map(|it| it.booking.rooms.is_empty());
    if had == Some(true) {
        return ledger.as_it_is(id);
    }
    let previous = ledger.change(id, |booking| booking.rooms.clear());
    ledger.changed(id, previous)
}

/// The rooms that a stay is to have for certain: those asked for, or those that it has, or those of the plan.
fn assign(
    ledger: &Ledger,
    id: BookingId,
    stay: &Stay,
    done: &str,
    asked: &[RoomId],
) -> Result<Vec<String>, Stop> {
    let unloaded = Rejection::Unloaded("room plan");
    let entry = ledger.booking(id).ok_or(unloaded.clone())?;
    super::ahead(ledger, &entry.booking, done)?;
    let plan = |entry: &Entry| {
        let rooms = &entry.booking.rooms;
        ledger.rooms.plan(&stay.room_type, |plan| {
            let known = plan.rooms().to_vec();
            let planned = match rooms.is_empty() {
                true => plan.rooms_of(id),
                false => rooms.clone(),
            };
            (known, planned)
        })
    };
    let (known, planned) = plan(entry).ok_or(unloaded)?;
    let rooms = match asked.is_empty() {
        true => planned,
        false => check_asked(stay, &known, asked)?,
    };
    if i64::try_from(rooms.len()) != Ok(stay.rooms) {
        let message = format!("there is no plan with rooms for {id}");
        return Err(Denial::new(Reason::RoomFragmented, message).into());
    }
    lodgers::fits_in(ledger, stay, id, &rooms)?;
    Ok(rooms)
}

/// Rooms of the room type, as many as were booked.
fn check_asked(stay: &Stay, known: &[String], asked: &[RoomId]) -> Result<Vec<String>, Rejection> {
    if i64::try_from(asked.len()) != Ok(stay.rooms) {
        let description = format!("must be {}, one for each that was booked", stay.rooms);
        let violation = Violation::new("rooms", Fault::Range, description);
        return Err(Rejection::invalid(violation));
    }
    let mut violations = Vec::new();
    for (at, room) in asked.iter().enumerate() {
        if room.hotel != stay.room_type.hotel || !known.contains(&room.number) {
            let description = format!("must be a room of {}", stay.room_type);
            let field = format!("rooms[{at}]");
            violations.push(Violation::new(field, Fault::Range, description));
        }
    }
    if violations.is_empty() {
        return Ok(asked.iter().map(|room| room.number.clone()).collect());
    }
    Err(Rejection::Invalid {
        violations,
        position: None,
    })
}
