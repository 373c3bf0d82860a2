//! The ops port: what platform engineers and their machines ask a process. Loopback by default; never public.
//!
//! `/livez` says that the process runs, `/readyz` whether work may be sent here and which dependency is down,
//! `/db-status` how its databases are, `/metrics` everything that is counted. A service may merge routes of its own.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::get};
use http::header::CONTENT_TYPE;
use hyper::service::{Service as _, service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::{
    process::Process,
    server::{StartError, bind},
};

/// At most this long for the head of a request: slow clients must not hold connections for ever.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Probes, a scraper and a few people.
const CONNECTIONS_MAX: usize = 256;

/// What the ops port of a process serves; clones share it.
#[derive(Clone, Default)]
pub struct Ops {
    inner: Arc<Mutex<Parts>>,
}

#[derive(Default)]
struct Parts {
    routes: Vec<Router>,
    databases: Vec<DatabaseStatusSource>,
}

/// Reads the last known status of one database.
pub type DatabaseStatusSource = Arc<dyn Fn() -> DatabaseStatus + Send + Sync>;

/// How one database is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DatabaseStatus {
    /// Which database.
    pub name: String,
    /// Whether the last check reached it and its schema is up to date.
    pub connected: bool,
    /// What the server says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Tables in the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables_count: Option<i64>,
    /// When it was last checked, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_check: Option<jiff::Timestamp>,
}

impl fmt::Debug for Ops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ops").finish_non_exhaustive()
    }
}

impl Ops {
    /// Serves further routes on this process's ops port. Takes effect for routers built afterwards.
    pub fn merge(&self, routes: Router) {
        self.lock(|parts| parts.routes.push(routes));
    }

    /// Shows a database under `/db-status`.
    pub fn add_database(&self, status: DatabaseStatusSource) {
        self.lock(|parts| parts.databases.push(status));
    }

    /// Everything that the ops port of this process serves.
    pub fn router(&self, process: &Process) -> Router {
        let (ready, metrics, databases) = (process.clone(), process.clone(), self.clone());
        let own = Router::new()
            .route("/livez", get(|| async { "alive\n" }))
            .route("/readyz", get(move || async move { readyz(&ready) }))
            .route(
                "/db-status",
                get(move || async move { databases.db_status() }),
            )
            .route(
                "/metrics",
                get(move || async move { encode_metrics(&metrics) }),
            );
        self.lock(|parts| parts.routes.iter().cloned().fold(own, Router::merge))
    }

    /// One database is shown plainly; several in a list under a summary.
    fn db_status(&self) -> impl IntoResponse + use<> {
        let databases: Vec<DatabaseStatus> =
            self.lock(|parts| parts.databases.iter().map(|status| status()).collect());
        let connected =
            !databases.is_empty() && databases.iter().all(|database| database.connected);
        let status = if connected {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let versions: Vec<&str> = databases
            .iter()
            .filter_map(|database| database.version.as_deref())
            .collect();
        let summary = Summary {
            connected,
            version: versions.first().map(|&version| version.to_owned()),
            tables_count: databases
                .iter()
                .filter_map(|database| database.tables_count)
                .sum(),
            last_check: databases
                .iter()
                .filter_map(|database| database.last_check)
                .min(),
            databases,
        };
        (status, Json(summary))
    }

    fn lock<T>(&self, with: impl FnOnce(&mut Parts) -> T) -> T {
        with(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Serialize)]
struct Summary {
    connected: bool,
    version: Option<String>,
    tables_count: i64,
    last_check: Option<jiff::Timestamp>,
    databases: Vec<DatabaseStatus>,
}

fn readyz(process: &Process) -> impl IntoResponse + use<> {
    let report = process.readiness().report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report))
}

fn encode_metrics(process: &Process) -> impl IntoResponse + use<> {
    match process.metrics().encode() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Serves the ops port of a process that has no listener of its own for it. It answers until the process has drained,
/// so that probes and metrics see the end too.
///
/// # Errors
/// If the address cannot be bound.
pub async fn serve(
    process: &Process,
    listen: SocketAddr,
    setting: &str,
) -> Result<SocketAddr, StartError> {
    let listener = bind(listen, setting).await?;
    let address = listener.local_addr().unwrap_or(listen);
    let router = process.ops().router(process);
    let shutdown = process.shutdown().clone();
    process.spawn("ops port", async move {
        tokio::select! {
            () = accept(listener, router) => {}
            () = shutdown.cancelled() => {}
        }
        Ok(())
    });
    Ok(address)
}

async fn accept(listener: TcpListener, router: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The others wait in the system's queue, where they cost nothing.
        let permit = Arc::clone(&room).acquire_owned().await.ok();
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to come back.
                tracing::warn!(%error, "Cannot accept on the ops port");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let router = router.clone();
        tokio::spawn(async move {
            answer(stream, router, HEADER_TIMEOUT).await;
            drop(permit);
        });
    }
}

/// One connection. hyper times a header only once it knows the protocol: until the first request it is timed here.
async fn answer(stream: TcpStream, router: Router, header_timeout: Duration) {
    let begun = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&begun);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        seen.store(true, Ordering::Relaxed);
        router.call(request)
    });
    let mut connection = auto::Builder::new(TokioExecutor::new());
    connection
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout);
    connection
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(header_timeout);
    let silent = async {
        tokio::time::sleep(header_timeout).await;
        if begun.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = connection.serve_connection(TokioIo::new(stream), service) => {
            if let Err(error) = ended {
                tracing::debug!(error, "Connection to the ops port ended");
            }
        }
        () = silent => {}
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readyz_names_what_is_down() {
        let process = Process::new();
        let router = process.ops().router(&process);
        assert_eq!(get(&router, "/livez").await.0, StatusCode::OK);
        assert_eq!(get(&router, "/readyz").await.0, StatusCode::OK);
        process
            .readiness()
            .dependency("database")
            .down("connection refused");
        let (status, body) = get(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("connection refused"), "{body}");
    }

    #[tokio::test]
    async fn db_status_is_503_without_a_database_and_while_one_is_away() {
        let process = Process::new();
        let router = process.ops().router(&process);
        assert_eq!(
            get(&router, "/db-status").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
        let connected = |connected| -> DatabaseStatusSource {
            Arc::new(move || DatabaseStatus {
                connected,
                tables_count: Some(3),
                ..DatabaseStatus::default()
            })
        };
        process.ops().add_database(connected(true));
        let (status, body) = get(&router, "/db-status").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains(r#""tables_count":3"#), "{body}");
        process.ops().add_database(connected(false));
        assert_eq!(
            get(&router, "/db-status").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }

    #[tokio::test]
    async fn a_connection_that_asks_nothing_is_closed() {
        use tokio::io::AsyncReadExt as _;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let serving = answer(stream, Router::new(), Duration::from_millis(50));
        let patience = Duration::from_secs(5);
        tokio::time::timeout(patience, serving).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }
}
