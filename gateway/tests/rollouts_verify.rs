//! The log of changes shows when somebody was at it.

use std::{cell::Cell, convert::Infallible, time::Duration};

use banyan_gateway::store::{Action, Configured, NewEntry, State, Store, Verdict};
use banyan_mesh::{database::DatabaseSettings, process::Process, testing::TestDatabase};
use banyan_rollout::{Percent, Position};
use jiff::Timestamp;

use crate::rollouts_log::{changed, execute, unguarded};

async fn verdict(url: &str, known_hash: Option<&str>) -> Verdict {
    let process = Process::new();
    let store = Store::open(&process, &DatabaseSettings::new(url))
        .await
        .unwrap();
    assert!(store.ready().await);
    let verdict = store.verify("movies", known_hash).await.unwrap();
    process.stop(Duration::from_secs(5)).await.unwrap();
    verdict
}

#[tokio::test]
async fn an_untouched_log_is_intact_and_its_last_hash_is_known_later() {
    for database in TestDatabase::each() {
        changed(&database.url).await;
        let first = verdict(&database.url, None).await;
        assert_eq!((first.entries, &first.broken), (3, &None));
        changed(&database.url).await;
        let later = verdict(&database.url, Some(&first.head_hash)).await;
        assert_eq!((later.entries, later.broken), (6, None));
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_alter_the_log() {
    for database in TestDatabase::each() {
        changed(&database.url).await;
        for statement in [
            "UPDATE rollout_log SET actor = 'bob' WHERE number = 1",
            "DELETE FROM rollout_log",
        ] {
            let refused = execute(&database.url, &[statement]).await.unwrap_err();
            assert!(refused.to_string().contains("append-only"), "{refused}");
        }
        assert_eq!(verdict(&database.url, None).await.broken, None);
    }
}

/// A fourth entry, long after the others, that looks like the third.
const SLIPPED_IN: &str = "INSERT INTO rollout_log \
    (rollout, number, time_us, actor, action, reason, before_state, after_state, evidence, previous_hash, hash) \
    SELECT rollout, 4, time_us + 1, actor, action, reason, before_state, after_state, evidence, previous_hash, hash \
    FROM rollout_log WHERE number = 3";

#[tokio::test]
async fn whatever_is_altered_shows_at_the_first_entry_that_is_wrong() {
    let cases = [
        (
            "UPDATE rollout_log SET actor = 'bob' WHERE number = 2",
            2,
            "its content does not have its hash",
        ),
        (
            "UPDATE rollout_log SET time_us = time_us + 1 WHERE number = 3",
            3,
            "its content does not have its hash",
        ),
        (
            "UPDATE rollout_log SET hash = previous_hash WHERE number = 1",
            1,
            "its content does not have its hash",
        ),
        (
            "DELETE FROM rollout_log WHERE number = 2",
            2,
            "the entry is missing",
        ),
        (
            "DELETE FROM rollout_log WHERE number = 3",
            3,
            "the entry is missing",
        ),
        (
            "UPDATE rollout_states SET state = REPLACE(state, '\"percent\":50', '\"percent\":51')",
            4,
            "the rollout is in another state than its last entry says",
        ),
        (SLIPPED_IN, 4, "it does not follow the entry before it"),
        (
            // The last entry is as good as one that was slipped in, with hashes that fit.
            "UPDATE rollout_states SET (version, state, head_hash) = \
             (SELECT number, after_state, hash FROM rollout_log WHERE number = 2)",
            3,
            "the rollout's own row tells of no such change: the entry was slipped in, or the row set back",
        ),
        (
            "UPDATE rollout_states SET version = 0",
            1,
            "the rollout's own row tells of no such change: the entry was slipped in, or the row set back",
        ),
        (
            "DELETE FROM rollout_states",
            4,
            "the rollout's own row, which tells its state, is gone",
        ),
        (
            "UPDATE rollout_log SET number = -1 WHERE number = 3",
            1,
            "an entry -1 stands before the first",
        ),
    ];
    for database in TestDatabase::each() {
        for (statement, number, problem) in cases {
            let database = match database.url.starts_with("sqlite") {
                true => TestDatabase::sqlite(),
                false => TestDatabase::postgres(),
            };
            changed(&database.url).await;
            execute(&database.url, unguarded(&database.url))
                .await
                .unwrap();
            execute(&database.url, &[statement]).await.unwrap();
            let found = verdict(&database.url, None).await;
            assert_eq!(
                found.broken,
                Some((number, problem.to_owned())),
                "{statement}"
            );
        }
    }
}

#[tokio::test]
async fn a_log_that_was_written_anew_lacks_the_hash_that_was_noted() {
    let (one, other) = (TestDatabase::sqlite(), TestDatabase::sqlite());
    changed(&one.url).await;
    changed(&other.url).await;
    let noted = verdict(&one.url, None).await.head_hash;
    let found = verdict(&other.url, Some(&noted)).await;
    let problem = "no entry has the known hash: the log was written anew";
    assert_eq!(found.broken, Some((4, problem.to_owned())));
}

#[tokio::test]
async fn a_log_that_is_gone_altogether_lacks_the_hash_that_was_noted() {
    for database in TestDatabase::each() {
        changed(&database.url).await;
        let noted = verdict(&database.url, None).await.head_hash;
        let all = ["DELETE FROM rollout_log", "DELETE FROM rollout_states"];
        let statements = [unguarded(&database.url), &all].concat();
        execute(&database.url, &statements).await.unwrap();
        assert_eq!(verdict(&database.url, None).await.broken, None);
        let found = verdict(&database.url, Some(&noted)).await;
        let problem = "no entry has the known hash: the log was written anew";
        assert_eq!(found.broken, Some((1, problem.to_owned())));
    }
}

pub(crate) fn new_entry(now: Timestamp) -> NewEntry {
    NewEntry {
        rollout: "movies".to_owned(),
        initial: State::new("movies", Position::default(), Configured::default()),
        expected_version: None,
        action: Action::Set,
        actor: "ada".to_owned(),
        reason: String::new(),
        evidence: "{}".to_owned(),
        now,
    }
}

#[tokio::test]
async fn a_log_that_grows_while_it_is_walked_is_intact() {
    for database in TestDatabase::each() {
        changed(&database.url).await;
        let process = Process::new();
        let settings = DatabaseSettings::new(database.url.clone());
        let store = Store::open(&process, &settings).await.unwrap();
        assert!(store.ready().await);
        let is_done = Cell::new(false);
        let changes = async {
            for n in 1..=50_u16 {
                let set = |state: &State| {
                    let mut state = state.clone();
                    state.position.percent = Percent::from_hundredths(n);
                    Ok::<_, Infallible>(state)
                };
                store
                    .change(new_entry(Timestamp::now()), set)
                    .await
                    .unwrap()
                    .unwrap();
            }
            is_done.set(true);
        };
        let walks = async {
            while !is_done.get() {
                let walked = store.verify("movies", None).await.unwrap();
                assert_eq!(walked.broken, None);
            }
        };
        tokio::join!(changes, walks);
        assert_eq!(store.verify("movies", None).await.unwrap().entries, 53);
        process.stop(Duration::from_secs(5)).await.unwrap();
    }
}
