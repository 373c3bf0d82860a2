//! The log of changes: it remembers, and any moment of it can be told again.

use std::time::Duration;

use banyan_gateway::{
    rollouts::{ChangeError, Operator, Question},
    store::{Action, Store, StoreError},
};
use banyan_mesh::{
    database::{Database, DatabaseSettings},
    process::Process,
    testing::TestDatabase,
};
use banyan_rollout::{BackTo, Command, Refusal, Side, Stage};
use jiff::Timestamp;
use sea_orm::ConnectionTrait as _;
use sea_orm_migration::{MigratorTrait, prelude::MigrationTrait};

use crate::rollouts_support::{Replica, in_force, movies, operator, percent};

/// Adds no step: a second connection to a store that is migrated already.
struct Nothing;

#[sea_orm_migration::async_trait::async_trait]
impl MigratorTrait for Nothing {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        Vec::new()
    }

    fn migration_table_name() -> sea_orm::DynIden {
        "other_migrations".into()
    }
}

pub(crate) async fn execute(url: &str, statements: &[&str]) -> Result<(), sea_orm::DbErr> {
    let process = Process::new();
    let database = Database::start::<Nothing>(&process, &DatabaseSettings::new(url), "intruder")
        .await
        .unwrap();
    assert!(database.ready().await);
    let mut result = Ok(());
    for statement in statements {
        let connection = database.connection();
        result = result.and(connection.execute_unprepared(statement).await.map(drop));
    }
    process.stop(Duration::from_secs(5)).await.unwrap();
    result
}

pub(crate) async fn changed(url: &str) {
    let replica = Replica::start(url).await;
    for change in ["10", "25", "50"] {
        let set = replica
            .rollouts
            .set_percent("movies", percent(change), operator("step"));
        set.await.unwrap();
    }
    replica.stop().await;
}

pub(crate) fn unguarded(url: &str) -> &'static [&'static str] {
    match url.starts_with("sqlite") {
        true => &[
            "DROP TRIGGER rollout_log_no_update",
            "DROP TRIGGER rollout_log_no_delete",
        ],
        false => &["DROP TRIGGER rollout_log_no_change ON rollout_log"],
    }
}

#[tokio::test]
async fn any_moment_that_has_been_can_be_explained() {
    for database in TestDatabase::each() {
        let replica = Replica::start(&database.url).await;
        let mut moments = vec![Timestamp::now()];
        for change in ["0", "100"] {
            let set = replica
                .rollouts
                .set_percent("movies", percent(change), operator(""));
            set.await.unwrap();
            moments.push(Timestamp::now());
        }
        let mut sides = Vec::new();
        for moment in moments {
            let question = Question {
                subject: Some("alice".to_owned()),
                time: Some(moment),
                ..Question::default()
            };
            let (explained, rollout) = replica.rollouts.explain("movies", question).await.unwrap();
            sides.push((explained.decision.side, in_force(&rollout)));
        }
        // alice is in bucket 529: below 50 per cent.
        let want = [
            (Side::Grpc, "50 environment v0".to_owned()),
            (Side::Legacy, "0 operator v1".to_owned()),
            (Side::Grpc, "100 operator v2".to_owned()),
        ];
        assert_eq!(sides, want);
        replica.stop().await;
    }
}

#[tokio::test]
async fn stages_move_by_the_rules_and_what_overrides_them_is_in_the_log() {
    for database in TestDatabase::each() {
        let replica = Replica::start(&database.url).await;
        let stage = |stage| {
            let writes = None;
            [Command::SetStage { stage, writes }]
        };
        let rollouts = &replica.rollouts;
        let command = |commands: [Command; 1], operator: Operator| async move {
            rollouts
                .command("movies", Action::Set, &commands, operator)
                .await
        };
        let back = command(stage(Stage::Legacy), operator("")).await.unwrap();
        assert_eq!(
            (back.stage, back.writes.as_str()),
            (Stage::Legacy, "legacy")
        );
        let skipped = command(stage(Stage::Split), operator(""))
            .await
            .unwrap_err();
        assert!(
            matches!(
                skipped,
                ChangeError::Refused {
                    source: Refusal::Skips { .. },
                    ..
                }
            ),
            "{skipped:?}"
        );
        let forced = Operator {
            is_forced: true,
            ..operator("no time for shadows")
        };
        command(stage(Stage::Split), forced).await.unwrap();
        let everybody = command([Command::SetPercent(percent("100"))], operator(""));
        everybody.await.unwrap();
        let one_way = command([Command::Promote], operator("")).await.unwrap_err();
        assert!(one_way.to_string().contains("cannot change"), "{one_way}");
        let confirmed = Operator {
            is_confirmed: true,
            ..operator("for good")
        };
        let done = command([Command::Promote], confirmed).await.unwrap();
        assert_eq!((done.stage, done.writes.as_str()), (Stage::Grpc, "grpc"));
        command([Command::Abort(BackTo::Zero)], operator(""))
            .await
            .unwrap_err();

        let log = replica.rollouts.changes("movies", None, 10).await.unwrap();
        assert_eq!(log.len(), 4, "what was refused left no entry");
        assert!(
            log[2].evidence.contains("\"forced\":true"),
            "{}",
            log[2].evidence
        );
        assert_eq!(log[0].reason, "for good");
        replica.stop().await;
    }
}

