//! Wrong in what a client was answered: reads that do not show what was written, failures that nothing explains.

use super::{pick, undisturbed};
use crate::{
    chance::Chance,
    migration::{
        check::is_near,
        history::{Asked, Exchange, History, Outage, Side, Told},
    },
};

/// What a client that created something in vain must not be told: nothing, that it is done, that it was its own fault,
/// or that it failed in a way that tells nothing of a side that is down.
const DISHONEST: [u16; 7] = [0, 200, 400, 404, 409, 500, 504];

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

/// A read whose answer breaks off, also where a kill has cut its connection.
pub(super) fn cut_off(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, |it| it.succeeded() && !it.is_create());
    found.is_some_and(|it| {
        it.answer.complete = false;
        true
    })
}

/// A success that was in flight to whatever was killed, turned into a failure that is as honest as any.
pub(super) fn failed_at_kill(history: &mut History, chance: &mut Chance) -> bool {
    let outages = history.outages.clone();
    let met = |it: &Exchange| {
        let mut outages = outages.iter();
        !it.is_create() && it.succeeded() && outages.any(|outage| it.was_in_flight_at(outage))
    };
    let found = pick(history, chance, met);
    found.is_some_and(|it| {
        it.answer.status = 502;
        it.answer.told = Told::Nothing;
        true
    })
}

fn in_flight(it: &Exchange) -> bool {
    it.is_create() && it.is_honest_failure()
}

pub(super) fn dishonest(history: &mut History, chance: &mut Chance) -> bool {
    let status = chance.pick(&DISHONEST).copied().unwrap_or_default();
    let found = pick(history, chance, in_flight);
    found.is_some_and(|it| {
        it.answer.status = status;
        true
    })
}

/// An honest failure of which only the beginning has come.
pub(super) fn honest_in_part(history: &mut History, chance: &mut Chance) -> bool {
    let found = pick(history, chance, in_flight);
    found.is_some_and(|it| {
        it.answer.complete = false;
        true
    })
}

/// A create that was in flight when gRPC was killed, and failed on legacy.
pub(super) fn failed_on_the_other_side(history: &mut History, chance: &mut Chance) -> bool {
    let outages = history.outages.clone();
    let of_grpc = |it: &Exchange| {
        let decision = history.decisions.get(&it.request_id);
        let is_near = |side| move |outage: &&Outage| outage.side == side && is_near(it, outage);
        in_flight(it)
            && decision.is_some_and(|it| it.side == Side::Grpc)
            && outages.iter().any(|outage| is_near(Side::Grpc)(&outage))
            && !outages.iter().any(|outage| is_near(Side::Legacy)(&outage))
    };
    let of_grpc = history.exchanges.iter().filter(|it| of_grpc(it));
    let ids: Vec<String> = of_grpc.map(|it| it.request_id.clone()).collect();
    let Some(id) = chance.pick(&ids) else {
        return false;
    };
    history.decisions.get_mut(id).is_some_and(|decision| {
        decision.side = Side::Legacy;
        true
    })
}

/// A create in flight that becomes something else, which may be asked again.
pub(super) fn failed_read(history: &mut History, chance: &mut Chance) -> bool {
    let booking = "bookings/ada".to_owned();
    let all = [
        Asked::Movies,
        Asked::Movie { id: 1 },
        Asked::Hold,
        Asked::Booking { booking },
    ];
    let asked = chance.pick(&all).cloned();
    match (pick(history, chance, in_flight), asked) {
        (Some(it), Some(asked)) => {
            it.asked = asked;
            true
        }
        _ => false,
    }
}
