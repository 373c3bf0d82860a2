//! Systems that said something else than they did, or said it at the wrong time.

use super::tools::*;
use crate::{
    record::{Answer, Change, Command, Granted, History, Position, Refused, State},
    selftest::chance::Chance,
};

fn refusal(sequence: u64, reason: &str, cells: Vec<String>) -> Answer {
    let cells_total = u32::try_from(cells.len()).unwrap_or(0);
    let position = Position::at(sequence);
    Answer::Refused(Refused {
        position,
        reason: reason.to_owned(),
        cells,
        cells_total,
    })
}

/// Somebody wants what was free, for it was taken by the next change.
pub(super) fn wrong_refusal(history: &mut History, chance: &mut Chance) -> Option<()> {
    let holds = granted(history, |call, _| {
        matches!(call.command, Command::Hold { .. })
    });
    let call = history.calls[pick(&holds, chance)?].clone();
    let (Answer::Granted(it), Command::Hold { claims, .. }) = (&call.answer, &call.command) else {
        return None;
    };
    let cells = claims.iter().take(1).map(|it| it.cell.clone()).collect();
    let answer = refusal(it.position.sequence - 1, "CELL_UNAVAILABLE", cells);
    let call = endless(history, call.client, call.command, answer);
    history.calls.push(call);
    Some(())
}

pub(super) fn wrong_reason(history: &mut History, chance: &mut Chance) -> Option<()> {
    let reasons = [
        ("CELL_UNAVAILABLE", "NOT_SOLD"),
        ("NOT_SOLD", "CELL_UNAVAILABLE"),
        ("HOLD_EXPIRED", "BOOKING_STATE"),
        ("BOOKING_STATE", "HOLD_LIMIT"),
        ("HOLD_LIMIT", "BOOKING_STATE"),
    ];
    let other = |reason: &str| reasons.iter().find(|it| it.0 == reason).map(|it| it.1);
    let place = pick(
        &refused(history, |_, it| other(&it.reason).is_some()),
        chance,
    )?;
    tell(history, place, |answer| {
        if let Answer::Refused(it) = answer
            && let Some(reason) = other(&it.reason)
        {
            it.reason = reason.to_owned();
        }
    });
    Some(())
}

pub(super) fn wrong_cells(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = pick(&refused(history, |_, it| !it.cells.is_empty()), chance)?;
    let other = chance.pick(&history.cells)?.cell.clone();
    let Answer::Refused(it) = &history.calls[place].answer else {
        return None;
    };
    let wanted = match &history.calls[place].command {
        Command::Hold { claims, .. } | Command::Move { claims, .. } => claims.as_slice(),
        _ => &[],
    };
    if it.cells.contains(&other) || wanted.iter().any(|claim| claim.cell == other) {
        return None;
    }
    tell(history, place, |answer| {
        if let Answer::Refused(it) = answer
            && let Some(cell) = it.cells.first_mut()
        {
            cell.clone_from(&other);
        }
    });
    Some(())
}

/// Of two cells that are not sold, one is not named. Unlike free cells, those never become sold by time.
pub(super) fn forgotten_cell(history: &mut History, chance: &mut Chance) -> Option<()> {
    let places = refused(history, |_, it| {
        let full = |cell: &String| {
            let capacity = history
                .cells
                .iter()
                .find(|it| it.cell == *cell)
                .map(|it| it.capacity);
            let kept = bookings(history, it.position.sequence);
            let kept = kept
                .values()
                .filter(|booking| booking.state == State::Confirmed);
            let kept = kept
                .flat_map(|booking| &booking.claims)
                .filter(|claim| claim.cell == *cell);
            Some(kept.map(|claim| claim.quantity).sum()) == capacity
        };
        it.cells.len() > 1 && it.cells.last().is_some_and(full)
    });
    let moved = |place: &usize| matches!(history.calls[*place].command, Command::Move { .. });
    let place = pick(&places, chance).filter(|place| !moved(place))?;
    tell(history, place, |answer| {
        if let Answer::Refused(it) = answer {
            it.cells.pop();
            it.cells_total -= 1;
        }
    });
    Some(())
}

/// Adds a repetition of a call that had its answer, with an answer changed.
fn repeat(history: &mut History, place: usize, change: impl Fn(&mut Answer)) {
    let mut call = history.calls[place].clone();
    call.begin_ns = call.end_ns + 1;
    call.end_ns = u64::MAX;
    change(&mut call.answer);
    history.calls.push(call);
}

pub(super) fn stale_repeat(history: &mut History, chance: &mut Chance) -> Option<()> {
    let places = granted(history, |call, _| !call.request_id.is_empty());
    let place = pick(&places, chance)?;
    repeat(history, place, |answer| {
        if let Answer::Granted(it) = answer {
            it.position.sequence -= 1;
        }
    });
    Some(())
}

pub(super) fn repriced_repeat(history: &mut History, chance: &mut Chance) -> Option<()> {
    let places = granted(history, |call, _| !call.request_id.is_empty());
    let place = pick(&places, chance)?;
    repeat(history, place, |answer| {
        if let Answer::Granted(it) = answer {
            it.booking.total_minor += 1;
        }
    });
    Some(())
}

