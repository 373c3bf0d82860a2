//! When everybody has stopped: what was acknowledged is on both sides as it was told, nothing was created twice, what was
//! booked is booked, both sides are equal in everything, the log of changes is whole, and the decisions are explained as
//! they were made.

use std::collections::BTreeMap;

use super::{Verdict, named};
use crate::migration::history::{Asked, End, Exchange, History, Movie, Told};

pub(super) fn check(history: &History, verdict: &mut Verdict) {
    let end = &history.end;
    for it in &history.exchanges {
        if !it.succeeded() {
            continue;
        }
        if let (Asked::Create { .. }, Told::Movie { id, title }) = (&it.asked, &it.answer.told) {
            for (side, movies) in [("legacy", &end.legacy), ("gRPC", &end.grpc)] {
                if movies.get(id).map(|movie| &movie.title) != Some(title) {
                    lost(it, side, verdict);
                }
            }
        }
    }
    bookings(history, verdict);
    twice(&end.legacy, "legacy", verdict);
    twice(&end.grpc, "gRPC", verdict);
    equal(end, verdict);
    for (what, found) in [("verify", &end.verify), ("reconcile", &end.reconcile)] {
        if !found.is_empty() {
            verdict.violation(format!("`banyan rollout {what}`: {found}"));
        }
    }
    let unexplained = end.unexplained.iter();
    verdict
        .violations
        .extend(unexplained.map(|it| format!("explained otherwise: {it}")));
    versions(history, verdict);
}

fn lost(it: &Exchange, side: &str, verdict: &mut Verdict) {
    verdict.lost_writes += 1;
    verdict.violation(format!("lost on {side}: {}", named(it)));
}

/// The last that a subject was told of a booking is what it is; what was asked since and not answered may have happened.
fn bookings(history: &History, verdict: &mut Verdict) {
    let mut last: BTreeMap<&str, (u64, &str, &Exchange)> = BTreeMap::new();
    let mut doubtful: BTreeMap<&str, u64> = BTreeMap::new();
    for it in &history.exchanges {
        match (&it.asked, &it.answer.told) {
            (Asked::Booking { .. }, _) => {}
            (_, Told::Booking { booking, state }) if it.succeeded() => {
                let known = last.entry(booking).or_insert((it.sent_us, state, it));
                if known.0 <= it.sent_us {
                    *known = (it.sent_us, state, it);
                }
            }
            (Asked::Confirm { booking } | Asked::Cancel { booking }, _) => {
                let since = doubtful.entry(booking).or_default();
                *since = it.sent_us.max(*since);
            }
            _ => {}
        }
    }
    for (booking, (at, state, it)) in last {
        let found = history.end.bookings.get(booking);
        let may_differ = doubtful.get(booking).is_some_and(|since| *since > at);
        let is_kept = match found.map(String::as_str) {
            None => false,
            // Holds run out.
            Some("EXPIRED") if state == "STATE_HELD" => true,
            Some(found) => may_differ || state.strip_prefix("STATE_") == Some(found),
        };
        if !is_kept {
            lost(it, &format!("bookings, which have {found:?}"), verdict);
        }
    }
}

fn twice(movies: &BTreeMap<i64, Movie>, side: &str, verdict: &mut Verdict) {
    let mut by_title: BTreeMap<&str, i64> = BTreeMap::new();
    for (id, movie) in movies {
        if let Some(first) = by_title.insert(&movie.title, *id) {
            verdict.violation(format!(
                "created twice on {side}: {:?} as {first} and as {id}",
                movie.title
            ));
        }
    }
}

fn equal(end: &End, verdict: &mut Verdict) {
    for (id, movie) in &end.legacy {
        if end.grpc.get(id) != Some(movie) {
            verdict.violation(format!(
                "movie {id} is {movie:?} on legacy and {:?} on gRPC",
                end.grpc.get(id)
            ));
        }
    }
    for id in end.grpc.keys().filter(|id| !end.legacy.contains_key(id)) {
        verdict.violation(format!("movie {id} is on gRPC alone"));
    }
}

/// The operator's versions come one after the other: nobody else has changed anything.
fn versions(history: &History, verdict: &mut Verdict) {
    for pair in history.changes.windows(2) {
        if pair[1].version != pair[0].version + 1 {
            verdict.violation(format!(
                "version {} came after version {}",
                pair[1].version, pair[0].version
            ));
        }
    }
}
