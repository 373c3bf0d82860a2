//! What one client may use.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::world::{World, answer, until};

/// Sends bytes and reads until the gateway ends the connection.
pub(crate) async fn conversation(world: &World, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.gateway.public).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .expect("the connection must end")
        .ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_header_loses_its_connection() {
    let world = World::start().await;
    for bytes in [
        "",
        "GET",
        "GET /health HTTP/1.1\r\nhost:",
        "PRI * HTTP/2.0\r\n\r\n",
    ] {
        let answer = conversation(&world, bytes.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{bytes:?}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_header_that_is_too_large_is_refused() {
    let world = World::start().await;
    let header = format!(
        "GET /health HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let answer = conversation(&world, header.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_whether_announced_or_not() {
    let world = World::start().await;
    let large = "x".repeat(150_000);
    let (status, body) = answer(world.post("/api/sales", &json!({"title": large}))).await;
    assert_eq!(
        (status, body),
        (413, json!({"error": "the request body is too large"}))
    );
    for path in ["/api/sales", "/old/up"] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
        let answer = conversation(&world, format!("{head}{chunk}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer:?}");
    }
    assert!(
        world
            .metrics()
            .await
            .contains(r#"gateway_limits_hit_total{listener="public",limit="body_bytes"} 3"#)
    );
}

#[tokio::test]
async fn a_body_that_stops_coming_is_408() {
    let world = World::start().await;
    for path in ["/api/sales", "/old/up"] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{");
        let answer = conversation(&world, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn requests_beyond_the_limit_are_told_to_come_back() {
    let world = World::with(|config| {
        config.listener.concurrency_max = 1;
        config
            .upstreams
            .get_mut("old")
            .unwrap()
            .body_idle_timeout_ms = 60_000;
    })
    .await;
    let mut held = world.get("/old/stall").send().await.unwrap();
    held.chunk().await.unwrap();
    let response = world.get("/api/users").send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["retry-after"]
        ),
        (503, &"1".parse().unwrap())
    );
    assert!(response.text().await.unwrap().starts_with(r#"{"error":"#));
    assert_eq!(
        answer(world.ops("/livez")).await.0,
        200,
        "probes are never shed"
    );
    assert!(world.metrics().await.contains(r#"limit="concurrency"} 1"#));
    drop(held);
    until("there is room again", || async {
        answer(world.get("/health")).await.0 == 200
    })
    .await;
}

#[tokio::test]
async fn an_upload_that_takes_longer_than_the_first_byte_may_is_not_cut_off() {
    let world = World::start().await;
    let pieces = futures::stream::iter(0..6).then(|_| async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        Ok::<_, std::io::Error>("piece")
    });
    let request = world
        .client
        .post(world.url("/old/up"))
        .body(reqwest::Body::wrap_stream(pieces));
    assert_eq!(answer(request).await.0, 200);
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_loses_its_place() {
    let world = World::with(|config| config.listener.concurrency_max = 1).await;
    let mut stream = TcpStream::connect(world.gateway.public).await.unwrap();
    stream
        .write_all(b"GET /old/endless HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    // Nobody else asks before it has the only place.
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head, *b"HTTP/1.1 200");
    until("its request is in work", || async {
        answer(world.get("/health")).await.0 == 503
    })
    .await;
    until("its place is free again", || async {
        answer(world.get("/health")).await.0 == 200
    })
    .await;
    drop(stream);
}

#[tokio::test]
async fn clients_are_told_to_connect_elsewhere_before_the_end() {
    let world = World::start().await;
    let before = world.get("/health").send().await.unwrap();
    assert!(!before.headers().contains_key("connection"));
    world.process().readiness().drain();
    let answer = conversation(&world, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_request_that_is_on_its_way_at_the_end_is_answered() {
    let world = World::start().await;
    let mut kept = TcpStream::connect(world.gateway.public).await.unwrap();
    let request = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    kept.write_all(request).await.unwrap();
    let mut first = Vec::new();
    while !first.ends_with(b"fine") {
        assert_ne!(kept.read_buf(&mut first).await.unwrap(), 0);
    }
    // The system has taken this connection, the gateway has not seen it yet.
    let mut queued = TcpStream::connect(world.gateway.public).await.unwrap();
    let stop = world.process().stop(Duration::from_secs(5));
    let ask = async {
        world.process().shutdown().cancelled().await;
        for stream in [&mut kept, &mut queued] {
            stream.write_all(request).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.contains("connection: close"), "{answer:?}");
        }
    };
    let (stopped, ()) = tokio::join!(stop, ask);
    stopped.unwrap();
}
