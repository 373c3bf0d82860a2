//! Who decided what: by the percentage of the version that the gateway says it went by, the same at both gateways, soon
//! after every change; and nobody back to legacy while the percentage rises. A pin to legacy has to rest on a write
//! there, and legacy may answer for gRPC only while that is down.

use std::collections::BTreeMap;

use super::{Subjects, Verdict, is_near, named};
use crate::migration::history::{Asked, Change, Decision, Exchange, History, Side};

/// A change is in force everywhere after this long.
const IN_FORCE_US: u64 = 1_000_000;
/// How long a pin holds by itself, and what clocks and roads may add.
const PIN_US: u64 = 31_000_000;
/// After an outage it takes this long until every gateway knows that the follower has passed a write.
const PASSED_US: u64 = 10_000_000;

pub(super) fn check(history: &History, subjects: &Subjects<'_>, verdict: &mut Verdict) {
    let changes: BTreeMap<u64, &Change> =
        history.changes.iter().map(|it| (it.version, it)).collect();
    for of_one in subjects.values() {
        let mut seen = Seen::default();
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
            if let Some(change) = changes.get(&decision.version) {
                exchange.by_percentage(change, verdict);
            }
            exchange.may_be_pinned(&seen, history, verdict);
            exchange.may_fall_back(history, verdict);
            seen.look(&exchange, &history.changes, verdict);
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

    /// A pin may rest on an older write for as long as the follower could not know of it: a side was down.
    fn may_be_pinned(&self, seen: &Seen, history: &History, verdict: &mut Verdict) {
        let written = match self.decision.side {
            Side::Legacy => seen.wrote_on_legacy_us,
            Side::Grpc => seen.wrote_on_grpc_us,
        };
        let sent_us = self.it.sent_us;
        let is_fresh = written.is_some_and(|at| sent_us <= at + PIN_US);
        let is_kept = written.is_some_and(|at| {
            history.outages.iter().any(|outage| {
                at <= outage.back_us
                    && outage.killed_us <= at + PIN_US
                    && sent_us <= outage.back_us + PASSED_US
            })
        });
        if self.decision.reason == "pin" && !is_fresh && !is_kept {
            verdict.violation(format!("pinned without a write there: {}", named(self.it)));
        }
    }

    fn may_fall_back(&self, history: &History, verdict: &mut Verdict) {
        let mut outages = history.outages.iter();
        let is_down = outages.any(|outage| outage.side == Side::Grpc && is_near(self.it, outage));
        if self.decision.fell_back && !is_down {
            verdict.violation(format!("fell back without an outage: {}", named(self.it)));
        }
    }
}

/// What was seen of a subject so far.
#[derive(Default)]
struct Seen {
    bucket: Option<u16>,
    /// When it was sent to gRPC by the percentage: when it asked, the last time.
    on_grpc_us: Option<u64>,
    wrote_on_legacy_us: Option<u64>,
    wrote_on_grpc_us: Option<u64>,
}

impl Seen {
    fn look(&mut self, decided: &Decided<'_>, changes: &[Change], verdict: &mut Verdict) {
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
                if decision.reason != "pin" && moved {
                    verdict.moved_back += 1;
                    verdict.violation(format!("moved back: {}", named(it)));
                    self.on_grpc_us = None;
                }
            }
        }
        if matches!(it.asked, Asked::Create { .. }) && it.succeeded() {
            match decision.side {
                Side::Legacy => self.wrote_on_legacy_us = Some(it.ended_us),
                Side::Grpc => self.wrote_on_grpc_us = Some(it.ended_us),
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
