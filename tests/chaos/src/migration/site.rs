//! The processes of a migration, and what is asked of them behind the gateways' backs: the monolith on SQLite, the
//! reservation service on PostgreSQL, which follows it, and two gateways that share one PostgreSQL store.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use banyan_mesh::testing::free_port;
use banyan_proto::compat::cinema::v1::{
    ListMoviesRequest, movie_service_client::MovieServiceClient,
};
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::Value;

use super::history::{Decision, Movie, Side};
use crate::{database::Database, replica::Replica, service::Service, wait};

/// A start on empty databases takes a moment on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A process that was killed is back by then.
const RETURN_LIMIT: Duration = Duration::from_secs(30);

/// The gateways' settings: those that are shipped, with what the rollout of a careful operator has beside.
const SETTINGS: &str = include_str!("../../../../gateway/config/gateway.toml");
const SHADOW: &str = "shadow = { percent = 10, noise_percent = 10 }";
const CAREFUL: &str = "shadow = { percent = 25, noise_percent = 10 }\nfallback = true";

/// The upstreams that are killed, by the variables that tell where they are, and how long requests wait for one that
/// restarts: longer than any stays away here.
const KILLED: [&str; 3] = ["RESERVATION_URL", "MOVIES_SERVICE_URL", "MONOLITH_URL"];
const PATIENT: &str = "restart_ms = 10_000";

/// Pins are over within a run, also a short one, so that it is seen what becomes of their subjects.
const PINS: &str = "\n[steering]\npin_s = 4\n";

const NAMES: [&str; 2] = ["gateway-a", "gateway-b"];

/// All processes. They are dropped in this order.
#[derive(Debug)]
pub(super) struct Site {
    gateways: Vec<Gateway>,
    reservation: Replica,
    monolith: Service,
    monolith_url: String,
    database: Database,
    http: reqwest::Client,
}

#[derive(Debug)]
struct Gateway {
    service: Service,
    public: String,
    ops: String,
}

impl Site {
    /// Starts everything and waits until it answers.
    pub(super) async fn start(
        banyan: &Path,
        monolith: &Path,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let mut database = Database::postgres(folder, folder).await?;
        let store = database.cluster()?.another();
        let port = free_port();
        let monolith_url = format!("http://127.0.0.1:{port}");
        let file = folder.join("legacy.db");
        let monolith = Service::new("monolith", monolith, folder)
            .argument("--demo")
            .variable("LEGACY_LISTEN", format!("127.0.0.1:{port}"))
            .variable(
                "LEGACY_DATABASE_URL",
                format!("sqlite://{}?mode=rwc", file.display()),
            );
        let reservation = Replica::new("reservation", banyan, database.url(), folder);
        let reservation = reservation.following(&monolith_url);
        let settings = settings(folder)?;
        let gateways = NAMES.map(|name| {
            let (port, ops) = (free_port(), free_port());
            let service = Service::new(name, banyan, folder)
                .argument("gateway")
                .variable("BANYAN_CONFIG", &settings)
                .variable("GATEWAY_LISTEN", format!("127.0.0.1:{port}"))
                .variable("OPS_LISTEN", format!("127.0.0.1:{ops}"))
                .variable("GATEWAY_DATABASE_URL", &store)
                .variable("RESERVATION_URL", reservation.url())
                .variable("MOVIES_SERVICE_URL", reservation.url())
                .variable("MONOLITH_URL", &monolith_url);
            Gateway {
                service,
                public: format!("http://127.0.0.1:{port}"),
                ops: format!("http://127.0.0.1:{ops}"),
            }
        });
        let mut site = Self {
            gateways: gateways.into(),
            reservation,
            monolith,
            monolith_url,
            database,
            http: reqwest::Client::new(),
        };
        site.begin().await?;
        Ok(site)
    }

    async fn begin(&mut self) -> anyhow::Result<()> {
        self.monolith.start()?;
        self.reservation.start()?;
        for gateway in &mut self.gateways {
            gateway.service.start()?;
        }
        self.until_back(Side::Legacy, START_LIMIT).await?;
        self.reservation.until_it_answers(START_LIMIT).await?;
        let http = self.http.clone();
        for gateway in &mut self.gateways {
            let url = format!("{}/readyz", gateway.ops);
            wait::until("a gateway is ready", START_LIMIT, async || {
                gateway.service.check()?;
                Ok(is_ok(&http, &url).await)
            })
            .await?;
        }
        Ok(())
    }

    /// Where clients ask.
    pub(super) fn public(&self) -> Vec<String> {
        self.gateways.iter().map(|it| it.public.clone()).collect()
    }

    /// Where operators ask.
    pub(super) fn ops(&self) -> Vec<String> {
        self.gateways.iter().map(|it| it.ops.clone()).collect()
    }

