//! What becomes of a percentage that nobody can be refused: a variable, a mounted file, gateway.toml.
//!
//! An operator who would send subjects to a gRPC side that lacks their data is refused and can answer. A file cannot. So
//! where one says more than is in force, and the follower has not caught up, the share stays where it is
//! ([`Position::held`]): 0 for a rollout that has just begun. It rises by itself once the follower has caught up. What
//! says less is in force at once.

use std::fmt;

use super::{Follower, Position};
use crate::{Percent, Percentages, Stage};

/// What is said about a rollout without an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Whether gradual migration is on.
    pub enabled: bool,
    /// The percentages of variable, mounted file and gateway.toml.
    pub weaker: Percentages,
}

/// The position after `was` has become `is`, or after the follower has caught up while something waited.
#[must_use]
pub fn settle(position: &Position, was: Declared, is: Declared, follower: Follower) -> Position {
    let free = Position {
        held: None,
        ..*position
    };
    let share = position.share(was);
    // Stage `grpc` has everybody; it was entered when the data were there.
    let may = position.stage != Stage::Split || follower.has_caught_up();
    if may || free.share(is) <= share {
        return free;
    }
    Position {
        held: Some(share),
        ..*position
    }
}

impl Position {
    /// Per cent of subjects that are on the gRPC side by stage and percentage; rules may send more.
    #[must_use]
    pub fn share(&self, said: Declared) -> Percent {
        match self.stage {
            _ if !said.enabled => Percent::ZERO,
            Stage::Legacy | Stage::Shadow => Percent::ZERO,
            Stage::Split if self.halted => Percent::ZERO,
            Stage::Split => self.percentages(said.weaker).in_force().0,
            Stage::Grpc => Percent::HUNDRED,
        }
    }
}

impl Follower {
    /// Whether subjects that move find their data.
    #[must_use]
    pub const fn has_caught_up(self) -> bool {
        matches!(self, Self::None | Self::Ready)
    }
}

impl fmt::Display for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nobody follows"),
            Self::Ready => f.write_str("the follower has caught up"),
            Self::Behind {
                lag_ms: Some(lag_ms),
            } => write!(f, "the follower is {lag_ms} ms behind"),
            Self::Behind { lag_ms: None } => f.write_str("the follower has not caught up"),
            Self::Unknown => f.write_str("the follower cannot be asked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEHIND: Follower = Follower::Behind { lag_ms: None };

    fn percent(value: u16) -> Percent {
        Percent::from_hundredths(value * 100).unwrap()
    }

    fn says(value: u16) -> Declared {
        Declared {
            enabled: true,
            weaker: Percentages {
                environment: Some(percent(value)),
                ..Percentages::default()
            },
        }
    }

    fn off(value: u16) -> Declared {
        Declared {
            enabled: false,
            ..says(value)
        }
    }

    /// In stage `split`, with an operator's percentage or none.
    fn split(operator: Option<u16>, held: Option<u16>) -> Position {
        Position {
            percent: operator.map(percent),
            held: held.map(percent),
            ..Position::default()
        }
    }

    #[track_caller]
    fn check(
        position: Position,
        was: Declared,
        is: Declared,
        follower: Follower,
        want: (u16, Option<u16>),
    ) {
        let settled = settle(&position, was, is, follower);
        let want = (percent(want.0), want.1.map(percent));
        assert_eq!((settled.share(is), settled.held), want);
    }

    #[test]
    fn more_waits_until_the_follower_has_caught_up() {
        let new = split(None, None);
        check(new, says(0), says(50), BEHIND, (0, Some(0)));
        check(new, says(0), says(50), Follower::Unknown, (0, Some(0)));
        check(new, says(0), says(50), Follower::Ready, (50, None));
        check(new, says(0), says(50), Follower::None, (50, None));
        check(new, says(20), says(50), BEHIND, (20, Some(20)));

        let waits = split(None, Some(20));
        check(waits, says(50), says(50), BEHIND, (20, Some(20)));
        check(waits, says(50), says(50), Follower::Ready, (50, None));
        check(waits, says(50), says(90), BEHIND, (20, Some(20)));
    }

    #[test]
    fn less_is_in_force_at_once() {
        check(split(None, None), says(50), says(20), BEHIND, (20, None));
        let waits = split(None, Some(20));
        check(waits, says(50), says(20), BEHIND, (20, None));
        check(waits, says(50), says(5), BEHIND, (5, None));
        check(waits, says(50), off(50), BEHIND, (0, None));
    }

    #[test]
    fn what_does_not_count_waits_for_nobody() {
        check(split(Some(10), None), says(0), says(50), BEHIND, (10, None));
        for stage in [Stage::Legacy, Stage::Shadow, Stage::Grpc] {
            let elsewhere = Position::initial(stage, None).unwrap();
            let settled = settle(&elsewhere, says(0), says(50), BEHIND);
            assert_eq!(settled, elsewhere);
        }
        let halted = Position {
            halted: true,
            ..split(None, None)
        };
        check(halted, says(0), says(50), BEHIND, (0, None));
    }

    #[test]
    fn what_is_switched_on_again_waits_too() {
        check(split(Some(50), None), off(0), says(0), BEHIND, (0, Some(0)));
        check(
            split(Some(50), Some(0)),
            says(0),
            says(0),
            Follower::Ready,
            (50, None),
        );
    }

    proptest! {
        #[test]
        fn the_share_never_rises_while_the_follower_is_behind(
            operator in prop::option::of(0..=100u16), held in prop::option::of(0..=100u16),
            [before, after] in any::<[bool; 2]>(), was in 0..=100u16, is in 0..=100u16, halted in any::<bool>(),
        ) {
            let position = Position { halted, ..split(operator, held) };
            let was = Declared { enabled: before, ..says(was) };
            let is = Declared { enabled: after, ..says(is) };
            let free = Position { held: None, ..position };
            let settled = settle(&position, was, is, BEHIND);
            prop_assert!(settled.share(is) <= position.share(was));
            // As high as it may be.
            prop_assert_eq!(settled.share(is), free.share(is).min(position.share(was)));
            prop_assert_eq!(settled.held.is_some(), settled.share(is) < free.share(is));
            prop_assert_eq!(settle(&settled, is, is, BEHIND), settled);
            prop_assert_eq!(settle(&settled, is, is, Follower::Ready), free);
        }
    }
}
