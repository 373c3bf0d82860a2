//! Where a rollout may go from where it stands, and every refusal.

mod laws;
mod raising;

use super::*;

fn percent(value: u16) -> Percent {
    Percent::from_hundredths(value * 100).unwrap()
}

fn steps() -> Vec<Percent> {
    [1, 5, 25, 50, 100].map(percent).to_vec()
}

fn calm(steps: &[Percent]) -> Circumstances<'_> {
    Circumstances {
        enabled: true,
        weaker: Percentages::default(),
        steps,
        follower: Follower::Ready,
        comparable: true,
        legacy_keeps_ids: false,
        forced: None,
        confirmed: false,
    }
}

fn at(stage: Stage, value: u16) -> Position {
    Position {
        percent: (stage == Stage::Split).then(|| percent(value)),
        ..Position::initial(stage, None).unwrap()
    }
}

fn show(position: Position) -> String {
    let percent = position
        .percent
        .map_or("-".to_owned(), |percent| percent.to_string());
    let paused = if position.paused { " paused" } else { "" };
    let halted = if position.halted { " halted" } else { "" };
    format!(
        "{} {percent} by {}, good {}{paused}{halted}",
        position.stage, position.writes, position.last_good
    )
}

#[track_caller]
fn check(from: Position, command: Command, at: &Circumstances<'_>, want: &str) {
    let got = match transition(&from, command, at) {
        Ok(moved) => show(moved.position),
        Err(refusal) => refusal.as_str().to_owned(),
    };
    assert_eq!(got, want);
}

const fn to(stage: Stage) -> Command {
    Command::SetStage {
        stage,
        writes: None,
    }
}

#[test]
fn promoting_goes_through_every_step_and_stage() {
    let steps = steps();
    let confirmed = Circumstances {
        confirmed: true,
        ..calm(&steps)
    };
    let mut position = at(Stage::Legacy, 0);
    let mut way = vec![];
    while let Ok(moved) = transition(&position, Command::Promote, &confirmed) {
        position = moved.position;
        way.push(show(position));
    }
    assert_eq!(
        way,
        [
            "shadow - by legacy, good 0",
            "split 1 by by-subject, good 0",
            "split 5 by by-subject, good 0",
            "split 25 by by-subject, good 0",
            "split 50 by by-subject, good 0",
            "split 100 by by-subject, good 0",
            "grpc 100 by grpc, good 0",
        ]
    );
    check(position, Command::Promote, &confirmed, "AT_THE_END");
}

#[test]
fn the_policy_goes_by_steps_and_never_to_the_last_stage() {
    let steps = steps();
    let calm = calm(&steps);
    check(at(Stage::Legacy, 0), Command::Advance, &calm, "BY_HAND");
    check(
        at(Stage::Shadow, 0),
        Command::Advance,
        &calm,
        "split 1 by by-subject, good 0",
    );
    check(
        at(Stage::Split, 7),
        Command::Advance,
        &calm,
        "split 25 by by-subject, good 7",
    );
    check(at(Stage::Split, 100), Command::Advance, &calm, "BY_HAND");
    check(at(Stage::Grpc, 0), Command::Advance, &calm, "AT_THE_END");
    let paused = Position {
        paused: true,
        ..at(Stage::Split, 5)
    };
    check(paused, Command::Advance, &calm, "PAUSED");
    check(paused, Command::RollBack(BackTo::Zero), &calm, "PAUSED");
    let behind = Circumstances {
        follower: Follower::Behind { lag_ms: None },
        forced: Some("why not"),
        ..calm
    };
    check(
        at(Stage::Split, 5),
        Command::Advance,
        &behind,
        "FOLLOWER_BEHIND",
    );
}

#[test]
fn the_policy_ends_at_its_last_step_and_people_go_beyond() {
    let steps = [1, 5, 10].map(percent);
    let calm = calm(&steps);
    let next = "split 10 by by-subject, good 5";
    check(at(Stage::Split, 5), Command::Advance, &calm, next);
    for value in [10, 20] {
        let last = at(Stage::Split, value);
        check(last, Command::Advance, &calm, "LAST_STEP");
        let everybody = "split 100 by by-subject, good 0";
        check(last, Command::Promote, &calm, everybody);
    }
    let refusal = Refusal::LastStep {
        percent: percent(10),
    };
    assert_eq!(
        refusal.to_string(),
        "no step of the policy is above 10 per cent: promote by hand to go on"
    );
    check(at(Stage::Split, 100), Command::Promote, &calm, "ONE_WAY");
}

#[test]
fn to_roll_back_is_to_go_lower() {
    let steps = steps();
    let keeps = Circumstances {
        legacy_keeps_ids: true,
        ..calm(&steps)
    };
    let good = |stage, good, value| Position {
        last_good: percent(good),
        ..at(stage, value)
    };
    let nobody = "split 0 by by-subject, good 0 paused halted";
    for command in [Command::RollBack, Command::Abort] {
        let back = command(BackTo::LastGood);
        check(good(Stage::Split, 5, 5), back, &keeps, nobody);
        check(good(Stage::Split, 25, 5), back, &keeps, nobody);
        check(good(Stage::Split, 100, 100), back, &keeps, nobody);
        let lower = "split 5 by by-subject, good 5 paused";
        check(good(Stage::Split, 5, 6), back, &keeps, lower);
    }
    // In the last stage everybody is on gRPC, whatever the percentage was when it was entered.
    let last = good(Stage::Grpc, 50, 0);
    let back = Command::Abort(BackTo::LastGood);
    let half = "split 50 by by-subject, good 50 paused";
    check(last, back, &keeps, half);
}

