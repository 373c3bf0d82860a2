//! What single requests say about their side, and what is given to them: subjects, forced sides, pins, fallback.

use banyan_mesh::{
    settings::{DatabaseUrl, Secret},
    testing::TestDatabase,
};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::{
    calls::on_side,
    world::{World, answer, nowhere, until},
};

async fn send(request: RequestBuilder) -> (Response, String) {
    let response = request.send().await.unwrap();
    let side = response.headers()["x-banyan-side"]
        .to_str()
        .unwrap()
        .to_owned();
    (response, side)
}

async fn set_percent(world: &World, percent: u32) {
    // Also where nobody can ask the follower.
    let set = json!({"percent": percent, "actor": "tests", "reason": "steer", "force": true});
    let url = format!("http://{}/v1/rollouts/items:set", world.gateway.ops);
    until("the store is ready", || async {
        answer(world.client.post(&url).json(&set)).await.0 == 200
    })
    .await;
}

fn item(title: &str) -> Value {
    json!({"title": title, "price": 1})
}

#[tokio::test]
async fn a_subject_in_the_body_decides_and_the_body_arrives_whole() {
    let world = World::with(|config| {
        let sources = ["body:title", "query:id", "cookie:shop_subject"];
        let sources = sources.map(|source| source.parse().unwrap()).to_vec();
        let items = config.rollouts.get_mut("items").unwrap();
        items.subjects = banyan_rollout::Subjects::new(sources).unwrap();
    })
    .await;
    for want in ["legacy", "grpc"] {
        let title = on_side(want);
        let (response, side) = send(world.post("/api/items", &item(&title))).await;
        assert_eq!(side, want);
        let body: Value = response.json().await.unwrap();
        match want {
            "grpc" => assert_eq!(body["name"], title.as_str()),
            _ => assert_eq!(body["body_bytes"], item(&title).to_string().len()),
        }
        let (_, side) = send(world.get(&format!("/api/items?id={title}"))).await;
        assert_eq!(side, want, "the same subject by the query");
    }
    let long = item(&"x".repeat(70_000));
    let (response, _) = send(world.post("/api/items", &long)).await;
    assert!(response.status().is_success(), "{}", response.status());
    assert!(response.headers().contains_key("set-cookie"), "no subject");
}

#[tokio::test]
async fn who_knows_the_token_asks_for_a_side_and_nobody_else() {
    let world = World::with(|config| {
        config.steering.force_token = Some(Secret::new("let me"));
    })
    .await;
    for side in ["legacy", "grpc"] {
        let user = on_side(if side == "grpc" { "legacy" } else { "grpc" });
        let ask = || {
            world
                .get("/api/items")
                .header("x-user-id", &user)
                .header("x-banyan-force-side", side)
        };
        let (_, got) = send(ask().header("x-banyan-force-token", "let me")).await;
        assert_eq!(got, side);
        let (_, got) = send(ask()).await;
        assert_ne!(got, side);
        let (_, got) = send(ask().header("x-banyan-force-token", "let me in")).await;
        assert_ne!(got, side);
    }
    let told = world
        .get("/api/items")
        .header("x-user-id", on_side("grpc"))
        .header("x-banyan-force-side", "legacy")
        .header("x-banyan-force-token", "let me");
    let (_, body) = answer(told).await;
    assert!(
        !body["headers"].to_string().contains("x-banyan-force"),
        "the secret is not for the old system: {body}"
    );
}

/// The follower cannot be reached.
async fn lagging(database: &str) -> World {
    let away = nowhere().await;
    let database = DatabaseUrl::new(database);
    World::with(move |config| {
        config.set_upstream("south", away).unwrap();
        let items = config.rollouts.get_mut("items").unwrap();
        items.follow.as_mut().unwrap().upstream = "south".to_owned();
        config.store.url = database;
    })
    .await
}

