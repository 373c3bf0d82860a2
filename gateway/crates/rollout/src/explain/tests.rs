//! What is explained is what is decided, whatever came with the request.

use proptest::prelude::*;

use super::*;
use crate::{
    Algorithm, GoingDown, Percent, Pin, Rule, Side, Source, Subject, SubjectHash, SubjectKind,
    Subjects, When,
    decision::tests::{asked, states},
    testing::Shown,
};

fn state() -> RolloutState {
    let norway = When {
        headers: [("x-country".to_owned(), "NO".to_owned())].into(),
        ..When::default()
    };
    RolloutState {
        percent: Percent::from_hundredths(2_500).unwrap(),
        source: Source::Operator,
        version: 7,
        rules: vec![Rule::new("Norway", norway, Then::Percent(Percent::ZERO)).unwrap()],
        ..RolloutState::new("movies")
    }
}

fn hash(subject: &str) -> SubjectHash {
    Algorithm::default().hash("movies", subject)
}

fn heard() -> Terms {
    let heard = |on: &str| Term::Heard(on.to_owned());
    Terms {
        pin: heard("one holds 30 s"),
        forced: heard("with the token"),
        wrote: heard("one lasts 90 days"),
        falling: Some(Falling {
            allowed: true,
            honours_request_ids: Some(true),
            shares_writes: false,
        }),
    }
}

/// The texts of a topic's lines.
fn said(explanation: &Explanation, topic: &str) -> Vec<String> {
    let lines = explanation.lines.iter();
    let lines = lines.filter(|line| line.topic == topic);
    lines.map(|line| line.text.clone()).collect()
}

#[test]
fn a_pin_to_grpc_is_said_not_to_count_while_the_rollout_is_halted() {
    let subject = Subject::new("alice");
    let pin = Pin {
        side: Side::Grpc,
        since_ms: 0,
        until_ms: 3,
        subject: hash("alice"),
        of_entity: false,
    };
    let request = Request {
        pins: &[pin],
        marks: &[pin],
        now_ms: 1,
        ..Request::of(&subject)
    };
    let halted = RolloutState {
        stage: Stage::Split,
        halted: true,
        going_down: GoingDown::StayWithWriter,
        ..state()
    };
    let said_of = |state: &RolloutState| {
        let explanation = explain(state, &request, None, None, &heard());
        (
            explanation.decision.side,
            said(&explanation, "pin").concat(),
        )
    };
    let (side, pin) = said_of(&halted);
    assert_eq!(side, Side::Legacy);
    assert!(
        pin.contains("not heard: the rollout was rolled back"),
        "{pin}"
    );
    let on = RolloutState {
        halted: false,
        ..halted
    };
    let (side, pin) = said_of(&on);
    assert_eq!(side, Side::Grpc);
    assert!(pin.contains("to grpc for 2 ms more"), "{pin}");

    let wrote = |state: &RolloutState| {
        said(&explain(state, &request, None, None, &heard()), "wrote").concat()
    };
    let halted = RolloutState { halted: true, ..on };
    assert!(
        wrote(&halted).contains("not heard: the rollout was rolled back"),
        "{}",
        wrote(&halted)
    );
}

#[test]
fn what_is_of_another_subject_is_said_not_to_be_heard() {
    let pin = |subject| Pin {
        side: Side::Legacy,
        since_ms: 0,
        until_ms: 3,
        subject: hash(subject),
        of_entity: true,
    };
    let (both, own) = (
        [pin("screening 5"), pin("screening 7")],
        [pin("screening 7")],
    );
    let screening = Subject::of("screening 7", SubjectKind::Entity);
    let client = Subject::new("alice");
    let another = "to legacy, and not heard: it is of another subject";
    let shared = "to legacy, and not heard: what others ask for too goes where theirs goes";
    let heard_too = "to legacy for 3 ms more";
    let alice = [Pin {
        of_entity: false,
        ..pin("alice")
    }];
    for (subject, safe, pins, want) in [
        (&screening, true, &both[..], vec![another, heard_too]),
        (&screening, false, &own[..], vec![shared]),
        (&screening, true, &alice[..], vec![heard_too]),
        (&screening, false, &alice[..], vec![another]),
        (&client, false, &own[..], vec![another]),
        (&client, true, &both[..], vec![heard_too, heard_too]),
    ] {
        let request = Request {
            safe,
            pins,
            ..Request::of(subject)
        };
        let explanation = explain(&state(), &request, None, None, &heard());
        let want = format!("{}; one holds 30 s", want.join("; "));
        assert_eq!(said(&explanation, "pin"), [want]);
    }
}

