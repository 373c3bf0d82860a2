//! Requests that go on to the old system.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::world::{World, answer, nowhere};

#[tokio::test]
async fn a_request_goes_on_as_it_came_without_the_headers_of_the_hop() {
    let world = World::start().await;
    let request = world
        .post("/old/a%2Fb//c?x=1&y=%20", &json!({"a": 1}))
        .header("connection", "x-private, keep-alive")
        .header("x-private", "1")
        .header("te", "trailers")
        .header("cookie", "theme=dark; banyan_guest=secret")
        .header("x-forwarded-for", "6.6.6.6")
        .header("x-forwarded-proto", "https")
        .header("forwarded", "for=6.6.6.6")
        .header("x-banyan-guest", "forged")
        .header("x-kept", "1");
    let (status, told) = answer(request).await;
    assert_eq!(
        (status, &told["method"], &told["target"]),
        (200, &json!("POST"), &json!("/old/a%2Fb//c?x=1&y=%20"))
    );
    assert_eq!(told["body_bytes"], 7);
    let headers = &told["headers"];
    assert_eq!(headers["host"], world.old.to_string());
    assert_eq!(
        headers["x-forwarded-host"],
        world.gateway.public.to_string()
    );
    assert_eq!(
        (&headers["x-forwarded-for"], &headers["x-forwarded-proto"]),
        (&json!("127.0.0.1"), &json!("http"))
    );
    assert_eq!(
        (&headers["cookie"], &headers["x-kept"]),
        (&json!("theme=dark"), &json!("1"))
    );
    assert!(headers["traceparent"].is_string() && headers["x-request-id"].is_string());
    assert_eq!(headers["via"], "1.1 banyan");
    assert_eq!(
        (&headers["forwarded"], &headers["x-banyan-guest"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&headers["x-private"], &headers["te"]),
        (&Value::Null, &Value::Null),
        "{headers}"
    );
}

#[tokio::test]
async fn an_answer_comes_back_without_the_headers_of_the_hop() {
    let world = World::start().await;
    let response = world.get("/old/x").send().await.unwrap();
    let headers = response.headers();
    assert!(headers.contains_key("x-kept") && headers.contains_key("x-request-id"));
    assert!(
        !headers.contains_key("x-hop") && !headers.contains_key("keep-alive"),
        "{headers:?}"
    );
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let world = World::start().await;
    assert_eq!(
        world
            .get("/old/stream")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "one two three"
    );
    let pieces =
        futures::stream::iter(0..90).then(|_| async { Ok::<_, std::io::Error>(vec![b'x'; 1000]) });
    let request = world
        .client
        .post(world.url("/old/up"))
        .body(reqwest::Body::wrap_stream(pieces));
    let (status, told) = answer(request).await;
    assert_eq!((status, &told["body_bytes"]), (200, &json!(90_000)));
}

#[tokio::test]
async fn the_first_piece_arrives_before_the_last_is_there_and_a_stalled_body_ends() {
    let world = World::start().await;
    let mut response = world.get("/old/stall").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.chunk().await.unwrap().unwrap(), "one");
    let rest = tokio::time::timeout(Duration::from_secs(3), response.chunk())
        .await
        .unwrap();
    assert!(rest.is_err(), "a body that was cut off must not look whole");
}

#[tokio::test]
async fn an_old_system_that_is_slow_is_504_and_one_that_is_away_502() {
    let world = World::start().await;
    let (status, _) = answer(world.get("/old/slow")).await;
    assert_eq!(status, 504);
    let away = nowhere().await;
    let world = World::with(|config| config.set_upstream("old", &away).unwrap()).await;
    let (status, body) = answer(world.get("/api/users")).await;
    assert_eq!(
        (status, body),
        (502, json!({"error": "old cannot be reached"}))
    );
    let (status, body) = answer(world.get("/old/x")).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (502, &json!("UNAVAILABLE"))
    );
}

#[tokio::test]
async fn upgrades_are_refused() {
    let world = World::start().await;
    let request = world
        .get("/old/socket")
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    assert_eq!(answer(request).await.0, 501);
}
