//! Histories that are made wrong in one place, each of which has to be caught: a check that cannot fail asserts nothing.
//!
//! They are tried on a small sound history, and on the history of every run that was found to be sound.

mod sound;

use anyhow::ensure;

use super::{
    check::{Verdict, check},
    history::{Asked, Exchange, History, Side, Told},
};
use crate::chance::Chance;

pub use sound::sound;

/// How often each is tried, each time in another place.
const TRIES: u64 = 3;
/// Long enough after a change that it is in force.
const LATE_US: u64 = 1_500_000;

/// One way to make a history wrong; it says whether there was a place for it.
type Doctoring = fn(&mut History, &mut Chance) -> bool;
/// What has to be noticed.
type Noticed = fn(&Verdict) -> bool;

/// All of them.
const ALL: [(&str, Doctoring, Noticed); 25] = [
    ("a movie lost on gRPC", lost_on_grpc, lost),
    ("a movie lost on legacy", lost_on_legacy, lost),
    ("a movie that became another", another_movie, lost),
    ("a booking lost", booking_lost, lost),
    ("a booking undone", booking_undone, lost),
    ("an own movie not found", not_found, stale),
    ("an own movie that is another", read_another, stale),
    ("an own movie missing in the list", not_listed, stale),
    ("an own booking not found", no_booking, stale),
    ("an own booking as it was before", old_booking, stale),
    ("a failure that no kill explains", failure, failed),
    ("no answer", no_answer, failed),
    ("an answer cut off that no kill explains", cut_off, failed),
    ("a failure in flight that is not honest", dishonest, failed),
    ("a read that failed in flight", failed_read, failed),
    ("a subject moved back", moved, |it| it.moved_back > 0),
    ("another bucket at another gateway", other_bucket, any),
    ("a decision by an old version", old_version, any),
    ("a pin without a write", pinned, any),
    ("legacy for gRPC without an outage", fell_back, any),
    ("another side than the client was told", other_side, any),
    ("a movie created twice", twice, any),
    ("sides that differ", differ, any),
    ("a request that is not in the log", not_logged, any),
    ("a change by nobody", by_nobody, any),
];

/// Doctors the history in every way that there is a place for; how many were made, all of which were caught.
///
/// # Errors
/// If one was not.
pub fn all_caught(history: &History, chance: &mut Chance) -> anyhow::Result<u64> {
    let mut caught = 0;
    for (what, doctor, noticed) in ALL {
        for _ in 0..TRIES {
            let mut doctored = history.clone();
            if doctor(&mut doctored, chance) {
                let verdict = check(&doctored);
                ensure!(
                    noticed(&verdict),
                    "the check cannot be trusted: it has missed {what}"
                );
                caught += 1;
            }
        }
    }
    Ok(caught)
}

fn lost(verdict: &Verdict) -> bool {
    verdict.lost_writes > 0
}

fn stale(verdict: &Verdict) -> bool {
    verdict.stale_own_reads > 0
}

fn failed(verdict: &Verdict) -> bool {
    verdict.failed > 0
}

fn any(verdict: &Verdict) -> bool {
    !verdict.violations.is_empty()
}

/// One of the exchanges that it is possible with.
fn pick<'a>(
    history: &'a mut History,
    chance: &mut Chance,
    of: impl Fn(&Exchange) -> bool,
) -> Option<&'a mut Exchange> {
    let some: Vec<usize> = (0..history.exchanges.len())
        .filter(|index| of(&history.exchanges[*index]))
        .collect();
    let index = *chance.pick(&some)?;
    history.exchanges.get_mut(index)
}

/// The id of a movie whose creation was acknowledged.
fn created(history: &mut History, chance: &mut Chance) -> Option<i64> {
    let is_created = |it: &Exchange| matches!(it.asked, Asked::Create { .. }) && it.succeeded();
    match pick(history, chance, is_created)?.answer.told {
        Told::Movie { id, .. } => Some(id),
        _ => None,
    }
}

fn lost_on_grpc(history: &mut History, chance: &mut Chance) -> bool {
    let id = created(history, chance);
    id.is_some_and(|id| history.end.grpc.remove(&id).is_some())
}

fn lost_on_legacy(history: &mut History, chance: &mut Chance) -> bool {
    let id = created(history, chance);
    id.is_some_and(|id| history.end.legacy.remove(&id).is_some())
}

fn another_movie(history: &mut History, chance: &mut Chance) -> bool {
    let Some(id) = created(history, chance) else {
        return false;
    };
    for movies in [&mut history.end.legacy, &mut history.end.grpc] {
        if let Some(movie) = movies.get_mut(&id) {
            movie.title.push('?');
        }
    }
    true
}

