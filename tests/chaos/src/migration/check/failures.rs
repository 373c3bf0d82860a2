//! No request fails, except where nobody could have done better: a create in flight to the side that is killed may have
//! happened, so that nobody may repeat it; one that needs an id of the monolith cannot be done while that is down. Both
//! are told so, with 502 or 503, whole. Everything else can be asked again or elsewhere, and so it must be: reads, however
//! much of their answer had come, and bookings, which carry a request id.

use super::{Excuse, Verdict, named};
use crate::migration::history::{Asked, Decision, Exchange, History, Outage, Side};

pub(super) fn check(history: &History, verdict: &mut Verdict) {
    for it in history.exchanges.iter().filter(|it| !it.succeeded()) {
        // Not found is no failure of the request; it is judged as a read.
        let reads_one = matches!(it.asked, Asked::Movie { .. } | Asked::Booking { .. });
        if reads_one && it.answer.status == 404 && it.answer.complete {
            continue;
        }
        let decision = history.decisions.get(&it.request_id);
        if let Some(excuse) = excuse(it, decision, &history.outages) {
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

fn excuse(it: &Exchange, decision: Option<&Decision>, outages: &[Outage]) -> Option<Excuse> {
    if !it.is_create() || !it.is_honest_failure() {
        return None;
    }
    let side = decision?.side;
    let killed = |outage: &Outage| outage.side == side && it.was_in_flight_at(outage);
    if outages.iter().any(killed) {
        return Some(Excuse::InFlight);
    }
    let no_ids = |outage: &Outage| {
        outage.side == Side::Legacy
            && it.sent_us <= outage.back_us
            && outage.killed_us <= it.ended_us
    };
    outages.iter().any(no_ids).then_some(Excuse::NoIds)
}
