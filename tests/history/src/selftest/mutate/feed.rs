//! Systems that did something else than they said.

use super::tools::*;
use crate::{
    record::{Answer, Booking, Change, Command, Granted, History, Position, State},
    selftest::chance::Chance,
};

/// The last change of a granted booking never happened, and everything but the answer agrees.
pub(super) fn lost(history: &mut History, chance: &mut Chance) -> Option<()> {
    let last = |name: &str| {
        let of = changes(history, |_, _, now| now.booking == name);
        of.last().copied()
    };
    let sequence_of = |place: usize| {
        history
            .feed
            .as_ref()
            .map(|feed| feed[place].position.sequence)
    };
    let places = granted(history, |_, it| {
        last(&it.booking.booking).and_then(sequence_of) == Some(it.position.sequence)
    });
    let place = pick(&places, chance)?;
    let Answer::Granted(it) = history.calls[place].answer.clone() else {
        return None;
    };
    let event = feed(history)
        .iter_mut()
        .find(|event| event.position == it.position)?;
    event.change = Change::Other;
    rebuild_end(history);
    Some(())
}

pub(super) fn lost_tail(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = pick(&granted(history, |_, _| true), chance)?;
    let Answer::Granted(it) = history.calls[place].answer.clone() else {
        return None;
    };
    feed(history).retain(|event| event.position.sequence < it.position.sequence);
    rebuild_end(history);
    Some(())
}

pub(super) fn other_state(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = pick(
        &granted(history, |_, it| it.booking.state == State::Confirmed),
        chance,
    )?;
    tell(history, place, |answer| {
        if let Answer::Granted(it) = answer {
            it.booking.state = State::Held;
            it.booking.expire_micros = Some(it.decide_micros + 1_000);
        }
    });
    Some(())
}

/// A hold as it would be had it been granted at that sequence.
fn new_hold(history: &History, command: &Command, sequence: u64) -> Option<(i64, Booking)> {
    let Command::Hold {
        claims,
        hold_micros,
    } = command
    else {
        return None;
    };
    let decide_micros = time(history, sequence)?;
    let price = |cell: &str| history.cells.iter().find(|it| it.cell == cell)?.price_minor;
    let total = claims
        .iter()
        .map(|it| Some(price(&it.cell)? * i64::from(it.quantity)));
    let booking = Booking {
        booking: format!("bookings/mutant-{sequence}"),
        state: State::Held,
        claims: claims.clone(),
        expire_micros: Some(decide_micros + hold_micros.cast_signed()),
        total_minor: total.sum::<Option<_>>()?,
    };
    Some((decide_micros, booking))
}

pub(super) fn double_sale(history: &mut History, chance: &mut Chance) -> Option<()> {
    let places = refused(history, |call, it| {
        matches!(call.command, Command::Hold { .. })
            && it.reason == "CELL_UNAVAILABLE"
            && is_alone(history, call)
    });
    let place = pick(&places, chance)?;
    let Answer::Refused(it) = history.calls[place].answer.clone() else {
        return None;
    };
    let sequence = it.position.sequence + 1;
    let (decide_micros, booking) = new_hold(history, &history.calls[place].command, sequence - 1)?;
    let now = booking.clone();
    insert(
        history,
        sequence,
        decide_micros,
        Change::Booking {
            previous: None,
            now,
        },
    );
    let position = Position::at(sequence);
    history.calls[place].answer = Answer::Granted(Granted {
        position,
        booking,
        decide_micros,
    });
    rebuild_end(history);
    Some(())
}

pub(super) fn silent_oversale(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = pick(
        &changes(history, |_, _, now| !now.claims.is_empty()),
        chance,
    )?;
    let sequence = feed(history)[place].position.sequence;
    let cell = chance.pick(&history.cells)?.clone();
    let quantity = cell.capacity + 1 - taken(history, &cell.cell, sequence).min(cell.capacity);
    let claims = vec![crate::record::Claim::new(cell.cell, quantity)];
    let command = Command::Hold {
        claims,
        hold_micros: 77,
    };
    let (decide_micros, now) = new_hold(history, &command, sequence)?;
    let call = endless(history, 0, command, Answer::Unknown);
    history.calls.push(call);
    insert(
        history,
        sequence + 1,
        decide_micros,
        Change::Booking {
            previous: None,
            now,
        },
    );
    rebuild_end(history);
    Some(())
}

