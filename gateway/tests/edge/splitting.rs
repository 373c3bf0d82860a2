//! Routes that a rollout moves.

use banyan_rollout::{Subjects, bucket};
use reqwest::RequestBuilder;
use serde_json::json;

use super::{
    calls::on_side,
    world::{ANSWER_WITH, World, answer, nowhere},
};

async fn side(request: RequestBuilder) -> (String, Option<String>) {
    let response = request.send().await.unwrap();
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    (header("x-banyan-side").unwrap(), header("set-cookie"))
}

#[tokio::test]
async fn a_user_stays_on_its_side() {
    let world = World::start().await;
    for want in ["legacy", "grpc"] {
        let user = on_side(want);
        for path in ["/api/items", "/api/items?id=1"] {
            let (got, cookie) = side(world.get(path).header("x-user-id", &user)).await;
            assert_eq!((got.as_str(), cookie), (want, None));
        }
    }
}

#[tokio::test]
async fn a_client_that_brings_nothing_is_given_a_cookie_and_stays() {
    let world = World::start().await;
    let (first, cookie) = side(world.get("/api/items")).await;
    let cookie = cookie.unwrap();
    assert!(
        cookie.starts_with("shop_subject=") && cookie.contains("HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let pair = cookie.split(';').next().unwrap();
    for _ in 0..5 {
        assert_eq!(
            side(world.get("/api/items").header("cookie", pair)).await,
            (first.clone(), None)
        );
    }
}

#[tokio::test]
async fn who_brings_nothing_stays_by_its_address_where_the_settings_say_so() {
    let world = World::with(|config| {
        config.listener.trust_forwarded = true;
        let rollout = config.rollouts.get_mut("items").unwrap();
        let sources = ["header:x-user-id", "client:address"];
        let sources = sources.map(|source| source.parse().unwrap());
        rollout.subjects = Subjects::new(sources.to_vec()).unwrap();
    })
    .await;
    for n in 1..=20 {
        let address = format!("192.0.2.{n}");
        let want = match bucket("items", &address).index() < 5_000 {
            true => "grpc",
            false => "legacy",
        };
        let request = world.get("/api/items").header("x-forwarded-for", &address);
        assert_eq!(side(request).await, (want.to_owned(), None), "{address}");
    }
    let user = on_side("legacy");
    let request = world
        .get("/api/items")
        .header("x-forwarded-for", "192.0.2.1")
        .header("x-user-id", &user);
    assert_eq!(side(request).await.0, "legacy", "the first source counts");
}

#[tokio::test]
async fn after_a_write_on_the_legacy_side_the_follower_catches_up() {
    let world = World::start().await;
    let legacy = on_side("legacy");
    let body = json!({"title": "Tea", "price": 1});
    side(world.get("/api/items").header("x-user-id", &legacy)).await;
    assert_eq!(world.catch_ups(), 0, "reading changes nothing");
    assert_eq!(
        answer(world.post("/api/items", &body).header("x-user-id", &legacy))
            .await
            .0,
        200
    );
    assert_eq!(world.catch_ups(), 1);
    assert_eq!(
        answer(
            world
                .post("/api/items", &body)
                .header("x-user-id", on_side("grpc"))
        )
        .await
        .0,
        201
    );
    assert_eq!(world.catch_ups(), 1, "the other side needs no follower");
}

#[tokio::test]
async fn a_write_that_is_answered_with_a_redirect_has_been_done_too() {
    let world = World::start().await;
    for (status, wanted) in [("303", 1), ("302", 2), ("409", 2), ("500", 2)] {
        let request = world
            .post("/api/items", &json!({"title": "Tea", "price": 1}))
            .header("x-user-id", on_side("legacy"))
            .header(ANSWER_WITH, status);
        assert_eq!(answer(request).await.0.to_string(), status);
        assert_eq!(world.catch_ups(), wanted, "{status}");
    }
}

#[tokio::test]
async fn a_side_that_fails_is_named_and_counted() {
    let away = nowhere().await;
    let world = World::with(|config| config.set_upstream("old", &away).unwrap()).await;
    let request = world
        .get("/api/items")
        .header("x-user-id", on_side("legacy"));
    let response = request.send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["x-banyan-side"]
        ),
        (502, &"legacy".parse().unwrap())
    );
    let (_, body) = answer(world.ops("/v1/rollouts/items")).await;
    assert_eq!(
        (&body["counts"]["legacy"], &body["counts"]["legacyErrors"]),
        (&json!("1"), &json!("1")),
        "{body}"
    );
}

#[tokio::test]
async fn an_operator_moves_everybody_at_once_and_nobody_when_switched_off() {
    let world = World::start().await;
    let set = json!({"percent": 100, "actor": "tests", "reason": "all"});
    let url = format!("http://{}/v1/rollouts/items:setPercent", world.gateway.ops);
    super::world::until("the store is ready", || async {
        answer(world.client.post(&url).json(&set)).await.0 == 200
    })
    .await;
    let legacy = on_side("legacy");
    assert_eq!(
        side(world.get("/api/items").header("x-user-id", &legacy))
            .await
            .0,
        "grpc"
    );

    let world =
        World::with(|config| config.rollouts.get_mut("items").unwrap().enabled = false).await;
    let grpc = on_side("grpc");
    assert_eq!(
        side(world.get("/api/items").header("x-user-id", &grpc))
            .await
            .0,
        "legacy"
    );
}
