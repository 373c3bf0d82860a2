//! Laws: every correct history is accepted however it is written down, every tampered one is caught.

use banyan_history::{
    check, record,
    selftest::{self, Chance, MUTATIONS},
};
use proptest::prelude::*;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn a_correct_history_is_accepted(seed: u64) {
        let history = selftest::generate(seed);
        let report = check(&history);
        prop_assert!(report.is_clean(), "{report}");
        prop_assert!(report.unproven.is_empty());
    }

    #[test]
    fn without_feed_and_end_less_is_proven_but_nothing_is_made_up(seed: u64, calm: bool, end: bool) {
        let mut history = match calm {
            true => selftest::generate_calm(seed),
            false => selftest::generate(seed),
        };
        history.feed = None;
        if !end {
            history.end = None;
        }
        let report = check(&history);
        prop_assert!(report.is_clean(), "{report}");
        prop_assert!(!report.unproven.is_empty());
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn what_is_found_does_not_depend_on_the_order_of_calls(seed: u64, which in 0..MUTATIONS.len()) {
        let correct = selftest::generate(seed);
        let Some((mut history, report)) = selftest::tamper(&correct, &MUTATIONS[which], seed) else {
            return Ok(());
        };
        let mut chance = Chance::new(seed);
        let mut calls = history.calls.clone();
        history.calls = (0..calls.len()).filter_map(|_| chance.take(&mut calls)).collect();
        let shuffled = check(&history);
        prop_assert!(!shuffled.is_clean());
        prop_assert_eq!(shuffled.violations_by_kind.keys().collect::<Vec<_>>(), report.violations_by_kind.keys().collect::<Vec<_>>());
    }

    #[test]
    fn a_file_says_the_same(seed: u64) {
        let history = selftest::generate(seed);
        let mut file = Vec::new();
        record::write(history.clone(), &mut file).unwrap();
        prop_assert_eq!(record::read(file.as_slice()).unwrap(), history);
    }
}

#[test]
fn correct_histories_that_were_once_misjudged_are_accepted() {
    // Two guests ask for the same change of a booking of one of them, and neither is answered.
    let report = check(&selftest::generate(9_329_050_450_857_377_620));
    assert!(report.is_clean(), "{report}");
    // A hold that has run out shows no cells any more, and has not given them back; nobody has read the feed.
    let mut history = selftest::generate_calm(9_053_108_042_648_678_768);
    history.feed = None;
    let report = check(&history);
    assert!(report.is_clean(), "{report}");
}

#[test]
fn every_tampered_history_is_caught_for_what_it_is() {
    let tally = selftest::run(1, 200);
    assert!(tally.is_good(), "{tally:#?}");
    assert!(tally.corrupted_histories_caught() > 5_000, "{tally:#?}");
}

#[test]
fn a_long_history_is_correct() {
    let history = selftest::large(5_000);
    assert_eq!(history.calls.len(), 5_000);
    let report = check(&history);
    assert!(report.is_clean(), "{report}");
    assert!(report.unproven.is_empty());
}

#[test]
fn a_line_that_is_none_is_named() {
    let error = record::read("{\"line\":\"feed_end\"}\n\n{\"line\":\"cal".as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "line 3 is not a line of a history");
}
