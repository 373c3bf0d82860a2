//! What is explained is what a request is decided by, whatever it says of its side.

use banyan_mesh::{process::Process, settings::Secret};
use banyan_rollout::{
    Algorithm, GoingDown, Owner, Percent, Pin, Position, Reason, Rule, Side, Stage, SubjectHash,
    Subjects, Term,
};
use http::{HeaderMap, HeaderName};

use super::*;
use crate::{
    config::SteeringConfig,
    rollouts::{
        Asked, Definition, FORCE_SIDE, FORCE_TOKEN, Ruling, Steering,
        pins::{PIN, Pins, WROTE},
    },
};

const TOKEN: &str = "let me";
/// Longer than any test takes.
const LONG_MS: u64 = 60 * 60 * 1_000;

fn steering(force_token: Option<&str>) -> Steering {
    let config = SteeringConfig {
        force_token: force_token.map(Secret::new),
        ..SteeringConfig::default()
    };
    Steering::new(&config).unwrap()
}

/// One rollout of each kind: stages, owners, switched off, where writers go, with rules and without, nobody and everybody.
fn kinds() -> Vec<Definition> {
    let rules = [
        r#"[]"#,
        r#"[{"name": "app", "user_agent": "app", "side": "grpc"}]"#,
    ];
    let mut kinds = Vec::new();
    for stage in Stage::ALL {
        for owner in stage.owners() {
            for (number, rules) in rules.into_iter().enumerate() {
                for going_down in [GoingDown::Return, GoingDown::StayWithWriter] {
                    for percent in [Percent::ZERO, Percent::HUNDRED] {
                        let name = format!("{stage}-{owner}-{number}-{going_down:?}-{percent}");
                        kinds.push(kind(&name, (stage, *owner), rules, going_down, percent));
                    }
                }
            }
        }
    }
    let off = Definition {
        enabled: false,
        ..kinds[0].clone()
    };
    kinds.push(Definition {
        name: "off".to_owned(),
        ..off
    });
    kinds
}

