//! What mutations are made of.

use std::{collections::BTreeMap, mem::discriminant};

use crate::{
    record::{
        Answer, Booking, Call, Change, Command, Event, FinalBooking, FinalCell, FinalState,
        Granted, History, Position, Refused, State,
    },
    selftest::chance::Chance,
};

/// The feed, which generated histories have.
pub(super) fn feed(history: &mut History) -> &mut Vec<Event> {
    history.feed.get_or_insert_default()
}

/// Places of calls that were granted.
pub(super) fn granted(history: &History, wanted: impl Fn(&Call, &Granted) -> bool) -> Vec<usize> {
    let calls = history.calls.iter().enumerate();
    let granted = calls.filter(|(_, call)| match &call.answer {
        Answer::Granted(it) => wanted(call, it),
        _ => false,
    });
    granted.map(|(place, _)| place).collect()
}

/// Places of calls that were refused.
pub(super) fn refused(history: &History, wanted: impl Fn(&Call, &Refused) -> bool) -> Vec<usize> {
    let calls = history.calls.iter().enumerate();
    let refused = calls.filter(|(_, call)| match &call.answer {
        Answer::Refused(it) => wanted(call, it),
        _ => false,
    });
    refused.map(|(place, _)| place).collect()
}

/// Places of booking events after the start.
pub(super) fn changes(
    history: &History,
    wanted: impl Fn(&Event, Option<State>, &Booking) -> bool,
) -> Vec<usize> {
    let events = history.feed.iter().flatten().enumerate();
    let changes = events.filter(|(_, event)| match &event.change {
        Change::Booking { previous, now } => {
            event.position.sequence > history.start_sequence && wanted(event, *previous, now)
        }
        Change::Other => false,
    });
    changes.map(|(place, _)| place).collect()
}

/// One of those places.
pub(super) fn pick(places: &[usize], chance: &mut Chance) -> Option<usize> {
    chance.pick(places).copied()
}

/// The places of all calls of the same request, the one given among them.
pub(super) fn siblings(history: &History, place: usize) -> Vec<usize> {
    let call = &history.calls[place];
    if call.request_id.is_empty() {
        return vec![place];
    }
    let same = |it: &Call| {
        it.client == call.client && it.request_id == call.request_id && it.command == call.command
    };
    (0..history.calls.len())
        .filter(|it| same(&history.calls[*it]))
        .collect()
}

/// Whether nobody else used the request id for anything.
pub(super) fn is_alone(history: &History, call: &Call) -> bool {
    let same = |it: &&Call| {
        it.client == call.client
            && it.request_id == call.request_id
            && discriminant(&it.command) == discriminant(&call.command)
    };
    call.request_id.is_empty() || history.calls.iter().filter(same).count() == 1
}

/// Changes the answer of all calls of a request that had one.
pub(super) fn tell(history: &mut History, place: usize, change: impl Fn(&mut Answer)) {
    let told = history.calls[place].answer.clone();
    for place in siblings(history, place) {
        let answer = &mut history.calls[place].answer;
        if *answer == told {
            change(answer);
        }
    }
}

/// Puts an event at that sequence; everything from there on moves up by one.
pub(super) fn insert(history: &mut History, sequence: u64, decide_micros: i64, change: Change) {
    let up = |position: &mut Position| {
        if position.sequence >= sequence {
            position.sequence += 1;
        }
    };
    for call in &mut history.calls {
        match &mut call.answer {
            Answer::Granted(it) => up(&mut it.position),
            Answer::Refused(it) => up(&mut it.position),
            Answer::NotDone | Answer::Unknown => {}
        }
    }
    let feed = feed(history);
    feed.iter_mut().for_each(|event| up(&mut event.position));
    let place = feed.partition_point(|event| event.position.sequence < sequence);
    let position = Position::at(sequence);
    feed.insert(
        place,
        Event {
            position,
            decide_micros,
            change,
        },
    );
}

/// When the change at that sequence was decided.
pub(super) fn time(history: &History, sequence: u64) -> Option<i64> {
    let feed = history.feed.as_ref()?;
    let event = feed
        .iter()
        .find(|event| event.position.sequence == sequence)?;
    Some(event.decide_micros)
}

/// How much of a cell is taken after that sequence, lapsed holds included.
pub(super) fn taken(history: &History, cell: &str, sequence: u64) -> u32 {
    let bookings = bookings(history, sequence);
    let claims = bookings.values().flat_map(|it| &it.claims);
    claims
        .filter(|it| it.cell == cell)
        .map(|it| it.quantity)
        .sum()
}

/// All bookings after that sequence.
pub(super) fn bookings(history: &History, sequence: u64) -> BTreeMap<String, Booking> {
    let events = history.feed.iter().flatten();
    let events = events.filter(|event| event.position.sequence <= sequence);
    let changes = events.filter_map(|event| match &event.change {
        Change::Booking { now, .. } => Some((now.booking.clone(), now.clone())),
        Change::Other => None,
    });
    changes.collect()
}

/// Makes the final state what the feed says.
pub(super) fn rebuild_end(history: &mut History) {
    let bookings = bookings(history, u64::MAX);
    let cells = history.cells.iter().map(|it| FinalCell {
        cell: it.cell.clone(),
        capacity: it.capacity,
        taken: taken(history, &it.cell, u64::MAX),
    });
    let cells = cells.collect();
    let bookings = bookings
        .into_values()
        .map(|booking| FinalBooking { booking })
        .collect();
    history.end = Some(FinalState { bookings, cells });
}

/// Whether a call without an answer could have done that to that booking.
pub(super) fn maybe_asked(history: &History, booking: &str) -> bool {
    history.calls.iter().any(|call| match &call.command {
        Command::Hold { .. } => false,
        Command::Confirm { booking: it }
        | Command::Cancel { booking: it }
        | Command::Move { booking: it, .. }
        | Command::Extend { booking: it, .. } => it == booking && call.answer == Answer::Unknown,
    })
}

/// A call that may have been decided at any time.
pub(super) fn endless(history: &History, client: u32, command: Command, answer: Answer) -> Call {
    Call {
        client,
        begin_ns: 0,
        end_ns: u64::MAX,
        request_id: format!("endless-{}", history.calls.len()),
        command,
        answer,
    }
}
