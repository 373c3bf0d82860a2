//! Wrong in the end: something is missing, another, there twice, or was changed by nobody.

use super::{created, pick};
use crate::{
    chance::Chance,
    migration::history::{Exchange, History, Told},
};

pub(super) fn lost_on_grpc(history: &mut History, chance: &mut Chance) -> bool {
    let id = created(history, chance);
    id.is_some_and(|id| history.end.grpc.remove(&id).is_some())
}

pub(super) fn lost_on_legacy(history: &mut History, chance: &mut Chance) -> bool {
    let id = created(history, chance);
    id.is_some_and(|id| history.end.legacy.remove(&id).is_some())
}

pub(super) fn another_movie(history: &mut History, chance: &mut Chance) -> bool {
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

pub(super) fn booking_lost(history: &mut History, chance: &mut Chance) -> bool {
    let told = |it: &Exchange| it.succeeded() && matches!(it.answer.told, Told::Booking { .. });
    let told = pick(history, chance, told).map(|it| it.answer.told.clone());
    let Some(Told::Booking { booking, .. }) = told else {
        return false;
    };
    history.end.bookings.remove(&booking).is_some()
}

pub(super) fn booking_undone(history: &mut History, chance: &mut Chance) -> bool {
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

pub(super) fn twice(history: &mut History, chance: &mut Chance) -> bool {
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

pub(super) fn differ(history: &mut History, chance: &mut Chance) -> bool {
    let id = created(history, chance);
    let movie = id.and_then(|id| history.end.grpc.get_mut(&id));
    movie.is_some_and(|movie| {
        movie.rest.push('?');
        true
    })
}

pub(super) fn by_nobody(history: &mut History, _: &mut Chance) -> bool {
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
