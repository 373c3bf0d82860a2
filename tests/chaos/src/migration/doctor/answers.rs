//! Wrong in what a client was answered: reads that do not show what was written, failures that nothing explains.

use super::{pick, undisturbed};
use crate::{
    chance::Chance,
    migration::history::{Asked, Exchange, History, Told},
};

fn shows_own(it: &Exchange) -> bool {
    it.succeeded()
        && matches!(
            (&it.asked, &it.answer.told),
            (Asked::Movie { .. }, Told::Movie { .. })
        )
}

pub(super) fn not_found(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, shows_own);
    found.is_some_and(|it| {
        it.answer.status = 404;
        it.answer.told = Told::Nothing;
        true
    })
}

pub(super) fn read_another(history: &mut History, chance: &mut Chance) -> bool {
    match pick(history, chance, shows_own).map(|it| &mut it.answer.told) {
        Some(Told::Movie { title, .. }) => {
            title.push('?');
            true
        }
        _ => false,
    }
}

pub(super) fn not_listed(history: &mut History, chance: &mut Chance) -> bool {
    let has_own = |it: &Exchange| matches!(&it.answer.told, Told::Movies(all) if !all.is_empty());
    match pick(history, chance, has_own).map(|it| &mut it.answer.told) {
        Some(Told::Movies(all)) => all.pop_first().is_some(),
        _ => false,
    }
}

fn shows_booking(it: &Exchange) -> bool {
    it.succeeded() && matches!(it.asked, Asked::Booking { .. })
}

pub(super) fn no_booking(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, shows_booking);
    found.is_some_and(|it| {
        it.answer.status = 404;
        it.answer.told = Told::Nothing;
        true
    })
}

pub(super) fn old_booking(history: &mut History, chance: &mut Chance) -> bool {
    match pick(history, chance, shows_booking).map(|it| &mut it.answer.told) {
        Some(Told::Booking { state, .. }) => {
            "STATE_EXPIRED".clone_into(state);
            true
        }
        _ => false,
    }
}

pub(super) fn failure(history: &mut History, chance: &mut Chance) -> bool {
    let found = undisturbed(history, chance);
    found.is_some_and(|index| {
        history.exchanges[index].answer.status = 503;
        true
    })
}

pub(super) fn no_answer(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, Exchange::succeeded);
    found.is_some_and(|it| {
        it.answer.status = 0;
        it.answer.complete = false;
        true
    })
}

pub(super) fn cut_off(history: &mut History, chance: &mut Chance) -> bool {
    let found = undisturbed(history, chance);
    found.is_some_and(|index| {
        history.exchanges[index].answer.complete = false;
        true
    })
}

fn in_flight(it: &Exchange) -> bool {
    matches!(it.asked, Asked::Create { .. }) && matches!(it.answer.status, 502 | 503)
}

pub(super) fn dishonest(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, in_flight);
    found.is_some_and(|it| {
        it.answer.status = 500;
        true
    })
}

pub(super) fn failed_read(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, in_flight);
    found.is_some_and(|it| {
        it.asked = Asked::Movies;
        true
    })
}
