//! How steps begin and end, and what each of them spends of the probability.

use super::*;

#[test]
fn the_policy_ends_at_its_last_step_good_or_bad() {
    let policy = Policy {
        steps: [1, 25].map(percent).to_vec(),
        ..policy()
    };
    let found = |value: u16, nth: u64| {
        let mut analysis = Analysis::new(&policy, Stage::Split, percent(value), 0);
        for number in 0..60 {
            analysis.observe(&policy, &minute(percent(value), number, 2, nth));
        }
        analysis.judge(&policy, 60 * 60_000)
    };
    for beyond in [25, 50] {
        let good = found(beyond, 100);
        assert_eq!(good.outcome, Outcome::Hold(Hold::LastStep), "{good}");
        assert!(good.to_string().starts_with("hold: last step"), "{good}");
        assert_eq!(good.evidence[0].judgement, Judgement::Harmless);
        let bad = found(beyond, 20).outcome;
        assert_eq!(bad, Outcome::RollBack(BackTo::Zero));
    }
}

#[test]
fn a_place_that_is_entered_anew_knows_nothing_of_before_but_what_was_spent() {
    let policy = policy();
    let mut analysis = Analysis::new(&policy, Stage::Split, percent(25), 0);
    let needed = |analysis: &Analysis| analysis.evidence(&policy)[0].ln_against_needed;
    let mut last = needed(&analysis);
    let mut now_ms = 0;
    for _ in 0..3 {
        let bad = (0..30).find(|_| {
            analysis.observe(&policy, &minute(percent(25), now_ms / 60_000, 2, 20));
            now_ms += 60_000;
            let outcome = analysis.judge(&policy, now_ms).outcome;
            outcome == Outcome::RollBack(BackTo::Zero)
        });
        assert!(bad.is_some());
        analysis.step(Stage::Split, percent(25), now_ms);
        let outcome = analysis.judge(&policy, now_ms).outcome;
        assert!(matches!(outcome, Outcome::Hold(Hold::TooFew { .. })));
        assert!(needed(&analysis) > last);
        last = needed(&analysis);
    }
}

#[test]
fn only_stretches_that_could_roll_back_spend_of_the_probability() {
    let policy = policy();
    let mut analysis = Analysis::new(&policy, Stage::Shadow, Percent::ZERO, 0);
    let needed = |analysis: &Analysis| analysis.evidence(&policy)[0].ln_against_needed;
    let whole = needed(&analysis);
    for (stage, value) in [(Stage::Shadow, 0), (Stage::Split, 0), (Stage::Split, 1)] {
        analysis.step(stage, percent(value), 0);
        assert!((needed(&analysis) - whole).abs() < 1e-9, "at {value} %");
    }
    // However little was seen there: a step may be left because of how it looks.
    analysis.step(Stage::Split, percent(5), 0);
    let later = needed(&analysis);
    assert!(later > whole, "{later} after {whole}");
    for value in [100, 1] {
        analysis.step(Stage::Split, percent(value), 0);
    }
    let last = needed(&analysis);
    analysis.step(Stage::Split, percent(5), 0);
    assert!(last > later && needed(&analysis) > last);
}
