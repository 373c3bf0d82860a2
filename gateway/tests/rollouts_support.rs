//! What the tests about rollouts share: definitions, replicas, and waiting on a condition.

use std::{
    io,
    sync::{Arc, Mutex, Once},
    time::{Duration, Instant},
};

use banyan_gateway::{
    config::SteeringConfig,
    rollouts::{Definition, Operator, Rollouts, Snapshot, Steering},
    store::Store,
};
use banyan_mesh::{database::DatabaseSettings, process::Process, testing::TestDatabase};
use banyan_rollout::{Percent, Subjects};
use http::HeaderMap;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::util::SubscriberInitExt as _;

/// A database that several replicas can share, unless there is to be none.
pub(crate) fn shared_database() -> Option<TestDatabase> {
    let mut databases = TestDatabase::each().into_iter();
    databases.find(|it| it.url.starts_with("postgres"))
}

/// A second, on a machine that has nothing else to do.
pub(crate) const SOON: Duration = Duration::from_secs(5);

pub(crate) fn percent(text: &str) -> Percent {
    text.parse().unwrap()
}

/// A rollout with `MOVIES_MIGRATION_PERCENT=50`.
pub(crate) fn movies() -> Definition {
    named("movies")
}

pub(crate) fn named(name: &str) -> Definition {
    let sources = ["header:x-user-id", "cookie:banyan_subject"];
    let subjects = Subjects::new(sources.map(|source| source.parse().unwrap()).to_vec()).unwrap();
    Definition {
        file_percent: Some(percent("10")),
        env_percent: Some(percent("50")),
        env_name: Some("MOVIES_MIGRATION_PERCENT".to_owned()),
        routes: vec!["GET /api/movies".to_owned(), "POST /api/movies".to_owned()],
        ..Definition::new(name, subjects)
    }
}

pub(crate) fn steering() -> Steering {
    Steering::new(&SteeringConfig::default()).unwrap()
}

/// One gateway process, as far as rollouts are concerned.
pub(crate) struct Replica {
    pub(crate) process: Process,
    pub(crate) rollouts: Rollouts,
    pub(crate) store: Store,
}

impl Replica {
    pub(crate) async fn start(url: &str) -> Self {
        Self::start_with(url, vec![movies()]).await
    }

    pub(crate) async fn start_with(url: &str, definitions: Vec<Definition>) -> Self {
        let process = Process::new();
        let store = Store::open(&process, &DatabaseSettings::new(url))
            .await
            .unwrap();
        let rollouts = Rollouts::start(definitions, Some(store.clone()), steering(), &process);
        Self {
            rollouts: rollouts.await,
            process,
            store,
        }
    }

    pub(crate) fn movies(&self) -> Snapshot {
        self.rollouts.get("movies").unwrap()
    }

    /// `25 operator v3`
    pub(crate) fn in_force(&self) -> String {
        in_force(&self.movies())
    }

    /// Waits for it: what a file says, or a replica starts with, is in force from the moment that the log has.
    pub(crate) async fn until_in_force(&self, want: &str) {
        eventually(SOON, || self.in_force() == want).await;
    }

    pub(crate) async fn stop(self) {
        self.process.stop(Duration::from_secs(5)).await.unwrap();
    }
}

pub(crate) fn in_force(rollout: &Snapshot) -> String {
    format!(
        "{} {} v{}",
        rollout.percent, rollout.source, rollout.version
    )
}

pub(crate) fn operator(reason: &str) -> Operator {
    Operator {
        actor: "ada".to_owned(),
        reason: reason.to_owned(),
        ..Operator::default()
    }
}

pub(crate) fn user(id: u32) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-user-id", id.into());
    headers
}

/// Waits until `condition` holds, at most for `limit`.
pub(crate) async fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < limit,
            "the condition did not hold in {limit:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What this thread logs while it lives.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

/// What another test is first to log, while nobody listens, could stay unheard of for good: from now on somebody always
/// does.
pub(crate) fn somebody_listens() {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| tracing_subscriber::registry().init());
}

impl Log {
    pub(crate) fn capture() -> Self {
        somebody_listens();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(Arc::clone(&lines));
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        Self {
            lines,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.lines.lock().unwrap().clone()).unwrap()
    }
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
