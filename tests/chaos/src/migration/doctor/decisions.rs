//! Wrong in what a gateway says that it decided.

use super::{pick, undisturbed};
use crate::{
    chance::Chance,
    migration::history::{Exchange, History, Outage, Side},
};

/// Long enough after a change that it is in force.
const LATE_US: u64 = 1_500_000;

pub(super) fn moved(history: &mut History, chance: &mut Chance) -> bool {
    moved_to_legacy(history, chance, |_| true).is_some()
}

/// The same, and the gateway calls it a pin.
pub(super) fn moved_by_pin(history: &mut History, chance: &mut Chance) -> bool {
    let id = moved_to_legacy(history, chance, |it| it.pin.is_none());
    let decision = id.and_then(|id| history.decisions.get_mut(&id));
    decision.is_some_and(|decision| {
        "pin".clone_into(&mut decision.reason);
        true
    })
}

/// Somebody who is on gRPC by the percentage, and then on legacy before it has fallen; which request that is.
fn moved_to_legacy(
    history: &mut History,
    chance: &mut Chance,
    of: impl Fn(&Exchange) -> bool,
) -> Option<String> {
    let (Some(first), Some(down)) = (
        history.changes.first().map(|change| change.began_us),
        falls(history),
    ) else {
        return None;
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
            of(it) && others.any(|other| other.subject == it.subject && other.ended_us < it.sent_us)
        })
        .map(|it| it.request_id.clone())
        .collect();
    let id = chance.pick(&again).cloned()?;
    history.decisions.get_mut(&id)?.side = Side::Legacy;
    Some(id)
}

/// When the percentage began to fall.
fn falls(history: &History) -> Option<u64> {
    let mut pairs = history.changes.windows(2);
    let pair = pairs.find(|pair| pair[1].percent < pair[0].percent)?;
    Some(pair[1].began_us)
}

/// The request of somebody who has asked more than once.
pub(super) fn other_bucket(history: &mut History, chance: &mut Chance) -> bool {
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

pub(super) fn old_version(history: &mut History, chance: &mut Chance) -> bool {
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
pub(super) fn pinned(history: &mut History, _: &mut Chance) -> bool {
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

pub(super) fn fell_back(history: &mut History, chance: &mut Chance) -> bool {
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

/// Decided when the rollout did not fall back any more, and excused by an outage.
pub(super) fn fell_back_unasked(history: &mut History, chance: &mut Chance) -> bool {
    let strict = |version: u64| {
        let mut changes = history.changes.iter();
        changes.any(|change| change.version == version && !change.fallback)
    };
    let decided = history.decisions.iter();
    let decided = decided.filter(|(_, decision)| strict(decision.version) && !decision.fell_back);
    let ids: Vec<String> = decided.map(|(id, _)| id.clone()).collect();
    let Some(id) = chance.pick(&ids) else {
        return false;
    };
    let asked = history.exchanges.iter().find(|it| it.request_id == *id);
    let (Some(it), Some(decision)) = (asked, history.decisions.get_mut(id)) else {
        return false;
    };
    decision.fell_back = true;
    history.outages.push(Outage {
        side: Side::Grpc,
        killed_us: it.sent_us,
        gone_us: it.sent_us,
        back_us: it.sent_us,
    });
    true
}

pub(super) fn other_side(history: &mut History, chance: &mut Chance) -> bool {
    let told = |it: &Exchange| it.is_of_movies() && it.answer.side.is_some();
    let found = pick(history, chance, told);
    let found = found.and_then(|it| it.answer.side.as_mut());
    found.is_some_and(|side| {
        *side = match side {
            Side::Legacy => Side::Grpc,
            Side::Grpc => Side::Legacy,
        };
        true
    })
}

pub(super) fn not_logged(history: &mut History, chance: &mut Chance) -> bool {
    let answered = |it: &Exchange| it.is_of_movies() && it.succeeded();
    let Some(id) = pick(history, chance, answered).map(|it| it.request_id.clone()) else {
        return false;
    };
    history.decisions.remove(&id).is_some()
}
