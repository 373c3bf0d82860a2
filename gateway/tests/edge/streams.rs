//! Streams in either direction, in each form, to their good and bad ends.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::StreamExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    limits::conversation,
    stock::{self, profile},
    world::{World, answer},
};

const LINES: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";

/// Content type and text of a whole answer.
async fn text(request: reqwest::RequestBuilder) -> (String, String) {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (kind, response.text().await.unwrap())
}

fn asking(path: &str, accept: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n\r\n")
}

/// What a client gets of an answer whose end may be missing.
async fn torn(world: &World, path: &str, accept: &str) -> String {
    conversation(world, asking(path, accept).as_bytes()).await
}

#[tokio::test]
async fn a_stream_looks_as_the_client_asks() {
    let (world, _) = stock::world().await;
    let ask = |query: &str, accept: &str| {
        world
            .get(&format!("/stock:watch?{query}"))
            .header("accept", accept)
    };
    let (kind, body) = text(world.get("/stock:watch?count=2")).await;
    assert_eq!(
        (kind.as_str(), body.as_str()),
        (
            "application/json",
            r#"[{"name":"items/0"},{"name":"items/1"}]"#
        )
    );
    let (kind, body) = text(ask("count=2", LINES)).await;
    assert_eq!(
        (kind.as_str(), body.as_str()),
        (LINES, "{\"name\":\"items/0\"}\n{\"name\":\"items/1\"}\n")
    );
    let (kind, body) = text(ask("count=1", EVENTS)).await;
    let want = "data: {\"name\":\"items/0\"}\n\nevent: end\ndata: {}\n\n";
    assert_eq!((kind.as_str(), body.as_str()), (EVENTS, want));
    assert_eq!(text(ask("count=-2", "*/*")).await.1, "[]");
    assert_eq!(text(ask("count=-2", LINES)).await.1, "");
    let (_, long) = text(ask("count=500&size=1000", "application/json")).await;
    let long: Vec<Value> = serde_json::from_str(&long).unwrap();
    assert_eq!((long.len(), &long[499]["name"]), (500, &json!("items/499")));
}

