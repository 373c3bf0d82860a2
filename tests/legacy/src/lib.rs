//! A cinema's monolith: users, movies, payments and subscriptions over HTTP and JSON.
//!
//! It is the kind of system that gets replaced while it runs: a plain program with a database of its
//! own (SQLite or PostgreSQL) that can be listed, read and added to, and nothing else. It has no
//! update, no delete, no feed of changes, and it assigns every id itself, unless it is told to offer
//! more for its movies ([`Capabilities`]), as some systems of its kind do.
//!
//! What its contract leaves open, it decides like this:
//! - Payments and subscriptions may name a user that does not exist: the tables are not linked.
//! - Fields that are not part of a request are ignored, an `id` among them. Strings may be empty;
//!   usernames and e-mail addresses have at most 255 characters and are unique, letter case counting.
//! - An amount may be any JSON number, negative ones (refunds) included.
//! - A subscription's dates are calendar dates or RFC 3339 times. They are answered as sent; to
//!   compare them, a date stands for its midnight in UTC.
//! - With both `id` and `user_id` in a query, `id` counts. Other parameters are ignored.
//!
//! It starts without its database and keeps trying: until it is there `GET /health` and every call
//! answer 503.

mod api;
mod capabilities;
mod migration;
mod store;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

pub use capabilities::Capabilities;
use store::Store;
use store::connect::{Target, connect};

/// How long requests under way may take once the program was asked to stop.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// What the monolith has to be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one, see [`Running::addr`].
    pub listen: SocketAddr,
    /// `sqlite:` or `postgres:`.
    pub database_url: String,
    /// Fill an empty database with a few movies and users.
    pub demo: bool,
    /// What it offers beyond listing, reading and adding.
    pub capabilities: Capabilities,
}

/// A monolith that accepts connections.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Becomes true once its database is connected, and stays so.
    pub ready: watch::Receiver<bool>,
    /// Ends after shutdown, when the requests under way have been answered.
    pub task: JoinHandle<anyhow::Result<()>>,
}

/// The database is waited for at most this long before requests are taken.
const DATABASE_WAIT: Duration = Duration::from_secs(1);

/// Why the monolith did not start. Found inside the error of [`start`], so that a program can say
/// which of its own settings to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {addr}")]
    Listen {
        /// As it was set.
        addr: SocketAddr,
        /// As the system told it.
        #[source]
        source: io::Error,
    },
    /// The database URL can never work. (A database that is away is no reason not to start.)
    #[error("cannot use the database URL")]
    DatabaseUrl(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Listens, serves in the background, and connects to the database however long that takes.
///
/// When `shutdown` completes it stops accepting, answers what is under way for at most 10 seconds,
/// and lets [`Running::task`] end.
pub async fn start(
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<Running> {
    let target = Target::parse(&settings.database_url, settings.demo)
        .map_err(|error| StartError::DatabaseUrl(error.into()))?;
    let addr = settings.listen;
    let listen = |source| StartError::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(listen)?;
    let addr = listener.local_addr().map_err(listen)?;

    let store = Store::new(settings.capabilities);
    let (ready, is_ready) = watch::channel(false);
    let mut connected = is_ready.clone();
    let connecting = tokio::spawn({
        let store = store.clone();
        async move {
            connect(store, target).await;
            ready.send_replace(true);
        }
    });
    let task = tokio::spawn(async move {
        // Who asks while it starts waits a moment rather than hearing that there is no database.
        let connected = connected.wait_for(|connected| *connected);
        let _ = tokio::time::timeout(DATABASE_WAIT, connected).await;
        let served = serve(listener, store.clone(), shutdown).await;
        connecting.abort();
        // A shutdown during the very first connection attempt leaves nothing to close.
        let closed = store.close().await;
        served?;
        closed.context("failed to stop cleanly")
    });
    info!(%addr, "Listening");
    Ok(Running {
        addr,
        ready: is_ready,
        task,
    })
}

async fn serve(
    listener: TcpListener,
    store: Store,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, api::router(store)).with_graceful_shutdown(async move {
        shutdown.await;
        info!("Stopping: no new connections, answering what is under way");
        // Nobody waits any more when the server has already ended.
        let _ = stopping.send(());
    });
    let out_of_time = async {
        if stopped.await.is_ok() {
            tokio::time::sleep(DRAIN_MAX).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        served = server => served.context("failed to serve"),
        () = out_of_time => {
            warn!(limit_s = DRAIN_MAX.as_secs(), "Stopped with requests unanswered");
            Ok(())
        }
    }
}
