//! The whole mesh in one process, as `banyan up` composes it, on port 0 and throw-away databases.

use std::time::{Duration, Instant};

use banyan_mesh::{database::DatabaseSettings, process::Process, testing::TestDatabase};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::sync::oneshot;

/// Nothing here may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Mesh {
    /// Base address of the public port.
    pub(crate) public: String,
    /// Base address of the ops port.
    pub(crate) ops: String,
    /// Base address of the monolith itself, behind the gateway's back.
    pub(crate) monolith: String,
    /// The reservation service's address.
    reservation: String,
    /// The analytics service's address.
    pub(crate) analytics: String,
    process: Process,
    stop_monolith: Option<oneshot::Sender<()>>,
    _databases: Vec<TestDatabase>,
}

impl Mesh {
    /// On SQLite, with the environment of a deployment.
    pub(crate) async fn start(environment: &[(&str, &str)]) -> Self {
        Self::start_on(TestDatabase::sqlite, environment).await
    }

    /// On databases of one kind.
    pub(crate) async fn start_on(
        database: impl Fn() -> TestDatabase,
        environment: &[(&str, &str)],
    ) -> Self {
        let databases: Vec<TestDatabase> = std::iter::repeat_with(database).take(4).collect();
        let process = Process::new();
        let (stop_monolith, stopped) = oneshot::channel::<()>();
        let monolith = legacy_monolith::Settings {
            listen: any_port(),
            database_url: with_create(&databases[0].url),
            demo: true,
            capabilities: legacy_monolith::Capabilities::default(),
        };
        let monolith = legacy_monolith::start(monolith, async { drop(stopped.await) })
            .await
            .unwrap();
        let monolith = format!("http://{}", monolith.addr);

        let reservation = banyan_reservation::Settings {
            listen: any_port(),
            database: DatabaseSettings::new(&databases[1].url),
            demo: true,
            legacy_url: Some(monolith.clone()),
            ..banyan_reservation::Settings::default()
        };
        let reservation = banyan_reservation::start(reservation, &process)
            .await
            .unwrap();
        let reservation = format!("http://{}", reservation.grpc);
        let analytics = banyan_analytics::Settings {
            listen: any_port(),
            database: DatabaseSettings::new(&databases[2].url),
            reservation_url: reservation.clone(),
            ..banyan_analytics::Settings::default()
        };
        let analytics = banyan_analytics::start(analytics, &process).await.unwrap();
        let analytics = format!("http://{}", analytics.grpc);
        let webui = banyan_webui::Settings { listen: any_port() };
        let webui = banyan_webui::start(webui, &process).await.unwrap();

        let lookup = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let mut config = banyan_gateway::config::Config::load(None, &lookup).unwrap();
        config.set_listeners(any_port(), any_port());
        config.store.url = banyan_mesh::settings::DatabaseUrl::new(&databases[3].url);
        for (name, url) in [
            ("reservation", &reservation),
            ("movies", &reservation),
            ("analytics", &analytics),
            ("events", &analytics),
            ("monolith", &monolith),
        ] {
            config.set_upstream(name, url).unwrap();
        }
        config
            .set_upstream("webui", format!("http://{}", webui.http))
            .unwrap();
        let gateway = banyan_gateway::start(config, &process).await.unwrap();
        let mesh = Self {
            public: format!("http://{}", gateway.public),
            ops: format!("http://{}", gateway.ops),
            monolith,
            reservation,
            analytics,
            process,
            stop_monolith: Some(stop_monolith),
            _databases: databases,
        };
        mesh.until_ready().await;
        mesh
    }

    /// A client of its own cookies: one guest, one subject.
    pub(crate) fn guest(&self) -> Guest {
        Guest {
            client: Client::builder().cookie_store(true).build().unwrap(),
            base: self.public.clone(),
        }
    }

    /// A client of the ops port.
    pub(crate) fn operator(&self) -> Guest {
        Guest {
            client: Client::new(),
            base: self.ops.clone(),
        }
    }

    /// Another analytics service, whose empty database has to be filled from the feed; its address.
    pub(crate) async fn another_analytics(&mut self, database: TestDatabase) -> String {
        let settings = banyan_analytics::Settings {
            listen: any_port(),
            database: DatabaseSettings::new(&database.url),
            reservation_url: self.reservation.clone(),
            ..banyan_analytics::Settings::default()
        };
        self._databases.push(database);
        let running = banyan_analytics::start(settings, &self.process).await;
        format!("http://{}", running.unwrap().grpc)
    }

    pub(crate) fn stop_monolith(&mut self) {
        self.stop_monolith.take();
    }

    pub(crate) async fn stop(self) {
        self.process.stop(PATIENCE).await.unwrap();
    }

    async fn until_ready(&self) {
        let operator = self.operator();
        eventually("the mesh is ready", async || {
            operator.get("/readyz").await.status() == StatusCode::OK
        })
        .await;
        eventually("the movies may move", async || {
            let (_, movies) = operator.get_json("/v1/rollouts/movies").await;
            movies["follower"]["readiness"] == "READINESS_READY"
                && movies["percents"][0]["waits"].is_null()
        })
        .await;
        let guest = self.guest();
        eventually("the monolith answers", async || {
            guest.get("/api/users").await.status() == StatusCode::OK
        })
        .await;
        eventually("the demo is there", async || {
            guest
                .get("/v1/hotels")
                .await
                .json::<Value>()
                .await
                .is_ok_and(|list| list["hotels"][0].is_object())
        })
        .await;
    }
}

/// An HTTP client with cookies, at a base address.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) client: Client,
    pub(crate) base: String,
}

impl Guest {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// Status and JSON of a GET.
    pub(crate) async fn get_json(&self, path: &str) -> (u16, Value) {
        read(self.get(path).await).await
    }

    /// Status and JSON of a POST.
    pub(crate) async fn post_json(&self, path: &str, body: Value) -> (u16, Value) {
        read(self.post(path, &body).await).await
    }
}

pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (status, body)
}

/// Waits until a condition holds, or fails naming it.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn any_port() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// The monolith's driver creates a SQLite file only when its URL says so.
fn with_create(url: &str) -> String {
    if url.starts_with("sqlite") {
        format!("{url}?mode=rwc")
    } else {
        url.to_owned()
    }
}