#[tokio::test]
async fn a_change_of_configuration_is_in_the_log_and_counts_for_all_replicas() {
    for database in TestDatabase::each() {
        let replica = Replica::start(&database.url).await;
        assert_eq!(replica.in_force(), "50 environment v0");
        replica.stop().await;
        let mut definition = movies();
        definition.env_percent = Some(percent("60"));
        let replica = Replica::start_with(&database.url, vec![definition]).await;
        replica.until_in_force("60 environment v1").await;
        let log = replica.rollouts.changes("movies", None, 10).await.unwrap();
        assert_eq!(log[0].action, Action::Configure);
        assert_eq!(
            (log[0].actor.as_str(), log[0].reason.as_str()),
            ("settings", "MOVIES_MIGRATION_PERCENT=60")
        );
        replica.stop().await;
    }
}

#[tokio::test]
async fn what_was_decided_before_there_was_a_log_is_carried_into_it() {
    for database in TestDatabase::each() {
        // As the release before left it: its two tables, filled, and only its own step applied.
        changed(&database.url).await;
        let mut statements = unguarded(&database.url).to_vec();
        if !database.url.starts_with("sqlite") {
            statements.push("DROP FUNCTION rollout_log_is_append_only()");
        }
        statements.extend([
            "DROP TABLE rollout_log",
            "DROP TABLE rollout_states",
            "DROP TABLE gateway_leases",
            "DROP TABLE rollout_windows",
            "DROP TABLE gateway_secrets",
            "DELETE FROM seaql_migrations WHERE version = 'm0002_create_rollout_log'",
            "INSERT INTO rollout_settings VALUES ('movies', 2500, 2, 1700000001000000)",
            "INSERT INTO rollout_changes VALUES ('movies', 1, 1700000000000000, 'ada', 'try', 5000, 'environment', 1250, 'operator')",
            "INSERT INTO rollout_changes VALUES ('movies', 2, 1700000001000000, 'bob', 'more', 1250, 'operator', 2500, 'operator')",
        ]);
        execute(&database.url, &statements).await.unwrap();

        let replica = Replica::start(&database.url).await;
        replica.until_in_force("25 operator v3").await;
        let log = replica.rollouts.changes("movies", None, 10).await.unwrap();
        let entries: Vec<String> = log
            .iter()
            .map(|entry| {
                let (from, to) = (entry.before.in_force(), entry.after.in_force());
                format!("{} {}: {} -> {}", entry.number, entry.actor, from.0, to.0)
            })
            .collect();
        assert_eq!(
            entries,
            [
                "3 settings: 25 -> 25",
                "2 bob: 12.5 -> 25",
                "1 ada: 50 -> 12.5"
            ]
        );
        assert_eq!(log[2].time, Timestamp::from_second(1_700_000_000).unwrap());
        let verdict = replica.rollouts.verify("movies", None).await.unwrap();
        assert_eq!((verdict.entries, verdict.broken), (3, None));
        replica.stop().await;
    }
}

#[tokio::test]
async fn a_lease_passes_over_when_its_holder_is_gone() {
    for database in TestDatabase::each() {
        let process = Process::new();
        let store = Store::open(&process, &DatabaseSettings::new(database.url.clone()))
            .await
            .unwrap();
        assert!(store.ready().await);
        let at = |second| Timestamp::from_second(second).unwrap();
        let ten = Duration::from_secs(10);
        let holder = |holder: &'static str, second| {
            let store = store.clone();
            async move {
                let lease = store.lease("analysis", holder, at(second), ten).await;
                lease.map(|lease| (lease.holder, lease.term)).unwrap()
            }
        };
        assert_eq!(holder("one", 0).await, ("one".to_owned(), 1));
        assert_eq!(holder("other", 5).await, ("one".to_owned(), 1));
        assert_eq!(holder("one", 8).await, ("one".to_owned(), 1));
        assert_eq!(holder("other", 17).await, ("one".to_owned(), 1));
        assert_eq!(holder("other", 18).await, ("other".to_owned(), 2));
        assert_eq!(holder("one", 19).await, ("other".to_owned(), 2));
        store.give_back("analysis", "other").await.unwrap();
        assert_eq!(holder("one", 20).await, ("one".to_owned(), 3));
        process.stop(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_holds_nonsense_says_so() {
    let database = TestDatabase::sqlite();
    changed(&database.url).await;
    let nonsense = "UPDATE rollout_states SET state = '{}'";
    execute(&database.url, &[nonsense]).await.unwrap();
    let process = Process::new();
    let store = Store::open(&process, &DatabaseSettings::new(database.url.clone()))
        .await
        .unwrap();
    assert!(store.ready().await);
    let error = store.states().await.unwrap_err();
    assert!(matches!(error, StoreError::Impossible { what: "state" }));
    process.stop(Duration::from_secs(5)).await.unwrap();
}