#[tokio::test]
async fn who_wrote_finds_it_at_every_replica_whatever_the_percentage_becomes() {
    let databases = TestDatabase::each();
    let database = databases.last().unwrap();
    let one = lagging(&database.url).await;
    set_percent(&one, 0).await;
    let user = on_side("grpc");
    let write = one
        .post("/api/items", &item("Tea"))
        .header("x-user-id", &user);
    let (response, side) = send(write).await;
    assert_eq!(side, "legacy");
    let pin = response.headers()["x-banyan-pin"].clone();
    let cookie = response.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .to_owned();
    let pin_text = pin.to_str().unwrap();
    let want = format!("={pin_text}; Path=/; Max-Age=86400");
    assert!(cookie.starts_with("banyan_pin_items."), "{cookie}");
    assert!(cookie.contains(&want), "{cookie}");
    set_percent(&one, 100).await;

    // SQLite has one owner; there the same replica is asked again.
    let other = match database.url.starts_with("postgres") {
        true => lagging(&database.url).await,
        false => one,
    };
    let read = || other.get("/api/items").header("x-user-id", &user);
    until("the change has arrived", || async {
        send(read()).await.1 == "grpc"
    })
    .await;
    let (_, side) = send(read().header("x-banyan-pin", &pin)).await;
    assert_eq!(side, "legacy", "by header");
    let pair = cookie.split(';').next().unwrap();
    let (_, side) = send(read().header("cookie", pair)).await;
    assert_eq!(side, "legacy", "by cookie");
    let forged = pin.to_str().unwrap().replace("4.l.", "4.l.9");
    let (_, side) = send(read().header("x-banyan-pin", forged)).await;
    assert_eq!(side, "grpc", "nobody but a gateway makes one");
    let write = other.post("/api/items", &item("Tea"));
    let write = write
        .header("x-user-id", &user)
        .header("x-banyan-pin", &pin);
    let (_, side) = send(write).await;
    assert_eq!(
        side, "legacy",
        "a pin is heard where subjects own their writes"
    );
}

#[tokio::test]
async fn legacy_answers_for_grpc_only_what_cannot_happen_twice() {
    let away = nowhere().await;
    let fallback = |shop: Option<String>| {
        World::with(move |config| {
            let items = config.rollouts.get_mut("items").unwrap();
            items.fallback = true;
            items.follow = None;
            if let Some(shop) = shop {
                config.set_upstream("shop", shop).unwrap();
            }
        })
    };
    let grpc = on_side("grpc");
    let world = fallback(Some(away.clone())).await;
    let (response, side) = send(world.get("/api/items").header("x-user-id", &grpc)).await;
    assert_eq!((response.status().as_u16(), side.as_str()), (200, "legacy"));
    let write = world
        .post("/api/items", &item("Tea"))
        .header("x-user-id", &grpc);
    let (response, side) = send(write).await;
    assert_eq!((response.status().as_u16(), side.as_str()), (200, "legacy"));
    let told: Value = response.json().await.unwrap();
    assert_eq!(told["body_bytes"], item("Tea").to_string().len());
    let metrics = world.metrics().await;
    let counted = r#"gateway_rollout_fallbacks_total{rollout="items",failure="unreachable"} 2"#;
    assert!(metrics.contains(counted), "{metrics}");

    // UNAVAILABLE of a service proves nothing: the write may have happened.
    let world = fallback(None).await;
    let closed = json!({"title": "Tea", "price": -1});
    let write = world.post("/api/items", &closed).header("x-user-id", &grpc);
    let (response, side) = send(write).await;
    assert_eq!((response.status().as_u16(), side.as_str()), (503, "grpc"));
    // Under an id that both sides know it cannot happen twice.
    let world = World::with(|config| {
        let items = config.rollouts.get_mut("items").unwrap();
        items.fallback = true;
        items.legacy.honours_request_ids = true;
    })
    .await;
    for (id, want) in [(None, (503, "grpc")), (Some("once"), (200, "legacy"))] {
        let mut write = world.post("/api/items", &closed).header("x-user-id", &grpc);
        if let Some(id) = id {
            write = write.header("idempotency-key", id);
        }
        let (response, side) = send(write).await;
        assert_eq!((response.status().as_u16(), side.as_str()), want, "{id:?}");
    }

    let world = World::with(|config| {
        config.rollouts.get_mut("items").unwrap().follow = None;
        config.set_upstream("shop", away).unwrap();
    })
    .await;
    let (response, side) = send(world.get("/api/items").header("x-user-id", &grpc)).await;
    assert_eq!(
        (response.status().as_u16(), side.as_str()),
        (503, "grpc"),
        "not asked for"
    );
}