#[test]
fn rolling_back_halts_at_nought_and_pauses() {
    let steps = steps();
    let calm = calm(&steps);
    let good = Position {
        last_good: percent(5),
        ..at(Stage::Split, 25)
    };
    check(
        good,
        Command::Abort(BackTo::Zero),
        &calm,
        "split 0 by by-subject, good 0 paused halted",
    );
    check(
        good,
        Command::RollBack(BackTo::LastGood),
        &calm,
        "split 5 by by-subject, good 5 paused",
    );
    check(
        at(Stage::Split, 25),
        Command::Abort(BackTo::LastGood),
        &calm,
        "split 0 by by-subject, good 0 paused halted",
    );
    check(
        at(Stage::Shadow, 0),
        Command::Abort(BackTo::Zero),
        &calm,
        "legacy - by legacy, good 0 paused",
    );
    check(
        at(Stage::Grpc, 0),
        Command::Abort(BackTo::Zero),
        &calm,
        "NO_WAY_BACK",
    );
    let halted = Position {
        halted: true,
        paused: true,
        ..at(Stage::Split, 0)
    };
    check(
        halted,
        Command::Resume,
        &calm,
        "split 0 by by-subject, good 0",
    );
    check(
        halted,
        Command::SetPercent(percent(3)),
        &calm,
        "split 3 by by-subject, good 0 paused",
    );
}

#[test]
fn a_follower_that_is_behind_is_waited_for_unless_forced() {
    let steps = steps();
    for follower in [
        Follower::Behind {
            lag_ms: Some(12_000),
        },
        Follower::Unknown,
    ] {
        let behind = Circumstances {
            follower,
            confirmed: true,
            ..calm(&steps)
        };
        let name = match follower {
            Follower::Unknown => "FOLLOWER_UNKNOWN",
            _ => "FOLLOWER_BEHIND",
        };
        check(at(Stage::Shadow, 0), to(Stage::Split), &behind, name);
        check(at(Stage::Split, 100), to(Stage::Grpc), &behind, name);
        // Back is always open.
        check(
            at(Stage::Split, 50),
            to(Stage::Shadow),
            &behind,
            "shadow 50 by legacy, good 0",
        );
        let forced = Circumstances {
            forced: Some("the lag is a clock's"),
            ..behind
        };
        let moved = transition(&at(Stage::Shadow, 0), to(Stage::Split), &forced).unwrap();
        assert_eq!(moved.position.stage, Stage::Split);
        assert_eq!(moved.overridden.len(), 1);
        let empty = Circumstances {
            forced: Some(" "),
            ..behind
        };
        check(
            at(Stage::Shadow, 0),
            to(Stage::Split),
            &empty,
            "FORCED_WITHOUT_REASON",
        );
    }
}

#[test]
fn the_last_stage_is_one_way_unless_legacy_keeps_ids() {
    let steps = steps();
    let calm = calm(&steps);
    let everybody = at(Stage::Split, 100);
    check(everybody, to(Stage::Grpc), &calm, "ONE_WAY");
    let confirmed = Circumstances {
        confirmed: true,
        ..calm
    };
    let moved = transition(&everybody, to(Stage::Grpc), &confirmed).unwrap();
    assert!(moved.one_way);
    let forced = Circumstances {
        forced: Some("please"),
        ..confirmed
    };
    check(moved.position, to(Stage::Split), &forced, "NO_WAY_BACK");
    let keeps = Circumstances {
        legacy_keeps_ids: true,
        ..calm
    };
    let moved = transition(&everybody, to(Stage::Grpc), &keeps).unwrap();
    assert!(!moved.one_way);
    check(
        moved.position,
        to(Stage::Split),
        &keeps,
        "split 100 by by-subject, good 0",
    );
    check(
        at(Stage::Split, 99),
        to(Stage::Grpc),
        &keeps,
        "NOT_EVERYBODY",
    );
}

#[test]
fn stages_are_not_skipped_and_owners_have_to_fit() {
    let steps = steps();
    let calm = calm(&steps);
    check(
        at(Stage::Legacy, 0),
        to(Stage::Split),
        &calm,
        "STAGE_SKIPPED",
    );
    let nothing = Circumstances {
        comparable: false,
        ..calm
    };
    check(
        at(Stage::Legacy, 0),
        to(Stage::Shadow),
        &nothing,
        "NOTHING_TO_COMPARE",
    );
    let off = Circumstances {
        enabled: false,
        ..calm
    };
    check(
        at(Stage::Legacy, 0),
        Command::Promote,
        &off,
        "MIGRATION_DISABLED",
    );
    let writes = Some(Owner::Legacy);
    let stage = Stage::Split;
    check(
        at(Stage::Shadow, 0),
        Command::SetStage { stage, writes },
        &calm,
        "split - by legacy, good 0",
    );
    let stage = Stage::Grpc;
    check(
        at(Stage::Split, 100),
        Command::SetStage { stage, writes },
        &calm,
        "OWNER_NOT_ALLOWED",
    );
    check(
        at(Stage::Shadow, 0),
        Command::SetPercent(percent(5)),
        &calm,
        "NOT_SPLIT",
    );
}
