//! The history again, against the model: every change in the order of commits, every refusal at its place between them.
//!
//! Each change must have a cause: the request that was told so, an unknown request that could have done it, or time (a
//! hold that ran out). Unknown requests of equal content cannot be told apart and need not be, but for who made them: the
//! first change takes the one that began first, of the booking's owner where that is known. If any assignment explains all
//! changes, this one does, because a request that began earlier can explain every change that a later one can.
//!
//! After each step the model is what the feed says, right or wrong.

use std::collections::{HashMap, VecDeque};

use super::{
    feed::Step,
    judge,
    model::{Claims, Denial, Known, Model},
    real_time,
    requests::{Decided, Decision, Requests},
};
use crate::{
    record::{Booking, Call, Command, History, State},
    report::{Kind, Report},
};

/// What an unknown request would do; equal ones are exchangeable.
#[derive(PartialEq, Eq, Hash)]
enum Effect {
    Hold(Claims, i64),
    Confirm(u32),
    Cancel(u32),
    Move(u32, Claims),
    Extend(u32, i64),
}

/// Replays a history; the model as it is at the end.
pub(super) fn run<'a>(
    history: &'a History,
    requests: &Requests<'a>,
    steps: &[Step<'a>],
    report: &mut Report,
) -> Model<'a> {
    let mut replay = Replay {
        history,
        requests,
        model: Model::new(history),
        waiting: HashMap::new(),
        report,
    };
    replay.await_unknown();
    let refused = requests
        .decided
        .iter()
        .filter(|it| matches!(it.answer, Decision::Refused(_)));
    let mut refused: Vec<_> = refused.collect();
    refused.sort_by_key(|it| it.sequence);
    let mut refused = refused.into_iter().peekable();
    for step in steps {
        while let Some(request) = refused.next_if(|it| it.sequence < step.sequence) {
            replay.judge(request, step.decide_micros);
        }
        replay.model.advance(step.decide_micros);
        if let Some(now) = step.now {
            replay.change(step, now);
        }
    }
    for request in refused {
        replay.judge(request, i64::MAX);
    }
    replay.model
}

struct Replay<'a, 'r> {
    history: &'a History,
    requests: &'r Requests<'a>,
    model: Model<'a>,
    /// Unknown requests by effect: the greatest position known when each began, and its first call.
    waiting: HashMap<Effect, VecDeque<(u64, usize)>>,
    report: &'r mut Report,
}