/// The last event of a booking, if it is of the kind wanted and was granted to somebody, shows other claims, and so does
/// its answer.
fn reclaim(
    history: &mut History,
    chance: &mut Chance,
    wanted: impl Fn(Option<State>, &Booking) -> bool,
    change: impl Fn(&mut Booking),
) -> Option<()> {
    let acknowledged = granted(history, |_, _| true);
    let place_of = |sequence: u64| {
        let at = |place: &&usize| match &history.calls[**place].answer {
            Answer::Granted(it) => it.position.sequence == sequence,
            _ => false,
        };
        acknowledged.iter().find(at).copied()
    };
    let places = changes(history, |event, previous, now| {
        wanted(previous, now)
            && place_of(event.position.sequence).is_some()
            && changes(history, |_, _, other| other.booking == now.booking).len()
                == changes(history, |it, _, other| {
                    other.booking == now.booking && it.position.sequence <= event.position.sequence
                })
                .len()
    });
    let place = pick(&places, chance)?;
    let event = history.feed.as_ref()?.get(place)?.clone();
    let call = place_of(event.position.sequence)?;
    if let Change::Booking { now, .. } = &mut feed(history)[place].change {
        change(now);
    }
    tell(history, call, |answer| {
        if let Answer::Granted(it) = answer {
            change(&mut it.booking);
        }
    });
    rebuild_end(history);
    Some(())
}

pub(super) fn half_done(history: &mut History, chance: &mut Chance) -> Option<()> {
    let several = |_: Option<State>, now: &Booking| now.claims.len() > 1;
    reclaim(history, chance, several, |booking| {
        drop(booking.claims.pop())
    })
}

pub(super) fn half_moved(history: &mut History, chance: &mut Chance) -> Option<()> {
    let places = changes(history, |event, _, now| {
        let before = bookings(history, event.position.sequence - 1);
        let before = before.get(&now.booking).map(|it| &it.claims);
        !now.claims.is_empty() && before.is_some_and(|before| *before != now.claims)
    });
    let place = pick(&places, chance)?;
    let event = history.feed.as_ref()?.get(place)?.clone();
    let before = bookings(history, event.position.sequence - 1);
    let Change::Booking { now, .. } = event.change else {
        return None;
    };
    let old = before.get(&now.booking)?.claims.clone();
    let kept = old
        .into_iter()
        .find(|it| now.claims.iter().all(|new| new.cell != it.cell))?;
    if let Change::Booking { now, .. } = &mut feed(history)[place].change {
        now.claims.push(kept.clone());
    }
    let place = granted(history, |_, it| it.position == event.position);
    tell(history, *place.first()?, |answer| {
        if let Answer::Granted(it) = answer {
            it.booking.claims.push(kept.clone());
        }
    });
    rebuild_end(history);
    Some(())
}

pub(super) fn resurrected(history: &mut History, chance: &mut Chance) -> Option<()> {
    let over = changes(history, |_, previous, now| {
        previous == Some(State::Held) && matches!(now.state, State::Cancelled | State::Expired)
    });
    let place = pick(&over, chance)?;
    let event = feed(history)[place].clone();
    let sequence = event.position.sequence;
    let Change::Booking { now: over, .. } = event.change else {
        return None;
    };
    let mut now = bookings(history, sequence - 1).remove(&over.booking)?;
    now.state = State::Confirmed;
    now.expire_micros = None;
    let booking = over.booking.clone();
    let call = endless(history, 0, Command::Confirm { booking }, Answer::Unknown);
    history.calls.push(call);
    let previous = Some(over.state);
    insert(
        history,
        sequence + 1,
        event.decide_micros,
        Change::Booking { previous, now },
    );
    rebuild_end(history);
    Some(())
}

