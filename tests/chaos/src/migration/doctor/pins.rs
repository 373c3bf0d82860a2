//! Wrong in what pins explain: nobody gave them, not for a write, to another side, or their time is over.

use super::pick;
use crate::{
    chance::Chance,
    migration::{
        check::pins::PASSED_US,
        history::{Exchange, History, Pin, Side},
    },
};

/// So long after a write nothing speaks for its pin any more, if that has no time of its own.
const LATER_US: u64 = PASSED_US + 10_000;

/// A request that was decided by a pin.
fn pinned<'a>(history: &'a mut History, chance: &mut Chance) -> Option<&'a mut Exchange> {
    pinned_and(history, chance, |_| true)
}

fn pinned_and<'a>(
    history: &'a mut History,
    chance: &mut Chance,
    of: impl Fn(&Exchange) -> bool,
) -> Option<&'a mut Exchange> {
    let decisions = history.decisions.clone();
    let by_pin = |it: &Exchange| {
        let decision = decisions.get(&it.request_id);
        decision.is_some_and(|decision| decision.reason == "pin") && of(it)
    };
    pick(history, chance, by_pin)
}

/// Changes a pin in the hands of its subject, as if it had been given so.
fn everywhere(history: &mut History, text: &str, change: impl Fn(&mut Pin)) {
    for it in &mut history.exchanges {
        let pins = [&mut it.pin, &mut it.answer.pin];
        for pin in pins.into_iter().flatten().filter(|pin| pin.text == text) {
            change(pin);
        }
    }
}

pub(super) fn not_carried(history: &mut History, chance: &mut Chance) -> bool {
    pinned(history, chance).is_some_and(|it| it.pin.take().is_some())
}

/// The write that it was given with has given none.
pub(super) fn not_given(history: &mut History, chance: &mut Chance) -> bool {
    let pin = pinned(history, chance).and_then(|it| it.pin.clone());
    let Some(pin) = pin else { return false };
    let mut given = history.exchanges.iter_mut();
    let given = given.find(|it| it.answer.pin.as_ref() == Some(&pin));
    given.is_some_and(|it| it.answer.pin.take().is_some())
}

/// Given with a write of somebody else.
pub(super) fn of_another(history: &mut History, chance: &mut Chance) -> bool {
    let carried =
        pinned(history, chance).and_then(|it| Some((it.subject.clone(), it.pin.clone()?)));
    let Some((subject, pin)) = carried else {
        return false;
    };
    let mut given = history.exchanges.iter_mut();
    let given = given.find(|it| it.subject == subject && it.answer.pin.as_ref() == Some(&pin));
    given.is_some_and(|it| {
        it.subject.push('?');
        true
    })
}

pub(super) fn over(history: &mut History, chance: &mut Chance) -> bool {
    let is_later = |it: &Exchange| {
        let since = it.pin.as_ref().and_then(|pin| pin.since_us);
        since.is_some_and(|since| it.sent_us > since + LATER_US)
    };
    let text = pinned_and(history, chance, is_later).and_then(|it| Some(it.pin.clone()?.text));
    let Some(text) = text else { return false };
    // It could have waited for them.
    history.outages.clear();
    everywhere(history, &text, |pin| {
        pin.until_us = pin.since_us.unwrap_or_default() + 1;
    });
    true
}

pub(super) fn to_the_other_side(history: &mut History, chance: &mut Chance) -> bool {
    let pin = pinned(history, chance).and_then(|it| it.pin.clone());
    let Some(pin) = pin else { return false };
    everywhere(history, &pin.text, |pin| {
        pin.side = match pin.side {
            Side::Legacy => Side::Grpc,
            Side::Grpc => Side::Legacy,
        };
    });
    true
}

/// Given with a read.
pub(super) fn without_a_write(history: &mut History, chance: &mut Chance) -> bool {
    let pin = pinned(history, chance).and_then(|it| it.pin.clone());
    let read = |it: &Exchange| it.is_of_movies() && it.succeeded() && !it.is_create();
    match (pick(history, chance, read), pin) {
        (Some(it), Some(pin)) => {
            it.answer.pin = Some(pin);
            true
        }
        _ => false,
    }
}
