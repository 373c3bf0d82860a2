//! What the operator does, step by step: 0 to 100 per cent and back in steps of 10 (of 20 in the short form), and what is
//! killed at which of them.

use std::{fmt, time::Duration};

use super::history::Side;
use crate::{chance::Chance, plan::Form};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) percent: u16,
    /// What is killed while it lasts, and for how long it stays away.
    pub(super) kill: Option<(Side, Duration)>,
    /// How long it lasts.
    pub(super) lasts: Duration,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.percent)?;
        match self.kill {
            Some((Side::Grpc, _)) => write!(f, ", kill -9 of the gRPC service"),
            Some((Side::Legacy, _)) => write!(f, ", kill -9 of the monolith"),
            None => Ok(()),
        }
    }
}

/// Up and down again. The gRPC service is killed on the way up, and in the long form on the way down too; the monolith
/// somewhere in between, while both sides have somebody to serve.
pub(super) fn plan(form: Form, chance: &mut Chance) -> Vec<Step> {
    let by = match form {
        Form::Short => 20,
        Form::Long => 10,
    };
    let up = (0..=100).step_by(by);
    let down = (0..100).step_by(by).rev();
    let mut steps: Vec<Step> = up
        .chain(down)
        .map(|percent| Step {
            percent,
            kill: None,
            lasts: lasts(form, chance),
        })
        .collect();
    // One of the steps, counted as if all were of 10.
    let mut kill = |from: u64, until: u64, side: Side| {
        let at = usize::try_from(chance.between(from..until)).unwrap_or(0) * 10 / by;
        let away = Duration::from_millis(chance.between(300..800));
        if let Some(step) = steps.get_mut(at) {
            step.kill = Some((side, away));
        }
    };
    kill(4, 6, Side::Grpc);
    kill(6, 10, Side::Legacy);
    if form == Form::Long {
        kill(12, 17, Side::Grpc);
    }
    steps
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
            let kills = plan.iter().filter_map(|it| Some((it.percent, it.kill?.0)));
            let kills: Vec<_> = kills.collect();
            let of = |side| kills.iter().filter(|it| it.1 == side).count();
            assert_eq!((of(Side::Grpc), of(Side::Legacy)), (2, 1), "{kills:?}");
            assert!(kills.iter().all(|it| it.0 > 0 && it.0 < 100), "{kills:?}");
        }
    }
}