pub(super) fn late_confirmation(history: &mut History, chance: &mut Chance) -> Option<()> {
    let places = refused(history, |call, it| {
        let Command::Confirm { booking } = &call.command else {
            return false;
        };
        // Lapsed already when the change before was decided, so that no moment is early enough.
        let end = bookings(history, it.position.sequence);
        let lapsed = end.get(booking).is_some_and(|it2| {
            it2.state == State::Held && time(history, it.position.sequence) >= it2.expire_micros
        });
        it.reason == "HOLD_EXPIRED" && is_alone(history, call) && lapsed
    });
    let place = pick(&places, chance)?;
    let call = history.calls[place].clone();
    let (Answer::Refused(it), Command::Confirm { booking }) = (call.answer, call.command) else {
        return None;
    };
    let sequence = it.position.sequence + 1;
    let mut booking = bookings(history, sequence - 1).remove(&booking)?;
    booking.state = State::Confirmed;
    booking.expire_micros = None;
    let decide_micros = time(history, sequence - 1)?;
    let (previous, now) = (Some(State::Held), booking.clone());
    insert(
        history,
        sequence,
        decide_micros,
        Change::Booking { previous, now },
    );
    let position = Position::at(sequence);
    history.calls[place].answer = Answer::Granted(Granted {
        position,
        booking,
        decide_micros,
    });
    rebuild_end(history);
    Some(())
}

pub(super) fn ended_early(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = pick(
        &changes(history, |_, _, now| now.state == State::Held),
        chance,
    )?;
    let event = feed(history)[place].clone();
    let Change::Booking { mut now, .. } = event.change else {
        return None;
    };
    if now.expire_micros? <= event.decide_micros {
        return None;
    }
    now.state = State::Expired;
    now.expire_micros = None;
    now.claims.clear();
    let previous = Some(State::Held);
    insert(
        history,
        event.position.sequence + 1,
        event.decide_micros,
        Change::Booking { previous, now },
    );
    rebuild_end(history);
    Some(())
}

pub(super) fn phantom_hold(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = pick(&changes(history, |_, _, _| true), chance)?;
    let sequence = feed(history)[place].position.sequence;
    let priced = history.cells.iter().filter(|it| it.price_minor.is_some());
    let room = priced.filter(|it| taken(history, &it.cell, sequence) < it.capacity);
    let room: Vec<_> = room.map(|it| it.cell.clone()).collect();
    let claims = vec![crate::record::Claim::new(chance.pick(&room)?.clone(), 1)];
    // Nobody asks for so short a hold.
    let command = Command::Hold {
        claims,
        hold_micros: 3,
    };
    let (decide_micros, now) = new_hold(history, &command, sequence)?;
    insert(
        history,
        sequence + 1,
        decide_micros,
        Change::Booking {
            previous: None,
            now,
        },
    );
    rebuild_end(history);
    Some(())
}

pub(super) fn phantom_cancel(history: &mut History, chance: &mut Chance) -> Option<()> {
    let places = changes(history, |_, _, now| {
        now.state == State::Confirmed && !maybe_asked(history, &now.booking)
    });
    let place = pick(&places, chance)?;
    let event = feed(history)[place].clone();
    let Change::Booking { mut now, .. } = event.change else {
        return None;
    };
    now.state = State::Cancelled;
    now.claims.clear();
    let previous = Some(State::Confirmed);
    insert(
        history,
        event.position.sequence + 1,
        event.decide_micros,
        Change::Booking { previous, now },
    );
    rebuild_end(history);
    Some(())
}

fn any_event(history: &mut History, chance: &mut Chance) -> Option<usize> {
    usize::try_from(chance.below(feed(history).len() as u64)).ok()
}

pub(super) fn skipped(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = any_event(history, chance)?;
    // Without the last one the feed is only shorter.
    (place + 1 < feed(history).len()).then(|| drop(feed(history).remove(place)))
}

pub(super) fn duplicate(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = any_event(history, chance)?;
    let event = feed(history)[place].clone();
    feed(history).insert(place, event);
    Some(())
}

pub(super) fn swapped(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = any_event(history, chance)?;
    (place > 0).then(|| feed(history).swap(place - 1, place))
}

pub(super) fn time_backwards(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = any_event(history, chance)?;
    let before = feed(history).get(place.checked_sub(1)?)?.decide_micros;
    feed(history)[place].decide_micros = before - 1;
    Some(())
}

pub(super) fn incarnation(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = any_event(history, chance)?;
    for (other, event) in feed(history).iter_mut().enumerate() {
        let incarnation = if other < place { "one" } else { "another" };
        event.position.incarnation = incarnation.to_owned();
    }
    (place > 0).then_some(())
}
