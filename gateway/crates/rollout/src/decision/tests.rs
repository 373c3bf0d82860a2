//! The laws of a decision, and every reason for one.

use proptest::prelude::*;

use super::*;
use crate::{Rule, Source, When, testing::Shown};

fn state(hundredths: u16) -> RolloutState {
    RolloutState {
        percent: Percent::from_hundredths(hundredths).unwrap(),
        source: Source::Operator,
        version: 1,
        ..RolloutState::new("movies")
    }
}

fn decide_for(state: &RolloutState, subject: &str) -> Decision {
    decide(state, &Request::of(&Subject::new(subject)))
}

#[track_caller]
fn check(state: &RolloutState, want: (Side, Reason)) {
    for n in 0..100 {
        let decision = decide_for(state, &n.to_string());
        assert_eq!((decision.side, decision.reason), want);
    }
}

#[test]
fn stages_decide_for_everybody() {
    let at = |stage| RolloutState {
        stage,
        ..state(5_000)
    };
    check(&at(Stage::Legacy), (Side::Legacy, Reason::StageLegacy));
    check(&at(Stage::Shadow), (Side::Legacy, Reason::StageShadow));
    check(&at(Stage::Grpc), (Side::Grpc, Reason::StageGrpc));
}

#[test]
fn switched_off_is_legacy_in_every_stage() {
    for stage in Stage::ALL {
        let off = RolloutState {
            enabled: false,
            stage,
            ..state(10_000)
        };
        check(&off, (Side::Legacy, Reason::MigrationDisabled));
    }
}

#[test]
fn nought_is_nobody_and_a_hundred_is_everybody() {
    check(&state(0), (Side::Legacy, Reason::Percent));
    check(&state(10_000), (Side::Grpc, Reason::Percent));
}

#[test]
fn the_share_is_the_percentage() {
    for hundredths in [100, 1_000, 5_000, 9_000] {
        let state = state(hundredths);
        let grpc = (0..100_000)
            .filter(|n: &u32| decide_for(&state, &format!("guest-{n}")).side == Side::Grpc)
            .count() as f64;
        // Four standard deviations of a binomial distribution.
        let share = state.percent.as_f64() / 100.0;
        let bound = 4.0 * (100_000.0 * share * (1.0 - share)).sqrt();
        assert!(
            (grpc - share * 100_000.0).abs() < bound,
            "{hundredths}: {grpc}"
        );
    }
}

#[test]
fn shadows_are_sampled_by_chance_and_only_where_both_sides_serve() {
    let share = |hundredths| Percent::from_hundredths(hundredths).unwrap();
    let subject = Subject::new("alice");
    let drawn = |stage, comparable, chance| {
        let state = RolloutState {
            stage,
            shadow: share(2_500),
            noise: share(1_000),
            ..state(0)
        };
        let request = Request {
            comparable,
            chance,
            ..Request::of(&subject)
        };
        decide(&state, &request).shadow
    };
    let shadow = |noise| {
        Some(Shadow {
            side: Side::Grpc,
            noise,
        })
    };
    assert_eq!(drawn(Stage::Shadow, true, 2_499), shadow(true));
    assert_eq!(drawn(Stage::Shadow, true, 10_002_499), shadow(false));
    assert_eq!(drawn(Stage::Split, true, 999 * 10_000), shadow(true));
    assert_eq!(drawn(Stage::Split, true, 1_000 * 10_000), shadow(false));
    assert_eq!(drawn(Stage::Shadow, true, 2_500), None);
    assert_eq!(drawn(Stage::Shadow, false, 0), None);
    assert_eq!(drawn(Stage::Legacy, true, 0), None);
    assert_eq!(drawn(Stage::Grpc, true, 0), None);
}

#[test]
fn reasons_have_names_of_their_own() {
    let names: std::collections::BTreeSet<_> =
        Reason::ALL.into_iter().map(Reason::as_str).collect();
    assert_eq!(names.len(), Reason::ALL.len());
}

fn sides() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Legacy), Just(Side::Grpc)]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let when = prop_oneof![
        proptest::collection::btree_set("[a-d]", 0..3).prop_map(|subjects| When {
            subjects: Some(subjects),
            ..When::default()
        }),
        Just(When {
            user_agent: Some("App".into()),
            ..When::default()
        }),
        "no|se".prop_map(|country| When {
            headers: [("x-country".to_owned(), country)].into(),
            ..When::default()
        }),
    ];
    let then = prop_oneof![
        sides().prop_map(Then::Side),
        (0..=10_000u16)
            .prop_map(|hundredths| Then::Percent(Percent::from_hundredths(hundredths).unwrap()))
    ];
    let rule = (when, then).prop_map(|(when, then)| Rule::new("rule", when, then).unwrap());
    proptest::collection::vec(rule, 0..4)
}

