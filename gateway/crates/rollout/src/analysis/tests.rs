//! Rollouts simulated in small: equal sides are rarely rolled back, bad releases are, and too little traffic decides nothing.

use proptest::prelude::*;

use super::*;
use crate::{BackTo, Bucket};

#[path = "../../examples/simulate/replicas.rs"]
mod replicas;
#[path = "../../examples/simulate/traffic.rs"]
mod traffic;
#[path = "../../examples/simulate/world.rs"]
mod world;

mod steps;

use world::World;

fn percent(value: u16) -> Percent {
    Percent::from_hundredths(value * 100).unwrap()
}

fn policy() -> Policy {
    Policy {
        step_time_s: 60,
        settle_s: 0,
        ..Policy::default()
    }
}

fn ends(world: &World, policy: &Policy, rollouts: u64) -> Vec<world::End> {
    (0..rollouts).map(|seed| world.run(policy, seed)).collect()
}

fn share_back(ends: &[world::End]) -> f64 {
    ends.iter().filter(|end| end.how.is_back()).count() as f64 / ends.len() as f64
}

#[test]
fn equal_sides_go_all_the_way() {
    // Short, so that it can be many: large steps, many failures. `examples/simulate` takes its time.
    let policy = Policy {
        steps: [10, 25, 50, 100].map(percent).to_vec(),
        ..policy()
    };
    let noisy = World {
        noise: 0.05,
        ..World::hard()
    };
    let replicas = World {
        replicas: 3,
        ..World::default()
    };
    let mut all = Vec::new();
    for (world, rollouts) in [(World::default(), 60), (noisy, 50), (replicas, 40)] {
        let world = World {
            failures: 0.05,
            requests: 2_000.0,
            windows_max: 1_000,
            ..world
        };
        all.extend(ends(&world, &policy, rollouts));
    }
    // With a probability of 1 % each, more than six of 150 are rolled back once in a thousand times; the seeds are fixed.
    assert!(share_back(&all) <= 6.0 / 150.0);
    let finished = all.iter().filter(|end| end.how == world::How::Finished);
    assert!(finished.count() > 135);
}

#[test]
fn bad_releases_do_not() {
    let worse = World {
        failures_ratio: 5.0,
        ..World::default()
    };
    let slower = World {
        tail_ratio: 6.0,
        ..World::default()
    };
    let other = World {
        differing: 0.1,
        replicas: 3,
        ..World::default()
    };
    for world in [worse, slower, other] {
        let ends = ends(&world, &policy(), 6);
        assert!(share_back(&ends) > 0.99, "{world:?}");
    }
}

/// A minute in which every block of subjects is answered `each` times; every `nth` answer of gRPC fails, of legacy one
/// in a hundred.
fn minute(percent: Percent, number: u64, each: u64, nth: u64) -> Window {
    let mut window = Window::new(percent, number * 60_000, (number + 1) * 60_000);
    for bucket in (0..10_000).filter_map(Bucket::from_index) {
        let nth = if percent.includes(bucket) { nth } else { 100 };
        for n in 0..each {
            let place = number * each * 7 + n * 31 + u64::from(bucket.index()) * 13;
            window.answered(bucket, place.is_multiple_of(nth), 10_000 + place % 1_000);
        }
    }
    window
}

#[test]
fn too_little_traffic_is_undecided_however_long_it_takes() {
    let policy = Policy::default();
    let mut analysis = Analysis::new(&policy, Stage::Split, percent(1), 0);
    for number in 1..1_000 {
        let mut window = Window::new(percent(1), number * 60_000, (number + 1) * 60_000);
        // One request each, and gRPC's fails.
        if number.is_multiple_of(100) {
            window.answered(Bucket::from_index(7).unwrap(), true, 1);
            window.answered(Bucket::from_index(200).unwrap(), false, 1);
        }
        assert!(analysis.observe(&policy, &window));
    }
    let verdict = analysis.judge(&policy, 60_000_000);
    let too_few = Hold::TooFew {
        requests: 9,
        needed: 500,
    };
    assert_eq!(verdict.outcome, Outcome::Hold(too_few));
}

#[test]
fn a_good_step_is_left_with_its_evidence_and_a_bad_one_rolled_back() {
    let policy = policy();
    let mut analysis = Analysis::new(&policy, Stage::Split, percent(25), 0);
    let mut number = 0;
    let mut run = |analysis: &mut Analysis, nth: u64| -> Verdict {
        for _ in 0..60 {
            analysis.observe(&policy, &minute(analysis.percent(), number, 2, nth));
            number += 1;
            let verdict = analysis.judge(&policy, number * 60_000);
            if !matches!(verdict.outcome, Outcome::Hold(_)) {
                return verdict;
            }
        }
        analysis.judge(&policy, number * 60_000)
    };
    let good = run(&mut analysis, 100);
    assert_eq!(good.outcome, Outcome::Advance, "{good}");
    assert_eq!(good.evidence[0].judgement, Judgement::Harmless);
    analysis.step(Stage::Split, percent(50), 0);
    let bad = run(&mut analysis, 20);
    assert_eq!(bad.outcome, Outcome::RollBack(BackTo::Zero), "{bad}");
    assert_eq!(bad.evidence[0].judgement, Judgement::Worse);
}

