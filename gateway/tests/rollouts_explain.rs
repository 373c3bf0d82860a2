//! Decisions of the past, explained by what was in force then.

use banyan_gateway::{
    config::SteeringConfig,
    rollouts::{Carried, ChangeError, Definition, Question, Rollouts, Snapshot, Steering},
    store::Store,
};
use banyan_mesh::{
    database::DatabaseSettings, process::Process, settings::Secret, testing::TestDatabase,
};
use banyan_rollout::{Explanation, GoingDown, Reason, Side};
use jiff::Timestamp;

use crate::{
    rollouts_log::{execute, unguarded},
    rollouts_support::{Replica, movies, operator, percent},
};

/// Everything that decides, otherwise than [`movies`] has it.
fn other() -> (Definition, SteeringConfig) {
    let sources = r#"["header:x-guest", "cookie:banyan_subject"]"#;
    let rule = r#"[{"name": "staff", "subjects": ["bob"], "side": "grpc"}]"#;
    let definition = Definition {
        subjects: serde_json::from_str(sources).unwrap(),
        rules: serde_json::from_str(rule).unwrap(),
        routes: vec!["GET /api/movies/{id}".to_owned()],
        going_down: GoingDown::StayWithWriter,
        has_fallback: true,
        legacy_honours_request_ids: true,
        ..movies()
    };
    let steering = SteeringConfig {
        force_token: Some(Secret::new("let me")),
        pin_s: 60,
        ..SteeringConfig::default()
    };
    (definition, steering)
}

async fn start(url: &str, definition: Definition, steering: &SteeringConfig) -> Replica {
    let process = Process::new();
    let settings = DatabaseSettings::new(url);
    let store = Store::open(&process, &settings).await.unwrap();
    let steering = Steering::new(steering).unwrap();
    let rollouts = Rollouts::start(vec![definition], Some(store.clone()), steering, &process).await;
    Replica {
        process,
        rollouts,
        store,
    }
}

/// First as [`movies`] has it and at 0 per cent, then as [`other`] has it. Returns both moments.
async fn history(url: &str) -> (Replica, Timestamp, Timestamp) {
    let replica = start(url, movies(), &SteeringConfig::default()).await;
    let set = replica
        .rollouts
        .set_percent("movies", percent("0"), operator(""));
    set.await.unwrap();
    replica.stop().await;
    let (definition, steering) = other();
    let replica = start(url, definition, &steering).await;
    let log = replica.rollouts.changes("movies", None, 10).await.unwrap();
    let [after, before] = log.try_into().unwrap();
    assert_eq!(after.actor, "settings");
    (replica, before.time, after.time)
}

fn asked(time: Timestamp) -> Question {
    let facts = [("header:x-user-id", "alice"), ("header:x-guest", "bob")];
    Question {
        time: Some(time),
        facts: facts
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..Question::default()
    }
}

async fn explain(replica: &Replica, question: Question) -> (Explanation, Snapshot) {
    let explained = replica.rollouts.explain("movies", question).await;
    explained.unwrap()
}

/// The text of a topic's only line; empty without one.
fn said<'a>(explanation: &'a Explanation, topic: &str) -> &'a str {
    let mut lines = explanation.lines.iter();
    lines
        .find(|line| line.topic == topic)
        .map_or("", |line| &line.text)
}

