//! Databases that hold something else than the feed says.

use super::tools::*;
use crate::{
    record::{Booking, Claim, FinalBooking, FinalState, History, State},
    selftest::chance::Chance,
};

/// The final state as stored, and the place of one of its bookings.
fn booking<'a>(
    history: &'a mut History,
    chance: &mut Chance,
    wanted: impl Fn(&Booking) -> bool,
) -> Option<(&'a mut FinalState, usize)> {
    rebuild_end(history);
    let end = history.end.as_mut()?;
    let bookings = end
        .bookings
        .iter()
        .enumerate()
        .filter(|(_, it)| wanted(&it.booking));
    let places: Vec<_> = bookings.map(|(place, _)| place).collect();
    let place = pick(&places, chance)?;
    Some((end, place))
}

/// Takes more or less of the cells of a claim.
fn take(end: &mut FinalState, claims: &[Claim], back: bool) {
    for claim in claims {
        for cell in end.cells.iter_mut().filter(|it| it.cell == claim.cell) {
            cell.taken = match back {
                true => cell.taken.saturating_sub(claim.quantity),
                false => cell.taken + claim.quantity,
            };
        }
    }
}

pub(super) fn taken_off(history: &mut History, chance: &mut Chance) -> Option<()> {
    rebuild_end(history);
    let cells = &mut history.end.as_mut()?.cells;
    let place = usize::try_from(chance.below(cells.len() as u64)).ok()?;
    let cell = cells.get_mut(place)?;
    cell.taken = match chance.percent(50) && cell.taken > 0 {
        true => cell.taken - 1,
        false => cell.taken + 1,
    };
    Some(())
}

pub(super) fn lost_item(history: &mut History, chance: &mut Chance) -> Option<()> {
    let (end, place) = booking(history, chance, |it| !it.claims.is_empty())?;
    let claim = end.bookings[place].booking.claims.pop()?;
    take(end, &[claim], true);
    Some(())
}

pub(super) fn lost_booking(history: &mut History, chance: &mut Chance) -> Option<()> {
    let (end, place) = booking(history, chance, |_| true)?;
    let booking = end.bookings.remove(place).booking;
    take(end, &booking.claims, true);
    Some(())
}

pub(super) fn phantom_booking(history: &mut History, chance: &mut Chance) -> Option<()> {
    let (end, place) = booking(history, chance, |_| true)?;
    let mut booking = end.bookings[place].booking.clone();
    booking.booking = "bookings/phantom".to_owned();
    take(end, &booking.claims, false);
    end.bookings.push(FinalBooking { booking });
    Some(())
}

pub(super) fn unconfirmed(history: &mut History, chance: &mut Chance) -> Option<()> {
    let (end, place) = booking(history, chance, |it| it.state == State::Confirmed)?;
    let booking = &mut end.bookings[place].booking;
    booking.state = State::Held;
    booking.expire_micros = Some(i64::MAX);
    Some(())
}

pub(super) fn undead(history: &mut History, chance: &mut Chance) -> Option<()> {
    let (end, place) = booking(history, chance, |it| it.state == State::Cancelled)?;
    end.bookings[place].booking.state = State::Confirmed;
    Some(())
}

pub(super) fn capacity(history: &mut History, chance: &mut Chance) -> Option<()> {
    rebuild_end(history);
    let cells = &mut history.end.as_mut()?.cells;
    let place = usize::try_from(chance.below(cells.len() as u64)).ok()?;
    cells.get_mut(place)?.capacity += 1;
    Some(())
}

/// Items and taken agree, but on too much.
pub(super) fn over_capacity(history: &mut History, chance: &mut Chance) -> Option<()> {
    let (end, place) = booking(history, chance, |it| !it.claims.is_empty())?;
    let claim = end.bookings[place].booking.claims.first_mut()?;
    let cell = end.cells.iter_mut().find(|it| it.cell == claim.cell)?;
    let more = cell.capacity + 1 - cell.taken;
    claim.quantity += more;
    cell.taken += more;
    Some(())
}
