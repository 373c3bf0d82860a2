//! Systems behind the gateway that are started again, and connections that are lost on the way.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{
    calls::on_side,
    shop,
    world::{World, answer, nowhere, serve_at},
};

/// Shorter than what is bridged.
const OUTAGE: Duration = Duration::from_millis(200);

/// Takes so many connections and hangs up on each without an answer, then one more that it answers, and is gone.
async fn taken(address: String, hangs_up: usize) -> usize {
    let address = address.strip_prefix("http://").unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    for number in 0..=hangs_up {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            assert!(connection.read_buf(&mut head).await.unwrap() > 0);
        }
        if number == hangs_up {
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
            connection.write_all(answer).await.unwrap();
        }
    }
    hangs_up + 1
}

#[tokio::test]
async fn a_restart_is_bridged_for_whatever_was_not_sent() {
    let address = nowhere().await;
    let world = World::with(|config| config.set_upstream("old", &address).unwrap()).await;
    assert_eq!(
        answer(world.get("/old/x")).await.0,
        502,
        "it never was there"
    );
    let first = tokio::spawn(taken(address.clone(), 0));
    let is_there = async || answer(world.get("/old/x")).await.0 == 200;
    super::world::until("the old system answers", is_there).await;
    first.await.unwrap();
    let again = async {
        tokio::time::sleep(OUTAGE).await;
        taken(address, 0).await
    };
    let ((status, _), taken) = tokio::join!(answer(world.post("/old/x", &json!({}))), again);
    assert_eq!((status, taken), (200, 1));
}

#[tokio::test]
async fn only_what_changes_nothing_is_sent_again() {
    let address = nowhere().await;
    let world = World::with(|config| config.set_upstream("old", &address).unwrap()).await;
    let taking = tokio::spawn(taken(address.clone(), 2));
    let is_there = async || answer(world.get("/old/x")).await.0 == 200;
    super::world::until("it is asked a third time", is_there).await;
    assert_eq!(taking.await.unwrap(), 3);

    let taking = tokio::spawn(taken(address, 1));
    let (status, _) = answer(world.post("/old/x", &json!({}))).await;
    assert_eq!(status, 502);
    assert!(!taking.is_finished(), "a second one has come");
    taking.abort();
}

/// Answers a first request in part only and hangs up, and the next one whole.
async fn broken_off(address: String, bytes: usize) -> usize {
    let listener = TcpListener::bind(address.strip_prefix("http://").unwrap());
    let listener = listener.await.unwrap();
    let body = format!("\"{}\"", "x".repeat(bytes - 2));
    for sent in [bytes / 2, bytes] {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            assert!(connection.read_buf(&mut head).await.unwrap() > 0);
        }
        let head =
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        connection
            .write_all(&body.as_bytes()[..sent])
            .await
            .unwrap();
        connection.shutdown().await.unwrap();
    }
    bytes
}

#[tokio::test]
async fn a_read_of_a_rollout_is_asked_again_when_its_answer_breaks_off() {
    let address = nowhere().await;
    let world = World::with(|config| config.set_upstream("old", &address).unwrap()).await;
    let answering = tokio::spawn(broken_off(address, 100_000));
    let read = || {
        world
            .get("/api/items")
            .header("x-user-id", on_side("legacy"))
    };
    let response = read().send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["x-banyan-side"]
        ),
        (200, &"legacy".parse().unwrap())
    );
    let told = response.bytes().await.unwrap();
    assert_eq!(told.len(), answering.await.unwrap());
}

#[tokio::test]
async fn what_a_route_says_of_its_requests_counts_for_sending_them_again() {
    let address = nowhere().await;
    let world = World::with(|config| {
        config.set_upstream("old", &address).unwrap();
        let users = config.routes.iter_mut().find(|it| it.path == "/api/users");
        let users = users.unwrap();
        users.methods = vec!["GET".to_owned()];
        users.safe = Some(false);
        let mut found = users.clone();
        found.methods = vec!["POST".to_owned()];
        found.safe = Some(true);
        config.routes.push(found);
    })
    .await;
    let taking = tokio::spawn(taken(address.clone(), 1));
    let post = || world.client.post(world.url("/api/users"));
    let is_there = async || answer(post()).await.0 == 200;
    super::world::until("it is asked a second time", is_there).await;
    assert_eq!(taking.await.unwrap(), 2);

    let taking = tokio::spawn(taken(address, 1));
    let (status, _) = answer(world.get("/api/users")).await;
    assert_eq!(status, 502);
    assert!(!taking.is_finished(), "a second one has come");
    taking.abort();
}

#[tokio::test]
async fn a_service_that_restarts_is_waited_for_unless_legacy_can_answer() {
    restarted(false).await;
}

#[tokio::test]
async fn a_service_that_alone_has_what_was_written_is_waited_for() {
    restarted(true).await;
}

/// A service with a fallback that restarts, in the last stage or before.
async fn restarted(is_last_stage: bool) {
    let address = nowhere().await;
    let world = World::with(|config| {
        config.set_upstream("shop", &address).unwrap();
        config.rollouts.get_mut("items").unwrap().fallback = true;
    })
    .await;
    if is_last_stage {
        let set = json!({"stage": "STAGE_GRPC", "actor": "tests", "reason": "the end", "force": true, "confirmOneWay": true});
        let url = format!("http://{}/v1/rollouts/items:set", world.gateway.ops);
        let entered = || async { answer(world.client.post(&url).json(&set)).await.0 == 200 };
        super::world::until("the store is ready", entered).await;
    }
    let split = || world.get("/api/items").header("x-user-id", on_side("grpc"));
    let listening = address.strip_prefix("http://").unwrap().to_owned();
    let (ends, ended) = tokio::sync::oneshot::channel::<()>();
    let first = listening.clone();
    let serving = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async move {
            serve_at(&first, shop::router("north", Default::default())).await;
            ended.await.ok();
        });
        // As a kill would: everything is gone at once.
        runtime.shutdown_timeout(Duration::ZERO);
    });
    let is_there = async || answer(world.get("/v1/items/7")).await.0 == 200;
    super::world::until("the shop answers", is_there).await;
    ends.send(()).unwrap();
    tokio::task::spawn_blocking(|| serving.join().unwrap())
        .await
        .unwrap();

    let again = async {
        tokio::time::sleep(OUTAGE).await;
        serve_at(&listening, shop::router("south", Default::default())).await;
    };
    if is_last_stage {
        let (response, ()) = tokio::join!(split().send(), again);
        let response = response.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-banyan-side"], "grpc");
        return;
    }
    let response = split().send().await.unwrap();
    assert_eq!(response.headers()["x-banyan-side"], "legacy");
    let ((status, body), ()) = tokio::join!(answer(world.get("/v1/items/7")), again);
    assert_eq!((status, &body["tags"]), (200, &json!(["south"])));
}
