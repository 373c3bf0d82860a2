//! Histories that are made wrong in one place, each of which has to be caught: a check that cannot fail asserts nothing.
//!
//! They are tried on a small sound history, and on the history of every run that was found to be sound.

mod answers;
mod decisions;
mod end;
mod pins;
mod sound;

use anyhow::ensure;

use super::{
    check::{Verdict, check, is_near},
    history::{Asked, Exchange, History, Told},
};
use crate::chance::Chance;

pub use sound::sound;

/// How often each is tried, each time in another place.
const TRIES: u64 = 3;

/// One way to make a history wrong; it says whether there was a place for it.
type Doctoring = fn(&mut History, &mut Chance) -> bool;
/// What has to be noticed.
type Noticed = fn(&Verdict) -> bool;

/// All of them.
const ALL: [(&str, Doctoring, Noticed); 36] = [
    ("a movie lost on gRPC", end::lost_on_grpc, lost),
    ("a movie lost on legacy", end::lost_on_legacy, lost),
    ("a movie that became another", end::another_movie, lost),
    ("a booking lost", end::booking_lost, lost),
    ("a booking undone", end::booking_undone, lost),
    ("an own movie not found", answers::not_found, stale),
    ("an own movie that is another", answers::read_another, stale),
    (
        "an own movie missing in the list",
        answers::not_listed,
        stale,
    ),
    ("an own booking not found", answers::no_booking, stale),
    (
        "an own booking as it was before",
        answers::old_booking,
        stale,
    ),
    ("a failure that no kill explains", answers::failure, failed),
    ("no answer", answers::no_answer, failed),
    ("a read that was cut off", answers::cut_off, failed),
    (
        "a safe request that failed at a kill",
        answers::failed_at_kill,
        failed,
    ),
    (
        "a failure in flight that is not honest",
        answers::dishonest,
        failed,
    ),
    (
        "an honest failure of which a part is missing",
        answers::honest_in_part,
        failed,
    ),
    (
        "a failure in flight to the side that was not killed",
        answers::failed_on_the_other_side,
        failed,
    ),
    ("a read that failed in flight", answers::failed_read, failed),
    ("a subject moved back", decisions::moved, moved_back),
    (
        "a subject moved back by a pin that nobody gave",
        decisions::moved_by_pin,
        |it| moved_back(it) && by_pin(it),
    ),
    (
        "another bucket at another gateway",
        decisions::other_bucket,
        any,
    ),
    ("a decision by an old version", decisions::old_version, any),
    ("a pin before any write", decisions::pinned, by_pin),
    ("a pin that was not carried", pins::not_carried, by_pin),
    ("a pin that no write has given", pins::not_given, by_pin),
    ("a pin of somebody else", pins::of_another, by_pin),
    ("a pin whose time is over", pins::over, |it| {
        says(it, "its time is over")
    }),
    ("a pin to the other side", pins::to_the_other_side, |it| {
        says(it, "to the side that has not done the write")
    }),
    ("a pin given with a read", pins::without_a_write, |it| {
        says(it, "given a pin without a write")
    }),
    (
        "legacy for gRPC without an outage",
        decisions::fell_back,
        any,
    ),
    (
        "legacy for gRPC against the rollout",
        decisions::fell_back_unasked,
        |it| says(it, "fell back against the rollout"),
    ),
    (
        "another side than the client was told",
        decisions::other_side,
        any,
    ),
    ("a movie created twice", end::twice, any),
    ("sides that differ", end::differ, any),
    (
        "a request that is not in the log",
        decisions::not_logged,
        any,
    ),
    ("a change by nobody", end::by_nobody, any),
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

fn moved_back(verdict: &Verdict) -> bool {
    verdict.moved_back > 0
}

fn by_pin(verdict: &Verdict) -> bool {
    says(verdict, "pinned unlawfully")
}

fn says(verdict: &Verdict, what: &str) -> bool {
    verdict.violations.iter().any(|it| it.contains(what))
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

/// A success that no outage comes near.
fn undisturbed(history: &mut History, chance: &mut Chance) -> Option<usize> {
    let calm =
        |it: &Exchange| it.succeeded() && !history.outages.iter().any(|outage| is_near(it, outage));
    let some: Vec<usize> = (0..history.exchanges.len())
        .filter(|index| calm(&history.exchanges[*index]))
        .collect();
    chance.pick(&some).copied()
}
