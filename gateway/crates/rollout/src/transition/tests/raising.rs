//! More subjects on gRPC: only once the follower has caught up, unless forced.

use super::*;

#[test]
fn a_higher_percentage_waits_for_the_follower_and_a_lower_one_for_nobody() {
    let steps = steps();
    let half = Percentages {
        environment: Some(percent(50)),
        ..Percentages::default()
    };
    let behind = Circumstances {
        follower: Follower::Behind { lag_ms: Some(9) },
        weaker: half,
        ..calm(&steps)
    };
    let set = |value| Command::SetPercent(percent(value));
    let at_25 = at(Stage::Split, 25);
    check(at_25, set(26), &behind, "FOLLOWER_BEHIND");
    check(at_25, Command::Promote, &behind, "FOLLOWER_BEHIND");
    check(at_25, Command::UnsetPercent, &behind, "FOLLOWER_BEHIND");
    let same = "split 25 by by-subject, good 0";
    check(at_25, set(25), &behind, same);
    check(at_25, set(7), &behind, "split 7 by by-subject, good 0");
    check(
        at(Stage::Split, 75),
        Command::UnsetPercent,
        &behind,
        "split - by by-subject, good 0",
    );
    let unknown = Circumstances {
        follower: Follower::Unknown,
        ..behind
    };
    check(at_25, set(26), &unknown, "FOLLOWER_UNKNOWN");
    check(at_25, set(0), &unknown, "split 0 by by-subject, good 0");

    let forced = Circumstances {
        forced: Some("the lag is a clock's"),
        ..behind
    };
    let moved = transition(&at_25, set(26), &forced).unwrap();
    let behind_ms = Refusal::FollowerBehind { lag_ms: Some(9) };
    assert_eq!(moved.overridden, [behind_ms]);
    let moved = transition(&at_25, set(7), &forced).unwrap();
    assert_eq!(moved.overridden, []);

    // Somebody who was sent back to nobody goes on with more than nobody.
    let halted = Position {
        halted: true,
        paused: true,
        ..at_25
    };
    check(halted, Command::Resume, &behind, "FOLLOWER_BEHIND");
}

#[test]
fn what_waits_is_taken_for_what_is_in_force() {
    let steps = steps();
    let behind = Circumstances {
        follower: Follower::Unknown,
        weaker: Percentages {
            environment: Some(percent(50)),
            ..Percentages::default()
        },
        ..calm(&steps)
    };
    let waits = Position {
        held: Some(percent(5)),
        ..Position::default()
    };
    let set = |value| Command::SetPercent(percent(value));
    check(waits, set(6), &behind, "FOLLOWER_UNKNOWN");
    check(waits, Command::UnsetPercent, &behind, "FOLLOWER_UNKNOWN");
    let ready = Circumstances {
        follower: Follower::Ready,
        ..behind
    };
    let next = transition(&waits, Command::Promote, &ready).unwrap();
    assert_eq!(next.position.percent, Some(percent(25)));
    for (command, at) in [(set(4), &behind), (set(90), &ready)] {
        let moved = transition(&waits, command, at).unwrap();
        assert_eq!(moved.position.held, None, "{command:?}");
    }
}