prop_compose! {
    pub(crate) fn states()(
        enabled in prop::bool::weighted(0.9), stage in prop::sample::select(&Stage::ALL[..]), owner in any::<prop::sample::Index>(),
        hundredths in 0..=10_000u16, halted in prop::bool::weighted(0.2), stay in any::<bool>(), rules in rules(),
        shadow in 0..=10_000u16,
    ) -> RolloutState {
        RolloutState {
            enabled,
            stage,
            writes: *owner.get(stage.owners()),
            halted,
            going_down: if stay { GoingDown::StayWithWriter } else { GoingDown::Return },
            rules,
            shadow: Percent::from_hundredths(shadow).unwrap(),
            ..state(hundredths)
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    subject: Subject,
    shown: Shown,
    safe: bool,
    comparable: bool,
    forced: Option<Side>,
    pin: Option<Pin>,
    following: Option<Following>,
    wrote_on: Option<Side>,
    now_ms: u64,
    chance: u32,
}

impl Asked {
    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            subject: &self.subject,
            safe: self.safe,
            comparable: self.comparable,
            forced: self.forced,
            pin: self.pin,
            following: self.following,
            wrote_on: self.wrote_on,
            facts: &self.shown,
            now_ms: self.now_ms,
            chance: self.chance,
        }
    }
}

prop_compose! {
    pub(crate) fn asked()(
        subject in "[a-z]{1,2}", safe in any::<bool>(), comparable in any::<bool>(), forced in prop::option::weighted(0.2, sides()),
        pin in prop::option::of((sides(), 1..9u64, 0..20u64)), following in prop::option::of((0..3_000u64, 0..20u64)), wrote_on in prop::option::of(sides()), app in any::<bool>(),
        country in prop::option::of("no|se"), now_ms in 0..20u64, chance in any::<u32>(),
    ) -> Asked {
        let mut shown = vec![];
        if app {
            shown.push(("header:user-agent", "app/1"));
        }
        if let Some(country) = &country {
            shown.push(("header:x-country", country.as_str()));
        }
        Asked {
            subject: Subject::new(subject),
            shown: Shown::new(&shown),
            safe,
            comparable,
            forced,
            pin: pin.map(|(side, since_ms, until_ms)| Pin { side, since_ms, until_ms }),
            following: following.map(|(passed_ms, pin_max_ms)| Following { passed_ms, pin_max_ms }),
            wrote_on,
            now_ms,
            chance,
        }
    }
}