#[tokio::test]
async fn a_failure_before_the_first_item_has_its_status() {
    let (world, _) = stock::world().await;
    for accept in ["application/json", LINES, EVENTS] {
        let request = world.get("/stock:watch?count=-1").header("accept", accept);
        let (status, body) = answer(request).await;
        assert_eq!(
            (status, &body["error"]["status"]),
            (404, &json!("NOT_FOUND")),
            "{accept}"
        );
    }
    let (status, _) = answer(world.get("/stock:watch?count=x")).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_failure_in_mid_stream_is_seen_in_each_form() {
    let (world, _) = stock::world().await;
    let path = "/stock:watch?count=2&then=FAIL";
    let end = "\r\n0\r\n\r\n";

    let array = torn(&world, path, "application/json").await;
    assert!(
        array.contains(r#"[{"name":"items/0"},{"name":"items/1"}"#),
        "{array}"
    );
    assert!(!array.contains(']') && !array.ends_with(end), "{array}");

    let lines = torn(&world, path, LINES).await;
    let error = r#"{"error":{"code":500,"status":"DATA_LOSS","message":"the shelf fell"}}"#;
    assert!(
        lines.contains(&format!("{error}\n")) && !lines.ends_with(end),
        "{lines}"
    );

    let events = torn(&world, path, EVENTS).await;
    assert!(
        events.contains(&format!("event: error\ndata: {error}\n\n")),
        "{events}"
    );
    assert!(
        events.ends_with(end) && !events.contains("event: end"),
        "{events}"
    );

    let broken = world.get(path).send().await.unwrap().text().await;
    assert!(broken.is_err(), "a client library sees it too: {broken:?}");
    let metrics = world.metrics().await;
    let want = r#"gateway_streams_broken_total{listener="public",code="DATA_LOSS"} 4"#;
    assert!(metrics.contains(want), "{metrics}");
}

#[tokio::test]
async fn a_silent_event_stream_is_kept_alive() {
    let (world, _) = stock::world_with(|config| profile(config).streams.heartbeat_ms = 50).await;
    let request = world
        .get("/stock:watch?count=1&then=SILENCE")
        .header("accept", EVENTS);
    let mut response = request.send().await.unwrap();
    let mut got = String::new();
    while got.matches(": \n\n").count() < 3 {
        got.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(
        got.starts_with("data: {\"name\":\"items/0\"}\n\n: \n\n"),
        "{got}"
    );
}

#[tokio::test]
async fn a_stream_that_is_silent_at_first_begins_all_the_same() {
    let (world, _) = stock::world().await;
    let request = world
        .get("/stock:watch?count=-2&then=SILENCE")
        .header("accept", EVENTS);
    let response = tokio::time::timeout(Duration::from_secs(5), request.send()).await;
    assert_eq!(response.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn streams_have_limits_of_their_own() {
    let (world, _) = stock::world_with(|config| {
        profile(config).streams.idle_timeout_ms = 200;
        profile(config).streams.item_bytes_max = 1_000;
    })
    .await;
    let idle = torn(&world, "/stock:watch?count=1&then=SILENCE", LINES).await;
    assert!(
        idle.contains(r#""message":"stock was silent for too long""#),
        "{idle}"
    );
    let (status, body) = answer(world.get("/stock:watch?count=1&size=2000")).await;
    assert_eq!(status, 502, "{body}");
    let metrics = world.metrics().await;
    for limit in ["stream_idle", "answer_bytes"] {
        assert!(
            metrics.contains(&format!(r#"limit="{limit}"}} 1"#)),
            "{metrics}"
        );
    }

    let (world, _) = stock::world_with(|config| profile(config).streams.deadline_ms = 300).await;
    let late = torn(&world, "/stock:watch?count=1&then=SILENCE", EVENTS).await;
    assert!(
        late.contains("event: error\ndata: ") && late.contains("DEADLINE_EXCEEDED"),
        "{late}"
    );
}

#[tokio::test]
async fn two_sides_that_wait_for_each_other_wait_in_vain() {
    let (world, _) =
        stock::world_with(|config| profile(config).streams.idle_timeout_ms = 200).await;
    let head = "POST /stock:chat HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n";
    let got = conversation(&world, head.as_bytes()).await;
    assert!(
        got.starts_with("HTTP/1.1 504") || !got.ends_with("0\r\n\r\n"),
        "{got}"
    );
    assert!(world.metrics().await.contains(r#"limit="stream_idle"} 1"#));
}

/// Waits until a counter has stopped rising; where it stands.
async fn settled(counter: &AtomicUsize) -> usize {
    let mut last = (usize::MAX, 0);
    for _ in 0..1_000 {
        let now = counter.load(Ordering::SeqCst);
        last = if now == last.0 {
            (now, last.1 + 1)
        } else {
            (now, 0)
        };
        if last.1 == 30 {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never stops: {last:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_service() {
    let (world, counters) =
        stock::world_with(|config| config.listener.body_idle_timeout_ms = 60_000).await;
    let mut stream = TcpStream::connect(world.gateway.public).await.unwrap();
    let request = asking("/stock:watch?size=10000", LINES);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 1_000];
    stream.read_exact(&mut first).await.unwrap();
    let sent = settled(&counters.sent).await;
    assert!(
        sent > 0 && sent < 3_000,
        "{sent} items of 10 kB are in flight"
    );
    let mut more = vec![0; 1_000_000];
    for _ in 0..60 {
        stream.read_exact(&mut more).await.unwrap();
    }
    let later = settled(&counters.sent).await;
    assert!(
        later > sent + 3_000,
        "reading goes on, and so does the service: {sent}, {later}"
    );
    drop(stream);
    settled(&counters.sent).await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call() {
    let (world, counters) = stock::world().await;
    let response = world.get("/stock:watch?size=1000").send().await.unwrap();
    let mut body = response.bytes_stream();
    body.next().await.unwrap().unwrap();
    drop(body);
    settled(&counters.sent).await;
}

#[tokio::test]
async fn a_client_streams_lines_or_an_array() {
    let (world, _) = stock::world().await;
    let url = world.url("/stock/shelves/7:collect");
    let want = json!({"count": 3, "sum": "6", "shelf": "shelves/7"});
    for body in [
        "{\"amount\":1}\n{\"amount\":\"2\"}\n\n{\"amount\":3}",
        " [{\"amount\":1}, {\"amount\":2},\n{\"amount\":3}] ",
    ] {
        let request = world.client.post(&url).body(body);
        assert_eq!(answer(request).await, (200, want.clone()), "{body}");
        let bytes: Vec<_> = body
            .bytes()
            .map(|byte| Ok::<_, std::io::Error>(vec![byte]))
            .collect();
        let stream = reqwest::Body::wrap_stream(futures::stream::iter(bytes));
        let request = world.client.post(&url).body(stream);
        assert_eq!(answer(request).await, (200, want.clone()), "byte by byte");
    }
    assert_eq!(
        answer(world.client.post(&url)).await,
        (200, json!({})),
        "no items"
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_item_is_told_with_its_number() {
    let (world, _) = stock::world_with(|config| profile(config).streams.item_bytes_max = 100).await;
    let post = |body: String| {
        world
            .client
            .post(world.url("/stock/shelves/7:collect"))
            .body(body)
    };
    let (status, body) = answer(post("{\"amount\":1}\n{\"amount\":\"x\"}\n".to_owned())).await;
    let message = body["error"]["message"].as_str().unwrap();
    assert_eq!(status, 400, "{body}");
    assert!(
        message.starts_with("item 2: ") && message.contains("amount"),
        "{message}"
    );
    for broken in [
        "[{\"amount\":1}",
        "{\"amount\":1}\n]",
        "[{\"amount\":1} {\"amount\":1}]",
    ] {
        let (status, body) = answer(post(broken.to_owned())).await;
        assert_eq!(
            (status, &body["error"]["status"]),
            (400, &json!("INVALID_ARGUMENT")),
            "{broken}"
        );
    }
    let long = format!("{{\"shelf\":\"{}\"}}", "x".repeat(200));
    let (status, body) = answer(post(long)).await;
    assert_eq!(status, 413, "{body}");
    assert!(world.metrics().await.contains(r#"limit="item_bytes"} 1"#));
}

#[tokio::test]
async fn a_client_that_stops_sending_is_408() {
    let (world, _) =
        stock::world_with(|config| profile(config).streams.idle_timeout_ms = 200).await;
    let head = "POST /stock/shelves/7:collect HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"amount\":1}\n";
    let got = conversation(&world, head.as_bytes()).await;
    assert!(got.starts_with("HTTP/1.1 408"), "{got}");
}

#[tokio::test]
async fn a_service_that_does_not_take_stops_the_client() {
    let (world, counters) = stock::world().await;
    let mut stream = TcpStream::connect(world.gateway.public).await.unwrap();
    let head =
        "POST /stock/shelves/7:collect HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let stop = "{\"amount\":-1}\n";
    stream
        .write_all(format!("{:x}\r\n{stop}\r\n", stop.len()).as_bytes())
        .await
        .unwrap();
    let item = format!("{{\"shelf\":\"{}\"}}\n", "x".repeat(10_000));
    let chunk = format!("{:x}\r\n{item}\r\n", item.len());
    let mut written = 0;
    let send = async {
        loop {
            stream.write_all(chunk.as_bytes()).await.unwrap();
            written += chunk.len();
        }
    };
    tokio::time::timeout(Duration::from_secs(1), send)
        .await
        .unwrap_err();
    assert!(written < 40_000_000, "{written}");
    assert_eq!(counters.taken.load(Ordering::SeqCst), 1);
}

/// Reads until the answer contains this.
async fn read_until(stream: &mut TcpStream, got: &mut String, wanted: &str) {
    let mut buffer = [0; 4096];
    while !got.contains(wanted) {
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await;
        let count = read
            .unwrap_or_else(|_| panic!("no {wanted} in {got:?}"))
            .unwrap();
        assert_ne!(count, 0, "no {wanted} in {got:?}");
        got.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
}

#[tokio::test]
async fn both_sides_talk_in_turns() {
    let (world, _) = stock::world().await;
    let mut stream = TcpStream::connect(world.gateway.public).await.unwrap();
    let head = format!(
        "POST /stock:chat HTTP/1.1\r\nhost: x\r\naccept: {LINES}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut got = String::new();
    for amount in 1..4 {
        let item = format!("{{\"amount\":{amount}}}\n");
        stream
            .write_all(format!("{:x}\r\n{item}\r\n", item.len()).as_bytes())
            .await
            .unwrap();
        read_until(
            &mut stream,
            &mut got,
            &format!("{{\"name\":\"{amount}\"}}\n"),
        )
        .await;
    }
    let wrong = "{\"amount\":[]}\n";
    stream
        .write_all(format!("{:x}\r\n{wrong}\r\n", wrong.len()).as_bytes())
        .await
        .unwrap();
    read_until(&mut stream, &mut got, "INVALID_ARGUMENT").await;
    assert!(got.contains("item 4: "), "{got}");
    stream.read_to_string(&mut got).await.ok();
    assert!(!got.ends_with("0\r\n\r\n"), "{got}");
}

#[test]
fn nothing_that_can_be_streamed_makes_it_panic() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (world, _) = runtime.block_on(stock::world_with(|config| {
        profile(config).streams.item_bytes_max = 100;
        profile(config).streams.idle_timeout_ms = 1_000;
    }));
    let item = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[\\[\\]{},:\"a1 \n]{0,40}".prop_map(String::into_bytes),
        Just(b"{\"amount\":1}\n".to_vec()),
    ];
    let body = proptest::collection::vec(item, 0..6).prop_map(|items| items.concat());
    let method = prop_oneof![
        Just("/stock/shelves/7:collect"),
        Just("/stock:chat"),
        Just("/stock/files/1:uploadPieces"),
    ];
    let header = prop_oneof![
        Just("accept"),
        Just("accept-encoding"),
        Just("content-encoding"),
        Just("grpc-timeout"),
        Just("x-request-timeout"),
        Just("if-match"),
        Just("if-none-match"),
    ];
    let headers = proptest::collection::vec((header, "[ -~]{0,20}"), 0..3);
    let config = ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |((method, headers, body) in (method, headers, body))| {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "POST {method} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        let got = runtime.block_on(conversation(&world, &[head.as_bytes(), &body].concat()));
        prop_assert!(got.starts_with("HTTP/1.1 "), "{got:?}");
        prop_assert!(!got.starts_with("HTTP/1.1 5") || got.starts_with("HTTP/1.1 504"), "{got:?}");
    });
}
