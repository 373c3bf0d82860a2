//! The monolith over real sockets, on SQLite and on a throw-away PostgreSQL.

// A test may fail by any of these; clippy knows only the functions marked as tests.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr)]

mod capabilities;
mod contract;
mod database;
mod lifecycle;
mod postgres;
mod program;

use std::net::SocketAddr;
use std::time::Duration;

use legacy_monolith::{Capabilities, Running, Settings};
use reqwest::{Client, Method};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// The most that any wait in these tests may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A monolith inside the test's process.
struct Legacy {
    running: Running,
    client: Client,
    stop: oneshot::Sender<()>,
}

impl Legacy {
    /// Starts one that may not have its database yet.
    async fn launch(database_url: &str, demo: bool) -> Self {
        Self::launch_with(database_url, demo, Capabilities::default()).await
    }

    async fn launch_with(database_url: &str, demo: bool, capabilities: Capabilities) -> Self {
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database_url: database_url.to_owned(),
            demo,
            capabilities,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let running = legacy_monolith::start(settings, shutdown)
            .await
            .expect("it starts");
        Self {
            running,
            client: Client::new(),
            stop,
        }
    }

    async fn start(database_url: &str) -> Self {
        let mut legacy = Self::launch(database_url, false).await;
        legacy.ready().await;
        legacy
    }

    async fn ready(&mut self) {
        let ready = self.running.ready.wait_for(|ready| *ready);
        let waited = tokio::time::timeout(LIMIT, ready).await;
        waited.expect("ready in time").expect("still running");
    }

    fn addr(&self) -> SocketAddr {
        self.running.addr
    }

    /// Status and JSON of a call; an empty body sends none.
    async fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let answer = self.send(method, path, body).await;
        let status = answer.status().as_u16();
        let json = answer.json().await;
        (status, json.expect("every answer is JSON"))
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> reqwest::Response {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("http://{}{path}", self.addr());
        let mut request = self.client.request(method, url);
        if !body.is_empty() {
            request = request.body(body.to_owned());
        }
        request.send().await.expect("it answers")
    }

    async fn stop(self) {
        self.stop.send(()).expect("it waits for the end");
        let ended = tokio::time::timeout(LIMIT, self.running.task).await;
        let result = ended.expect("ends in time").expect("no panic");
        result.expect("ends well");
    }
}

fn sqlite_url(folder: &TempDir) -> String {
    format!(
        "sqlite://{}/data/legacy.db?mode=rwc",
        folder.path().display()
    )
}

/// Asks again until the answer is yes.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let asked = tokio::time::timeout(LIMIT, asking).await;
    assert!(asked.is_ok(), "never came true: {what}");
}
