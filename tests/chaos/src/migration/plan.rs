//! What the operator does, step by step: 0 to 100 per cent and back in steps of 10 (of 20 in the short form), and what is
//! killed at which of them. On the way up legacy answers for gRPC, on the way down it does not: then a gRPC service that is
//! away has to be waited for.

use std::{fmt, ops::Range, time::Duration};

use super::history::Side;
use crate::{chance::Chance, plan::Form};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) percent: u16,
    /// Whether legacy answers for gRPC meanwhile.
    pub(super) fallback: bool,
    /// What is killed while it lasts.
    pub(super) kill: Option<Kill>,
    /// How long it lasts.
    pub(super) lasts: Duration,
}

/// A `kill -9`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kill {
    pub(super) side: Side,
    /// How long after many have begun to create something.
    pub(super) after: Duration,
    /// How long the process stays away before it is started again.
    pub(super) away: Duration,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.percent)?;
        match self.kill.map(|kill| kill.side) {
            Some(Side::Grpc) => write!(f, ", kill -9 of the gRPC service"),
            Some(Side::Legacy) => write!(f, ", kill -9 of the monolith"),
            None => Ok(()),
        }
    }
}

/// Up and down again. The gRPC service is killed on the way up and on the way down, the monolith somewhere in between, while
/// both sides have somebody to serve.
pub(super) fn plan(form: Form, chance: &mut Chance) -> Vec<Step> {
    let by = match form {
        Form::Short => 20,
        Form::Long => 10,
    };
    let up = (0..=100).step_by(by).map(|percent| (percent, true));
    let down = (0..100).step_by(by).rev().map(|percent| (percent, false));
    let mut steps: Vec<Step> = up
        .chain(down)
        .map(|(percent, fallback)| Step {
            percent,
            fallback,
            kill: None,
            lasts: lasts(form, chance),
        })
        .collect();
    // One of the steps, counted as if all were of 10.
    let mut kill = |from: u64, until: u64, side: Side| {
        let at = usize::try_from(chance.between(from..until)).unwrap_or(0) * 10 / by;
        let kill = Kill {
            side,
            after: Duration::from_millis(chance.between(after_ms(side))),
            away: Duration::from_millis(chance.between(away_ms(form))),
        };
        if let Some(step) = steps.get_mut(at) {
            step.kill = Some(kill);
        }
    };
    kill(4, 6, Side::Grpc);
    kill(6, 10, Side::Legacy);
    kill(12, 17, Side::Grpc);
    steps
}

/// Less than a create takes.
fn after_ms(side: Side) -> Range<u64> {
    match side {
        // The service asks the monolith first.
        Side::Grpc => 2..12,
        Side::Legacy => 1..5,
    }
}

fn away_ms(form: Form) -> Range<u64> {
    match form {
        Form::Short => 200..500,
        Form::Long => 2_000..3_000,
    }
}

fn lasts(form: Form, chance: &mut Chance) -> Duration {
    Duration::from_millis(match form {
        Form::Short => chance.between(100..300),
        Form::Long => chance.between(8_000..12_000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_ten_is_taken_and_both_sides_are_killed_while_they_serve() {
        for seed in 0..100 {
            let plan = plan(Form::Long, &mut Chance::new(seed));
            let percents: Vec<u16> = plan.iter().map(|it| it.percent).collect();
            assert_eq!((percents.len(), percents[10]), (21, 100));
            let by_ten = |pair: &[u16]| pair[0].abs_diff(pair[1]) == 10;
            assert!(percents.windows(2).all(by_ten), "{percents:?}");
            let kills: Vec<_> = plan.iter().filter(|it| it.kill.is_some()).collect();
            let of = |side| move |it: &&&Step| it.kill.is_some_and(|kill| kill.side == side);
            let count = |side| kills.iter().filter(of(side)).count();
            assert_eq!(
                (count(Side::Grpc), count(Side::Legacy)),
                (2, 1),
                "{kills:?}"
            );
            let served = |it: &&Step| it.percent > 0 && it.percent < 100;
            assert!(kills.iter().all(served), "{kills:?}");
            let modes: Vec<_> = kills
                .iter()
                .filter(of(Side::Grpc))
                .map(|it| it.fallback)
                .collect();
            assert_eq!(modes, [true, false], "{kills:?}");
        }
    }
}
