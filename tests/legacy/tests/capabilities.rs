//! What can be offered for movies beyond GET and POST, the same on both databases.

use legacy_monolith::Capabilities;
use serde_json::{Value, json};

use crate::postgres::Postgres;
use crate::{Legacy, sqlite_url};

const MOVIES: &str = "/api/movies";

async fn start(database_url: &str, capabilities: Capabilities) -> Legacy {
    let mut legacy = Legacy::launch_with(database_url, false, capabilities).await;
    legacy.ready().await;
    legacy
}

fn roots(rating: f64) -> String {
    json!({ "title": "Roots", "description": "", "genres": ["drama"], "rating": rating })
        .to_string()
}

/// The changes since a cursor, each as `id kind`, and the cursor after them.
async fn changes(legacy: &Legacy, since: &str) -> (Vec<String>, String) {
    let (status, answer) = legacy
        .call("GET", &format!("{MOVIES}/changes?since={since}"), "")
        .await;
    assert_eq!(status, 200, "{answer}");
    let told = answer["changes"].as_array().unwrap().iter();
    let told = told.map(|it| format!("{} {}", it["id"], it["kind"].as_str().unwrap()));
    (told.collect(), answer["next"].as_str().unwrap().to_owned())
}

async fn head(legacy: &Legacy) -> String {
    let (status, answer) = legacy.call("GET", "/api/movies/changes", "").await;
    assert_eq!((status, &answer["changes"]), (200, &json!([])));
    answer["next"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn everything_is_offered_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    offers(&sqlite_url(&folder)).await;
}

#[tokio::test]
async fn everything_is_offered_on_postgres() {
    let Some(mut postgres) = Postgres::create() else {
        return;
    };
    postgres.start();
    offers(&postgres.url()).await;
}

async fn offers(url: &str) {
    let legacy = start(url, Capabilities::all()).await;
    let begin = head(&legacy).await;
    assert_eq!(legacy.call("POST", MOVIES, &roots(8.0)).await.0, 201);
    let put = |id: i64, rating: f64| {
        let path = format!("{MOVIES}?id={id}");
        let legacy = &legacy;
        async move { legacy.call("PUT", &path, &roots(rating)).await }
    };
    assert_eq!(put(1, 8.5).await.0, 200);
    let (status, movie) = put(7, 9.0).await;
    assert_eq!((status, &movie["id"]), (201, &json!(7)));
    let (told, next) = changes(&legacy, &begin).await;
    assert_eq!(told, ["1 upsert", "1 upsert", "7 upsert"]);
    // What is repeated happens once, and an id that others gave is not given again.
    assert_eq!(put(7, 9.0).await.0, 200);
    assert_eq!(
        legacy.call("POST", MOVIES, &roots(1.0)).await.1["id"],
        json!(8)
    );
    let delete = || legacy.call("DELETE", "/api/movies?id=7", "");
    assert_eq!(delete().await, (200, json!({ "id": 7 })));
    assert_eq!(delete().await.0, 404);
    let (told, next) = changes(&legacy, &next).await;
    assert_eq!(told, ["8 upsert", "7 delete"]);
    assert_eq!(changes(&legacy, &next).await.0, [""; 0]);

    let one = format!("{MOVIES}/changes?since={begin}&limit=1");
    let (_, page) = legacy.call("GET", &one, "").await;
    assert_eq!(
        (&page["more"], &page["next"]),
        (&json!(true), &page["changes"][0]["cursor"])
    );
    assert_eq!(page["changes"][0]["movie"]["rating"], json!(8));
    for (path, status) in [
        ("/api/movies/changes?since=x-1", 410),
        ("/api/movies/changes?since=", 410),
        ("/api/movies/changes?limit=0", 400),
        ("/api/movies/changes?limit=many", 400),
    ] {
        assert_eq!(legacy.call("GET", path, "").await.0, status, "{path}");
    }
    for path in ["/api/movies", "/api/movies?id=0", "/api/movies?id=x"] {
        assert_eq!(legacy.call("PUT", path, &roots(1.0)).await.0, 400, "{path}");
        assert_eq!(legacy.call("DELETE", path, "").await.0, 400, "{path}");
    }
    legacy.stop().await;

    // The cursor outlives a restart, but no time without the feed, in which changes went untold.
    let legacy = start(url, Capabilities::all()).await;
    assert_eq!(changes(&legacy, &next).await.0, [""; 0]);
    legacy.stop().await;
    let legacy = start(url, Capabilities::default()).await;
    assert_eq!(legacy.call("POST", MOVIES, &roots(2.0)).await.0, 201);
    legacy.stop().await;
    let legacy = start(url, Capabilities::all()).await;
    let gone = legacy
        .call("GET", &format!("{MOVIES}/changes?since={next}"), "")
        .await;
    assert_eq!(gone.0, 410);
    legacy.stop().await;
}

#[tokio::test]
async fn a_feed_keeps_so_many_changes() {
    let capabilities = Capabilities {
        feed_keeps: 3,
        ..Capabilities::all()
    };
    let legacy = start("sqlite::memory:", capabilities).await;
    let begin = head(&legacy).await;
    for _ in 0..3 {
        legacy.call("POST", MOVIES, &roots(1.0)).await;
    }
    assert_eq!(changes(&legacy, &begin).await.0.len(), 3);
    legacy.call("POST", MOVIES, &roots(1.0)).await;
    let path = format!("{MOVIES}/changes?since={begin}");
    assert_eq!(legacy.call("GET", &path, "").await.0, 410);
    legacy.stop().await;
}

#[tokio::test]
async fn what_is_not_offered_is_refused() {
    let plain = start("sqlite::memory:", Capabilities::default()).await;
    plain.call("POST", MOVIES, &roots(1.0)).await;
    for method in ["PUT", "DELETE"] {
        let answer = plain.send(method, "/api/movies?id=1", &roots(2.0)).await;
        assert_eq!((method, answer.status().as_u16()), (method, 405));
        assert_eq!(answer.headers()["allow"], "GET,HEAD,POST");
    }
    assert_eq!(plain.call("GET", "/api/movies/changes", "").await.0, 404);
    plain.stop().await;

    let put = async |capabilities: Capabilities| -> [(u16, Value); 2] {
        let legacy = start("sqlite::memory:", capabilities).await;
        legacy.call("POST", MOVIES, &roots(1.0)).await;
        let known = legacy.call("PUT", "/api/movies?id=1", &roots(2.0)).await;
        let unknown = legacy.call("PUT", "/api/movies?id=2", &roots(2.0)).await;
        legacy.stop().await;
        [known, unknown]
    };
    let update = Capabilities {
        update: true,
        ..Capabilities::default()
    };
    let [known, unknown] = put(update).await;
    assert_eq!((known.0, unknown.0), (200, 404));
    let keeps_ids = Capabilities {
        keeps_ids: true,
        ..Capabilities::default()
    };
    let [known, unknown] = put(keeps_ids).await;
    assert_eq!((known.0, unknown.0), (409, 201));
}
