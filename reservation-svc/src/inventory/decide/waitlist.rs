//! Joining and leaving the waitlist, and offering what becomes free along the line.
//!
//! After every command, and after the holds that had run out were ended, [`serve`] looks at what has become free: so
//! that whoever waits is asked before the next command is. An offer is a hold like any other, made by the same code.

use jiff::{Timestamp, ToSpan as _};

use super::{
    super::{
        clock,
        command::{Hold, Outcome},
        ledger::Ledger,
        lodgers,
        rejection::Rejection,
        stop::Stop,
    },
    hold,
};
use crate::domain::{
    booking::{Contact, State},
    cell::{Cell, CellKey, Slot},
    claim::{Ask, Claim},
    name::{BookingId, EntryId, ScreeningId},
    refusal::{Denial, Reason},
    request::Principal,
    wait_entry::{Line, WaitEntry},
    waitlist::{self, EntryState, GUEST_MAX, LINE_MAX, OFFER, Reach, Waiting},
};

const ENTRY: &str = "reservation.banyan/WaitlistEntry";

/// Adds an entry, unless there is nothing to wait for.
pub(super) fn join(
    ledger: &mut Ledger,
    principal: &Principal,
    ask: &Ask,
    contact: Option<&Contact>,
) -> Result<Outcome, Stop> {
    match hold::check(ledger, &Hold::of(ask.clone(), OFFER)) {
        Ok(_) => {
            let message = "it can be held right now";
            return Err(Denial::new(Reason::AlreadyAvailable, message).into());
        }
        Err(Stop::Denied(denial)) if is_worth_waiting(&denial) => {}
        Err(stop) => return Err(stop),
    }
    let line = Line::of(ask);
    if ledger.lines.places(&line, principal, ledger.now) >= GUEST_MAX {
        let message = format!("a guest has at most {GUEST_MAX} places in the line for {line}");
        let denial = Denial::new(Reason::WaitlistLimit, message);
        return Err(denial.with("entries_max", GUEST_MAX).into());
    }
    if ledger.lines.length(&line) >= LINE_MAX {
        let message = format!("{LINE_MAX} wait for {line} already");
        return Err(Denial::new(Reason::WaitlistFull, message).into());
    }
    let entry = WaitEntry {
        id: EntryId::new(),
        principal: principal.clone(),
        recorded_state: EntryState::Waiting,
        ask: ask.clone(),
        offer: None,
        contact: contact.cloned(),
        ends_at: end(ledger, ask),
        created_at: ledger.now,
        created_sequence: ledger.position().sequence,
    };
    let outcome = ledger.entered(&entry);
    ledger.lines.join(entry);
    ledger.head.waiting += 1;
    Ok(outcome)
}

/// Takes an entry out of the line; what it is offered goes to the next.
pub(super) fn leave(
    ledger: &mut Ledger,
    principal: &Principal,
    id: EntryId,
) -> Result<Outcome, Stop> {
    let found = ledger.lines.entry(id);
    let entry = found.filter(|it| it.principal == *principal);
    let entry = entry.ok_or_else(|| Rejection::not_found(ENTRY, id))?;
    let (state, offer) = (entry.state_at(ledger.now), entry.offer);
    match (state, offer) {
        (EntryState::Waiting, _) => {}
        (EntryState::Offered, Some(booking)) if is_held(ledger, booking) => {
            give_back(ledger, booking);
        }
        (EntryState::Offered, Some(booking)) => {
            // It has run out, and is nothing that could still be given back.
            super::expire(ledger, booking);
            return Err(not_left(id, EntryState::Left).into());
        }
        _ => return Err(not_left(id, state).into()),
    }
    finish(ledger, id, EntryState::Left);
    let entry = ledger.lines.entry(id).cloned();
    let entry = entry.ok_or(Rejection::Unloaded("waitlist entry"))?;
    Ok(ledger.entered(&entry))
}

/// Ends the entries whose offers have ended, and offers what has become free.
pub(in crate::inventory) fn serve(ledger: &mut Ledger) {
    for (id, offer) in ledger.lines.offers() {
        let state = ledger.booking(offer).map(|it| it.booking.recorded_state);
        match state {
            Some(State::Confirmed) => finish(ledger, id, EntryState::Served),
            Some(State::Cancelled | State::Expired) => finish(ledger, id, EntryState::Left),
            _ => {}
        }
    }
    let freed = ledger.cells.take_freed();
    if freed.is_empty() {
        return;
    }
    let now = ledger.now;
    let waiting = ledger.lines.waiting().filter(|it| it.ends_at > now);
    let line: Vec<_> = (0..)
        .zip(waiting)
        .filter_map(|(sequence, it)| {
            let reach = reach(ledger, &it.ask).filter(|reach| has_room(ledger, &it.ask, reach))?;
            Some(Waiting {
                sequence,
                reach,
                want: it.ask.clone(),
                entry: it.id,
            })
        })
        .collect();
    waitlist::offer(&line, &freed, |id| {
        let entry = ledger.lines.entry(*id).cloned()?;
        offer(ledger, &entry)
    });
}

