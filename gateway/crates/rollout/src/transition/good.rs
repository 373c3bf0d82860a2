//! What is remembered of a percentage that was found good, when somebody leaves it for more.
//!
//! The policy may find a step good and stay all the same: it is its last one, or advancing is left to people. It writes
//! nothing down then, for as long as the step lasts it may still turn out to be bad. Whoever goes on from there, by hand or
//! by a file, leaves a percentage behind that can be gone back to.

use super::{Declared, Position};
use crate::{Percent, Stage};

/// The position `after`, come to from `before`, whose percentage the policy had found good: where more subjects are on gRPC
/// now, that is the last good one.
#[must_use]
pub fn left_good(before: &Position, was: Declared, after: Position, is: Declared) -> Position {
    let good = before.share(was);
    let is_left = before.stage == Stage::Split && good > Percent::ZERO && after.share(is) > good;
    Position {
        last_good: if is_left { good } else { after.last_good },
        ..after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Percentages;

    fn percent(value: u16) -> Percent {
        Percent::from_hundredths(value * 100).unwrap()
    }

    fn file(value: u16) -> Declared {
        Declared {
            enabled: true,
            weaker: Percentages {
                file: Some(percent(value)),
                ..Percentages::default()
            },
        }
    }

    fn at(stage: Stage, operator: Option<u16>, good: u16) -> Position {
        Position {
            percent: operator.map(percent),
            last_good: percent(good),
            ..Position::initial(stage, None).unwrap()
        }
    }

    #[track_caller]
    fn check(before: (Position, u16), after: (Position, u16), want: u16) {
        let left = left_good(&before.0, file(before.1), after.0, file(after.1));
        let last_good = percent(want);
        assert_eq!(
            left,
            Position {
                last_good,
                ..after.0
            }
        );
    }

    #[test]
    fn what_is_left_for_more_was_the_last_good_one() {
        let split = |operator, good| at(Stage::Split, operator, good);
        let ten = split(Some(10), 5);
        check((ten, 0), (split(Some(100), 5), 0), 10);
        check((ten, 0), (at(Stage::Grpc, Some(10), 5), 0), 10);
        check((ten, 50), (split(None, 5), 50), 10);
        check((split(None, 0), 10), (split(None, 0), 25), 10);
    }

    #[test]
    fn what_is_not_left_for_more_may_still_be_found_bad() {
        let split = |operator, good| at(Stage::Split, operator, good);
        let ten = split(Some(10), 5);
        check((ten, 0), (ten, 0), 5);
        check((ten, 0), (split(Some(3), 3), 0), 3);
        check((ten, 0), (at(Stage::Shadow, Some(10), 0), 0), 0);
        check((split(None, 0), 10), (split(None, 0), 5), 0);
        let waits = Position {
            held: Some(percent(10)),
            ..split(None, 0)
        };
        check((split(None, 0), 10), (waits, 25), 0);
        check((waits, 25), (split(None, 0), 25), 10);
        // In shadow nobody was on gRPC: what was found good is no percentage.
        check((at(Stage::Shadow, None, 0), 0), (split(Some(1), 0), 0), 0);
    }
}
