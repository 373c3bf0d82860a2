//! What the monolith does about its database: absent, lost, shared, filled.

use serde_json::json;

use crate::postgres::Postgres;
use crate::{Legacy, eventually, sqlite_url};

#[tokio::test]
async fn it_starts_without_its_database_and_survives_losing_it() {
    let Some(mut postgres) = Postgres::create() else {
        return;
    };
    let mut legacy = Legacy::launch(&postgres.url(), true).await;
    let away = json!({"error": "the database is away; try again later"});
    let unwell = (503, json!({"status": false}));
    assert_eq!(legacy.call("GET", "/health", "").await, unwell);
    let movies = legacy.call("GET", "/api/movies", "").await;
    assert_eq!(movies, (503, away.clone()));

    postgres.start();
    legacy.ready().await;
    assert_eq!(legacy.call("GET", "/health", "").await.0, 200);
    assert_eq!(legacy.call("GET", "/api/movies", "").await.0, 200);

    postgres.stop();
    let user = r#"{"username": "zoe", "email": "zoe@example.com"}"#;
    assert_eq!(legacy.call("GET", "/health", "").await, unwell);
    assert_eq!(legacy.call("POST", "/api/users", user).await, (503, away));

    postgres.start();
    eventually("well again", async || {
        legacy.call("GET", "/health", "").await.0 == 200
    })
    .await;
    assert_eq!(legacy.call("POST", "/api/users", user).await.0, 201);
    legacy.stop().await;
}

#[tokio::test]
async fn many_that_start_together_on_an_empty_postgres_all_come_up() {
    let Some(mut postgres) = Postgres::create() else {
        return;
    };
    postgres.start();
    start_together(&postgres.url()).await;
}

#[tokio::test]
async fn many_that_start_together_on_an_empty_sqlite_file_all_come_up() {
    let folder = tempfile::tempdir().expect("a folder");
    start_together(&sqlite_url(&folder)).await;
}

async fn start_together(url: &str) {
    let one = || Legacy::launch(url, true);
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    let mut all = [a, b, c, d];
    for legacy in &mut all {
        legacy.ready().await;
    }
    for legacy in all {
        let (_, movies) = legacy.call("GET", "/api/movies", "").await;
        assert_eq!(movies.as_array().expect("a list").len(), 6, "filled once");
        legacy.stop().await;
    }
}

#[tokio::test]
async fn a_second_start_finds_what_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Legacy::start(&sqlite_url(&folder)).await;
    let user = r#"{"username": "zoe", "email": "zoe@example.com"}"#;
    let (_, written) = first.call("POST", "/api/users", user).await;
    first.stop().await;

    let mut second = Legacy::launch(&sqlite_url(&folder), true).await;
    second.ready().await;
    let found = second.call("GET", "/api/users", "").await;
    assert_eq!(found, (200, json!([written])));
    let movies = second.call("GET", "/api/movies", "").await;
    assert_eq!(movies, (200, json!([])), "only an empty one is filled");
}

#[tokio::test]
async fn a_database_in_memory_is_one_database() {
    let legacy = Legacy::start("sqlite::memory:").await;
    let user = r#"{"username": "zoe", "email": "zoe@example.com"}"#;
    let (_, written) = legacy.call("POST", "/api/users", user).await;
    let call = || legacy.call("GET", "/api/users?id=1", "");
    let (a, b, c, d) = tokio::join!(call(), call(), call(), call());
    assert_eq!([a, b, c, d], [0; 4].map(|_| (200, written.clone())));
}