#[test]
fn everything_that_led_to_a_decision_is_said() {
    let state = state();
    let subjects: Subjects =
        serde_json::from_str(r#"["token:sub", "header:x-user-id", "cookie:c"]"#).unwrap();
    let shown = Shown::new(&[("header:x-user-id", "alice")]);
    let reading = subjects.find(&shown);
    let request = Request {
        facts: &shown,
        safe: false,
        pins: &[Pin {
            side: Side::Legacy,
            since_ms: 1,
            until_ms: 3,
            subject: hash("alice"),
            of_entity: false,
        }],
        now_ms: 5,
        ..Request::of(reading.subject.as_ref().unwrap())
    };
    let words = Percentages {
        operator: Some(state.percent),
        ..Percentages::default()
    };
    let explanation = explain(&state, &request, Some(&reading), Some(&words), &heard());
    assert_eq!(
        explanation.to_string(),
        "stage    split (version 7)\n\
         writes   owned by by-subject; this request may write\n\
         subject  `alice` is bucket 529 of 10000 (sha256-v1, salt `movies`), found in header:x-user-id, after \
         token:sub lacked it (so does a token that does not verify)\n\
         forced   no side was asked for; asking for legacy would make it legacy, because forced; with the token\n\
         pin      to legacy no longer: it had run out 2 ms before; one holds 30 s\n\
         wrote    no mark came; one would change nothing; one lasts 90 days\n\
         rule     `Norway` does not match\n\
         percent  25: bucket 529 is below 2500 (operator 25 (in force) > environment - > files - > file - > \
         default 0)\n\
         fallback legacy answers if gRPC fails before anything was sent, and with a request id however it failed\n\
         decision grpc, because percent: the subject's bucket against the percentage"
    );
    assert_eq!(explanation.missing, ["token:sub"]);
}

#[test]
fn a_body_that_cannot_be_seen_lacks_the_subject() {
    let sources = ["body:title", "cookie:c"].map(|source| source.parse().unwrap());
    let subjects = Subjects::new(sources.to_vec()).unwrap();
    let shown = Shown::new(&[("cookie:c", "alice")]);
    let reading = subjects.find(&shown);
    let request = Request::of(reading.subject.as_ref().unwrap());
    let explanation = explain(&state(), &request, Some(&reading), None, &heard());
    let want = "found in cookie:c, after body:title lacked it (so does a body that is longer than 64 KiB, packed or \
                unpacked, or cannot be unpacked)";
    let said = said(&explanation, "subject").remove(0);
    assert!(said.ends_with(want), "{said}");
}

#[test]
fn what_could_have_come_is_said_with_what_it_would_change() {
    let subject = Subject::new("alice");
    let request = Request::of(&subject);
    let beyond = RolloutState {
        percent: Percent::ZERO,
        going_down: GoingDown::StayWithWriter,
        ..state()
    };
    let explanation = explain(&beyond, &request, None, None, &heard());
    assert_eq!(
        (
            said(&explanation, "pin"),
            said(&explanation, "wrote"),
            said(&explanation, "fallback")
        ),
        (
            vec!["none came; one to grpc would make it grpc, because pin; one holds 30 s".to_owned()],
            vec![
                "no mark came; one of grpc would make it grpc, because stays_with_writer; one lasts 90 days"
                    .to_owned()
            ],
            vec![]
        )
    );
    let forbidden = Terms {
        forced: Term::Unheard {
            side: Some(Side::Grpc),
            why: "grpc was asked for without the token".to_owned(),
        },
        ..Terms::default()
    };
    let explanation = explain(&beyond, &request, None, None, &forbidden);
    assert_eq!(explanation.decision.side, Side::Legacy);
    assert_eq!(
        said(&explanation, "forced"),
        [
            "grpc was asked for without the token; if it were heard: asking for grpc would make it grpc, because \
             forced"
        ]
    );
    assert!(said(&explanation, "pin").is_empty(), "there are none");
}

#[test]
fn whether_legacy_would_answer_for_grpc_is_said() {
    let subject = Subject::new("alice");
    let pinned: &[Pin] = &[Pin {
        side: Side::Grpc,
        since_ms: 1,
        until_ms: 9,
        subject: hash("alice"),
        of_entity: false,
    }];
    for (safe, pins, allowed, honours_request_ids, want) in [
        (true, &[][..], true, None, "legacy answers if gRPC fails"),
        (
            true,
            &[],
            false,
            None,
            "nobody answers if gRPC fails: the rollout does not let legacy answer for it",
        ),
        (
            true,
            pinned,
            true,
            None,
            "nobody answers if gRPC fails: the subject has written there, and legacy may not know of it",
        ),
        (
            false,
            &[],
            true,
            Some(false),
            "legacy answers if gRPC fails before anything was sent",
        ),
        (
            false,
            &[],
            true,
            None,
            "legacy answers if gRPC fails before anything was sent; whether legacy did what came with the same request \
             id only once is not recorded",
        ),
    ] {
        let request = Request {
            safe,
            pins,
            ..Request::of(&subject)
        };
        let terms = Terms {
            falling: Some(Falling {
                allowed,
                honours_request_ids,
                shares_writes: false,
            }),
            ..Terms::default()
        };
        let explanation = explain(&state(), &request, None, None, &terms);
        assert_eq!(said(&explanation, "fallback"), [want]);
    }
}

#[test]
fn legacy_is_said_to_lack_what_was_written_in_the_last_stage() {
    let subject = Subject::new("alice");
    let last = RolloutState {
        stage: Stage::Grpc,
        writes: Stage::Grpc.owner(),
        ..state()
    };
    let lacks =
        "nobody answers if gRPC fails: legacy lacks what was written since stage grpc began";
    let owned = "nobody answers if gRPC fails: gRPC owns the writes";
    for (safe, shares_writes, want) in [
        (true, false, lacks),
        (true, true, "legacy answers if gRPC fails"),
        (false, false, owned),
        (false, true, owned),
    ] {
        let request = Request {
            safe,
            ..Request::of(&subject)
        };
        let terms = Terms {
            falling: Some(Falling {
                allowed: true,
                honours_request_ids: Some(true),
                shares_writes,
            }),
            ..Terms::default()
        };
        let explanation = explain(&last, &request, None, None, &terms);
        assert_eq!(said(&explanation, "fallback"), [want]);
    }
}

proptest! {
    #[test]
    fn the_decision_explained_is_the_decision_made(state in states(), asked in asked(), knows in any::<bool>()) {
        let request = asked.request();
        let terms = if knows { heard() } else { Terms::default() };
        let explanation = explain(&state, &request, None, None, &terms);
        prop_assert_eq!(explanation.decision, decide(&state, &request));
        let Decision { side, reason, .. } = explanation.decision;
        let told = said(&explanation, "decision");
        prop_assert!(told[0].starts_with(&format!("{side}, because {reason}:")), "{:?}", told);
    }

    #[test]
    fn what_is_said_to_change_the_side_does(state in states(), asked in asked()) {
        let request = Request { forced: None, pins: &[], marks: &[], ..asked.request() };
        let explanation = explain(&state, &request, None, None, &heard());
        let other = explanation.decision.side.other();
        let own = explanation.decision.subject;
        let one = [Pin { side: other, since_ms: 1, until_ms: u64::MAX, subject: own, of_entity: false }];
        for (topic, with) in [
            ("forced", Request { forced: Some(other), ..request }),
            ("pin", Request { pins: &one, ..request }),
            ("wrote", Request { marks: &one, ..request }),
        ] {
            let would = decide(&state, &with).side;
            let told = said(&explanation, topic);
            let changes = told[0].contains(&format!("would make it {other}"));
            prop_assert_eq!(changes, would == other, "{:?}", told);
        }
    }
}