fn booking_lost(history: &mut History, chance: &mut Chance) -> bool {
    let names: Vec<String> = history.end.bookings.keys().cloned().collect();
    let name = chance.pick(&names);
    name.is_some_and(|name| history.end.bookings.remove(name).is_some())
}

fn booking_undone(history: &mut History, chance: &mut Chance) -> bool {
    let all = history.end.bookings.iter();
    let confirmed = all.filter(|(_, state)| *state == "CONFIRMED");
    let confirmed: Vec<String> = confirmed.map(|(name, _)| name.clone()).collect();
    let name = chance.pick(&confirmed).cloned();
    name.is_some_and(|name| {
        history
            .end
            .bookings
            .insert(name, "EXPIRED".to_owned())
            .is_some()
    })
}

fn shows_own(it: &Exchange) -> bool {
    it.succeeded()
        && matches!(
            (&it.asked, &it.answer.told),
            (Asked::Movie { .. }, Told::Movie { .. })
        )
}

fn not_found(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, shows_own);
    found.is_some_and(|it| {
        it.answer.status = 404;
        it.answer.told = Told::Nothing;
        true
    })
}

fn read_another(history: &mut History, chance: &mut Chance) -> bool {
    match pick(history, chance, shows_own).map(|it| &mut it.answer.told) {
        Some(Told::Movie { title, .. }) => {
            title.push('?');
            true
        }
        _ => false,
    }
}

fn not_listed(history: &mut History, chance: &mut Chance) -> bool {
    let has_own = |it: &Exchange| matches!(&it.answer.told, Told::Movies(all) if !all.is_empty());
    match pick(history, chance, has_own).map(|it| &mut it.answer.told) {
        Some(Told::Movies(all)) => all.pop_first().is_some(),
        _ => false,
    }
}

fn shows_booking(it: &Exchange) -> bool {
    it.succeeded() && matches!(it.asked, Asked::Booking { .. })
}

fn no_booking(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, shows_booking);
    found.is_some_and(|it| {
        it.answer.status = 404;
        it.answer.told = Told::Nothing;
        true
    })
}

fn old_booking(history: &mut History, chance: &mut Chance) -> bool {
    match pick(history, chance, shows_booking).map(|it| &mut it.answer.told) {
        Some(Told::Booking { state, .. }) => {
            "STATE_EXPIRED".clone_into(state);
            true
        }
        _ => false,
    }
}

/// A success that no outage comes near.
fn undisturbed(history: &mut History, chance: &mut Chance) -> Option<usize> {
    let calm = |it: &Exchange| {
        it.succeeded()
            && !history
                .outages
                .iter()
                .any(|outage| it.sent_us <= outage.back_us && outage.killed_us <= it.ended_us)
    };
    let some: Vec<usize> = (0..history.exchanges.len())
        .filter(|index| calm(&history.exchanges[*index]))
        .collect();
    chance.pick(&some).copied()
}

fn failure(history: &mut History, chance: &mut Chance) -> bool {
    let found = undisturbed(history, chance);
    found.is_some_and(|index| {
        history.exchanges[index].answer.status = 503;
        true
    })
}

fn no_answer(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, Exchange::succeeded);
    found.is_some_and(|it| {
        it.answer.status = 0;
        it.answer.complete = false;
        true
    })
}

fn cut_off(history: &mut History, chance: &mut Chance) -> bool {
    let found = undisturbed(history, chance);
    found.is_some_and(|index| {
        history.exchanges[index].answer.complete = false;
        true
    })
}

fn in_flight(it: &Exchange) -> bool {
    matches!(it.asked, Asked::Create { .. }) && matches!(it.answer.status, 502 | 503)
}

fn dishonest(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, in_flight);
    found.is_some_and(|it| {
        it.answer.status = 500;
        true
    })
}

fn failed_read(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, in_flight);
    found.is_some_and(|it| {
        it.asked = Asked::Movies;
        true
    })
}

