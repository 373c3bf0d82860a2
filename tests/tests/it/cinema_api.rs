//! The cinema monolith's API through the gateway: the same for old clients at every percentage.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::mesh::{Guest, Mesh, eventually, read};

const ENVIRONMENTS: &[&[(&str, &str)]] = &[
    &[("MOVIES_MIGRATION_PERCENT", "0")],
    &[("MOVIES_MIGRATION_PERCENT", "50")],
    &[("MOVIES_MIGRATION_PERCENT", "100")],
    &[
        ("MOVIES_MIGRATION_PERCENT", "100"),
        ("GRADUAL_MIGRATION", "false"),
    ],
];

#[tokio::test(flavor = "multi_thread")]
async fn old_clients_notice_nothing_at_any_percentage() {
    for environment in ENVIRONMENTS {
        let mesh = Mesh::start(environment).await;
        for _ in 0..8 {
            let guest = mesh.guest();
            health(&guest).await;
            movies(&guest).await;
        }
        let guest = mesh.guest();
        the_rest_of_the_monolith(&guest).await;
        errors(&guest).await;
        events(&guest).await;
        mesh.stop().await;
    }
}

async fn health(guest: &Guest) {
    let response = guest.get("/health").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    assert_eq!(
        response.text().await.unwrap(),
        "Strangler Fig Proxy is healthy"
    );
    assert_eq!(
        guest.get_json("/api/movies/health").await,
        (200, json!({"status": true}))
    );
}

/// A client finds what it wrote, in the list and by id, on whichever side it is; and it stays there.
async fn movies(guest: &Guest) {
    let movie = json!({"title": "Low Tide", "description": "Two lighthouse keepers", "genres": ["drama", "sea"], "rating": 7.5});
    let created = guest.post("/api/movies", &movie).await;
    let side = created.headers()["x-banyan-side"]
        .to_str()
        .unwrap()
        .to_owned();
    let (status, created) = read(created).await;
    assert_eq!(status, 201, "{created}");
    let id = created["id"].as_i64().expect("ids are numbers");
    let want = json!({"id": id, "title": "Low Tide", "description": "Two lighthouse keepers", "genres": ["drama", "sea"], "rating": 7.5});
    assert_eq!(created, want);
    assert_eq!(
        guest.get_json(&format!("/api/movies?id={id}")).await,
        (200, want.clone())
    );
    let listed = guest.get("/api/movies").await;
    assert_eq!(
        listed.headers()["x-banyan-side"].to_str().unwrap(),
        side,
        "a subject stays on its side"
    );
    let (status, list) = read(listed).await;
    assert_eq!(status, 200);
    assert!(
        list.as_array().expect("a bare array").contains(&want),
        "{list}"
    );
}

async fn the_rest_of_the_monolith(guest: &Guest) {
    let (status, user) = guest
        .post_json(
            "/api/users",
            json!({"username": "ada", "email": "ada@example.org"}),
        )
        .await;
    assert_eq!(status, 201, "{user}");
    let id = user["id"].as_i64().unwrap();
    assert_eq!(
        guest.get_json(&format!("/api/users?id={id}")).await,
        (200, user.clone())
    );
    assert_eq!(
        guest
            .post_json(
                "/api/users",
                json!({"username": "ada", "email": "ada@example.org"})
            )
            .await
            .0,
        409
    );

    let (status, payment) = guest
        .post_json("/api/payments", json!({"user_id": id, "amount": 9.99}))
        .await;
    assert_eq!(status, 201, "{payment}");
    assert!(payment["timestamp"].is_string());
    assert_eq!(
        guest.get_json(&format!("/api/payments?user_id={id}")).await,
        (200, json!([payment]))
    );

    let same_day = json!({"user_id": id, "plan_type": "basic", "start_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"});
    let (status, subscription) = guest.post_json("/api/subscriptions", same_day).await;
    assert_eq!(status, 201, "equal dates are accepted: {subscription}");
    let number = subscription["id"].as_i64().unwrap();
    assert_eq!(
        guest
            .get_json(&format!("/api/subscriptions?id={number}"))
            .await,
        (200, subscription)
    );
}

