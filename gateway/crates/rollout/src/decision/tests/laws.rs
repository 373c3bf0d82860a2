//! The laws of a decision.

use super::*;

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
        let own = asked.own();
        let pins = match asked.subject.kind() {
            SubjectKind::Client => asked.pins.iter().copied().filter(|pin| pin.subject == own).collect(),
            SubjectKind::Entity => Vec::new(),
            SubjectKind::Given => asked.pins.clone(),
        };
        let asked = Asked { pins, ..asked };
        let on = |safe| decide(&state, &Asked { safe, ..asked.clone() }.request()).side;
        prop_assert_eq!(on(true), on(false));
    }

    #[test]
    fn nothing_that_a_client_carries_moves_a_write_that_others_share_with_it(state in states(), asked in asked()) {
        let subject = Subject::of(asked.subject.value(), SubjectKind::Entity);
        let asked = Asked { safe: false, subject, ..asked };
        let everybody = Asked { marks: Vec::new(), ..asked.unpinned() };
        prop_assert_eq!(decide(&state, &asked.request()), decide(&state, &everybody.request()));
    }

    #[test]
    fn what_is_of_another_subject_moves_no_write_and_of_an_entity_only_reads_by_a_client_s(state in states(), asked in asked()) {
        prop_assume!(asked.subject.kind() != SubjectKind::Given);
        let own = asked.own();
        let only_own = |all: &[Pin]| all.iter().copied().filter(|it| it.subject == own).collect::<Vec<_>>();
        let marks = Asked { marks: only_own(&asked.marks), ..asked.clone() };
        prop_assert_eq!(decide(&state, &asked.request()), decide(&state, &marks.request()));
        let is_entity = asked.subject.kind() == SubjectKind::Entity;
        if !asked.safe || is_entity {
            let is_heard = |pin: &Pin| pin.subject == own || asked.safe && !pin.of_entity;
            let pins = asked.pins.iter().copied().filter(is_heard).collect();
            let pins = Asked { pins, ..asked.clone() };
            prop_assert_eq!(decide(&state, &asked.request()), decide(&state, &pins.request()));
        }
    }

    #[test]
    fn what_one_wrote_to_an_entity_is_read_where_it_went_whatever_one_did_after(
        state in states(), asked in asked(), side in sides()
    ) {
        let pin = Pin { side, since_ms: 0, until_ms: asked.now_ms + 1, subject: asked.own(), of_entity: true };
        let only_clients = asked.pins.iter().copied().filter(|pin| !pin.of_entity);
        let pins = only_clients.chain([pin]).collect();
        let subject = Subject::of(asked.subject.value(), SubjectKind::Entity);
        let asked = Asked { safe: true, forced: None, subject, pins, ..asked };
        let is_heard = state.enabled && !(state.halted && side == Side::Grpc);
        if is_heard {
            prop_assert_eq!(decide(&state, &asked.request()).side, side);
        }
    }

    #[test]
    fn reads_stay_with_the_latest_pin_that_moves_them_whatever_changes_meanwhile(state in states(), asked in asked()) {
        let asked = Asked { safe: true, forced: None, ..asked };
        let decision = decide(&state, &asked.request());
        match asked.moving(&state) {
            Some(pin) if state.enabled => {
                // Of two that end together either may be the latest.
                let is_one = |it: &Pin| it.side == decision.side && it.until_ms == pin.until_ms;
                prop_assert!(decision.reason == Reason::Pin && asked.pins.iter().any(is_one));
            }
            // One that has run out says nothing.
            Some(_) | None => {
                let decided = |asked: &Asked| {
                    let decision = decide(&state, &asked.request());
                    (decision.side, decision.reason, decision.rule)
                };
                prop_assert_eq!(decided(&asked), decided(&asked.unpinned()));
            }
        }
    }

    #[test]
    fn a_pin_has_moved_who_would_be_on_the_other_side_without(state in states(), asked in asked()) {
        let decision = decide(&state, &asked.request());
        let without = decide(&state, &asked.unpinned().request());
        prop_assert_eq!(decision.moved, without.side != decision.side);
        prop_assert!(!decision.moved || decision.pinned == Some(decision.side));
    }

    #[test]
    fn an_answer_stands_for_its_side_where_the_percentage_alone_has_the_subject_there(
        state in states(), asked in asked()
    ) {
        let decision = decide(&state, &asked.request());
        let free = Asked { safe: true, forced: None, ..asked.unpinned() };
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
        let asked = Asked { forced: None, ..asked.of_a_writer() };
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
    fn halted_means_nobody_is_sent_to_grpc(state in states(), asked in asked(), wrote in any::<bool>()) {
        let asked = if wrote { asked.of_a_writer() } else { asked };
        let asked = Asked { forced: None, ..asked };
        let state = RolloutState { halted: true, stage: Stage::Split, ..state };
        prop_assume!(asked.safe || state.writes != Owner::Grpc);
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
