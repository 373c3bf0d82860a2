//! The service beside the real monolith, and what the tests of the legacy contracts share.

use std::{
    future::Future,
    net::SocketAddr,
    time::{Duration, Instant},
};

use banyan_mesh::{
    client::{ClientSettings, channel},
    database::DatabaseSettings,
    process::Process,
    testing::TestDatabase,
};
use banyan_reservation::{Capability, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt as _;

/// The most that any wait in these tests may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// A reservation service in the test's process.
pub(crate) struct Service {
    pub process: Process,
    pub channel: Channel,
    pub database: TestDatabase,
}

impl Service {
    /// Starts one that follows the monolith at `legacy_url`, and waits until it is ready.
    pub(crate) async fn start(
        database: TestDatabase,
        legacy_url: Option<String>,
        demo: bool,
    ) -> Self {
        let settings = Settings {
            demo,
            ..Settings::default()
        };
        Self::start_with(database, legacy_url, settings).await
    }

    /// As [`Service::start`], of a monolith that is declared to be able to do that.
    pub(crate) async fn following(
        database: TestDatabase,
        legacy_url: String,
        capabilities: &[Capability],
    ) -> Self {
        let settings = Settings {
            legacy_capabilities: capabilities.iter().copied().collect(),
            ..Settings::default()
        };
        Self::start_with(database, Some(legacy_url), settings).await
    }

    async fn start_with(
        database: TestDatabase,
        legacy_url: Option<String>,
        settings: Settings,
    ) -> Self {
        let process = Process::new();
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database: DatabaseSettings::new(&database.url),
            legacy_url,
            ..settings
        };
        let running = banyan_reservation::start(settings, &process).await.unwrap();
        let mut ready = process.readiness().watch();
        tokio::time::timeout(LIMIT, ready.wait_for(|ready| *ready))
            .await
            .unwrap()
            .unwrap();
        let url = format!("http://{}", running.grpc);
        Self {
            process,
            channel: channel(&ClientSettings::new(url)).unwrap(),
            database,
        }
    }

    /// The value of a metric, such as `name_total{label="x"}`; 0 if it has none yet.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.process.metrics().encode().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    pub(crate) async fn stop(self) {
        self.end().await;
    }

    /// Stops it, and keeps its database.
    pub(crate) async fn end(self) -> TestDatabase {
        self.process.stop(LIMIT).await.unwrap();
        self.database
    }
}

/// The real monolith in the test's process, on a SQLite file of its own.
pub(crate) struct Legacy {
    pub addr: SocketAddr,
    folder: TempDir,
    running: Option<(oneshot::Sender<()>, legacy_monolith::Running)>,
    pub capabilities: legacy_monolith::Capabilities,
    http: reqwest::Client,
}

impl Legacy {
    pub(crate) async fn start() -> Self {
        Self::offering(legacy_monolith::Capabilities::default()).await
    }

    /// One that can do more than most.
    pub(crate) async fn offering(capabilities: legacy_monolith::Capabilities) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut legacy = Self {
            addr,
            folder,
            running: None,
            capabilities,
            http: reqwest::Client::new(),
        };
        legacy.resume().await;
        legacy
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Starts again on the same address, with the same data.
    pub(crate) async fn resume(&mut self) {
        let settings = legacy_monolith::Settings {
            listen: self.addr,
            database_url: format!(
                "sqlite://{}/legacy.db?mode=rwc",
                self.folder.path().display()
            ),
            demo: false,
            capabilities: self.capabilities,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            stopped.await.ok();
        };
        let mut running = legacy_monolith::start(settings, shutdown).await.unwrap();
        self.addr = running.addr;
        tokio::time::timeout(LIMIT, running.ready.wait_for(|ready| *ready))
            .await
            .unwrap()
            .unwrap();
        self.running = Some((stop, running));
    }

    /// Takes it down; its address refuses connections from then on.
    pub(crate) async fn halt(&mut self) {
        let (stop, running) = self.running.take().unwrap();
        stop.send(()).unwrap();
        running.task.await.unwrap().unwrap();
    }

    /// Creates a movie as somebody else would, and answers its id.
    pub(crate) async fn create(&self, title: &str) -> i64 {
        let body = json!({ "title": title, "description": "", "genres": ["drama"], "rating": 7.5 });
        let answer = self
            .http
            .post(format!("{}/api/movies", self.url()))
            .json(&body)
            .send()
            .await
            .unwrap();
        let movie: Value = answer.error_for_status().unwrap().json().await.unwrap();
        movie["id"].as_i64().unwrap()
    }

    /// Makes a movie of that id and title, if it offers that.
    pub(crate) async fn put(&self, id: i64, title: &str) {
        let body = json!({ "title": title, "description": "", "genres": ["drama"], "rating": 7.5 });
        let url = format!("{}/api/movies?id={id}", self.url());
        let answer = self.http.put(url).json(&body).send().await.unwrap();
        answer.error_for_status().unwrap();
    }

    /// Removes a movie, if it offers that.
    pub(crate) async fn delete(&self, id: i64) {
        let url = format!("{}/api/movies?id={id}", self.url());
        let answer = self.http.delete(url).send().await.unwrap();
        answer.error_for_status().unwrap();
    }

    /// The ids and titles of all movies.
    pub(crate) async fn titles(&self) -> Vec<(i64, String)> {
        let url = format!("{}/api/movies", self.url());
        let movies: Vec<Value> = self
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let title = |it: &Value| {
            let title = it["title"].as_str().unwrap().to_owned();
            (it["id"].as_i64().unwrap(), title)
        };
        movies.iter().map(title).collect()
    }

    pub(crate) async fn get(&self, id: i64) -> Value {
        let answer = self
            .http
            .get(format!("{}/api/movies?id={id}", self.url()))
            .send()
            .await
            .unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }
}

/// Waits until `probe` says yes.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut probe: impl FnMut() -> F) {
    let began = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    while !probe().await {
        assert!(began.elapsed() < LIMIT, "waited too long: {what}");
        pause.tick().await;
    }
}

/// The reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    status
        .get_error_details()
        .error_info()
        .map_or_else(String::new, |info| info.reason.clone())
}

/// The wrong fields of a refusal, each with its kind.
pub(crate) fn violations(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let found = details
        .bad_request()
        .map_or(&[][..], |bad_request| &bad_request.field_violations);
    found
        .iter()
        .map(|violation| (violation.field.clone(), violation.reason.clone()))
        .collect()
}
