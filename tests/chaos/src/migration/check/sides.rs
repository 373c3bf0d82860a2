//! Who decided what: by the percentage of the version that the gateway says it went by, the same at both gateways, soon
//! after every change; and nobody back to legacy while the percentage rises, except by a lawful pin (`pins`). Legacy may
//! answer for gRPC only while that is down, and where the rollout says so.

use std::collections::BTreeMap;

use super::{Subjects, Verdict, is_near, named, pins::Pins};
use crate::migration::history::{Change, Decision, Exchange, History, Side};

/// A change is in force everywhere after this long.
const IN_FORCE_US: u64 = 1_000_000;

pub(super) fn check(history: &History, subjects: &Subjects<'_>, verdict: &mut Verdict) {
    let changes: BTreeMap<u64, &Change> =
        history.changes.iter().map(|it| (it.version, it)).collect();
    for of_one in subjects.values() {
        let (mut seen, mut pins) = (Seen::default(), Pins::default());
        for it in of_one.iter().filter(|it| it.is_of_movies()) {
            let Some(decision) = history.decisions.get(&it.request_id) else {
                if it.answer.status != 0 {
                    verdict.violation(format!("not in the access log: {}", named(it)));
                }
                continue;
            };
            let exchange = Decided { it, decision };
            exchange.is_told_as_it_was(verdict);
            exchange.in_force(&history.changes, verdict);
            let change = changes.get(&decision.version).copied();
            if let Some(change) = change {
                exchange.by_percentage(change, verdict);
            }
            let is_pinned = exchange.is_lawfully_pinned(&pins, history, verdict);
            exchange.may_fall_back(change, history, verdict);
            seen.look(&exchange, is_pinned, &history.changes, verdict);
            pins.look(it, decision, verdict);
        }
    }
}

/// An exchange and what its gateway says of it.
struct Decided<'a> {
    it: &'a Exchange,
    decision: &'a Decision,
}

impl Decided<'_> {
    /// By the percentage, rather than by a pin or a stage.
    fn is_by_percentage(&self) -> bool {
        self.decision.reason == "percent"
    }

    /// The side that was decided, also where the other one answered in the end.
    fn side(&self) -> Side {
        match self.decision.fell_back {
            true => Side::Grpc,
            false => self.decision.side,
        }
    }

    fn is_told_as_it_was(&self, verdict: &mut Verdict) {
        let told = self.it.answer.side;
        if told.is_some() && told != Some(self.decision.side) {
            verdict.violation(format!("the log tells another side: {}", named(self.it)));
        }
    }

    fn in_force(&self, changes: &[Change], verdict: &mut Verdict) {
        let late = changes
            .iter()
            .filter(|change| change.version > self.decision.version)
            .map(|change| self.it.sent_us.saturating_sub(change.ended_us))
            .max();
        let late = late.unwrap_or_default();
        verdict.in_force_us = verdict.in_force_us.max(late);
        if late > IN_FORCE_US {
            verdict.violation(format!(
                "decided by what was {} ms before: {}",
                late / 1_000,
                named(self.it)
            ));
        }
    }

    fn by_percentage(&self, change: &Change, verdict: &mut Verdict) {
        let is_below = u32::from(self.decision.bucket) < u32::from(change.percent) * 100;
        let wanted = match is_below {
            true => Side::Grpc,
            false => Side::Legacy,
        };
        if self.is_by_percentage() && self.side() != wanted {
            verdict.violation(format!(
                "bucket {} at {} % is not {wanted:?}'s: {}",
                self.decision.bucket,
                change.percent,
                named(self.it)
            ));
        }
    }

    /// A pin that nothing explains is no excuse, and is wrong itself.
    fn is_lawfully_pinned(
        &self,
        pins: &Pins<'_>,
        history: &History,
        verdict: &mut Verdict,
    ) -> bool {
        if self.decision.reason != "pin" {
            return false;
        }
        let explained = pins.explain(self.it, self.decision, &history.outages);
        if let Err(why) = explained {
            verdict.violation(format!("pinned unlawfully, {why}: {}", named(self.it)));
        }
        let until_us = self.it.pin.as_ref().map(|pin| pin.until_us);
        let over_us = until_us.map(|until_us| self.it.sent_us.saturating_sub(until_us));
        verdict.pin_over_us = verdict.pin_over_us.max(over_us.unwrap_or_default());
        explained.is_ok()
    }

    fn may_fall_back(&self, change: Option<&Change>, history: &History, verdict: &mut Verdict) {
        if !self.decision.fell_back {
            return;
        }
        let mut outages = history.outages.iter();
        if !outages.any(|outage| outage.side == Side::Grpc && is_near(self.it, outage)) {
            verdict.violation(format!("fell back without an outage: {}", named(self.it)));
        }
        if change.is_some_and(|change| !change.fallback) {
            verdict.violation(format!("fell back against the rollout: {}", named(self.it)));
        }
    }
}

/// What was seen of a subject so far.
#[derive(Default)]
struct Seen {
    bucket: Option<u16>,
    /// When it was sent to gRPC by the percentage: when it asked, the last time.
    on_grpc_us: Option<u64>,
}

impl Seen {
    fn look(
        &mut self,
        decided: &Decided<'_>,
        is_pinned: bool,
        changes: &[Change],
        verdict: &mut Verdict,
    ) {
        let (it, decision) = (decided.it, decided.decision);
        let bucket = *self.bucket.get_or_insert(decision.bucket);
        if bucket != decision.bucket {
            verdict.violation(format!(
                "bucket {bucket} became {}: {}",
                decision.bucket,
                named(it)
            ));
        }
        match decided.side() {
            Side::Grpc => self.on_grpc_us = Some(it.sent_us),
            Side::Legacy => {
                let since = self.on_grpc_us;
                let moved = since.is_some_and(|since| !fell(changes, since, it.ended_us));
                if !is_pinned && moved {
                    verdict.moved_back += 1;
                    verdict.violation(format!("moved back: {}", named(it)));
                    self.on_grpc_us = None;
                }
            }
        }
    }
}

/// Whether the percentage may have fallen between two moments, somewhere.
fn fell(changes: &[Change], from_us: u64, until_us: u64) -> bool {
    changes.windows(2).any(|pair| {
        let is_lower = pair[1].percent < pair[0].percent || pair[1].stage != "split";
        is_lower && pair[1].began_us <= until_us && from_us <= pair[1].ended_us + IN_FORCE_US
    })
}
