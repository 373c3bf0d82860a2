//! What is written about each request.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::{
    calls::on_side,
    world::{World, answer, nowhere, until},
};
use crate::rollouts_support::somebody_listens;

#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Collects what is logged on this thread, on which all of the test runs.
    pub(crate) fn collect() -> (Lines, DefaultGuard) {
        Lines::collect_at(tracing::Level::TRACE)
    }

    pub(crate) fn collect_at(level: tracing::Level) -> (Lines, DefaultGuard) {
        somebody_listens();
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(level)
            .with_writer(lines.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines about requests.
    pub(crate) fn answered(&self) -> Vec<Value> {
        let lines = self.text();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &Value| line["message"] == "Answered request")
            .collect()
    }

    /// The same, once: they are forgotten.
    pub(crate) fn take(&self) -> Vec<Value> {
        let answered = self.answered();
        self.0.lock().unwrap().clear();
        answered
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

#[tokio::test]
async fn every_request_has_one_line_without_what_is_secret() {
    let (lines, _guard) = Lines::collect();
    let world = World::start().await;
    let token = "s3cret".repeat(8)[..43].to_owned();
    let send = |path: &'static str| {
        world
            .get(path)
            .header("cookie", format!("banyan_guest={token}; other={token}"))
            .header("authorization", format!("Bearer {token}"))
            .header("x-request-id", "id-1")
            .header(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            )
    };
    answer(send("/v1/me?phone=5550100")).await;
    answer(send("/api/items?token=5550100").header("x-user-id", "ada")).await;
    answer(send("/nowhere/5550100")).await;
    until("three lines", || async { lines.answered().len() >= 3 }).await;

    let answered = lines.answered();
    assert_eq!(answered.len(), 3, "{answered:?}");
    let [call, split, none] = answered.try_into().unwrap();
    for (name, want) in [
        ("listener", json!("public")),
        ("method", json!("GET")),
        ("route", json!("GET /v1/me")),
        ("request_id", json!("id-1")),
        ("trace_id", json!("0af7651916cd43dd8448eb211c80319c")),
    ] {
        assert_eq!(call[name], want, "{call}");
    }
    assert!(
        call["latency_ms"].is_f64() && call["bytes"].as_u64().is_some(),
        "{call}"
    );
    assert_eq!(
        (&split["rollout"], &split["reason"]),
        (&json!("items"), &json!("percent"))
    );
    assert!(
        split["side"].is_string() && split["bucket"].is_u64(),
        "{split}"
    );
    assert_eq!(
        (&none["route"], &none["status"]),
        (&json!("none"), &json!(404))
    );
    let ours: String = lines
        .text()
        .lines()
        .filter(|line| line.contains("\"target\":\"banyan"))
        .collect();
    for secret in ["s3cret", "5550100", "ada\""] {
        assert!(!ours.contains(secret), "{secret}: {ours}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_has_its_line_and_its_count() {
    let (lines, _guard) = Lines::collect();
    let world = World::with(|config| {
        config
            .upstreams
            .get_mut("old")
            .unwrap()
            .first_byte_timeout_ms = 60_000;
    })
    .await;
    let asking = tokio::spawn(world.get("/old/slow").send());
    until("the request is in work", || async {
        world
            .metrics()
            .await
            .contains("gateway_requests_in_flight 1\n")
    })
    .await;
    asking.abort();
    until("its line", || async { !lines.answered().is_empty() }).await;
    let mut stalled = world.get("/old/stall").send().await.unwrap();
    stalled.chunk().await.unwrap();
    drop(stalled);
    until("the second line", || async { lines.answered().len() >= 2 }).await;
    let of = |line: &Value| (line["route"].clone(), line["status"].clone());
    let answered: Vec<_> = lines.answered().iter().map(of).collect();
    assert_eq!(
        answered,
        [
            (json!("* /old/**"), json!(499)),
            (json!("* /old/**"), json!(200))
        ]
    );
    let counted =
        r#"gateway_requests_total{listener="public",route="* /old/**",side="",status="4xx"} 1"#;
    assert!(world.metrics().await.contains(counted));
}

#[tokio::test]
async fn an_answer_of_legacy_for_grpc_tells_both() {
    let (lines, _guard) = Lines::collect();
    let away = nowhere().await;
    let world = World::with(move |config| {
        let items = config.rollouts.get_mut("items").unwrap();
        (items.fallback, items.follow) = (true, None);
        config.set_upstream("shop", away).unwrap();
    })
    .await;
    for side in ["grpc", "legacy"] {
        answer(world.get("/api/items").header("x-user-id", on_side(side))).await;
    }
    until("both lines", || async { lines.answered().len() >= 2 }).await;
    let of = |line: &Value| {
        let names = ["side", "reason", "decided_side", "decided_reason"];
        names.map(|name| line[name].clone())
    };
    let answered: Vec<_> = lines.answered().iter().map(of).collect();
    assert_eq!(
        answered,
        [
            [
                json!("legacy"),
                json!("fallback"),
                json!("grpc"),
                json!("percent")
            ],
            [json!("legacy"), json!("percent"), Value::Null, Value::Null]
        ]
    );
    let counted = r#"gateway_rollout_answers_total{rollout="items",side="legacy",reason="fallback",version="0"} 1"#;
    assert!(world.metrics().await.contains(counted));
}
