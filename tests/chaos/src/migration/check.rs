//! What is wrong with a history: a pure function, which knows nothing of how the history came about.
//!
//! - `failures`: no request fails, except where nobody could have done better
//! - `reads`: every subject finds what it was told that it had written
//! - `sides`: nobody moves back while the percentage rises, the way down follows the policy, gateways decide alike
//! - `pins`: whoever is kept with a side has written there a moment before, and was given a pin for it
//! - `end`: nothing acknowledged is missing on either side, nothing was done twice, both sides are equal

mod end;
mod failures;
pub(super) mod pins;
mod reads;
mod sides;

use std::{collections::BTreeMap, fmt};

use super::history::{Exchange, History, Outage, Side};

/// A service that answers the operator again may have closed the connection of somebody else just then.
const AFTER_OUTAGE_US: u64 = 1_000_000;

/// What came out.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Requests of clients.
    pub requests: u64,
    /// Those that failed without an excuse.
    pub failed: u64,
    /// Those that failed where nobody could have done better, by why.
    pub excused: BTreeMap<Excuse, u64>,
    /// What was acknowledged and is missing.
    pub lost_writes: u64,
    /// Subjects seen on gRPC, and later on legacy, while the percentage did not fall.
    pub moved_back: u64,
    /// Reads that did not show what the subject had written before.
    pub stale_own_reads: u64,
    /// The longest time between a change's answer and the last decision by what was before.
    pub in_force_us: u64,
    /// The longest that a pin was heard beyond its own time.
    pub pin_over_us: u64,
    /// Everything that is wrong, for people.
    pub violations: Vec<String>,
}

/// Why a failure is nobody's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// A create was in flight to the side that was killed; nobody knows whether it happened.
    InFlight,
    /// The monolith, which alone can give a new movie its id, was down.
    NoIds,
}

impl Excuse {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::InFlight, Self::NoIds];
}

impl fmt::Display for Excuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InFlight => "a create in flight to the side that was killed",
            Self::NoIds => "a create while the monolith was down",
        })
    }
}

/// What a kill has met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Creates in flight to the side that was killed.
    pub creates: u64,
    /// Those of them that were told so, with 502 or 503.
    pub told: u64,
    /// Those that were done all the same, by that side or by the other one.
    pub done: u64,
}

/// What was in flight when a process was killed.
#[must_use]
pub fn met(history: &History, outage: &Outage) -> Met {
    let mut met = Met::default();
    for it in &history.exchanges {
        let decision = history.decisions.get(&it.request_id);
        // Where legacy answered in the end, gRPC had been asked.
        let asked = decision.map(|it| if it.fell_back { Side::Grpc } else { it.side });
        if it.is_create() && it.was_in_flight_at(outage) && asked == Some(outage.side) {
            met.creates += 1;
            met.told += u64::from(it.is_honest_failure());
            met.done += u64::from(it.succeeded());
        }
    }
    met
}

/// Judges a history.
#[must_use]
pub fn check(history: &History) -> Verdict {
    let mut verdict = Verdict {
        requests: history.exchanges.len() as u64,
        ..Verdict::default()
    };
    let subjects = by_subject(history);
    failures::check(history, &mut verdict);
    for of_one in subjects.values() {
        reads::check(of_one, &mut verdict);
    }
    sides::check(history, &subjects, &mut verdict);
    end::check(history, &mut verdict);
    verdict
}

impl Verdict {
    fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }
}

/// Each subject's exchanges, in the order in which it has asked.
type Subjects<'a> = BTreeMap<&'a str, Vec<&'a Exchange>>;

fn by_subject(history: &History) -> Subjects<'_> {
    let mut subjects = Subjects::new();
    for it in &history.exchanges {
        subjects.entry(&it.subject).or_default().push(it);
    }
    for of_one in subjects.values_mut() {
        of_one.sort_by_key(|it| it.sent_us);
    }
    subjects
}

/// Whether an outage may have been felt by an exchange, at its latest by a connection that was closed just after it.
pub(super) fn is_near(it: &Exchange, outage: &Outage) -> bool {
    outage.killed_us <= it.ended_us && it.sent_us <= outage.back_us + AFTER_OUTAGE_US
}

/// An exchange, for people.
fn named(it: &Exchange) -> String {
    format!(
        "{} of {} at gateway {} ({:?}, sent {} ms, {} ms later {}{})",
        it.request_id,
        it.subject,
        it.gateway,
        it.asked,
        it.sent_us / 1_000,
        (it.ended_us - it.sent_us) / 1_000,
        it.answer.status,
        if it.answer.complete { "" } else { ", cut off" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chance::Chance,
        migration::{
            doctor,
            history::{Answer, Asked},
        },
    };

    #[test]
    fn a_sound_history_is_sound() {
        let verdict = check(&doctor::sound());
        assert_eq!(verdict.violations, Vec::<String>::new());
        assert_eq!(verdict.excused.len(), Excuse::ALL.len(), "{verdict:?}");
    }

    #[test]
    fn whatever_is_doctored_is_caught_by_the_figure_that_it_is_about() {
        for seed in 0..200 {
            let caught = doctor::all_caught(&doctor::sound(), &mut Chance::new(seed)).unwrap();
            assert!(caught >= 60, "{caught} with seed {seed}");
        }
    }

    #[test]
    fn a_kill_is_told_what_it_has_met() {
        let history = doctor::sound();
        let met: Vec<Met> = history.outages.iter().map(|it| met(&history, it)).collect();
        let (creates, told, done) = (2, 1, 1);
        assert_eq!(
            met[0],
            Met {
                creates,
                told,
                done
            }
        );
    }

    #[test]
    fn a_kill_excuses_only_what_was_in_flight_to_its_side() {
        let mut history = doctor::sound();
        // A read may always be asked again.
        let mut read = history.exchanges[0].clone();
        read.asked = Asked::Movies;
        read.sent_us = history.outages[0].killed_us - 10;
        read.ended_us = history.outages[0].gone_us + 10;
        read.answer = Answer {
            status: 502,
            complete: true,
            side: Some(history.outages[0].side),
            ..Answer::default()
        };
        read.request_id = "another".to_owned();
        history.exchanges.push(read);
        let verdict = check(&history);
        assert_eq!(verdict.failed, 1, "{verdict:?}");
    }
}