impl<'a> Replay<'a, '_> {
    fn call(&self, place: usize) -> (usize, &'a Call) {
        (place, &self.history.calls[place])
    }

    fn await_unknown(&mut self) {
        let known = real_time::Known::of(&self.requests.decided);
        let unknown = self.requests.unknown.iter();
        let mut unknown: Vec<_> = unknown.map(|it| (it.begin_ns, it.call)).collect();
        unknown.sort_unstable();
        for (begin_ns, place) in unknown {
            let after = known.before(begin_ns).map_or(0, |(sequence, _)| sequence);
            let micros = |it: &u64| i64::try_from(*it).unwrap_or(i64::MAX);
            let effect = match &self.history.calls[place].command {
                Command::Hold {
                    claims,
                    hold_micros,
                } => Effect::Hold(self.model.claims(claims), micros(hold_micros)),
                Command::Confirm { booking } => Effect::Confirm(self.model.booking(booking)),
                Command::Cancel { booking } => Effect::Cancel(self.model.booking(booking)),
                Command::Move { booking, claims } => {
                    Effect::Move(self.model.booking(booking), self.model.claims(claims))
                }
                Command::Extend { booking, by_micros } => {
                    Effect::Extend(self.model.booking(booking), micros(by_micros))
                }
            };
            self.waiting
                .entry(effect)
                .or_default()
                .push_back((after, place));
        }
    }

    fn judge(&mut self, request: &Decided<'a>, until: i64) {
        let Decision::Refused(refused) = request.answer else {
            return;
        };
        let (place, call) = self.call(request.call);
        if let Err(reason) = judge::refusal(&mut self.model, call, refused, until) {
            let sequence = Some(request.sequence);
            self.report
                .violation(Kind::WrongAnswer, sequence, &[(place, call)], || reason);
        }
    }

    fn change(&mut self, step: &Step<'a>, now: &'a Booking) {
        let number = self.model.booking(&now.booking);
        let before = self.model.known(number).cloned();
        let mut after = self.model.shown(now);
        after.created_micros = step.decide_micros;
        if let Some(before) = &before {
            after.owner = before.owner;
            after.created_micros = before.created_micros;
        }
        self.follows(step, now, before.as_ref());
        let mut told = false;
        let given = step.sequence <= self.history.start_sequence && step.cause.is_none();
        if after.state == State::Expired {
            self.ran_out(step, now, before.as_ref(), &after);
        } else if !given {
            let cause = self.cause(step, number, before.as_ref(), &after);
            // Of a hold that was never answered nobody knows for sure which of several equal requests made it.
            if before.is_none() {
                let known = cause.filter(|_| step.cause.is_some());
                after.owner = known.map(|(_, call)| call.client);
            }
            told = self.allowed(step, number, before.as_ref(), &after, cause);
        }
        let claims = after.claims.clone();
        self.model.apply(number, after);
        self.room(step, &claims, told);
    }

    /// Whether the feed follows from itself.
    fn follows(&mut self, step: &Step<'a>, now: &Booking, before: Option<&Known>) {
        let Some(previous) = step.previous else {
            return;
        };
        let state = before.map(|known| known.state);
        if previous != state {
            self.report.violation(Kind::Sequence, Some(step.sequence), &[], || {
                format!(
                    "The feed says that {} was {previous:?} before, but by the events up to then it was {state:?}.",
                    now.booking
                )
            });
        }
    }

    /// The request that caused a change; none is a violation.
    fn cause(
        &mut self,
        step: &Step<'a>,
        number: u32,
        before: Option<&Known>,
        after: &Known,
    ) -> Option<(usize, &'a Call)> {
        if let Some(cause) = step.cause {
            return Some(self.call(self.requests.decided[cause].call));
        }
        let effect = effect(number, before, after, step.decide_micros);
        let owner = before.and_then(|before| before.owner);
        let calls = &self.history.calls;
        let waiting = self.waiting.get_mut(&effect);
        let first = waiting.and_then(|it| {
            // Of a booking whose owner is known only the owner can have changed anything.
            let by_owner = |(_, place): &(u64, usize)| Some(calls[*place].client) == owner;
            let index = it.iter().position(by_owner).unwrap_or(0);
            it.remove(index)
        });
        match first {
            Some((known, place)) if known < step.sequence => {
                self.report.unknown_done += 1;
                Some(self.call(place))
            }
            Some((known, place)) => {
                let call = self.call(place);
                self.report.violation(Kind::RealTime, Some(step.sequence), &[call], || {
                    format!("Only this call can have caused the change, but it began when {known} was known already.")
                });
                Some(call)
            }
            None => {
                let name = self.model.booking_names.name(number);
                self.report
                    .violation(Kind::Phantom, Some(step.sequence), &[], || {
                        let was = before.map(|known| known.state);
                        format!(
                            "{name} went from {was:?} to {:?}, and no request can have caused it.",
                            after.state
                        )
                    });
                None
            }
        }
    }

    /// Tells where a change is not what the model makes of its cause; whether it was for want of room.
    fn allowed(
        &mut self,
        step: &Step<'a>,
        number: u32,
        before: Option<&Known>,
        after: &Known,
        cause: Option<(usize, &'a Call)>,
    ) -> bool {
        let calls: Vec<_> = cause.into_iter().collect();
        let sequence = Some(step.sequence);
        let name = self.model.booking_names.name(number);
        let live = matches!(after.state, State::Held | State::Confirmed);
        if let Some(before) = before.filter(|before| live && !before.live(step.decide_micros)) {
            self.report
                .violation(Kind::Resurrected, sequence, &calls, || {
                    let end = match before.expire_micros {
                        Some(end) => format!(
                            "had run out at {end}, {} us before",
                            step.decide_micros - end
                        ),
                        None => format!("was {:?}", before.state),
                    };
                    format!("{name} {end}, and is {:?} again.", after.state)
                });
            return false;
        }
        let Some((_, call)) = cause else {
            return false;
        };
        let about = match &call.command {
            Command::Hold { .. } => before.is_none(),
            Command::Confirm { booking }
            | Command::Cancel { booking }
            | Command::Move { booking, .. }
            | Command::Extend { booking, .. } => booking == name,
        };
        if !about {
            self.report
                .violation(Kind::WrongAnswer, sequence, &calls, || {
                    format!("The call was not about {name} as it was then.")
                });
            return false;
        }
        let decided = self
            .model
            .decide(call.client, &call.command, step.decide_micros);
        let (kind, reason) = match decided {
            Ok(expected) if expected.looks_like(after) => return false,
            Ok(expected) => {
                let (expected, got) = (self.model.describe(&expected), self.model.describe(after));
                let reason = format!("{name} had to become {expected}, and became {got}.");
                (Kind::WrongAnswer, reason)
            }
            Err(denial) => {
                let kind = match &denial {
                    Denial::CellUnavailable(_) => Kind::Oversold,
                    _ => Kind::WrongAnswer,
                };
                let denial = judge::describe(&self.model, &denial);
                (kind, format!("Granted, but {denial}."))
            }
        };
        self.report.violation(kind, sequence, &calls, || reason);
        kind == Kind::Oversold
    }

    /// Whether a hold that was ended had run out.
    fn ran_out(&mut self, step: &Step<'a>, now: &Booking, before: Option<&Known>, after: &Known) {
        let sequence = Some(step.sequence);
        let Some(before) = before.filter(|before| before.lapsed(step.decide_micros)) else {
            self.report.violation(Kind::EndedEarly, sequence, &[], || {
                let end = before.and_then(|before| before.expire_micros);
                format!(
                    "{} was ended as a hold that has run out at {}, but was {:?} until {end:?}.",
                    now.booking,
                    step.decide_micros,
                    before.map(|before| before.state)
                )
            });
            return;
        };
        let mut expected = before.clone();
        expected.state = State::Expired;
        expected.claims.clear();
        expected.expire_micros = None;
        if !expected.looks_like(after) {
            self.report.violation(Kind::WrongAnswer, sequence, &[], || {
                let (expected, got) = (self.model.describe(&expected), self.model.describe(after));
                format!(
                    "{} ran out and had to become {expected}, but became {got}.",
                    now.booking
                )
            });
        }
    }

    /// Whether there is room for everything that is taken now. Without the feed nobody knows when lapsed holds gave back
    /// what they had.
    fn room(&mut self, step: &Step<'a>, claims: &Claims, told: bool) {
        for &(cell, _) in claims {
            let taken = match self.history.feed {
                Some(_) => self.model.taken(cell),
                None => self.model.kept(cell),
            };
            let capacity = self.model.capacity(cell);
            if taken > capacity {
                let name = self.model.cell_names.name(cell);
                self.report.oversold_cells.insert(name.to_owned());
                if told {
                    continue;
                }
                let cause = step
                    .cause
                    .map(|cause| self.call(self.requests.decided[cause].call));
                let calls: Vec<_> = cause.into_iter().collect();
                self.report
                    .violation(Kind::Oversold, Some(step.sequence), &calls, || {
                        format!("{name} has {taken} taken of {capacity}.")
                    });
            }
        }
    }
}

/// What happened, as the effect of a request.
fn effect(number: u32, before: Option<&Known>, after: &Known, at: i64) -> Effect {
    let claims = || after.claims.clone();
    let Some(before) = before else {
        let end = after.expire_micros.unwrap_or(at);
        return Effect::Hold(claims(), end.saturating_sub(at));
    };
    match (before.state, after.state) {
        (_, State::Cancelled | State::Expired) => Effect::Cancel(number),
        (State::Confirmed, State::Confirmed) => Effect::Move(number, claims()),
        (_, State::Confirmed) => Effect::Confirm(number),
        (State::Held, State::Held) if before.expire_micros != after.expire_micros => {
            let micros = |known: &Known| known.expire_micros.unwrap_or(at);
            Effect::Extend(number, micros(after).saturating_sub(micros(before)))
        }
        _ => Effect::Move(number, claims()),
    }
}
