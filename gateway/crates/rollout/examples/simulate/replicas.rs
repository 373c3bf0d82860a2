//! How what replicas counted comes to the one that decides: late, with gaps, and to another one now and then.
//!
//! As in the gateway: every replica writes its windows to the store, the decider reads those of a time once they have had
//! [`ARRIVAL`] to arrive and adds them up; what comes later is lost. The analysis is written down, and read again by
//! whoever decides next.

use super::{
    Analysis, Window,
    traffic::{Chance, mix},
};

/// A window is read so many windows after it ended.
const ARRIVAL: u64 = 2;
/// The share of windows that come late.
const LATE: f64 = 0.1;
/// The share of windows that come too late to be read.
const TOO_LATE: f64 = 0.02;
/// How likely a replica loses sight of the store in a window, and for how many.
const AWAY: (f64, u64) = (0.002, 30);
/// Another replica decides after about so many windows.
const TERM: f64 = 200.0;

/// The replicas, and what they have written that was not read yet.
pub(crate) struct Replicas {
    /// What share of the requests comes to the first, to the first two, ..
    shares: Vec<f64>,
    /// Whether a subject always comes to the same replica.
    by_subject: bool,
    away_until: Vec<u64>,
    written: Vec<Written>,
}

struct Written {
    number: u64,
    arrives: u64,
    window: Window,
}

impl Replicas {
    /// So many, with uneven shares. One alone is never late.
    pub(crate) fn new(count: usize, chance: &mut Chance) -> Self {
        let parts: Vec<f64> = (0..count).map(|_| 0.2 + chance.unit()).collect();
        let total: f64 = parts.iter().sum();
        let mut sum = 0.0;
        let shares = parts.iter().map(|part| {
            sum += part / total;
            sum
        });
        Self {
            shares: shares.collect(),
            by_subject: count > 1 && chance.unit() < 0.5,
            away_until: vec![0; count],
            written: Vec::new(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.shares.len()
    }

    /// Who answers a request of this subject.
    pub(crate) fn of(&self, subject: usize, chance: &mut Chance) -> usize {
        if self.count() == 1 {
            return 0;
        }
        let place = match self.by_subject {
            true => mix(chance.seed ^ mix(subject as u64)) as f64 / u64::MAX as f64,
            false => chance.unit(),
        };
        let found = self.shares.iter().position(|share| place < *share);
        found.unwrap_or(self.count() - 1)
    }

    /// All write what they counted, as far as they can.
    pub(crate) fn write(&mut self, number: u64, windows: Vec<Window>, chance: &mut Chance) {
        let is_one = windows.len() == 1;
        for (window, away_until) in windows.into_iter().zip(&mut self.away_until) {
            let mut late = 0;
            if !is_one {
                if chance.unit() < AWAY.0 {
                    *away_until = number + AWAY.1;
                }
                late = match chance.unit() {
                    _ if number < *away_until => continue,
                    luck if luck < TOO_LATE => ARRIVAL + 1,
                    luck if luck < LATE => 1,
                    _ => 0,
                };
            }
            self.written.push(Written {
                number,
                arrives: number + late,
                window,
            });
        }
    }

    /// What the decider reads after the window of this number: everything of an earlier one that has arrived.
    pub(crate) fn read(&mut self, number: u64) -> Option<Window> {
        let due = number.checked_sub(ARRIVAL)?;
        let due = self.written.extract_if(.., |written| written.number <= due);
        due.filter(|written| written.arrives <= number)
            .map(|written| written.window)
            .reduce(|mut sum, more| {
                // Of another percentage it does not count, as in the gateway.
                sum.merge(&more).ok();
                sum
            })
    }

    /// The analysis, as the one finds it who decides from now on.
    pub(crate) fn hand_over(&self, analysis: Analysis, chance: &mut Chance) -> Analysis {
        if self.count() == 1 || chance.unit() * TERM > 1.0 {
            return analysis;
        }
        let text = serde_json::to_string(&analysis);
        text.and_then(|text| serde_json::from_str(&text))
            .unwrap_or_else(|error| unreachable!("what was written down can be read: {error}"))
    }
}
