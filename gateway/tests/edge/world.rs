//! A gateway between a client and two foreign systems, on ports of its own.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
    routing::{any, get},
};
use banyan_gateway::{Running, config::Config};
use banyan_mesh::process::Process;
use bytes::Bytes;
use futures::StreamExt as _;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};

use super::shop;

/// The configuration of the tests; a test may add to it.
const CONFIG: &str = include_str!("world.toml");

pub(crate) struct World {
    pub(crate) gateway: Running,
    pub(crate) old: SocketAddr,
    pub(crate) client: Client,
    catch_ups: Arc<AtomicUsize>,
    process: Process,
    folder: TempDir,
}

impl World {
    pub(crate) async fn start() -> World {
        World::with(|_| {}).await
    }

    /// Changes the configuration before the start.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> World {
        let catch_ups = Arc::new(AtomicUsize::new(0));
        let shop = serve(shop::router("north", Arc::clone(&catch_ups))).await;
        let south = serve(shop::router("south", Arc::clone(&catch_ups))).await;
        let old = serve(old()).await;
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config
            .set_upstream("shop", format!("http://{shop}"))
            .unwrap();
        config
            .set_upstream("south", format!("http://{south}"))
            .unwrap();
        config.set_upstream("old", format!("http://{old}")).unwrap();
        change(&mut config);
        let process = Process::new();
        let gateway = banyan_gateway::start(config, &process).await.unwrap();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        World {
            gateway,
            old,
            client,
            catch_ups,
            process,
            folder,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.public)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(self.url(path)).json(body)
    }

    pub(crate) fn ops(&self, path: &str) -> RequestBuilder {
        self.client
            .get(format!("http://{}{path}", self.gateway.ops))
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// A file that the gateway was started from: `gateway.toml` or `shop.binpb`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The operators' page of routes and contracts.
    pub(crate) async fn contracts(&self) -> Value {
        answer(self.ops("/v1/gateway/contracts")).await.1
    }

    pub(crate) fn catch_ups(&self) -> usize {
        self.catch_ups.load(Ordering::SeqCst)
    }

    /// A page with all metrics.
    pub(crate) async fn metrics(&self) -> String {
        self.ops("/metrics")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }
}

/// The configuration with its file names filled in, read the way the binary reads it.
pub(crate) fn config(folder: &TempDir) -> Config {
    let text = CONFIG
        .replace("{descriptors}", &shop::descriptors(folder.path()))
        .replace(
            "{store}",
            folder.path().join("gateway.db").to_str().unwrap(),
        );
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(Some(&path), &|_| None).unwrap()
}

/// Status and JSON body.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

pub(crate) async fn serve(router: Router) -> SocketAddr {
    serve_at("127.0.0.1:0", router).await
}

pub(crate) async fn serve_at(address: &str, router: Router) -> SocketAddr {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// An address where nobody listens yet, and which the system gives to nobody else.
pub(crate) async fn nowhere() -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    // Kept until the tests end: only who asks for this very port gets it.
    std::mem::forget(socket);
    format!("http://{address}")
}

/// Waits for something that must become true.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let patience = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(5), patience)
            .await
            .is_ok(),
        "{what}"
    );
}

/// The status that the old system is to answer with.
pub(crate) const ANSWER_WITH: &str = "x-answer-with";

/// The old system: it tells what it was asked.
fn old() -> Router {
    Router::new()
        .route("/old/slow", get(std::future::pending::<String>))
        .route("/old/stream", get(stream))
        .route("/old/stall", get(stall))
        .route("/old/endless", get(endless))
        .fallback(any(echo))
}

async fn echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_or(0, |body| body.len());
    let headers: serde_json::Map<String, Value> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                Value::from(value.to_str().unwrap_or_default()),
            )
        })
        .collect();
    let told = json!({
        "method": parts.method.as_str(),
        "target": parts.uri.to_string(),
        "headers": headers,
        "body_bytes": body,
    });
    let hop = [
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=9"),
        ("x-kept", "1"),
    ];
    let status = parts.headers.get(ANSWER_WITH);
    let status = status.and_then(|it| StatusCode::from_bytes(it.as_bytes()).ok());
    (status.unwrap_or_default(), hop, Json(told)).into_response()
}

/// Three pieces, each sent only after the one before was taken.
async fn stream() -> Body {
    let pieces = futures::stream::iter(["one ", "two ", "three"])
        .map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
    Body::from_stream(pieces)
}

/// One piece, and then nothing.
async fn stall() -> Body {
    let first = futures::stream::once(async { Ok::<_, std::io::Error>(Bytes::from("one")) });
    Body::from_stream(first.chain(futures::stream::pending()))
}

/// More than anybody's buffers hold.
async fn endless() -> Body {
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    Body::from_stream(futures::stream::repeat_with(move || {
        Ok::<_, std::io::Error>(piece.clone())
    }))
}
