//! Whether a stay finds a room among those who have rooms for certain: counts alone do not tell where there are any.

use std::ops::Range;

use jiff::civil::Date;
use uuid::Uuid;

use super::{
    ledger::{Fit, Ledger},
    rejection::Rejection,
    stop::Stop,
};
use crate::domain::{
    booking::State,
    cell::{CellRef, Slot, night_of},
    claim::{Claim, Stay},
    lodging,
    name::BookingId,
    refusal::{Denial, Reason},
};

/// Whether nobody has, or gets in this batch, a room for certain, so that a stay fits in wherever every night has room.
pub(super) fn counts_tell(ledger: &Ledger) -> bool {
    ledger.head.pinned == 0 && !ledger.rooms.are_planned()
}

/// Refuses a stay that finds no room on all its nights; `own` is the booking that gives back what it has. Of seats,
/// nothing. That every night has room is looked at elsewhere.
pub(super) fn fits(ledger: &Ledger, claim: &Claim, own: Option<BookingId>) -> Result<(), Stop> {
    let Claim::Stay(stay) = claim else {
        return Ok(());
    };
    if counts_tell(ledger) {
        return Ok(());
    }
    let (nights, units) = units(ledger, stay, &[]);
    let booking = own.unwrap_or(BookingId(Uuid::nil()));
    match ledger.rooms.fit(&stay.room_type, booking, &units, &nights) {
        Fit::Yes => Ok(()),
        // Nobody learns who the others are.
        Fit::No => Err(fragmented(stay).into()),
        // Where nothing was certain when the batch began, a plan is here if anything has become so.
        Fit::Unknown if ledger.head.pinned == 0 => Ok(()),
        Fit::Unknown => Err(Rejection::Unloaded("room plan").into()),
    }
}

/// As [`fits`], for a stay that is picked up from a block, which has less then.
pub(super) fn fits_from(ledger: &Ledger, claim: &Claim, block: BookingId) -> Result<(), Stop> {
    let (Claim::Stay(stay), Some(entry)) = (claim, ledger.booking(block)) else {
        return Ok(());
    };
    let (nights, units) = units(ledger, stay, &[]);
    let fitted = ledger.rooms.plan(&stay.room_type, |plan| {
        let mut items = entry.items.clone();
        let picked = items.iter_mut().filter(|it| nights.contains(&it.key.slot));
        picked.for_each(|item| item.quantity -= stay.rooms);
        let rest = lodging::units(&entry.booking, &items, State::Held, today(ledger, stay));
        let mut plan = plan.clone();
        plan.note(block, rest);
        plan.could_replace(BookingId(Uuid::nil()), &units).is_ok()
    });
    match fitted {
        Some(true) => Ok(()),
        Some(false) => Err(fragmented(stay).into()),
        None => fits(ledger, claim, None),
    }
}

/// As [`fits`], for the one who has that booking, with rooms for certain, and for people who may know who the others are.
pub(super) fn fits_in(
    ledger: &Ledger,
    stay: &Stay,
    booking: BookingId,
    rooms: &[String],
) -> Result<(), Stop> {
    let (nights, units) = units(ledger, stay, rooms);
    let taken = ledger.rooms.plan(&stay.room_type, |plan| {
        let holder = |room: &String| Some((room.clone(), plan.holder(room, &nights, booking)?));
        let taken = rooms.iter().find_map(holder);
        match taken {
            Some(taken) => Err(taken),
            None => Ok(plan.could_replace(booking, &units)),
        }
    });
    match taken {
        None => Err(Rejection::Unloaded("room plan").into()),
        Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(in_the_way))) => {
            let names = in_the_way.bookings.iter().map(ToString::to_string);
            let names: Vec<_> = names.collect();
            let mut denial = fragmented(stay).with("bookings", names.join(","));
            denial.cells.clear();
            Err(denial.into())
        }
        Some(Err((room, holder))) => {
            let room = format!("{}/rooms/{room}", stay.room_type.hotel);
            let message = format!("{room} is certain for {holder}");
            let denial = Denial::new(Reason::RoomTaken, message);
            Err(denial.with("room", room).with("bookings", holder).into())
        }
    }
}

fn units(ledger: &Ledger, stay: &Stay, rooms: &[String]) -> (Range<Slot>, Vec<lodging::Unit>) {
    let today = today(ledger, stay);
    let nights = stay.nights.slots();
    let units = lodging::units_of(stay, rooms, today);
    (nights.start.max(today)..nights.end, units)
}

fn today(ledger: &Ledger, stay: &Stay) -> Slot {
    let hotel = ledger.catalogue.hotel(&stay.room_type.hotel);
    Slot::of_night(hotel.map_or(Date::MIN, |it| it.today(ledger.now)))
}

fn fragmented(stay: &Stay) -> Denial {
    let message = format!(
        "{} has rooms on every night, but with those that are fixed none for all of them",
        stay.room_type
    );
    let slots = stay.nights.slots();
    let dates = (slots.start.0..slots.end.0).filter_map(|slot| night_of(Slot(slot)));
    let cells = dates.map(|date| {
        let room_type = stay.room_type.clone();
        let cell = CellRef::Night { room_type, date };
        (cell, "free, but in no room for all nights".to_owned())
    });
    Denial {
        cells: cells.collect(),
        ..Denial::new(Reason::RoomFragmented, message)
    }
}