#[test]
fn clients_that_give_up_speak_against_the_side_that_they_leave_more_often_and_only_then() {
    let policy = policy();
    let outcome = |of_grpc: u64, of_legacy: u64| {
        let mut analysis = Analysis::new(&policy, Stage::Split, percent(25), 0);
        for number in 0..30 {
            let mut window = minute(percent(25), number, 1, 100);
            for bucket in (0..10_000).filter_map(Bucket::from_index) {
                let is_grpc = percent(25).includes(bucket);
                let every = if is_grpc { of_grpc } else { of_legacy };
                let place = number * 31 + u64::from(bucket.index()) * 13;
                if place.is_multiple_of(every) {
                    window.answered(bucket, true, 1_000_000);
                }
            }
            analysis.observe(&policy, &window);
            let outcome = analysis.judge(&policy, (number + 1) * 60_000).outcome;
            if matches!(outcome, Outcome::RollBack(_)) {
                return outcome;
            }
        }
        analysis.judge(&policy, 30 * 60_000).outcome
    };
    assert_eq!(outcome(3, 3), Outcome::Advance);
    assert_eq!(outcome(3, 50), Outcome::RollBack(BackTo::Zero));
}

#[test]
fn a_release_that_turns_bad_after_days_is_found_as_soon() {
    let policy = Policy {
        advance: false,
        ..policy()
    };
    let mut analysis = Analysis::new(&policy, Stage::Split, percent(50), 0);
    for number in 0..200 {
        analysis.observe(&policy, &minute(percent(50), number, 1, 100));
    }
    let good = analysis.judge(&policy, 200 * 60_000).outcome;
    assert_eq!(good, Outcome::Hold(Hold::AdvanceByHand));
    let found = (200..260).find(|number| {
        analysis.observe(&policy, &minute(percent(50), *number, 1, 20));
        let outcome = analysis.judge(&policy, (number + 1) * 60_000).outcome;
        matches!(outcome, Outcome::RollBack(_))
    });
    assert!(found.is_some_and(|found| found < 206), "{found:?}");
}

#[test]
fn differences_decide_in_shadow() {
    let policy = policy();
    let shadow = |every: u64| {
        let mut analysis = Analysis::new(&policy, Stage::Shadow, Percent::ZERO, 0);
        for number in 0..20u64 {
            let mut window = Window::new(Percent::ZERO, number * 10_000, (number + 1) * 10_000);
            for n in 0..500u64 {
                let bucket = Bucket::from_index((n * 19) as u16).unwrap();
                window.compared(bucket, (number * 500 + n).is_multiple_of(every));
            }
            analysis.observe(&policy, &window);
        }
        analysis.judge(&policy, 200_000).outcome
    };
    assert_eq!(shadow(u64::MAX), Outcome::Advance);
    assert_eq!(shadow(30), Outcome::RollBack(BackTo::Zero));
}

/// Ten seconds in which 500 answers are compared of which every `nth` differs, and none by itself.
fn compared(percent: Percent, number: u64, nth: u64) -> Window {
    let mut window = Window::new(percent, number * 10_000, (number + 1) * 10_000);
    for n in 0..500u64 {
        let bucket = Bucket::from_index((n * 19) as u16).unwrap();
        window.compared(bucket, (number * 500 + n).is_multiple_of(nth));
        if n.is_multiple_of(5) {
            window.noise(bucket, false);
        }
    }
    window
}

#[test]
fn at_a_hundred_per_cent_differences_are_judged_and_good_days_do_not_hide_bad_ones() {
    let policy = policy();
    let mut analysis = Analysis::new(&policy, Stage::Split, percent(100), 0);
    let days = 2 * 8_640;
    for number in 0..days {
        analysis.observe(&policy, &compared(percent(100), number, u64::MAX));
    }
    let good = analysis.judge(&policy, days * 10_000).outcome;
    assert_eq!(good, Outcome::Hold(Hold::Everybody));
    let found = (days..days + 60).find(|number| {
        analysis.observe(&policy, &compared(percent(100), *number, 20));
        let outcome = analysis.judge(&policy, (number + 1) * 10_000).outcome;
        matches!(outcome, Outcome::RollBack(_))
    });
    assert!(found.is_some(), "within ten minutes");
}

