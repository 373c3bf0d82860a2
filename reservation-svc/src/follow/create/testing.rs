//! Two replicas on one database, each with a network of its own to the real monolith.

use std::{net::SocketAddr, sync::atomic::AtomicUsize, sync::atomic::Ordering};

use banyan_mesh::{
    database::{Database, DatabaseSettings},
    testing::TestDatabase,
};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{Mutex, oneshot, watch},
    task::JoinHandle,
};

use super::*;
use crate::{
    capabilities::Capabilities, domain::followed_movie::Authority, follow::monolith::Monolith,
    migration::Migrator,
};

pub(super) const LIMIT: Duration = Duration::from_secs(30);
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(48);
/// Of who need not wait for a slow machine: nobody else is alive.
pub(super) const SHORT: Patience = Patience {
    lease: Duration::from_millis(300),
    quiet: Duration::from_millis(100),
    ..PATIENCE
};

/// What a network does to a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Sound,
    /// It never arrives, and is never answered.
    SwallowsRequests,
    /// It is carried out, and answered once the way is sound.
    HoldsAnswers,
    /// It is carried out, and answered with that status.
    Misreports(u16),
    /// It is answered at once with that status, or by hanging up, and carried out once somebody has looked for it in vain.
    CarriesOutLate(Option<u16>),
}

pub(super) struct Legacy {
    pub(super) url: String,
    /// How many creates it was sent.
    asked: Arc<AtomicUsize>,
    _stop: oneshot::Sender<()>,
    _folder: TempDir,
}

impl Legacy {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = legacy_monolith::Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database_url: format!("sqlite://{}/legacy.db?mode=rwc", folder.path().display()),
            demo: false,
            capabilities: legacy_monolith::Capabilities::default(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            stopped.await.ok();
        };
        let mut running = legacy_monolith::start(settings, shutdown).await.unwrap();
        let ready = running.ready.wait_for(|ready| *ready);
        tokio::time::timeout(LIMIT, ready).await.unwrap().unwrap();
        Self {
            url: format!("http://{}", running.addr),
            asked: Arc::default(),
            _stop: stop,
            _folder: folder,
        }
    }

    pub(super) async fn ids(&self) -> Vec<i64> {
        let monolith = Monolith::new(&self.url).unwrap();
        let movies = monolith.list_movies().await.unwrap();
        movies.into_iter().map(|it| it.id).collect()
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) async fn network(&self) -> (String, watch::Sender<Way>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let way = watch::Sender::new(Way::Sound);
        let (legacy, asked, how) = (self.url.clone(), Arc::clone(&self.asked), way.clone());
        let late: Arc<Mutex<Vec<reqwest::RequestBuilder>>> = Arc::default();
        let carry = move |request: axum::extract::Request| {
            let (legacy, asked, how) = (legacy.clone(), Arc::clone(&asked), how.clone());
            let late = Arc::clone(&late);
            async move {
                let is_create = request.method() == http::Method::POST;
                let now = *how.borrow();
                if is_create && now == Way::SwallowsRequests {
                    asked.fetch_add(1, Ordering::SeqCst);
                    return std::future::pending().await;
                }
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let sent = reqwest::Client::new()
                    .request(parts.method, format!("{legacy}{}", parts.uri))
                    .header("content-type", "application/json")
                    .body(body);
                if let (true, Way::CarriesOutLate(told)) = (is_create, now) {
                    late.lock().await.push(sent);
                    asked.fetch_add(1, Ordering::SeqCst);
                    // Without an answer the connection ends with its task.
                    let told = told.unwrap_or_else(|| std::panic::resume_unwind(Box::new("cut")));
                    let answer = http::Response::builder().status(told);
                    return answer.body(axum::body::Body::empty()).unwrap();
                }
                let answer = sent.send().await.unwrap();
                for create in late.lock().await.drain(..) {
                    create.send().await.unwrap().error_for_status().unwrap();
                }
                if is_create {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let lets_go = |way: &Way| *way != Way::HoldsAnswers;
                    how.subscribe().wait_for(lets_go).await.unwrap();
                }
                let status = match now {
                    Way::Misreports(status) if is_create => status,
                    _ => answer.status().as_u16(),
                };
                let body = axum::body::Body::from(answer.bytes().await.unwrap());
                http::Response::builder().status(status).body(body).unwrap()
            }
        };
        let router = axum::Router::new().fallback(carry);
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, way)
    }
}

