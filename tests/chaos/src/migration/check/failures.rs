//! No request fails, except where nobody could have done better: a create in flight to the side that is killed may have
//! happened, so that nobody may repeat it; one that needs an id of the monolith cannot be done while that is down. Both
//! are told so, with 502 or 503. Everything else can be asked again or elsewhere, and so it must be; only what the
//! client holds the beginning of cannot.

use super::{Excuse, Verdict, named};
use crate::migration::history::{Asked, Exchange, History, Outage, Side};

pub(super) fn check(history: &History, verdict: &mut Verdict) {
    for it in history.exchanges.iter().filter(|it| !it.succeeded()) {
        // Not found is no failure of the request; it is judged as a read.
        if it.answer.status == 404 && it.answer.complete {
            continue;
        }
        if let Some(excuse) = excuse(it, &history.outages) {
            *verdict.excused.entry(excuse).or_default() += 1;
        } else {
            verdict.failed += 1;
            verdict.violation(format!(
                "failed without an excuse: {}: {}",
                named(it),
                it.answer.error
            ));
        }
    }
}

fn excuse(it: &Exchange, outages: &[Outage]) -> Option<Excuse> {
    let of_side = |outage: &&Outage| it.answer.side.is_none_or(|side| side == outage.side);
    let mut killed = outages
        .iter()
        .filter(|outage| it.sent_us <= outage.gone_us && outage.killed_us <= it.ended_us);
    if it.answer.status == 200 && !it.answer.complete {
        return killed
            .any(|outage| of_side(&outage))
            .then_some(Excuse::AnswerBegun);
    }
    let is_honest = it.answer.complete && matches!(it.answer.status, 502 | 503);
    if !is_honest || !matches!(it.asked, Asked::Create { .. }) {
        return None;
    }
    if killed.any(|outage| of_side(&outage)) {
        return Some(Excuse::InFlight);
    }
    let mut no_ids = outages.iter().filter(|outage| {
        outage.side == Side::Legacy
            && it.sent_us <= outage.back_us
            && outage.killed_us <= it.ended_us
    });
    no_ids.next().map(|_| Excuse::NoIds)
}
