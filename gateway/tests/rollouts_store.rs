//! Operators' decisions in the store, on SQLite and on PostgreSQL.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use banyan_gateway::{
    rollouts::{ChangeError, Operator, Question},
    store::{Difference, Entry, Noise, State, Store, StoreError},
};
use banyan_mesh::{database::DatabaseSettings, process::Process, testing::TestDatabase};
use banyan_rollout::Percent;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::{
    rollouts_support::{
        Log, Replica, SOON, eventually, in_force, operator, percent, shared_database,
    },
    rollouts_verify::new_entry,
};

fn entry(entry: &Entry) -> String {
    let (from, from_source) = entry.before.in_force();
    let (to, to_source) = entry.after.in_force();
    format!(
        "{} {}: {from} {from_source} -> {to} {to_source}: {}",
        entry.number, entry.actor, entry.reason
    )
}

#[tokio::test]
async fn an_operator_beats_environment_and_file_until_unset() {
    for database in TestDatabase::each() {
        let replica = Replica::start(&database.url).await;
        let rollouts = &replica.rollouts;
        assert_eq!(replica.in_force(), "50 environment v0");
        assert_eq!(replica.movies().update_time, None);

        let set = rollouts.set_percent("movies", percent("25"), operator("try"));
        assert_eq!(in_force(&set.await.unwrap()), "25 operator v1");
        assert!(replica.movies().update_time.is_some());
        let set = rollouts.set_percent("movies", percent("0.5"), operator("too many errors"));
        assert_eq!(in_force(&set.await.unwrap()), "0.5 operator v2");
        let unset = rollouts.unset_percent("movies", operator("done"));
        assert_eq!(in_force(&unset.await.unwrap()), "50 environment v3");

        let changes = rollouts.changes("movies", None, 10).await.unwrap();
        let entries: Vec<String> = changes.iter().map(entry).collect();
        assert_eq!(
            entries,
            [
                "3 ada: 0.5 operator -> 50 environment: done",
                "2 ada: 25 operator -> 0.5 operator: too many errors",
                "1 ada: 50 environment -> 25 operator: try",
            ]
        );
        let older = rollouts.changes("movies", Some(3), 1).await.unwrap();
        assert_eq!(older[0].number, 2);
        replica.stop().await;
    }
}

#[tokio::test]
async fn unsetting_what_nobody_set_changes_nothing() {
    for database in TestDatabase::each() {
        let replica = Replica::start(&database.url).await;
        let unset = replica.rollouts.unset_percent("movies", operator(""));
        assert_eq!(in_force(&unset.await.unwrap()), "50 environment v0");
        let changes = replica.rollouts.changes("movies", None, 10).await.unwrap();
        assert_eq!(changes, []);
        replica.stop().await;
    }
}