proptest! {
    #[test]
    fn raising_the_percentage_never_evicts_a_subject(
        state in states(), asked in asked(), more in 0..=10_000u16
    ) {
        let low = state.percent.hundredths();
        let high = RolloutState {
            percent: Percent::from_hundredths(low.saturating_add(more).min(10_000)).unwrap(),
            ..state.clone()
        };
        // `Grpc` is the greater: whoever was there stays there.
        prop_assert!(decide(&state, &asked.request()).side <= decide(&high, &asked.request()).side);
    }

    #[test]
    fn nought_and_a_hundred_are_nobody_and_everybody(subject in ".{0,40}", salt in ".{0,20}") {
        let side = |hundredths| decide_for(&RolloutState { salt: salt.clone(), ..state(hundredths) }, &subject).side;
        prop_assert_eq!(side(0), Side::Legacy);
        prop_assert_eq!(side(10_000), Side::Grpc);
    }

    #[test]
    fn a_write_never_leaves_its_owner(state in states(), asked in asked()) {
        let asked = Asked { safe: false, ..asked };
        let side = decide(&state, &asked.request()).side;
        match state.writes {
            _ if !state.enabled => prop_assert_eq!(side, Side::Legacy),
            Owner::Legacy => prop_assert_eq!(side, Side::Legacy),
            Owner::Grpc => prop_assert_eq!(side, Side::Grpc),
            Owner::BySubject => {}
        }
    }

    #[test]
    fn where_the_subject_owns_writes_they_go_where_its_reads_go(state in states(), asked in asked()) {
        let state = RolloutState { stage: Stage::Split, writes: Owner::BySubject, ..state };
        let on = |safe| decide(&state, &Asked { safe, ..asked.clone() }.request()).side;
        prop_assert_eq!(on(true), on(false));
    }

    #[test]
    fn reads_stay_with_the_pin_whatever_changes_meanwhile(state in states(), asked in asked()) {
        let asked = Asked { safe: true, forced: None, ..asked };
        let decision = decide(&state, &asked.request());
        let held = asked.pin.filter(|pin| pin.holds(asked.now_ms, asked.following));
        let held = held.filter(|pin| !(state.halted && pin.side == Side::Grpc));
        match held {
            Some(pin) if state.enabled => prop_assert_eq!((decision.side, decision.reason), (pin.side, Reason::Pin)),
            // One that has run out says nothing.
            _ => {
                let none = Asked { pin: None, following: None, ..asked.clone() };
                prop_assert_eq!(decision, decide(&state, &none.request()));
            }
        }
    }

    #[test]
    fn an_answer_stands_for_its_side_where_the_percentage_alone_has_the_subject_there(
        state in states(), asked in asked()
    ) {
        let decision = decide(&state, &asked.request());
        let free = Asked { safe: true, forced: None, pin: None, ..asked };
        let dealt = decide(&state, &free.request());
        if decision.dealt {
            prop_assert_eq!((dealt.side, dealt.reason), (decision.side, Reason::Percent));
        }
        if decision.reason == Reason::Pin && state.stage == Stage::Split {
            prop_assert_eq!(decision.dealt, (dealt.side, dealt.reason) == (decision.side, Reason::Percent));
        }
    }

    #[test]
    fn going_down_returns_or_stays_as_declared(state in states(), asked in asked(), less in 0..=10_000u16) {
        let asked = Asked { forced: None, pin: None, wrote_on: Some(Side::Grpc), ..asked };
        let before = RolloutState {
            enabled: true, stage: Stage::Split, writes: Owner::BySubject, halted: false, rules: Vec::new(), ..state
        };
        prop_assume!(decide(&before, &asked.request()).side == Side::Grpc);
        let percent = Percent::from_hundredths(before.percent.hundredths().saturating_sub(less)).unwrap();
        let after = RolloutState { percent, ..before };
        let decision = decide(&after, &asked.request());
        match after.going_down {
            GoingDown::StayWithWriter => prop_assert_eq!(decision.side, Side::Grpc),
            GoingDown::Return => prop_assert_eq!(decision.side == Side::Grpc, percent.includes(decision.bucket)),
        }
    }

    #[test]
    fn who_may_force_a_side_gets_it_where_both_serve(state in states(), asked in asked(), side in sides()) {
        let asked = Asked { forced: Some(side), ..asked };
        let decision = decide(&state, &asked.request());
        let both = matches!(state.stage, Stage::Shadow | Stage::Split);
        let free = asked.safe || state.writes == Owner::BySubject;
        if state.enabled && both && free {
            prop_assert_eq!((decision.side, decision.reason), (side, Reason::Forced));
        } else {
            prop_assert_ne!(decision.reason, Reason::Forced);
        }
    }

    #[test]
    fn halted_means_nobody_is_sent_to_grpc(state in states(), asked in asked()) {
        let asked = Asked { safe: true, forced: None, pin: None, wrote_on: None, ..asked };
        let state = RolloutState { halted: true, stage: Stage::Split, ..state };
        prop_assert_eq!(decide(&state, &asked.request()).side, Side::Legacy);
    }

    #[test]
    fn a_shadow_is_the_other_side_and_never_repeats_an_effect(state in states(), asked in asked()) {
        let decision = decide(&state, &asked.request());
        if let Some(shadow) = decision.shadow {
            prop_assert_eq!(shadow.side, decision.side.other());
            prop_assert!(asked.comparable);
        }
    }

    #[test]
    fn the_first_rule_that_matches_is_the_one_told(state in states(), asked in asked()) {
        let decision = decide(&state, &asked.request());
        let first = state.rules.iter().position(|rule| rule.matches(&asked.subject, &asked.shown));
        if matches!(decision.reason, Reason::Rule | Reason::RulePercent) {
            prop_assert_eq!(decision.rule, first);
            prop_assert!(first.is_some());
        }
        if decision.reason == Reason::Percent && !state.halted {
            prop_assert_eq!(first, None);
        }
    }

    #[test]
    fn every_replica_decides_alike(state in states(), asked in asked(), version in any::<u64>()) {
        // Two replicas hold equal states built apart; the version and whose word it is have no say.
        let there = RolloutState { version, source: Source::File, ..state.clone() };
        prop_assert_eq!(decide(&state, &asked.request()), decide(&there, &asked.clone().request()));
    }
}
