//! Pins, by what clients hold of them. One is given with a write of the subject's own, by the side that has done it, and to
//! nobody else; a decision by a pin rests on one that the request carries, that its subject was given so, that names this
//! side and that is not over. Beyond its own time a pin to legacy holds until gateways know that the follower has passed
//! the write, which takes them a moment, or until a side that was down is back, and a moment.

use super::{Verdict, named};
use crate::migration::history::{Decision, Exchange, Outage, Pin, Side};

/// A pin tells whole milliseconds, and its time begins when the answer is written.
const ROUNDED_US: u64 = 2_000;
/// It takes at most this long until every gateway knows that the follower has passed a write, unless a side is down.
pub(in crate::migration) const PASSED_US: u64 = 10_000_000;

/// The lawful pins that one subject was given so far.
#[derive(Default)]
pub(super) struct Pins<'a>(Vec<&'a Pin>);

impl<'a> Pins<'a> {
    /// Looks at what an answer gives.
    pub(super) fn look(&mut self, it: &'a Exchange, decision: &Decision, verdict: &mut Verdict) {
        let Some(pin) = &it.answer.pin else {
            return;
        };
        let is_of_then = pin.since_us.is_none_or(|since| {
            it.sent_us <= since + ROUNDED_US && since <= it.ended_us + ROUNDED_US
        });
        let unlawful = match () {
            () if !it.is_create() || !it.succeeded() => "without a write",
            () if pin.side != decision.side => "to the side that has not done the write",
            () if !is_of_then || pin.until_us <= it.sent_us => "for another time than the write's",
            () => return self.0.push(pin),
        };
        verdict.violation(format!("given a pin {unlawful}: {}", named(it)));
    }

    /// Whether a decision by a pin is lawful.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn explain(
        &self,
        it: &Exchange,
        decision: &Decision,
        outages: &[Outage],
    ) -> Result<(), &'static str> {
        let pin = it.pin.as_ref().ok_or("it carries none")?;
        if !self.0.contains(&pin) {
            return Err("its subject was never given that one with a write");
        }
        if pin.side != decision.side {
            return Err("it names the other side");
        }
        if it.sent_us <= end(pin, outages) + ROUNDED_US {
            return Ok(());
        }
        Err("its time is over")
    }
}

/// When a pin is of no more use.
fn end(pin: &Pin, outages: &[Outage]) -> u64 {
    let Some(since_us) = pin.since_us.filter(|_| pin.side == Side::Legacy) else {
        return pin.until_us;
    };
    let known_us = pin.until_us + PASSED_US;
    let felt = |it: &&Outage| since_us <= it.back_us && it.killed_us <= known_us;
    let back = outages.iter().filter(felt).map(|it| it.back_us + PASSED_US);
    back.max().unwrap_or_default().max(known_us)
}
