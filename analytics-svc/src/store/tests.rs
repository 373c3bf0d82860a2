//! Facts are a function of the feed alone: however it is cut into deliveries, repeated, trimmed or replayed from zero, the
//! tables come out as a model that knows no batches says.

mod model;
mod script;

use std::{ops::Range, time::Duration};

use banyan_mesh::{
    database::{Database, DatabaseSettings},
    process::Process,
    testing::TestDatabase,
};
use proptest::{prelude::*, test_runner::TestRunner};

use super::{ApplyError, Store};
use crate::{
    domain::{
        change::{Change, Event, RoomType},
        name::RoomTypeName,
    },
    migration::Migrator,
};
use model::{Facts, Model, facts};
use script::{change, log, snapshot};

/// How far a delivery reaches back before the cursor, and how far beyond it.
type Cut = (usize, usize);

fn cuts() -> impl Strategy<Value = Vec<Cut>> {
    prop::collection::vec((0..8_usize, 1..15_usize), 1..6)
}

/// Delivers the whole log, cut as `cuts` say again and again.
async fn deliver(store: &Store, log: &[Event], cuts: &[Cut]) {
    let mut done = 0_usize;
    for (back, on) in cuts.iter().cycle() {
        let range: Range<usize> = done.saturating_sub(*back)..log.len().min(done + on);
        let skipped = done - range.start;
        let applied = store.apply(&log[range.clone()], 0).await.unwrap();
        assert_eq!(usize::try_from(applied.skipped).unwrap(), skipped);
        assert_eq!(usize::try_from(applied.applied).unwrap(), range.end - done);
        done = range.end;
        if done == log.len() {
            return;
        }
    }
}

async fn open(url: &str) -> Store {
    let settings = DatabaseSettings::new(url);
    let process = Process::new();
    let database = Database::start::<Migrator>(&process, &settings, "test");
    let store = Store::new(database.await.unwrap());
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, store.ready()).await.unwrap();
    store
}

#[test]
fn facts_are_what_the_model_says_and_a_rebuild_equals_them() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for database in TestDatabase::each() {
        let store = runtime.block_on(open(&database.url));
        let changes = prop::collection::vec(change(), 1..60);
        let mut runner = TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(24)
        });
        let law = |(changes, live, again): (Vec<Change>, Vec<Cut>, Vec<Cut>)| {
            runtime.block_on(async {
                let log = log(&changes);
                deliver(&store, &log, &live).await;
                let facts_live = facts(&store).await;
                let cursor_live = store.cursor().await.unwrap();
                assert_eq!(facts_live, Model::of(&changes));

                assert!(store.forget(Some("a")).await.unwrap());
                assert_eq!(facts(&store).await, Facts::default());
                deliver(&store, &log, &again).await;
                assert_eq!(facts(&store).await, facts_live);
                assert_eq!(store.cursor().await.unwrap(), cursor_live);
                assert!(store.forget(Some("a")).await.unwrap());
            });
            Ok(())
        };
        runner.run(&(changes, cuts(), cuts()), law).unwrap();
    }
}

#[test]
fn a_snapshot_and_the_rest_come_to_the_same_from_wherever_they_are_read() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for database in TestDatabase::each() {
        let store = runtime.block_on(open(&database.url));
        let changes = prop::collection::vec(change(), 1..60);
        let mut runner = TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(24)
        });
        // What was read, event by event; up to where there is a snapshot when it goes on, in two readings of it; and up
        // to where once it has read the first half of that.
        let point = || 0.0..=1.0;
        let points = [point(), point(), point(), point()];
        let law = |(changes, [read, first, half, second]): (Vec<Change>, [f64; 4])| {
            runtime.block_on(async {
                let log = log(&changes);
                let share = |share: f64, of: usize| (share * of as f64) as usize;
                let read = share(read, log.len());
                store.apply(&log[..read], 0).await.unwrap();
                let (mut done, mut trimmed) = (read, read);
                for (more, share_read) in [(first, half), (second, 1.0)] {
                    trimmed += share(more, log.len() - trimmed);
                    let mut told = snapshot(&log[..trimmed]);
                    told.retain(|event| event.position.sequence > done as i64);
                    told.truncate(share(share_read, told.len()));
                    if let Some(last) = told.last() {
                        done = last.position.sequence as usize;
                    }
                    store.apply(&told, 0).await.unwrap();
                }
                store.apply(&log[done..], 0).await.unwrap();
                assert_eq!(facts(&store).await, Model::of(&changes));
                let cursor = store.cursor().await.unwrap();
                assert_eq!(
                    cursor.decide_time,
                    log.last().map(|event| event.decide_time)
                );
                assert!(store.forget(Some("a")).await.unwrap());
            });
            Ok(())
        };
        runner.run(&(changes, points), law).unwrap();
    }
}

#[test]
fn a_refused_delivery_changes_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for database in TestDatabase::each() {
        runtime.block_on(async {
            let store = open(&database.url).await;
            let room_type = |capacity| {
                Change::RoomType(RoomType {
                    name: RoomTypeName::parse("hotels/h/roomTypes/r").unwrap(),
                    capacity,
                })
            };
            let mut log = log(&[room_type(1), room_type(2), room_type(3)]);
            store.apply(&log[..1], 3).await.unwrap();
            assert_eq!(store.cursor().await.unwrap().lag(), 2);
            store.apply(&log[..2], 3).await.unwrap();
            store.apply(&[], 9).await.unwrap();
            assert_eq!(store.cursor().await.unwrap().lag(), 7);

            log[2].position.sequence = 4;
            let refused = store.apply(&log, 4).await.unwrap_err();
            assert!(matches!(refused, ApplyError::Order(_)), "{refused}");
            assert_eq!(store.cursor().await.unwrap().sequence, 2);
            assert!(
                !store.forget(Some("b")).await.unwrap(),
                "only what is known to be another incarnation's is forgotten"
            );
            assert_eq!(facts(&store).await.room_types[0].capacity, 2);
        });
    }
}
