//! The checker checked: it must accept every history of a correct system and none that has been tampered with.
//!
//! - [`generate`]: random histories of a small system of its own, which shares no code with the checker's model
//! - [`large`]: one long history, to time the checker by
//! - [`mutate`]: ways in which a system can be wrong, each worked into a correct history as plausibly as possible
//! - [`chance`]: random numbers from a seed
//!
//! A check that cannot fail proves nothing; [`run`] counts that this one does.

mod chance;
mod generate;
mod large;
mod mutate;
mod server;

use crate::{check, record::History, report::Report};

pub use chance::Chance;
pub use generate::{generate, generate_calm};
pub use large::large;
pub use mutate::{MUTATIONS, Mutation};

/// What a self-test found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Correct histories that were accepted.
    pub correct_accepted: u64,
    /// Correct histories that were not, by seed, with the report.
    pub correct_rejected: Vec<(u64, String)>,
    /// Tampered histories that were caught, by mutation in the order of [`MUTATIONS`].
    pub caught: Vec<u64>,
    /// Tampered histories that were not caught, by seed, with the mutation's name.
    pub missed: Vec<(u64, &'static str)>,
}

impl Tally {
    /// Tampered histories that were caught.
    pub fn corrupted_histories_caught(&self) -> u64 {
        self.caught.iter().sum()
    }

    /// Tampered histories that were not.
    pub fn corrupted_histories_missed(&self) -> u64 {
        self.missed.len() as u64
    }

    /// Whether nothing was missed, nothing wrongly rejected and every mutation tried.
    pub fn is_good(&self) -> bool {
        self.missed.is_empty()
            && self.correct_rejected.is_empty()
            && self.caught.iter().all(|caught| *caught > 0)
    }
}

/// Checks that many correct histories from a seed on, each also once with every mutation that has a place in it.
pub fn run(seed: u64, histories: u64) -> Tally {
    let mut tally = Tally {
        caught: vec![0; MUTATIONS.len()],
        ..Tally::default()
    };
    for seed in seed..seed.saturating_add(histories) {
        let correct = generate(seed);
        let report = check(&correct);
        if report.is_clean() {
            tally.correct_accepted += 1;
        } else {
            tally.correct_rejected.push((seed, report.to_string()));
        }
        for (mutation, caught) in MUTATIONS.iter().zip(&mut tally.caught) {
            match tamper(&correct, mutation, seed) {
                Some((_, report)) if mutation.is_caught_by(&report) => *caught += 1,
                Some(_) => tally.missed.push((seed, mutation.name)),
                None => {}
            }
        }
    }
    tally
}

/// A history with a mutation at a random place, and what the checker says to it; nothing if there is no place for it.
pub fn tamper(correct: &History, mutation: &Mutation, seed: u64) -> Option<(History, Report)> {
    let mut history = correct.clone();
    // Another stream of numbers than the history's own.
    let mut chance = Chance::new(seed ^ 0x6D75_7461_7465);
    (mutation.apply)(&mut history, &mut chance)?;
    let report = check(&history);
    Some((history, report))
}