    /// That nothing has ended by itself.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.monolith.check()?;
        self.reservation.check()?;
        let mut gateways = self.gateways.iter_mut();
        gateways.try_for_each(|it| it.service.check())
    }

    /// `kill -9` of a side.
    pub(super) fn kill(&mut self, side: Side) -> anyhow::Result<()> {
        match side {
            Side::Legacy => self.monolith.kill(),
            Side::Grpc => self.reservation.kill(),
        }
    }

    /// Starts a side again and waits until it answers.
    pub(super) async fn start_again(&mut self, side: Side) -> anyhow::Result<()> {
        match side {
            Side::Legacy => self.monolith.start()?,
            Side::Grpc => self.reservation.start()?,
        }
        self.until_back(side, RETURN_LIMIT).await
    }

    async fn until_back(&mut self, side: Side, limit: Duration) -> anyhow::Result<()> {
        match side {
            Side::Grpc => self.reservation.until_it_answers(limit).await,
            Side::Legacy => {
                let (http, url) = (self.http.clone(), format!("{}/health", self.monolith_url));
                wait::until("the monolith answers", limit, async || {
                    self.monolith.check()?;
                    Ok(is_ok(&http, &url).await)
                })
                .await
            }
        }
    }

    /// The monolith's movies, from itself.
    pub(super) async fn movies_of_legacy(&self) -> anyhow::Result<BTreeMap<i64, Movie>> {
        let url = format!("{}/api/movies", self.monolith_url);
        let answer = self
            .http
            .get(url)
            .send()
            .await
            .context("cannot list the monolith's movies")?;
        let movies: Vec<Value> = answer.json().await.context("the monolith's list is none")?;
        let movie = |it: &Value| Some((it["id"].as_i64()?, movie(it["title"].as_str()?, it)));
        let movies: Option<_> = movies.iter().map(movie).collect();
        movies.context("a movie of the monolith is none")
    }

    /// The gRPC service's movies, from itself.
    pub(super) async fn movies_of_grpc(&self) -> anyhow::Result<BTreeMap<i64, Movie>> {
        let mut client = MovieServiceClient::new(self.reservation.channel()?)
            .max_decoding_message_size(64 << 20);
        let answer = client.list_movies(ListMoviesRequest::default()).await;
        let movies = answer
            .context("cannot list the service's movies")?
            .into_inner()
            .movies;
        let movie = |it: banyan_proto::compat::cinema::v1::Movie| {
            let value = serde_json::json!({
                "description": it.description, "genres": it.genres, "rating": it.rating,
            });
            (it.id, movie(&it.title, &value))
        };
        Ok(movies.into_iter().map(movie).collect())
    }

    /// States by booking, from the tables.
    pub(super) async fn bookings(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let sql = self.database.connect().await?;
        let statement =
            Statement::from_string(sql.get_database_backend(), "SELECT id, state FROM bookings");
        let rows = sql
            .query_all_raw(statement)
            .await
            .context("cannot read the bookings")?;
        let mut bookings = BTreeMap::new();
        for row in rows {
            let id: String = row.try_get("", "id")?;
            bookings.insert(format!("bookings/{id}"), row.try_get("", "state")?);
        }
        sql.close().await.context("cannot close a connection")?;
        Ok(bookings)
    }

    /// What the gateways say that they decided, by the request's id.
    pub(super) fn decisions(&self) -> anyhow::Result<BTreeMap<String, Decision>> {
        let mut decisions = BTreeMap::new();
        for (number, gateway) in self.gateways.iter().enumerate() {
            let log = fs::read_to_string(gateway.service.log()).context("cannot read a log")?;
            decisions.extend(log.lines().filter_map(|line| decision(line, number)));
        }
        Ok(decisions)
    }

    /// Asks everything to end, those before others first, and sees to it that nothing has panicked.
    pub(super) async fn end(&mut self) -> anyhow::Result<()> {
        for gateway in &mut self.gateways {
            gateway.service.end().await?;
        }
        self.reservation.end().await?;
        self.monolith.end().await?;
        let panics = self.gateways.iter().flat_map(|it| it.service.panics());
        let panics = panics
            .chain(self.reservation.panics())
            .chain(self.monolith.panics());
        let panics: Vec<String> = panics.collect();
        ensure!(panics.is_empty(), "something panicked: {}", panics[0]);
        Ok(())
    }
}

/// The file with the gateways' settings.
fn settings(folder: &Path) -> anyhow::Result<String> {
    let mut settings = replaced(SETTINGS, SHADOW, CAREFUL)?;
    for variable in KILLED {
        let variable = format!("env = \"{variable}\"");
        settings = replaced(&settings, &variable, &format!("{variable}\n{PATIENT}"))?;
    }
    settings.push_str(PINS);
    let path = folder.join("gateway.toml");
    fs::write(&path, settings).context("cannot write the settings")?;
    Ok(path.display().to_string())
}

fn replaced(settings: &str, what: &str, with: &str) -> anyhow::Result<String> {
    ensure!(
        settings.matches(what).count() == 1,
        "gateway.toml is other than the scenario knows it: it has not `{what}` once"
    );
    Ok(settings.replace(what, with))
}

async fn is_ok(http: &reqwest::Client, url: &str) -> bool {
    let answer = http.get(url).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// The same text for the same movie, whichever side it comes from.
fn movie(title: &str, it: &Value) -> Movie {
    let rating = it["rating"].as_f64().unwrap_or(f64::NAN);
    Movie {
        title: title.to_owned(),
        rest: format!("{} {} {rating}", it["description"], it["genres"]),
    }
}

/// A line of the access log, if that is what it is.
fn decision(line: &str, gateway: usize) -> Option<(String, Decision)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    let side = match fields.get("side")?.as_str()? {
        "grpc" => Side::Grpc,
        "legacy" => Side::Legacy,
        _ => return None,
    };
    let answered = fields.get("reason")?.as_str()?;
    // What was decided is said beside it, where legacy answered for gRPC.
    let decided = fields.get("decided_reason").and_then(Value::as_str);
    let decision = Decision {
        gateway,
        side,
        reason: decided.unwrap_or(answered).to_owned(),
        bucket: u16::try_from(fields.get("bucket")?.as_u64()?).ok()?,
        version: fields.get("rollout_version")?.as_u64()?,
        fell_back: answered == "fallback",
    };
    Some((fields.get("request_id")?.as_str()?.to_owned(), decision))
}
