//! What replicas write down of differences and noise together, and what stays an example.

use banyan_mesh::{database::DatabaseSettings, process::Process, testing::TestDatabase};

use super::*;

async fn open(database: &TestDatabase) -> (Process, Store) {
    let process = Process::new();
    let settings = DatabaseSettings::new(database.url.clone());
    let store = Store::open(&process, &settings).await.unwrap();
    assert!(store.ready().await);
    (process, store)
}

#[tokio::test]
async fn what_one_replica_learned_the_others_know_and_a_restart_keeps() {
    for database in TestDatabase::each() {
        let (process, store) = open(&database).await;
        let place = place();
        let (one, other, now) = (Book::default(), Book::default(), Timestamp::now());
        let views = || vec![finding("movies[].views")];
        one.noise(&place, &views(), now);
        one.write(&store).await;
        other.read(&store, now).await;
        assert!(other.add(&place, views(), "a", now), "seen once");
        one.noise(&place, &views(), now);
        other.noise(&place, &views(), now);
        one.write(&store).await;
        other.write(&store).await;
        for book in [&one, &other, &Book::default()] {
            book.read(&store, now).await;
            assert!(!book.add(&place, views(), "b", now), "three times");
            assert!(book.add(&place, vec![finding("movies[].title")], "c", now));
        }

        let later = now + Duration::from_secs(7 * 24 * 60 * 60);
        other.read(&store, later).await;
        assert!(other.add(&place, views(), "d", later));
        assert_eq!(store.noise(0).await.unwrap(), []);
        process.stop(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_cleared_is_compared_again() {
    for database in TestDatabase::each() {
        let (process, store) = open(&database).await;
        let (book, now) = (Book::default(), Timestamp::now());
        let views = || vec![finding("movies[].views")];
        for _ in 0..3 {
            book.noise(&place(), &views(), now);
        }
        book.write(&store).await;
        assert!(!book.add(&place(), views(), "a", now));
        store.forget_differences("users").await.unwrap();
        book.read(&store, now).await;
        assert!(!book.add(&place(), views(), "b", now), "of another rollout");
        store.forget_differences("movies").await.unwrap();
        book.read(&store, now).await;
        assert!(book.add(&place(), views(), "c", now));
        process.stop(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_store_cannot_hold_stops_nothing_and_the_rest_has_a_limit() {
    for database in TestDatabase::each() {
        let (process, store) = open(&database).await;
        let book = Book::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let is_strict = store.is_shared();
        // PostgreSQL has no text with a NUL.
        let bad = || vec![finding("a\0")];
        book.noise(&place(), &bad(), at(1));
        book.add(&place(), bad(), "a", at(1));
        book.add(&place(), vec![finding("z")], "b", at(2));
        book.write(&store).await;
        let kept = store.differences("movies", None, 10).await.unwrap();
        assert!(kept.iter().any(|it| it.path == "z"), "{kept:?}");
        assert_eq!(book.dropped.get(), if is_strict { 2 } else { 0 });
        assert_eq!(book.pages().lines.len(), 0, "not tried again");

        for index in 0..1_000 {
            let found = finding(&format!("f{index}"));
            book.add(&place(), vec![found], "c", at(3 + index));
        }
        book.write(&store).await;
        let kept = store.differences("movies", None, 2_000).await.unwrap();
        assert_eq!(kept.len(), 1_000);
        assert!(kept.iter().all(|it| it.path.starts_with('f')), "the newest");
        assert_eq!(book.dropped.get(), if is_strict { 3 } else { 2 });
        process.stop(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn an_example_is_of_both_sides_where_they_differ_and_the_newest_of_all_replicas() {
    for database in TestDatabase::each() {
        let (process, store) = open(&database).await;
        let at = |second| Timestamp::from_second(second).unwrap();
        let found = |owner: &str| Finding {
            owner: owner.to_owned(),
            ..finding("movies[].rating")
        };
        let (book, late) = (Book::default(), Book::default());
        // Noise, difference, noise: each in a time of its own between two writes, and once more all in one.
        for (start, is_written) in [(10, true), (20, false)] {
            let write = async || {
                if is_written {
                    book.write(&store).await;
                }
            };
            book.noise(&place(), &[found("one side's")], at(start));
            write().await;
            book.add(&place(), vec![found("legacy's")], "a", at(start + 1));
            write().await;
            book.noise(&place(), &[found("one side's")], at(start + 2));
            book.write(&store).await;
            let kept = store.differences("movies", None, 10).await.unwrap();
            assert_eq!(kept[0].owner, "legacy's");
            assert_eq!(kept[0].request_id, "a");
            assert_eq!(kept[0].last_seen, at(start + 1));
            assert_eq!(kept[0].first_seen, at(11), "not the noise before");
        }
        // A replica that could not write for long.
        late.add(&place(), vec![found("older")], "b", at(5));
        late.write(&store).await;
        let kept = store.differences("movies", None, 10).await.unwrap();
        let [it] = &kept[..] else { panic!("{kept:?}") };
        assert_eq!((it.count, it.noise), (3, 4));
        assert_eq!((it.first_seen, it.last_seen), (at(5), at(21)));
        assert_eq!(
            (it.owner.as_str(), it.request_id.as_str()),
            ("legacy's", "a")
        );
        process.stop(Duration::from_secs(5)).await.unwrap();
    }
}

#[test]
fn what_is_put_back_keeps_its_example_before_noise() {
    let (book, place) = (Book::default(), place());
    let at = |second| Timestamp::from_second(second).unwrap();
    book.add(&place, vec![finding("title")], "a", at(1));
    let unwritten = std::mem::take(&mut book.pages().lines);
    book.noise(&place, &[finding("title")], at(2));
    let mut pages = book.pages();
    for (key, line) in unwritten {
        pages.merge(key, line);
    }
    let lines: Vec<_> = pages.lines.values().collect();
    assert_eq!((lines[0].count, lines[0].noise), (1, 1));
    assert_eq!(
        (lines[0].request_id.as_str(), lines[0].last_seen),
        ("a", at(1))
    );
}

fn place() -> Place {
    Place {
        rollout: "movies".to_owned(),
        route: "GET /api/movies".into(),
    }
}

fn finding(path: &str) -> Finding {
    Finding {
        path: path.to_owned(),
        kind: FindingKind::Changed,
        owner: "0".to_owned(),
        other: "00".to_owned(),
    }
}

#[test]
fn findings_group_and_noisy_paths_make_no_difference() {
    let book = Book::default();
    let place = place();
    let at = |second| Timestamp::from_second(second).unwrap();
    assert!(book.add(&place, vec![finding("movies[].rating")], "a", at(1)));
    assert!(book.add(&place, vec![finding("movies[].rating")], "b", at(2)));
    assert!(!book.add(&place, Vec::new(), "c", at(3)));
    for _ in 0..3 {
        assert!(book.noise(&place, &[finding("movies[].views")], at(4)));
    }
    let known = book.noise(&place, &[finding("movies[].views")], at(4));
    assert!(!known, "known");
    assert!(!book.add(&place, vec![finding("movies[].views")], "d", at(5)));

    let pages = book.pages();
    let lines: Vec<_> = pages.lines.values().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (lines[0].count, lines[0].first_seen, lines[0].last_seen),
        (2, at(1), at(2))
    );
    assert_eq!(lines[0].request_id, "b");
    assert_eq!((lines[1].count, lines[1].noise), (1, 4));
}