#[tokio::test]
async fn a_past_decision_is_explained_by_what_was_in_force_then() {
    for database in TestDatabase::each() {
        let (replica, before, after) = history(&database.url).await;

        let (then, rollout) = explain(&replica, asked(before)).await;
        assert_eq!(
            (then.subject.as_str(), then.source.as_deref()),
            ("alice", Some("header:x-user-id")),
            "{then}"
        );
        let decision = then.decision;
        assert_eq!(
            (decision.side, decision.reason),
            (Side::Legacy, Reason::Percent)
        );
        assert!(said(&then, "pin").contains("one holds 30 s from the write on"));
        assert_eq!((said(&then, "forced"), said(&then, "wrote")), ("", ""));
        assert_eq!(rollout.routes, movies().routes);
        assert_eq!(rollout.subjects[0].to_string(), "header:x-user-id");
        let carried = Carried {
            pin: Some("grpc".to_owned()),
            forced: Some(Side::Legacy),
            wrote: Some("grpc".to_owned()),
        };
        let pinned = Question {
            carried: carried.clone(),
            ..asked(before)
        };
        let (then, _) = explain(&replica, pinned).await;
        assert_eq!(then.decision.reason, Reason::Pin, "{then}");
        assert!(said(&then, "forced").contains("is not heard"), "{then}");
        assert!(said(&then, "fallback").contains("does not let"), "{then}");

        let (then, rollout) = explain(&replica, asked(after)).await;
        assert_eq!(
            (then.subject.as_str(), then.decision.reason),
            ("bob", Reason::Rule),
            "{then}"
        );
        assert!(said(&then, "pin").contains("one holds 60 s from the write on"));
        assert!(said(&then, "forced").contains("legacy would make it legacy"));
        assert!(said(&then, "fallback").starts_with("legacy answers"));
        assert_eq!(rollout.routes, other().0.routes);
        let forced = Question {
            carried,
            is_write: true,
            ..asked(after)
        };
        let (then, _) = explain(&replica, forced).await;
        let decision = then.decision;
        assert_eq!(
            (decision.side, decision.reason),
            (Side::Legacy, Reason::Forced)
        );
        let marked = Question {
            subject: Some("carol".to_owned()),
            carried: Carried {
                wrote: Some("grpc".to_owned()),
                ..Carried::default()
            },
            is_write: true,
            ..asked(after)
        };
        let (then, _) = explain(&replica, marked).await;
        assert_eq!(then.decision.reason, Reason::StaysWithWriter, "{then}");
        assert!(said(&then, "fallback").contains("with a request id however it failed"));
        replica.stop().await;
    }
}

#[tokio::test]
async fn what_an_older_release_did_not_write_down_is_said_to_be_unknown() {
    for database in TestDatabase::each() {
        let (replica, before, _) = history(&database.url).await;
        replica.stop().await;
        let mut statements = unguarded(&database.url).to_vec();
        let lacks = |column: &str| {
            [
                (r#","routes":["GET /api/movies","POST /api/movies"]"#, ""),
                (r#","honours_request_ids":false"#, ""),
                (
                    r#","steering":{"force_token":false,"pin_s":30,"pin_max_s":86400}"#,
                    "",
                ),
                (
                    r#""subjects":["header:x-user-id","cookie:banyan_subject"]"#,
                    r#""subjects":null"#,
                ),
            ]
            .map(|(was, is)| {
                format!("UPDATE rollout_log SET {column} = REPLACE({column}, '{was}', '{is}')")
            })
        };
        let older = [lacks("before_state"), lacks("after_state")].concat();
        statements.extend(older.iter().map(String::as_str));
        execute(&database.url, &statements).await.unwrap();

        let (definition, steering) = other();
        let replica = start(&database.url, definition, &steering).await;
        let unnamed = replica.rollouts.explain("movies", asked(before)).await;
        let error = unnamed.unwrap_err();
        assert!(matches!(error, ChangeError::Unrecorded { .. }), "{error}");

        let named = Question {
            subject: Some("alice".to_owned()),
            ..asked(before)
        };
        let (then, rollout) = explain(&replica, named.clone()).await;
        assert_eq!(then.decision.side, Side::Legacy);
        assert_eq!(
            said(&then, "log"),
            "an older release wrote this entry, which lacks: the sources of subjects, its routes, whether legacy honoured \
             request ids, what requests could say about their side"
        );
        assert!(said(&then, "pin").ends_with("how long one held is not recorded, 60 s today"));
        assert!(rollout.routes.is_empty() && rollout.subjects.is_empty());
        let forced = Question {
            carried: Carried {
                forced: Some(Side::Grpc),
                ..Carried::default()
            },
            ..named
        };
        let (then, _) = explain(&replica, forced).await;
        assert_eq!(
            said(&then, "forced"),
            "grpc was asked for, and is not heard: whether there was a force token is not recorded; if it were heard: \
             asking for grpc would make it grpc, because forced"
        );
        replica.stop().await;
    }
}