/// Ends the entries that wait for what is past.
pub(in crate::inventory) fn end_overdue(ledger: &mut Ledger, ids: &[EntryId]) {
    for id in ids {
        finish(ledger, *id, EntryState::Over);
    }
}

fn offer(ledger: &mut Ledger, entry: &WaitEntry) -> Option<()> {
    let hold = Hold {
        contact: entry.contact.clone(),
        ..Hold::of(entry.ask.clone(), OFFER)
    };
    // Whatever refuses it, refuses an offer and nobody's request: it is no denied demand.
    let outcome = hold::decide(ledger, &entry.principal, &hold).ok()?;
    let booking = BookingId::parse(&outcome.booking.name).ok()?;
    ledger.lines.offer(entry.id, booking);
    Some(())
}

fn finish(ledger: &mut Ledger, id: EntryId, state: EntryState) {
    ledger.lines.enter(id, state);
    ledger.head.waiting -= 1;
}

fn give_back(ledger: &mut Ledger, booking: BookingId) {
    ledger.release(booking);
    let previous = ledger.enter(booking, State::Cancelled);
    ledger.tell(booking, previous);
}

fn is_held(ledger: &Ledger, booking: BookingId) -> bool {
    let state = ledger
        .booking(booking)
        .map(|it| it.booking.state_at(ledger.now));
    state == Some(State::Held)
}

fn not_left(id: EntryId, state: EntryState) -> Denial {
    let message = format!("{id} is {} and cannot be left", state.as_str());
    Denial::new(Reason::EntryState, message)
}

/// What may be otherwise when others give something back.
fn is_worth_waiting(denial: &Denial) -> bool {
    matches!(
        denial.reason,
        Reason::CellUnavailable
            | Reason::SeatsNotTogether
            | Reason::LeavesSingleSeat
            | Reason::RoomFragmented
    )
}

/// When nobody can get it any more: with the day of check-in, or when the screening starts.
fn end(ledger: &Ledger, ask: &Ask) -> Timestamp {
    let end = match ask {
        Ask::Claim(Claim::Stay(stay)) => {
            let hotel = ledger.catalogue.hotel(&stay.room_type.hotel);
            let day = stay.nights.check_in().saturating_add(1.day());
            hotel.and_then(|it| day.to_zoned(it.zone.clone()).ok().map(|it| it.timestamp()))
        }
        Ask::Claim(Claim::Seats(seats)) => starts_at(ledger, &seats.screening),
        Ask::Best(best) => starts_at(ledger, &best.screening),
    };
    clock::stored(end.unwrap_or(Timestamp::MAX))
}

fn starts_at(ledger: &Ledger, screening: &ScreeningId) -> Option<Timestamp> {
    let showing = ledger.catalogue.showing(screening);
    showing.map(|it| it.screening.starts_at)
}

fn reach(ledger: &Ledger, ask: &Ask) -> Option<Reach> {
    match ask {
        Ask::Claim(Claim::Stay(stay)) => {
            let sold = ledger.catalogue.room_type(&stay.room_type)?;
            let pool = sold.room_type.pool;
            Some(match lodgers::counts_tell(ledger) {
                true => Reach::Nights(pool, stay.nights.slots()),
                false => Reach::RoomType(pool),
            })
        }
        Ask::Claim(Claim::Seats(seats)) => Some(Reach::Screening(Slot(seats.screening.number))),
        Ask::Best(best) => Some(Reach::Screening(Slot(best.screening.number))),
    }
}

/// Whether every night has that many rooms, without which looking any closer is in vain.
fn has_room(ledger: &Ledger, ask: &Ask, reach: &Reach) -> bool {
    let (Ask::Claim(Claim::Stay(stay)), Reach::Nights(pool, _) | Reach::RoomType(pool)) =
        (ask, reach)
    else {
        return true;
    };
    let nights = stay.nights.slots();
    let cell = |slot| CellKey {
        pool: *pool,
        slot: Slot(slot),
    };
    let free = |slot| ledger.cells.get(cell(slot)).map_or(0, Cell::free);
    (nights.start.0..nights.end.0).all(|slot| free(slot) >= stay.rooms)
}
