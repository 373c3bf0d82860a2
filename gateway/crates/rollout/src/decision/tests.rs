//! What decides, and requests for the laws of it.

mod laws;

use proptest::prelude::*;

use super::*;
use crate::{Algorithm, GoingDown, Rule, Source, SubjectKind, When, testing::Shown};

const SALT: &str = "movies";

fn state(hundredths: u16) -> RolloutState {
    RolloutState {
        percent: Percent::from_hundredths(hundredths).unwrap(),
        source: Source::Operator,
        version: 1,
        ..RolloutState::new(SALT)
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
    pins: Vec<Pin>,
    following: Option<Following>,
    marks: Vec<Pin>,
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
            pins: &self.pins,
            following: self.following,
            marks: &self.marks,
            facts: &self.shown,
            now_ms: self.now_ms,
            chance: self.chance,
        }
    }

    fn own(&self) -> SubjectHash {
        Algorithm::default().hash(SALT, self.subject.value())
    }

    /// The same without any pin.
    fn unpinned(&self) -> Asked {
        Asked {
            pins: Vec::new(),
            ..self.clone()
        }
    }

    /// The same of a client that has written on gRPC.
    fn of_a_writer(&self) -> Asked {
        let mark = Pin {
            side: Side::Grpc,
            since_ms: 0,
            until_ms: u64::MAX,
            subject: self.own(),
            of_entity: false,
        };
        Asked {
            subject: Subject::new(self.subject.value()),
            pins: Vec::new(),
            marks: vec![mark],
            ..self.clone()
        }
    }

    /// The pin that the table of [`heard`] lets move it.
    fn moving(&self, state: &RolloutState) -> Option<Pin> {
        let is_heard = |pin: &&Pin| match (self.subject.kind(), self.safe) {
            (SubjectKind::Given, _) | (SubjectKind::Client, true) => true,
            (SubjectKind::Client, false) => pin.subject == self.own(),
            (SubjectKind::Entity, true) => pin.subject == self.own() || !pin.of_entity,
            (SubjectKind::Entity, false) => false,
        };
        let held = self.pins.iter().filter(is_heard);
        let held = held.filter(|pin| pin.holds(self.now_ms, self.following));
        let held = held.filter(|pin| !(state.halted && pin.side == Side::Grpc));
        let is_entity = self.subject.kind() == SubjectKind::Entity;
        held.copied()
            .max_by_key(|pin| (is_entity && pin.of_entity, pin.until_ms))
    }
}

/// Pins, and marks, of the subject and of another one, of clients and of entities.
fn carried() -> impl Strategy<Value = Vec<(Side, u64, u64, bool, bool)>> {
    let pin = (sides(), 1..9u64, 0..20u64, any::<bool>(), any::<bool>());
    proptest::collection::vec(pin, 0..4)
}

fn kinds() -> impl Strategy<Value = SubjectKind> {
    let kinds = [SubjectKind::Client, SubjectKind::Entity, SubjectKind::Given];
    prop::sample::select(kinds.to_vec())
}

prop_compose! {
    pub(crate) fn asked()(
        subject in "[a-z]{1,2}", kind in kinds(), safe in any::<bool>(), comparable in any::<bool>(),
        forced in prop::option::weighted(0.2, sides()), pins in carried(),
        following in prop::option::of((0..3_000u64, 0..20u64)), marks in carried(), app in any::<bool>(),
        country in prop::option::of("no|se"), now_ms in 0..20u64, chance in any::<u32>(),
    ) -> Asked {
        let mut shown = vec![];
        if app {
            shown.push(("header:user-agent", "app/1"));
        }
        if let Some(country) = &country {
            shown.push(("header:x-country", country.as_str()));
        }
        let hash = |own| Algorithm::default().hash(SALT, if own { &subject } else { "another" });
        let signed = |all: Vec<(Side, u64, u64, bool, bool)>| -> Vec<Pin> {
            let pins = all.into_iter();
            let pin = |(side, since_ms, until_ms, own, of_entity)| Pin {
                side, since_ms, until_ms, subject: hash(own), of_entity
            };
            pins.map(pin).collect()
        };
        let (pins, marks) = (signed(pins), signed(marks));
        Asked {
            subject: Subject::of(subject, kind),
            shown: Shown::new(&shown),
            safe,
            comparable,
            forced,
            pins,
            following: following.map(|(passed_ms, pin_max_ms)| Following { passed_ms, pin_max_ms }),
            marks,
            now_ms,
            chance,
        }
    }
}
