//! REST in, gRPC out.

use banyan_rollout::{Percent, bucket};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::{World, answer, nowhere};

#[tokio::test]
async fn a_service_that_the_gateway_has_never_heard_of_is_served() {
    let world = World::start().await;
    let (status, body) = answer(world.get("/v1/items/7")).await;
    assert_eq!(
        (status, body),
        (
            200,
            json!({"name": "items/7", "price": "7", "tags": ["north"]})
        )
    );
    let (status, body) =
        answer(world.post("/v1/items", &json!({"title": "Tea", "price": "3"}))).await;
    assert_eq!((status, &body["name"]), (200, &json!("Tea")));
}

#[tokio::test]
async fn a_route_has_its_own_json_status_and_query() {
    let world = World::start().await;
    let grpc = |request: reqwest::RequestBuilder| request.header("x-user-id", on_side("grpc"));
    let (status, body) = answer(grpc(world.get("/api/items"))).await;
    assert_eq!(
        (status, body),
        (200, json!([{"name": "one", "price": 1, "tags": ["grpc"]}])),
        "a bare array"
    );
    let (status, body) = answer(grpc(world.get("/api/items?id=5"))).await;
    assert_eq!(
        (status, &body["price"]),
        (200, &json!(5)),
        "told apart by the query"
    );
    let (status, body) =
        answer(world.post("/api/sales", &json!({"title": "Tea", "price": 3}))).await;
    assert_eq!((status, &body["price"]), (201, &json!(3)));
}

/// A user of the half that is on this side.
pub(crate) fn on_side(side: &str) -> String {
    let half = Percent::from_hundredths(5_000).unwrap();
    let is_there = |user: &String| half.includes(bucket("items", user)) == (side == "grpc");
    (0..).map(|n| n.to_string()).find(is_there).unwrap()
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_in_the_shape_of_its_route() {
    let world = World::start().await;
    let (status, body) = answer(world.get("/v1/items/7?colour=red")).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (400, &json!("INVALID_ARGUMENT")),
        "{body}"
    );
    let (status, body) = answer(world.post("/api/sales", &json!({"price": 3}))).await;
    assert_eq!(status, 400);
    assert!(body["error"].as_str().unwrap().contains("title"), "{body}");
    let (status, body) =
        answer(world.post("/api/sales", &json!({"title": "Tea", "price": "3"}))).await;
    assert_eq!(status, 400, "strict types: {body}");
    let (status, _) = answer(world.client.post(world.url("/api/sales")).body("{")).await;
    assert_eq!(status, 400);
    let (status, body) = answer(world.post("/regions/2/v1/items", &json!({}))).await;
    assert_eq!(
        status, 200,
        "the canonical profile requires nothing: {body}"
    );
}

#[tokio::test]
async fn errors_of_a_service_keep_their_meaning() {
    let world = World::start().await;
    let (status, body) = answer(world.get("/v1/items/missing")).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (404, &json!("NOT_FOUND"))
    );
    assert_eq!(body["error"]["details"][0]["reason"], "ITEM_NOT_FOUND");
    let (status, body) = answer(world.get("/titled/items/missing/")).await;
    let want = json!({"errors": [{"title": "Not found", "detail": "item missing not found"}]});
    assert_eq!((status, body), (404, want));
    let (status, body) =
        answer(world.post("/api/sales", &json!({"title": "Tea", "price": -1}))).await;
    assert_eq!(
        (status, body),
        (503, json!({"status": false})),
        "the fixed body of the code"
    );
}

#[tokio::test]
async fn a_service_that_is_slow_or_away_is_told_without_addresses() {
    let world = World::start().await;
    let (status, body) = answer(world.get("/v1/items/slow")).await;
    assert_eq!(
        (status, &body["error"]["message"]),
        (504, &json!("shop did not answer in time"))
    );

    let away = nowhere().await;
    let world = World::with(|config| config.set_upstream("shop", &away).unwrap()).await;
    let (status, body) = answer(world.get("/v1/items/7")).await;
    assert_eq!(
        (status, &body["error"]["message"]),
        (503, &json!("shop cannot be reached"))
    );
}

#[tokio::test]
async fn services_are_told_ids_and_nothing_that_comes_from_outside() {
    let world = World::start().await;
    let request = world
        .get("/v1/me")
        .header("x-request-id", "abc-1")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .header("x-secret", "1")
        .header("authorization", "Bearer 1");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "abc-1");
    let told: Value = response.json().await.unwrap();
    let told = &told["metadata"];
    assert_eq!(told["x-request-id"], "abc-1");
    assert!(
        told["traceparent"]
            .as_str()
            .unwrap()
            .contains("0af7651916cd43dd8448eb211c80319c")
    );
    assert_eq!(
        (&told["x-secret"], &told["authorization"]),
        (&Value::Null, &Value::Null),
        "{told}"
    );
    assert!(told["grpc-timeout"].is_string(), "{told}");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_in_the_shape_of_their_surface() {
    let world = World::start().await;
    let (status, body) = answer(world.get("/v1/nothing")).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (404, &json!("NOT_FOUND"))
    );
    let (status, body) = answer(world.get("/api/nothing")).await;
    assert_eq!((status, body), (404, json!({"error": "no such path"})));
    let response = world
        .client
        .delete(world.url("/api/users"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &"GET, HEAD, POST".parse().unwrap())
    );
    assert!(response.json::<Value>().await.unwrap()["error"].is_string());
    let (status, _) = answer(world.get("/v1/items/%zz")).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn fixed_answers_and_redirects() {
    let world = World::start().await;
    let response = world.get("/health").send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["content-type"]
        ),
        (200, &"text/plain".parse().unwrap())
    );
    assert_eq!(response.text().await.unwrap(), "fine");
    let response = world.get("/").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (307, &"/app/".parse().unwrap())
    );
    let response = world
        .client
        .head(world.url("/health"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.status().as_u16(),
        200,
        "HEAD is GET without a body"
    );
}

/// Bytes as they may stand in a request line.
fn target() -> impl Strategy<Value = String> {
    let path =
        proptest::collection::vec("[!-\"$->@-~]{0,12}", 0..5).prop_map(|parts| parts.join("/"));
    let start = prop_oneof![
        Just("/v1/items"),
        Just("/api/items"),
        Just("/titled"),
        Just("/regions"),
        Just("")
    ];
    (start, path, proptest::option::of("[!-\"$-~]{0,40}")).prop_map(|(start, path, query)| {
        match query {
            Some(query) => format!("{start}/{path}?{query}"),
            None => format!("{start}/{path}"),
        }
    })
}

#[test]
fn nothing_that_can_be_sent_makes_it_panic() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::start());
    let body = proptest::collection::vec(any::<u8>(), 0..200);
    let text = prop_oneof![
        body,
        ".{0,80}".prop_map(String::into_bytes),
        "\\{\"title\":.{0,40}".prop_map(String::into_bytes)
    ];
    let strategy = (
        target(),
        text,
        prop_oneof![Just("GET"), Just("POST"), Just("DELETE")],
    );
    let config = ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |((target, body, method) in strategy)| {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        let answer = runtime.block_on(raw(&world, head.as_bytes(), &body));
        // A connection that ends without a status line is one whose task has panicked.
        prop_assert!(answer.starts_with("HTTP/1.1 "), "{target} {answer:?}");
        prop_assert!(!answer.starts_with("HTTP/1.1 500"), "{target} {answer:?}");
    });
}

async fn raw(world: &World, head: &[u8], body: &[u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(world.gateway.public)
        .await
        .unwrap();
    stream.write_all(&[head, body].concat()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}