/// The repetition of a hold has made another one, right after.
pub(super) fn second_effect(history: &mut History, chance: &mut Chance) -> Option<()> {
    let places = granted(history, |call, _| {
        !call.request_id.is_empty() && matches!(call.command, Command::Hold { .. })
    });
    let place = pick(&places, chance)?;
    let Answer::Granted(it) = history.calls[place].answer.clone() else {
        return None;
    };
    let mut booking = it.booking.clone();
    booking.booking = "bookings/second".to_owned();
    let sequence = it.position.sequence + 1;
    let now = booking.clone();
    insert(
        history,
        sequence,
        it.decide_micros,
        Change::Booking {
            previous: None,
            now,
        },
    );
    let second = Granted {
        position: Position::at(sequence),
        booking,
        decide_micros: it.decide_micros,
    };
    repeat(history, place, |answer| {
        *answer = Answer::Granted(second.clone())
    });
    rebuild_end(history);
    Some(())
}

pub(super) fn reused_id(history: &mut History, chance: &mut Chance) -> Option<()> {
    let method = |place: &usize| std::mem::discriminant(&history.calls[*place].command);
    let places = granted(history, |call, _| is_alone(history, call));
    let one = pick(&places, chance)?;
    let others = places.iter().filter(|other| {
        let (call, first) = (&history.calls[**other], &history.calls[one]);
        method(other) == method(&one)
            && call.client == first.client
            && call.command != first.command
    });
    let others: Vec<_> = others.copied().collect();
    let other = pick(&others, chance)?;
    history.calls[one].request_id = "shared".to_owned();
    history.calls[other].request_id = "shared".to_owned();
    Some(())
}

pub(super) fn false_reuse(history: &mut History, chance: &mut Chance) -> Option<()> {
    let places = granted(history, |call, _| {
        !call.request_id.is_empty() && is_alone(history, call)
    });
    let place = pick(&places, chance)?;
    let Answer::Granted(it) = history.calls[place].answer.clone() else {
        return None;
    };
    let answer = refusal(it.position.sequence, "REQUEST_ID_REUSED", Vec::new());
    repeat(history, place, |told| told.clone_from(&answer));
    Some(())
}

/// Changes a grant and its event alike, and the final state with it.
fn alike(
    history: &mut History,
    place: usize,
    change: impl Fn(&mut crate::record::Booking),
) -> Option<()> {
    let Answer::Granted(it) = history.calls[place].answer.clone() else {
        return None;
    };
    let event = feed(history)
        .iter_mut()
        .find(|event| event.position == it.position)?;
    if let Change::Booking { now, .. } = &mut event.change {
        change(now);
    }
    tell(history, place, |answer| {
        if let Answer::Granted(it) = answer {
            change(&mut it.booking);
        }
    });
    rebuild_end(history);
    Some(())
}

pub(super) fn wrong_price(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = pick(&granted(history, |_, _| true), chance)?;
    alike(history, place, |booking| booking.total_minor -= 1)
}

pub(super) fn wrong_expiry(history: &mut History, chance: &mut Chance) -> Option<()> {
    let held = granted(history, |_, it| it.booking.state == State::Held);
    let place = pick(&held, chance)?;
    alike(history, place, |booking| {
        booking.expire_micros = booking.expire_micros.map(|at| at + 1);
    })
}

pub(super) fn foreign(history: &mut History, chance: &mut Chance) -> Option<()> {
    let owned = |name: &str| {
        !granted(history, |call, it| {
            matches!(call.command, Command::Hold { .. }) && it.booking.booking == name
        })
        .is_empty()
    };
    let places = granted(history, |call, it| {
        matches!(call.command, Command::Confirm { .. })
            && is_alone(history, call)
            && owned(&it.booking.booking)
    });
    let place = pick(&places, chance)?;
    history.calls[place].client += 1_000;
    Some(())
}

pub(super) fn shared_sequence(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = pick(&granted(history, |_, _| true), chance)?;
    let call = history.calls[place].clone();
    let call = endless(history, call.client, call.command, call.answer);
    history.calls.push(call);
    Some(())
}

/// A call began after everything had ended, and was decided before some of it.
pub(super) fn late_call(history: &mut History, chance: &mut Chance) -> Option<()> {
    let position = |answer: &Answer| match answer {
        Answer::Granted(it) => Some(it.position.sequence),
        Answer::Refused(it) => Some(it.position.sequence),
        Answer::NotDone | Answer::Unknown => None,
    };
    let last = history
        .calls
        .iter()
        .filter_map(|call| position(&call.answer))
        .max()?;
    let end_ns = history.calls.iter().map(|call| call.end_ns).max()?;
    let places = granted(history, |call, it| {
        is_alone(history, call) && it.position.sequence < last
    });
    let call = &mut history.calls[pick(&places, chance)?];
    call.begin_ns = end_ns + 1;
    call.end_ns = end_ns + 2;
    Some(())
}

/// A refusal was decided before something that its caller could know of.
pub(super) fn stale_refusal(history: &mut History, chance: &mut Chance) -> Option<()> {
    let places = refused(history, |call, it| {
        is_alone(history, call) && it.position.sequence > 0
    });
    let place = pick(&places, chance)?;
    let begin_ns = history.calls[place].begin_ns;
    let known = granted(history, |call, _| {
        is_alone(history, call) && call.end_ns < begin_ns
    });
    let Answer::Granted(known) = history.calls[pick(&known, chance)?].answer.clone() else {
        return None;
    };
    if let Answer::Refused(it) = &mut history.calls[place].answer {
        it.position.sequence = known.position.sequence - 1;
    }
    Some(())
}

pub(super) fn ahead(history: &mut History, chance: &mut Chance) -> Option<()> {
    let place = pick(&granted(history, |_, _| true), chance)?;
    let beyond = feed(history).len() as u64 + 1 + chance.below(9);
    tell(history, place, |answer| {
        if let Answer::Granted(it) = answer {
            it.position.sequence = beyond;
        }
    });
    Some(())
}
