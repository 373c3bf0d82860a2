//! The feed as steps to replay: whole, in order, each with the granted request that caused it.
//!
//! Every sequence from 1 on is there once, the decision time never goes back, and for each grant the feed has, at the
//! very sequence that the answer named, the very booking that the answer showed. Where the feed was not read, the grants
//! in the order of their positions take its place.

use std::collections::{HashMap, hash_map::Entry};

use super::requests::{Decision, Requests};
use crate::{
    record::{Answer, Booking, Change, Event, Granted, History, Position, State},
    report::{Kind, Report},
};

/// One place in the order of commits.
pub(super) struct Step<'a> {
    pub(super) sequence: u64,
    pub(super) decide_micros: i64,
    /// The booking's state before, as the feed has it; nothing where the feed was not read.
    pub(super) previous: Option<Option<State>>,
    /// The booking as it is from then on; nothing for what does not concern bookings.
    pub(super) now: Option<&'a Booking>,
    /// The granted request that caused it, as a place in `Requests::decided`.
    pub(super) cause: Option<usize>,
}

pub(super) fn steps<'a>(
    history: &'a History,
    requests: &Requests<'a>,
    report: &mut Report,
) -> Vec<Step<'a>> {
    incarnations(history, report);
    let mut granted = by_sequence(history, requests, report);
    let mut steps = match &history.feed {
        Some(feed) => read(feed, report),
        None => assumed(requests),
    };
    clock(&steps, report);
    for step in &mut steps {
        step.cause = granted.remove(&step.sequence);
        let (Some(cause), Some(_)) = (step.cause, &history.feed) else {
            continue;
        };
        let request = &requests.decided[cause];
        if let Decision::Granted(answer) = request.answer
            && !shows(step, answer)
        {
            let call = (request.call, &history.calls[request.call]);
            report.violation(Kind::Lost, Some(step.sequence), &[call], || {
                let acknowledged = &answer.booking;
                format!(
                    "Acknowledged was {acknowledged} at {}, but the feed has {} at {} there.",
                    answer.decide_micros,
                    step.now
                        .map_or("no booking".to_owned(), ToString::to_string),
                    step.decide_micros
                )
            });
        }
    }
    let mut lost: Vec<_> = granted.into_iter().collect();
    lost.sort_unstable();
    for (sequence, place) in lost {
        let call = requests.decided[place].call;
        report.violation(
            Kind::Lost,
            Some(sequence),
            &[(call, &history.calls[call])],
            || "Acknowledged, but the feed has nothing at its sequence.".to_owned(),
        );
    }
    steps
}

/// Grants by their sequence; each has its own.
fn by_sequence(
    history: &History,
    requests: &Requests<'_>,
    report: &mut Report,
) -> HashMap<u64, usize> {
    let mut granted = HashMap::with_capacity(requests.decided.len());
    for (place, request) in requests.decided.iter().enumerate() {
        if !request.answer.is_granted() {
            continue;
        }
        match granted.entry(request.sequence) {
            Entry::Vacant(entry) => {
                entry.insert(place);
            }
            Entry::Occupied(entry) => {
                let calls = [requests.decided[*entry.get()].call, request.call];
                let calls = calls.map(|call| (call, &history.calls[call]));
                report.violation(Kind::Sequence, Some(request.sequence), &calls, || {
                    "Two requests were granted at the same sequence.".to_owned()
                });
            }
        }
    }
    granted
}

fn read<'a>(feed: &'a [Event], report: &mut Report) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::with_capacity(feed.len());
    for event in feed {
        let sequence = event.position.sequence;
        let last = steps.last().map_or(0, |step| step.sequence);
        if sequence <= last {
            report.violation(Kind::Sequence, Some(sequence), &[], || {
                format!("The feed has sequence {sequence} after {last}: twice or out of order.")
            });
            continue;
        }
        if sequence > last + 1 {
            report.violation(Kind::Sequence, Some(sequence), &[], || {
                format!("The feed skips from {last} to {sequence}.")
            });
        }
        let (previous, now) = match &event.change {
            Change::Booking { previous, now } => (*previous, Some(now)),
            Change::Other => (None, None),
        };
        steps.push(Step {
            sequence,
            decide_micros: event.decide_micros,
            previous: Some(previous),
            now,
            cause: None,
        });
    }
    steps
}

/// Whether decisions' time never goes backwards.
fn clock(steps: &[Step<'_>], report: &mut Report) {
    for pair in steps.windows(2) {
        let [before, after] = pair else { continue };
        let back = before.decide_micros.saturating_sub(after.decide_micros);
        if back > 0 {
            report.violation(Kind::Clock, Some(after.sequence), &[], || {
                format!(
                    "Decided {back} microseconds before sequence {}: time went backwards.",
                    before.sequence
                )
            });
        }
    }
}

fn assumed<'a>(requests: &Requests<'a>) -> Vec<Step<'a>> {
    let granted = requests.decided.iter().filter_map(|it| match it.answer {
        Decision::Granted(answer) => Some(answer),
        _ => None,
    });
    let mut steps: Vec<_> = granted
        .map(|answer| Step {
            sequence: answer.position.sequence,
            decide_micros: answer.decide_micros,
            previous: None,
            now: Some(&answer.booking),
            cause: None,
        })
        .collect();
    steps.sort_by_key(|step| step.sequence);
    steps.dedup_by_key(|step| step.sequence);
    steps
}

/// Whether a step is what was acknowledged.
fn shows(step: &Step<'_>, answer: &Granted) -> bool {
    let same = |now: &Booking| {
        let same_claims = now.claims == answer.booking.claims || {
            let sorted = |it: &Booking| {
                let mut claims = it.claims.clone();
                claims.sort_unstable();
                claims
            };
            sorted(now) == sorted(&answer.booking)
        };
        same_claims
            && now.booking == answer.booking.booking
            && now.state == answer.booking.state
            && now.expire_micros == answer.booking.expire_micros
            && now.total_minor == answer.booking.total_minor
    };
    step.decide_micros == answer.decide_micros && step.now.is_some_and(same)
}

/// Whether everything is of one database.
fn incarnations(history: &History, report: &mut Report) {
    let answers = history.calls.iter().filter_map(|call| match &call.answer {
        Answer::Granted(it) => Some(&it.position),
        Answer::Refused(it) => Some(&it.position),
        Answer::NotDone | Answer::Unknown => None,
    });
    let events = history.feed.iter().flatten().map(|event| &event.position);
    let mut named = answers
        .chain(events)
        .filter(|it| !it.incarnation.is_empty());
    let Some(Position { incarnation, .. }) = named.next() else {
        return;
    };
    for other in named.filter(|it| it.incarnation != *incarnation) {
        report.violation(Kind::Incarnation, Some(other.sequence), &[], || {
            format!(
                "A position of incarnation {}, but others are of {incarnation}: not the same database.",
                other.incarnation
            )
        });
    }
}