#[test]
fn differences_gather_while_other_metrics_pass() {
    let policy = Policy {
        advance: false,
        ..policy()
    };
    let mut analysis = Analysis::new(&policy, Stage::Split, percent(50), 0);
    // A few comparisons a minute: no single stretch of the others would be enough.
    let found = (0..400).find(|number| {
        let mut window = minute(percent(50), *number, 1, 100);
        for n in 0..8u64 {
            let bucket = Bucket::from_index((n * 1_237) as u16).unwrap();
            window.compared(bucket, n == number % 8);
            window.noise(bucket, false);
        }
        analysis.observe(&policy, &window);
        let verdict = analysis.judge(&policy, (number + 1) * 60_000);
        let worse = |it: &Evidence| it.judgement == Judgement::Worse;
        matches!(verdict.outcome, Outcome::RollBack(_))
            && verdict
                .evidence
                .iter()
                .filter(|it| worse(it))
                .all(|it| it.metric == Metric::Differences)
    });
    assert!(found.is_some_and(|found| found > 2), "{found:?}");
}

#[test]
fn where_nothing_can_be_compared_nothing_moves() {
    let policy = policy();
    for (stage, value, want) in [
        (Stage::Legacy, 0, Hold::ByHand),
        (Stage::Split, 0, Hold::NotBegun),
        (Stage::Split, 100, Hold::Everybody),
        (Stage::Grpc, 100, Hold::ByHand),
    ] {
        let analysis = Analysis::new(&policy, stage, percent(value), 0);
        let verdict = analysis.judge(&policy, 1_000_000);
        assert_eq!(verdict.outcome, Outcome::Hold(want));
    }
}

#[test]
fn windows_of_another_time_or_percentage_do_not_count() {
    let policy = Policy {
        settle_s: 10,
        ..policy()
    };
    let mut analysis = Analysis::new(&policy, Stage::Split, percent(5), 1_000);
    assert!(!analysis.observe(&policy, &Window::new(percent(5), 10_999, 20_000)));
    assert!(!analysis.observe(&policy, &Window::new(percent(1), 11_000, 20_000)));
    assert!(analysis.observe(&policy, &Window::new(percent(5), 11_000, 20_000)));
}

#[test]
fn who_does_not_roll_back_by_itself_says_that_it_would() {
    let policy = Policy {
        roll_back: false,
        ..policy()
    };
    let mut analysis = Analysis::new(&policy, Stage::Split, percent(50), 0);
    for number in 0..10 {
        analysis.observe(&policy, &minute(percent(50), number, 1, 3));
    }
    let verdict = analysis.judge(&policy, 600_000);
    assert_eq!(verdict.outcome, Outcome::Hold(Hold::RollBackByHand));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn an_analysis_survives_being_written_down(minutes in 1..6u64, nth in 2..200u64) {
        let policy = policy();
        let mut analysis = Analysis::new(&policy, Stage::Split, percent(50), 0);
        for number in 0..minutes {
            analysis.observe(&policy, &minute(percent(50), number, 1, nth));
        }
        let text = serde_json::to_string(&analysis).unwrap();
        let mut read: Analysis = serde_json::from_str(&text).unwrap();
        let now_ms = minutes * 60_000;
        prop_assert_eq!(read.judge(&policy, now_ms).outcome, analysis.judge(&policy, now_ms).outcome);
        let next = minute(percent(50), minutes, 1, nth);
        analysis.observe(&policy, &next);
        read.observe(&policy, &next);
        prop_assert_eq!(
            read.judge(&policy, now_ms + 60_000).to_string(),
            analysis.judge(&policy, now_ms + 60_000).to_string()
        );
    }

    #[test]
    fn replicas_together_see_what_one_would(parts in 2..5u64, nth in 2..200u64) {
        let policy = policy();
        let whole = minute(percent(50), 0, parts, nth);
        let mut merged = Window::new(percent(50), 0, 60_000);
        for part in 0..parts {
            let mut window = Window::new(percent(50), 0, 60_000);
            for bucket in (0..10_000).filter_map(Bucket::from_index) {
                let nth = if percent(50).includes(bucket) { nth } else { 100 };
                let place = part * 31 + u64::from(bucket.index()) * 13;
                window.answered(bucket, place.is_multiple_of(nth), 10_000 + place % 1_000);
            }
            merged.merge(&window).unwrap();
        }
        prop_assert_eq!(&merged, &whole);
        let judged = |window: &Window| {
            let mut analysis = Analysis::new(&policy, Stage::Split, percent(50), 0);
            analysis.observe(&policy, window);
            analysis.judge(&policy, 60_000)
        };
        prop_assert_eq!(judged(&merged), judged(&whole));
    }
}
