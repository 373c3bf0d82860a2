//! Sells hotel nights and cinema seats that are never sold twice.
//!
//! - [`domain`]: what is sold and under which rules; pure
//! - [`inventory`]: the one place that decides who gets what
//! - [`store`]: where it is kept
//! - `grpc`: the contracts as answered here; `wire`: domain values as their messages
//! - `feed`: how much of the feed is kept
//! - `follow`: keeping level with the cinema monolith; `capabilities`: what that can do
//! - `restore`: what a database is after it was restored from a backup
//! - `demo`: something to try it out on

mod capabilities;
mod demo;
pub mod domain;
mod feed;
mod follow;
mod grpc;
pub mod inventory;
mod migration;
mod restore;
mod settings;
pub mod store;
mod wire;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use banyan_mesh::{
    database::Database,
    process::Process,
    server::{GrpcServer, GrpcSettings},
};

use jiff::SignedDuration;

use crate::{
    feed::Trimmer,
    follow::{Creator, Follower},
    inventory::{Clock, Inventory, SystemClock},
    migration::Migrator,
    store::{FollowedMovies, Store},
};

pub use capabilities::{Capabilities, Capability};
pub use restore::Renewed;
pub use settings::{ENV, Settings};

/// Calls in progress at most. More than can wait for a decision, so that a crowd of buyers is told to come back rather
/// than left hanging, and does not keep others from looking.
const CALLS_MAX: usize = 12_000;

/// What gateways ask every other second, and health checks.
const POLLED: &[&str] = &[
    "/banyan.follow.v1.FollowService/Status",
    "/banyan.compat.cinema.v1.MovieService/CheckHealth",
];

/// A database is waited for at most this long before the service listens.
const DATABASE_WAIT: Duration = Duration::from_secs(1);

/// A reservation service that listens.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// Where gRPC is served.
    pub grpc: SocketAddr,
}

/// Starts the service in a process; returns when it listens. A database that is away is no error: calls fail with
/// UNAVAILABLE until it is there.
///
/// # Errors
/// If the address or the database file cannot be had, or a setting is wrong.
pub async fn start(settings: Settings, process: &Process) -> anyhow::Result<Running> {
    start_by(Arc::new(SystemClock), settings, process).await
}

/// As [`start`], with decisions timed by that clock.
///
/// # Errors
/// As [`start`].
pub async fn start_by(
    clock: Arc<dyn Clock>,
    settings: Settings,
    process: &Process,
) -> anyhow::Result<Running> {
    let database = open(&settings, process).await?;
    // Who connects to a service that has just been started again is answered, rather than told to come back. One whose
    // database stays away says so to whoever asks.
    let _ = tokio::time::timeout(DATABASE_WAIT, database.ready()).await;
    let movies = FollowedMovies::new(database.clone());
    let follower = settings
        .legacy_url
        .as_deref()
        .map(|url| Follower::start(url, settings.legacy_capabilities, movies.clone(), process))
        .transpose()
        .context("setting legacy_url (MONOLITH_URL)")?;
    let answers_kept = SignedDuration::from_hours(settings.request_id_hours.get().into());
    let creator = Creator::start(movies.clone(), follower.clone(), answers_kept, process);
    let store = Store::new(database);
    restore::recognise_in_background(store.clone(), process);
    let inventory = Inventory::new(store, clock, answers_kept, process);
    creator.forget_in_background(inventory.clone(), process);
    inventory.sweep_in_background(process);
    inventory.forget_contacts_in_background(settings.contact_retention_days, process);
    if let Some(days) = settings.feed_retention_days {
        Trimmer::new(inventory.clone()).trim_in_background(days.get(), process);
    }
    if settings.demo {
        demo::fill_in_background(inventory.clone(), process);
    }
    let limits = GrpcSettings {
        concurrency_max: CALLS_MAX,
        ..GrpcSettings::new(settings.listen)
    };
    let server = GrpcServer::new(limits, "reservation")
        .setting_name("RESERVATION_LISTEN")
        .polled(POLLED)
        .reflection(banyan_proto::DESCRIPTORS);
    let rooms = grpc::Rooms {
        inventory,
        movies,
        follower,
        creator,
    };
    let grpc = grpc::serve(server, rooms, process).start(process).await?;
    Ok(Running { grpc })
}

/// Brings the database up to date and returns; what a migration job runs. Waits for a database that is away.
///
/// # Errors
/// If the database cannot be opened, or the process ends before it is migrated.
pub async fn migrate(settings: &Settings, process: &Process) -> anyhow::Result<()> {
    let database = open(settings, process).await?;
    anyhow::ensure!(
        database.ready().await,
        "ended before the reservation database was migrated"
    );
    Ok(())
}

/// Gives the database another incarnation, as it needs after it was restored from a backup: whoever followed its feed
/// begins anew. Brings it up to date first; waits for a database that is away.
///
/// # Errors
/// If the database cannot be opened or changed, or the process ends before.
pub async fn after_restore(settings: &Settings, process: &Process) -> anyhow::Result<Renewed> {
    let store = Store::new(open(settings, process).await?);
    anyhow::ensure!(
        store.ready().await,
        "ended before the reservation database was reached"
    );
    restore::renew(&store)
        .await
        .context("cannot give the reservation database another incarnation")
}

async fn open(settings: &Settings, process: &Process) -> anyhow::Result<Database> {
    Database::start::<Migrator>(process, &settings.database, "reservation")
        .await
        .context("cannot open the reservation database")
}