#[tokio::test]
async fn a_change_that_expects_another_version_is_refused_and_writes_nothing() {
    for database in TestDatabase::each() {
        let replica = Replica::start(&database.url).await;
        let at = |expected_version| Operator {
            expected_version: Some(expected_version),
            ..operator("")
        };
        let set = |percent_text, version| {
            replica
                .rollouts
                .set_percent("movies", percent(percent_text), at(version))
        };
        set("25", 0).await.unwrap();
        let error = set("30", 0).await.unwrap_err();
        assert!(
            matches!(
                error,
                ChangeError::Change {
                    source: StoreError::Changed { version: 1 },
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(replica.in_force(), "25 operator v1");
        assert_eq!(in_force(&set("30", 1).await.unwrap()), "30 operator v2");
        let changes = replica.rollouts.changes("movies", None, 10).await.unwrap();
        assert_eq!(changes.len(), 2);
        replica.stop().await;
    }
}

#[tokio::test]
async fn an_operators_word_outlives_a_restart_and_is_announced() {
    for database in TestDatabase::each() {
        let replica = Replica::start(&database.url).await;
        let set = replica
            .rollouts
            .set_percent("movies", percent("25"), operator(""));
        set.await.unwrap();
        replica.stop().await;

        let log = Log::capture();
        let replica = Replica::start(&database.url).await;
        // In force when the start returns: not one request is decided by the environment.
        assert_eq!(replica.in_force(), "25 operator v1");
        let announcement = "operator's percentage 25 in force; MOVIES_MIGRATION_PERCENT=50 is ignored; \
                            `banyan rollout unset movies` returns to it";
        assert!(log.text().contains(announcement), "{}", log.text());
        assert!(log.text().contains("WARN"), "{}", log.text());
        replica.stop().await;
    }
}

#[tokio::test]
async fn replicas_agree_within_a_second() {
    let Some(database) = shared_database() else {
        return;
    };
    // Started together on an empty database.
    let (one, other) = tokio::join!(Replica::start(&database.url), Replica::start(&database.url));
    for change in ["10", "25", "0"] {
        one.rollouts
            .set_percent("movies", percent(change), operator(""))
            .await
            .unwrap();
        eventually(Duration::from_secs(1), || one.movies() == other.movies()).await;
    }
    other
        .rollouts
        .unset_percent("movies", operator(""))
        .await
        .unwrap();
    eventually(Duration::from_secs(1), || {
        one.in_force() == "50 environment v4"
    })
    .await;
    one.stop().await;
    other.stop().await;
}

/// A subject that asks both must not go there and back.
#[tokio::test]
async fn replicas_put_a_change_in_force_at_the_same_moment() {
    let Some(database) = shared_database() else {
        return;
    };
    let (one, other) = tokio::join!(Replica::start(&database.url), Replica::start(&database.url));
    let rollouts = one.rollouts.clone();
    let set = rollouts.set_percent("movies", percent("80"), operator(""));
    let mut set = std::pin::pin!(set);
    let mut is_done = false;
    while !is_done {
        is_done = futures::poll!(set.as_mut()).is_ready();
        // The second is asked later than the first: it never knows less.
        let seen = [&one, &other].map(|replica| replica.movies().percent);
        assert!(seen[0] <= seen[1], "{seen:?}");
        let seen = [&other, &one].map(|replica| replica.movies().percent);
        assert!(seen[0] <= seen[1], "{seen:?}");
        tokio::task::yield_now().await;
    }
    assert_eq!(one.movies(), other.movies());
    assert_eq!(one.in_force(), "80 operator v1");
    one.stop().await;
    other.stop().await;
}

/// Changes made within less time than one takes to come into force, between two readings of a replica.
#[tokio::test]
async fn each_of_several_changes_under_way_is_in_force_from_its_own_moment() {
    let Some(database) = shared_database() else {
        return;
    };
    let replica = Replica::start(&database.url).await;
    let process = Process::new();
    let settings = DatabaseSettings::new(database.url.clone());
    let store = Store::open(&process, &settings).await.unwrap();
    assert!(store.ready().await);
    let set = async |hundredths, from: Timestamp| {
        let set = |state: &State| {
            let mut state = state.clone();
            state.position.percent = Percent::from_hundredths(hundredths);
            Ok::<_, Infallible>(state)
        };
        let stored = store.change(new_entry(from), set).await.unwrap().unwrap();
        stored.version
    };
    // A machine with much to do may be late.
    for attempt in 1..=10 {
        let now = Timestamp::now();
        let moments = [400, 1_100].map(|ms| now + SignedDuration::from_millis(ms));
        let first = set(attempt, moments[0]).await;
        let second = set(10_000 - attempt, moments[1]).await;
        let mut seen = BTreeSet::new();
        eventually(SOON, || {
            let version = replica.movies().version;
            seen.insert(version);
            version == second
        })
        .await;
        let at = |moment: Timestamp| Question {
            subject: Some("alice".to_owned()),
            time: Some(moment),
            ..Question::default()
        };
        for (moment, version) in moments.into_iter().zip([first, second]) {
            let explained = replica.rollouts.explain("movies", at(moment)).await;
            assert_eq!(explained.unwrap().1.version, version);
        }
        if seen.contains(&first) {
            replica.stop().await;
            process.stop(Duration::from_secs(5)).await.unwrap();
            return;
        }
    }
    panic!("the first of two changes was never in force");
}

#[tokio::test]
async fn whoever_made_a_change_is_answered_when_it_is_in_force_whatever_comes_after() {
    let Some(database) = shared_database() else {
        return;
    };
    let replica = Replica::start(&database.url).await;
    let set = |text| {
        replica
            .rollouts
            .set_percent("movies", percent(text), operator(""))
    };
    let answers = join_all(["60", "70", "80"].map(set)).await;
    let seen: Vec<(u64, Percent)> = answers
        .into_iter()
        .map(|answer| answer.map(|shown| (shown.version, shown.percent)).unwrap())
        .collect();
    let log = replica.rollouts.changes("movies", None, 10).await.unwrap();
    for (text, (version, _)) in ["60", "70", "80"].into_iter().zip(&seen) {
        let made = log.iter().find(|it| it.after.in_force().0 == percent(text));
        assert!(*version >= made.unwrap().number, "{text}: {seen:?}");
    }
    replica.stop().await;
}

#[tokio::test]
async fn operators_at_several_replicas_leave_one_unbroken_history() {
    let Some(database) = shared_database() else {
        return;
    };
    let (one, other) = tokio::join!(Replica::start(&database.url), Replica::start(&database.url));
    let changes = (1..=20).map(|n: u16| {
        let rollouts = if n.is_multiple_of(2) {
            &one.rollouts
        } else {
            &other.rollouts
        };
        rollouts.set_percent("movies", percent(&n.to_string()), operator(""))
    });
    for change in join_all(changes).await {
        change.unwrap();
    }
    let mut changes = one.rollouts.changes("movies", None, 100).await.unwrap();
    changes.reverse();
    let versions: Vec<u64> = changes.iter().map(|change| change.number).collect();
    assert_eq!(versions, (1..=20).collect::<Vec<u64>>());
    for pair in changes.windows(2) {
        assert_eq!(pair[0].after, pair[1].before, "{pair:?}");
    }
    let last = changes.last().unwrap().after.in_force().0;
    eventually(Duration::from_secs(1), || {
        one.movies().percent == last && other.movies().percent == last
    })
    .await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn what_replicas_find_different_adds_up_until_it_is_forgotten() {
    for database in TestDatabase::each() {
        let process = Process::new();
        let settings = DatabaseSettings::new(&database.url);
        let store = Store::open(&process, &settings).await.unwrap();
        assert!(store.ready().await);
        let at = |second| Timestamp::from_second(second).unwrap();
        let found = |path: &str, count, second| Difference {
            rollout: "movies".to_owned(),
            route: "GET /api/movies".to_owned(),
            path: path.to_owned(),
            kind: "changed".to_owned(),
            count,
            noise: 1,
            first_seen: at(second),
            last_seen: at(second),
            owner: "0".to_owned(),
            other: "00".to_owned(),
            request_id: format!("request-{second}"),
        };
        for it in [
            found("movies[].title", 1, 10),
            found("movies[].rating", 3, 20),
            found("movies[].rating", 4, 30),
        ] {
            store.add_difference(&it).await.unwrap();
        }
        let all = store.differences("movies", None, 10).await.unwrap();
        let want = Difference {
            count: 7,
            noise: 2,
            first_seen: at(20),
            ..found("movies[].rating", 0, 30)
        };
        assert_eq!(all, [want, found("movies[].title", 1, 10)]);
        assert_eq!(store.differences("movies", None, 1).await.unwrap().len(), 1);
        assert_eq!(store.differences("users", None, 10).await.unwrap(), []);
        store.forget_differences("movies").await.unwrap();
        assert_eq!(store.differences("movies", None, 10).await.unwrap(), []);
        process.stop(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn noise_adds_up_over_days_and_within_its_limit() {
    for database in TestDatabase::each() {
        let process = Process::new();
        let store = Store::open(&process, &DatabaseSettings::new(database.url.clone()))
            .await
            .unwrap();
        assert!(store.ready().await);
        let noise = |path: u32, day, count| Noise {
            rollout: "movies".to_owned(),
            route: "GET /api/movies".to_owned(),
            path: format!("movies[].f{path}"),
            kind: "changed".to_owned(),
            day,
            count,
        };
        let samples = Noise {
            path: String::new(),
            kind: Noise::SAMPLE.to_owned(),
            ..noise(0, 10, 500)
        };
        for path in 0..1_010 {
            store.add_noise(&noise(path, 10, 1)).await.unwrap();
        }
        let kept = store.noise(0).await.unwrap();
        assert_eq!(kept.len(), 1_000, "no more than the limit");
        // There is room for samples, for what is known, and on another day.
        store.add_noise(&samples).await.unwrap();
        store.add_noise(&noise(7, 10, 2)).await.unwrap();
        store.add_noise(&noise(7, 12, 4)).await.unwrap();
        let kept = store.noise(10).await.unwrap();
        assert_eq!(kept.len(), 1_001);
        assert_eq!(kept[..2], [samples, noise(7, 12, 7)]);
        assert_eq!(store.noise(11).await.unwrap(), [noise(7, 12, 4)]);
        assert_eq!(
            store.noise(0).await.unwrap(),
            [noise(7, 12, 4)],
            "forgotten"
        );
        store.forget_differences("movies").await.unwrap();
        assert_eq!(store.noise(0).await.unwrap(), []);
        process.stop(Duration::from_secs(5)).await.unwrap();
    }
}