fn kind(
    name: &str,
    (stage, owner): (Stage, Owner),
    rules: &str,
    going_down: GoingDown,
    percent: Percent,
) -> Definition {
    let subjects: Subjects = serde_json::from_str(r#"["header:x-user-id", "cookie:c"]"#).unwrap();
    let rules: Vec<Rule> = serde_json::from_str(rules).unwrap();
    Definition {
        position: Position::initial(stage, Some(owner)).unwrap(),
        file_percent: Some(percent),
        rules,
        going_down,
        ..Definition::new(name, subjects)
    }
}

/// What a request says of its side, and the same as somebody tells it who asks for the reason.
#[derive(Default)]
struct Words {
    headers: HeaderMap,
    carried: Carried,
}

impl Words {
    fn say(&mut self, name: &HeaderName, value: &str) {
        self.headers.insert(name.clone(), value.parse().unwrap());
    }
}

fn hash(rollout: &str, subject: &str) -> SubjectHash {
    Algorithm::default().hash(rollout, subject)
}

/// All that requests may say to a rollout: signed and forged, fresh and over, with the token and without.
fn words(live: &Live, steering: &Steering) -> Vec<Words> {
    let keys = steering.keys.load();
    let now_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap();
    let signed = |purpose: &str, side, until_ms, subject| {
        let pin = Pin {
            side,
            since_ms: now_ms - 1_000,
            until_ms,
            subject: hash(live.name(), subject),
            of_entity: false,
        };
        pin.sign(&keys, purpose)
    };
    let of = |purpose: &str| {
        let mut all = vec![None, Some("1.g.1763712345678.KvVJBNQ0IU8uoyq".to_owned())];
        for side in [Side::Legacy, Side::Grpc] {
            let alice = signed(purpose, side, now_ms + LONG_MS, "alice");
            let another = signed(purpose, side.other(), now_ms + 2 * LONG_MS, "another");
            all.push(Some(format!("{another}, {alice}")));
            all.push(Some(another));
            all.push(Some(signed(purpose, side, now_ms - 1, "alice")));
        }
        all
    };
    let (pins, marks) = (of(live.name()), of(&format!("{}\0wrote", live.name())));
    let mut all = Vec::new();
    for pin in &pins {
        for mark in &marks {
            for force in [None, Some(Side::Legacy), Some(Side::Grpc)] {
                let mut words = Words::default();
                if let Some(pin) = pin {
                    words.say(&PIN, pin);
                }
                if let Some(mark) = mark {
                    words.say(&WROTE, mark);
                }
                if let Some(side) = force {
                    words.say(&FORCE_SIDE, side.as_str());
                    words.say(&FORCE_TOKEN, TOKEN);
                }
                words.carried = Carried {
                    pin: pin.clone(),
                    wrote: mark.clone(),
                    forced: force,
                };
                all.push(words);
            }
        }
    }
    all
}

#[tokio::test]
async fn what_is_explained_is_what_requests_are_decided_by() {
    for (token, is_followed) in [(Some(TOKEN), false), (None, true)] {
        let process = Process::new();
        let rollouts = Rollouts::start(kinds(), None, steering(token), &process).await;
        for definition in kinds() {
            let live = rollouts.live(&definition.name).unwrap();
            live.passed.begin(is_followed);
            for mut words in words(&live, rollouts.steering()) {
                for (is_write, agent) in [(false, "app/1"), (true, "other/1")] {
                    words.headers.insert("x-user-id", "alice".parse().unwrap());
                    words.headers.insert("user-agent", agent.parse().unwrap());
                    let asked = Asked {
                        is_safe: !is_write,
                        ..Asked::of(&words.headers)
                    };
                    let ruling = Ruling::new(Arc::clone(&live), &asked, rollouts.steering());
                    let facts = [
                        ("header:x-user-id".to_owned(), "alice".to_owned()),
                        ("header:user-agent".to_owned(), agent.to_owned()),
                    ];
                    let question = Question {
                        is_write,
                        facts: facts.into(),
                        carried: words.carried.clone(),
                        ..Question::default()
                    };
                    let explained = rollouts.explain(&definition.name, question).await;
                    let (explained, _) = explained.unwrap();
                    let decision = explained.decision;
                    assert_eq!(
                        (decision.side, decision.reason, decision.bucket),
                        (ruling.side, ruling.reason, ruling.bucket),
                        "{}: {:?}\n{explained}",
                        definition.name,
                        words.headers
                    );
                }
            }
        }
    }
}

/// The texts of a topic's lines.
async fn told(rollouts: &Rollouts, topic: &str, carried: Carried) -> String {
    let question = Question {
        subject: Some("alice".to_owned()),
        carried,
        ..Question::default()
    };
    let (explained, _) = rollouts.explain("movies", question).await.unwrap();
    let lines = explained.lines.iter();
    let lines = lines.filter(|line| line.topic == topic);
    lines.map(|line| line.text.as_str()).collect()
}

#[tokio::test]
async fn what_a_request_said_is_told_with_whether_it_was_heard() {
    let process = Process::new();
    let split = (Stage::Split, Owner::BySubject);
    let movies = kind("movies", split, "[]", GoingDown::Return, Percent::ZERO);
    let rollouts = Rollouts::start(vec![movies], None, steering(None), &process).await;
    let said = |text: &str| Some(text.to_owned());
    let pin = |text| Carried {
        pin: said(text),
        ..Carried::default()
    };
    let holds = "one holds 30 s from the write on, one to legacy until its follower has passed that, 86400 s at most";
    assert_eq!(
        told(&rollouts, "pin", Carried::default()).await,
        format!("none came; one to grpc would make it grpc, because pin; {holds}")
    );
    assert_eq!(
        told(&rollouts, "pin", pin("grpc")).await,
        format!("to grpc for 30000 ms more; {holds}")
    );
    assert_eq!(
        told(&rollouts, "pin", pin("1.g.2.x")).await,
        "what came is no pin of this rollout that a gateway with today's key has signed: it is not heard"
    );
    assert_eq!(told(&rollouts, "forced", Carried::default()).await, "");
    let forced = Carried {
        forced: Some(Side::Grpc),
        ..Carried::default()
    };
    assert_eq!(
        told(&rollouts, "forced", forced).await,
        "grpc was asked for, and is not heard: without a force token in the settings clients may not ask for a side, \
         operators on their port may; if it were heard: asking for grpc would make it grpc, because forced"
    );
    let marked = Carried {
        wrote: said("grpc"),
        ..Carried::default()
    };
    assert_eq!(
        told(&rollouts, "wrote", marked).await,
        "marks of writers say nothing: who falls out of the percentage returns to legacy"
    );
}

#[tokio::test]
async fn a_subject_is_judged_as_whose_it_is_by_the_facts_that_show_it() {
    let process = Process::new();
    let split = (Stage::Split, Owner::BySubject);
    let everybody = Percent::HUNDRED;
    let screenings = Definition {
        subjects: serde_json::from_str(r#"["query:id", "cookie:c"]"#).unwrap(),
        ..kind("screenings", split, "[]", GoingDown::Return, everybody)
    };
    let rollouts = Rollouts::start(vec![screenings], None, steering(None), &process).await;
    let live = rollouts.live("screenings").unwrap();
    let now_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap();
    let pin = Pin {
        side: Side::Legacy,
        since_ms: now_ms,
        until_ms: now_ms + LONG_MS,
        subject: hash("screenings", "7"),
        of_entity: true,
    };
    let pin = pin.sign(&rollouts.steering().keys.load(), "screenings");
    let explain = async |is_write, fact: &[&str]| {
        let question = Question {
            subject: Some("7".to_owned()),
            is_write,
            facts: fact
                .iter()
                .map(|name| ((*name).to_owned(), "7".to_owned()))
                .collect(),
            carried: Carried {
                pin: Some(pin.clone()),
                ..Carried::default()
            },
            ..Question::default()
        };
        let (explained, _) = rollouts.explain("screenings", question).await.unwrap();
        explained
    };
    let doubt = "no fact shows `7`, so it was explained as a client's; `--fact query:id=7` explains the entity";
    let doubts = |explained: &Explanation| explained.lines.iter().any(|line| line.text == doubt);
    for (is_write, fact, want) in [
        (false, "query:id", (Side::Legacy, Reason::Pin)),
        (true, "query:id", (Side::Grpc, Reason::Percent)),
        (true, "cookie:c", (Side::Legacy, Reason::Pin)),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(PIN.clone(), pin.parse().unwrap());
        if fact == "cookie:c" {
            headers.insert("cookie", "c=7".parse().unwrap());
        }
        let asked = Asked {
            is_safe: !is_write,
            query: (fact == "query:id").then_some("id=7"),
            ..Asked::of(&headers)
        };
        let ruling = Ruling::new(Arc::clone(&live), &asked, rollouts.steering());
        assert_eq!((ruling.side, ruling.reason), want, "{fact}");
        let explained = explain(is_write, &[fact]).await;
        let decision = explained.decision;
        assert_eq!((decision.side, decision.reason), want, "{explained}");
        assert_eq!(explained.source.as_deref(), Some(fact));
        assert!(!doubts(&explained), "{explained}");
    }
    assert!(doubts(&explain(true, &[]).await));
}

#[test]
fn a_pin_whose_time_was_over_may_have_held_as_far_as_the_log_knows() {
    let steering = steering(None);
    let (pins, keys) = (Pins::of("movies"), steering.keys.load());
    let pin = Pin {
        side: Side::Legacy,
        since_ms: 1_000,
        until_ms: 31_000,
        subject: hash("movies", "alice"),
        of_entity: false,
    };
    let carried = Carried {
        pin: Some(pin.sign(&keys, "movies")),
        ..Carried::default()
    };
    let at = |now_ms| {
        let heard = carried.heard(&carried::Ears {
            pins: &pins,
            keys: &keys,
            going_down: GoingDown::Return,
            subject: pin.subject,
            steering: Some(steering.terms()),
            today: steering.terms(),
            is_past: true,
            now_ms,
        });
        (heard.pins, heard.terms.pin)
    };
    assert_eq!(at(30_999).0, [pin]);
    let (heard, term) = at(31_500);
    let why = "to legacy; it had run out 500 ms before, and whether the follower had passed its write then is not \
               recorded: taken as passed";
    let doubt = Term::Unheard {
        side: Some(Side::Legacy),
        why: why.to_owned(),
    };
    assert_eq!((heard, term), (Vec::new(), doubt));
    assert_eq!(at(1_000 + 86_400_000).0, [pin], "over in any case");
}