/// Somebody who is on gRPC by the percentage, and then on legacy before it has fallen.
fn moved(history: &mut History, chance: &mut Chance) -> bool {
    let (Some(first), Some(down)) = (
        history.changes.first().map(|change| change.began_us),
        falls(history),
    ) else {
        return false;
    };
    let on_grpc = |it: &Exchange| {
        let decision = history.decisions.get(&it.request_id);
        decision.is_some_and(|it| it.side == Side::Grpc && it.reason == "percent")
            && first < it.sent_us
            && it.ended_us < down
    };
    let on_grpc: Vec<&Exchange> = history.exchanges.iter().filter(|it| on_grpc(it)).collect();
    let again: Vec<String> = on_grpc
        .iter()
        .filter(|it| {
            let mut others = on_grpc.iter();
            others.any(|other| other.subject == it.subject && other.ended_us < it.sent_us)
        })
        .map(|it| it.request_id.clone())
        .collect();
    let Some(decision) = chance
        .pick(&again)
        .and_then(|id| history.decisions.get_mut(id))
    else {
        return false;
    };
    decision.side = Side::Legacy;
    true
}

/// When the percentage began to fall.
fn falls(history: &History) -> Option<u64> {
    let mut pairs = history.changes.windows(2);
    let pair = pairs.find(|pair| pair[1].percent < pair[0].percent)?;
    Some(pair[1].began_us)
}

/// The request of somebody who has asked more than once.
fn other_bucket(history: &mut History, chance: &mut Chance) -> bool {
    let of_movies = |it: &Exchange| it.is_of_movies();
    let Some(subject) = pick(history, chance, of_movies).map(|it| it.subject.clone()) else {
        return false;
    };
    let of_subject = history.exchanges.iter().filter(|it| it.subject == subject);
    let mut logged = of_subject
        .filter(|it| history.decisions.contains_key(&it.request_id))
        .map(|it| it.request_id.clone());
    let (Some(one), true) = (logged.next(), logged.next().is_some()) else {
        return false;
    };
    drop(logged);
    history.decisions.get_mut(&one).is_some_and(|decision| {
        decision.bucket = (decision.bucket + 1) % 10_000;
        true
    })
}

fn old_version(history: &mut History, chance: &mut Chance) -> bool {
    let Some(change) = chance.pick(&history.changes).cloned() else {
        return false;
    };
    let late = |it: &Exchange| it.is_of_movies() && it.sent_us > change.ended_us + LATE_US;
    let Some(id) = pick(history, chance, late).map(|it| it.request_id.clone()) else {
        return false;
    };
    history.decisions.get_mut(&id).is_some_and(|decision| {
        decision.version = change.version - 1;
        true
    })
}

/// Somebody's first request: nothing was written before it.
fn pinned(history: &mut History, _: &mut Chance) -> bool {
    let of_movies = history.exchanges.iter().filter(|it| it.is_of_movies());
    let Some(id) = of_movies
        .min_by_key(|it| it.sent_us)
        .map(|it| it.request_id.clone())
    else {
        return false;
    };
    history.decisions.get_mut(&id).is_some_and(|decision| {
        "pin".clone_into(&mut decision.reason);
        true
    })
}

fn fell_back(history: &mut History, chance: &mut Chance) -> bool {
    let Some(index) = undisturbed(history, chance) else {
        return false;
    };
    let id = history.exchanges[index].request_id.clone();
    history.decisions.get_mut(&id).is_some_and(|decision| {
        let was = decision.fell_back;
        decision.fell_back = true;
        !was
    })
}

fn other_side(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, |it| it.answer.side.is_some());
    let found = found.and_then(|it| it.answer.side.as_mut());
    found.is_some_and(|side| {
        *side = match side {
            Side::Legacy => Side::Grpc,
            Side::Grpc => Side::Legacy,
        };
        true
    })
}

fn twice(history: &mut History, chance: &mut Chance) -> bool {
    let Some(id) = created(history, chance) else {
        return false;
    };
    for movies in [&mut history.end.legacy, &mut history.end.grpc] {
        if let (Some(movie), Some((last, _))) = (movies.get(&id).cloned(), movies.last_key_value())
        {
            let next = last + 1;
            movies.insert(next, movie);
        }
    }
    true
}

fn differ(history: &mut History, chance: &mut Chance) -> bool {
    let id = created(history, chance);
    let movie = id.and_then(|id| history.end.grpc.get_mut(&id));
    movie.is_some_and(|movie| {
        movie.rest.push('?');
        true
    })
}

fn not_logged(history: &mut History, chance: &mut Chance) -> bool {
    let answered = |it: &Exchange| it.is_of_movies() && it.succeeded();
    let Some(id) = pick(history, chance, answered).map(|it| it.request_id.clone()) else {
        return false;
    };
    history.decisions.remove(&id).is_some()
}

fn by_nobody(history: &mut History, _: &mut Chance) -> bool {
    let last = history
        .changes
        .len()
        .checked_sub(1)
        .filter(|last| *last > 0);
    last.is_some_and(|last| {
        history.changes[last].version += 1;
        true
    })
}