async fn errors(guest: &Guest) {
    let (status, body) = guest.get_json("/api/movies?id=999999").await;
    assert_eq!(status, 404);
    assert!(body["error"].is_string(), "{body}");
    for (path, body) in [
        (
            "/api/movies",
            json!({"title": "no rating", "description": "", "genres": []}),
        ),
        (
            "/api/movies",
            json!({"title": 7, "description": "", "genres": [], "rating": 1}),
        ),
        (
            "/api/movies",
            json!({"title": "text rating", "description": "", "genres": [], "rating": "7"}),
        ),
        ("/api/users", json!({"username": "bob"})),
        ("/api/payments", json!({"user_id": "1", "amount": 1})),
        (
            "/api/events/movie",
            json!({"movie_id": "1", "title": "x", "action": "viewed"}),
        ),
        ("/api/events/user", json!({"user_id": 1, "action": "login"})),
    ] {
        let (status, answer) = guest.post_json(path, body.clone()).await;
        assert_eq!(status, 400, "{path} {body}: {answer}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    for path in ["/api/movies", "/api/users", "/api/events/movie"] {
        let request = guest
            .request(Method::POST, path)
            .header("content-type", "application/json")
            .body("{not json");
        let (status, answer) = read(request.send().await.unwrap()).await;
        assert_eq!(
            (status, answer["error"].is_string()),
            (400, true),
            "{path}: {answer}"
        );
        let wrong = guest.request(Method::DELETE, path).send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(
            wrong.headers()["allow"].to_str().unwrap().contains("POST"),
            "{path}"
        );
        let (_, answer) = read(wrong).await;
        assert!(answer["error"].is_string(), "{path}: {answer}");
    }
    let (status, answer) = guest.get_json("/api/nothing").await;
    assert_eq!(
        (status, answer["error"].is_string()),
        (404, true),
        "{answer}"
    );
}

async fn events(guest: &Guest) {
    assert_eq!(
        guest.get_json("/api/events/health").await,
        (200, json!({"status": true}))
    );
    let movie = json!({"movie_id": 7, "title": "Low Tide", "action": "viewed", "user_id": 3});
    let user = json!({"user_id": 3, "action": "logged_in", "timestamp": "2026-05-01T10:00:00Z", "username": "ada"});
    let payment = json!({"payment_id": 5, "user_id": 3, "amount": 9.5, "status": "completed", "timestamp": "2026-05-01T10:00:00Z"});
    for (kind, payload) in [("movie", movie), ("user", user), ("payment", payment)] {
        let mut last: Option<i64> = None;
        for _ in 0..3 {
            let (status, answer) = guest
                .post_json(&format!("/api/events/{kind}"), payload.clone())
                .await;
            assert_eq!(status, 201, "{answer}");
            assert_eq!(answer["status"], "success");
            assert!(answer["partition"].is_i64(), "{answer}");
            let offset = answer["offset"].as_i64().expect("offsets are numbers");
            assert!(
                last.is_none_or(|last| offset == last + 1),
                "one key, one partition, offsets in order"
            );
            last = Some(offset);
            assert_eq!(answer["event"]["type"], kind);
            assert!(answer["event"]["id"].is_string());
            for (field, value) in payload.as_object().unwrap() {
                assert_eq!(&answer["event"]["payload"][field], value, "{answer}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_serves_movies_created_on_the_other() {
    let mesh = Mesh::start(&[("MOVIES_MIGRATION_PERCENT", "50")]).await;
    let (mut legacy, mut grpc) = (None, None);
    for number in 0..64 {
        let side = side_of(&mesh, &format!("subject-{number}")).await;
        let slot = if side == "grpc" {
            &mut grpc
        } else {
            &mut legacy
        };
        slot.get_or_insert(format!("subject-{number}"));
    }
    let (legacy, grpc) = (
        legacy.expect("some subject is on legacy"),
        grpc.expect("some subject is on gRPC"),
    );
    for (writer, reader) in [(&legacy, &grpc), (&grpc, &legacy)] {
        let body = json!({"title": format!("by {writer}"), "description": "", "genres": [], "rating": 1.0});
        let request = mesh
            .guest()
            .request(Method::POST, "/api/movies")
            .header("x-user-id", writer)
            .json(&body);
        let (status, created) = read(request.send().await.unwrap()).await;
        assert_eq!(status, 201, "{created}");
        // At once: the gateway had the follower catch up before it answered.
        for path in [
            "/api/movies".to_owned(),
            format!("/api/movies?id={}", created["id"]),
        ] {
            let request = mesh
                .guest()
                .request(Method::GET, &path)
                .header("x-user-id", reader);
            let (status, found) = read(request.send().await.unwrap()).await;
            assert_eq!(status, 200);
            let found = found
                .as_array()
                .map_or(found == created, |list| list.contains(&created));
            assert!(found, "{reader} misses what {writer} wrote ({path})");
        }
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn movies_of_others_at_the_monolith_are_adopted() {
    let mesh = Mesh::start(&[("MOVIES_MIGRATION_PERCENT", "100")]).await;
    let behind = Guest {
        client: reqwest::Client::new(),
        base: mesh.monolith.clone(),
    };
    let movie = json!({"title": "Behind the back", "description": "", "genres": [], "rating": 3.0});
    let (status, created) = behind.post_json("/api/movies", movie).await;
    assert_eq!(status, 201);
    let guest = mesh.guest();
    // By id at once (read through), in the list within a poll.
    assert_eq!(
        guest
            .get_json(&format!("/api/movies?id={}", created["id"]))
            .await,
        (200, created.clone())
    );
    eventually("the list has it", async || {
        guest
            .get_json("/api/movies")
            .await
            .1
            .as_array()
            .is_some_and(|list| list.contains(&created))
    })
    .await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_monolith_down_grpc_serves_reads_and_refuses_creates() {
    let mut mesh = Mesh::start(&[("MOVIES_MIGRATION_PERCENT", "100")]).await;
    let guest = mesh.guest();
    let known = guest.get_json("/api/movies").await.1;
    assert!(!known.as_array().unwrap().is_empty());
    mesh.stop_monolith();
    eventually("the monolith is gone", async || {
        guest.get("/api/users").await.status().is_server_error()
    })
    .await;
    let (status, answer) = guest.get_json("/api/users").await;
    assert!(
        matches!(status, 502 | 503) && answer["error"].is_string(),
        "{status} {answer}"
    );
    assert_eq!(guest.get_json("/api/movies").await, (200, known));
    let movie = json!({"title": "No id for me", "description": "", "genres": [], "rating": 3.0});
    let (status, answer) = guest.post_json("/api/movies", movie).await;
    assert_eq!(
        (status, answer["error"].is_string()),
        (503, true),
        "{answer}"
    );
    mesh.stop().await;
}

async fn side_of(mesh: &Mesh, subject: &str) -> String {
    let request = mesh
        .guest()
        .request(Method::GET, "/api/movies")
        .header("x-user-id", subject);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.headers()["x-banyan-side"]
        .to_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_percentage_changes_live_without_a_failed_request_and_nobody_moves_back() {
    let mesh = Mesh::start(&[]).await;
    let operator = mesh.operator();
    let subjects: Vec<String> = (0..40).map(|number| format!("subject-{number}")).collect();
    let mut moved = vec![false; subjects.len()];
    for percent in [0, 10, 25, 50, 75, 100] {
        let body = json!({"percent": percent, "actor": "ada", "reason": "next step"});
        let (status, rollout) = operator
            .post_json("/v1/rollouts/movies:setPercent", body)
            .await;
        assert_eq!(status, 200, "{rollout}");
        for (subject, moved) in subjects.iter().zip(&mut moved) {
            let grpc = side_of(&mesh, subject).await == "grpc";
            assert!(grpc || !*moved, "{subject} moved back at {percent} %");
            *moved = grpc;
        }
    }
    assert!(moved.iter().all(|moved| *moved), "100 % is everybody");
    let (_, history) = operator.get_json("/v1/rollouts/movies/changes").await;
    let changes = history["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 6);
    assert_eq!(
        (&changes[0]["actor"], &changes[0]["reason"]),
        (&json!("ada"), &json!("next step"))
    );
    let (_, rollout) = operator.get_json("/v1/rollouts/movies").await;
    assert_eq!(
        rollout["counts"]["legacyErrors"],
        Value::Null,
        "no request failed: {rollout}"
    );
    assert_eq!(
        rollout["counts"]["grpcErrors"],
        Value::Null,
        "no request failed: {rollout}"
    );
    assert_ne!(
        mesh.guest().get("/v1/rollouts").await.status(),
        StatusCode::OK,
        "never on the public port"
    );
    mesh.stop().await;
}