pub(super) struct Replica {
    pub(super) creator: Creator,
    pub(super) way: watch::Sender<Way>,
    pub(super) process: Process,
}

impl Replica {
    pub(super) async fn start(url: &str, legacy: &Legacy) -> Self {
        let process = Process::new();
        let settings = DatabaseSettings::new(url);
        let database = Database::start::<Migrator>(&process, &settings, "reservation").await;
        let database = database.unwrap();
        assert!(database.ready().await);
        let movies = FollowedMovies::new(database);
        let (url, way) = legacy.network().await;
        let declared = Capabilities::default();
        let follower = Follower::start(&url, declared, movies.clone(), &process).unwrap();
        let creator = Creator::start(movies, Some(follower), KEPT, &process);
        Self {
            creator,
            way,
            process,
        }
    }

    /// Goes on for as long as the handle is not aborted, which is what a replica's death does to it.
    pub(super) fn begin(&self, request_id: &str) -> JoinHandle<Result<FollowedMovie, CreateError>> {
        let (creator, intent) = (self.creator.clone(), intent(request_id));
        tokio::spawn(async move { creator.create_once(&intent).await })
    }

    pub(super) async fn create(&self, request_id: &str) -> FollowedMovie {
        let id = Some(request_id.to_owned());
        let created = self.creator.create(id, roots()).await.unwrap();
        assert_eq!(created.details, roots());
        created
    }

    /// Makes this side the authority, which knows of no id that the monolith has given, and creates another movie.
    pub(super) async fn create_another_here(&self, request_id: &str) -> FollowedMovie {
        let movies = &self.creator.movies;
        let position = movies.position().await.unwrap();
        let handed = movies.hand_over(&position, Authority::Own, 0).await;
        assert!(handed.unwrap());
        let created = self.creator.create(Some(request_id.to_owned()), other());
        created.await.unwrap()
    }

    pub(super) async fn opened(&self, request_id: &str) -> Turn {
        let now = Timestamp::now();
        match self
            .creator
            .movies
            .open_create(&intent(request_id), now)
            .await
        {
            Ok(Opened::Turn(turn)) => turn,
            other => panic!("{other:?}"),
        }
    }
}

/// Two replicas; where there can only be one, as on SQLite, it is its own next one: whatever it knows is in its database.
pub(super) struct Pair {
    pub(super) first: Replica,
    pub(super) second: Option<Replica>,
    pub(super) legacy: Legacy,
    pub(super) database: TestDatabase,
}

impl Pair {
    pub(super) async fn each() -> Vec<Self> {
        let mut pairs = Vec::new();
        for database in TestDatabase::each() {
            let legacy = Legacy::start().await;
            let first = Replica::start(&database.url, &legacy).await;
            let second = match database.url.starts_with("postgres") {
                true => Some(Replica::start(&database.url, &legacy).await),
                false => None,
            };
            pairs.push(Self {
                first,
                second,
                legacy,
                database,
            });
        }
        pairs
    }

    /// Who comes when the first is dead; it is impatient.
    pub(super) fn next(&mut self) -> &Replica {
        let next = self.second.as_mut().unwrap_or(&mut self.first);
        next.way.send_replace(Way::Sound);
        next.creator.patience = SHORT;
        next
    }
}

pub(super) fn roots() -> MovieDetails {
    MovieDetails {
        title: "Roots".to_owned(),
        description: String::new(),
        genres: vec!["drama".to_owned()],
        rating: 8.4,
    }
}

pub(super) fn other() -> MovieDetails {
    MovieDetails {
        title: "Other".to_owned(),
        ..roots()
    }
}

pub(super) fn intent(request_id: &str) -> Intent {
    Intent {
        request_id: request_id.to_owned(),
        content: content(&roots()),
        details: roots(),
    }
}

pub(super) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(LIMIT, waiting).await;
    assert!(waited.is_ok(), "waited too long: {what}");
}
