//! Analytics: reports on reservations seconds after they happen, and the event bus of the cinema's API.
//!
//! The service derives everything from the reservation feed. [`feed`] follows it and [`store`] applies each event
//! exactly once, its facts and the cursor in one transaction; [`reports`] answers from those facts alone, so a report
//! works while reservations are away and says how fresh it is. [`bus`] keeps events that others write, durable before
//! they are acknowledged. [`grpc`] is the edge of both. [`domain`] holds the definitions and knows none of the others.
//!
//! Any number of replicas may share one PostgreSQL: the database decides who is first. While it is away the service
//! runs, is not ready and answers UNAVAILABLE.

pub mod bus;
pub mod cli;
pub mod domain;
pub mod feed;
pub mod grpc;
pub mod migration;
pub mod reports;
pub mod settings;
pub mod store;
mod wire;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use banyan_mesh::{
    client::{ClientSettings, channel},
    database::Database,
    process::Process,
    server::{GrpcServer, GrpcSettings},
};
use banyan_proto::{
    analytics::v1::report_service_server::ReportServiceServer,
    compat::cinema::v1::event_service_server::EventServiceServer,
    reservation::v1::feed_service_client::FeedServiceClient,
};

use crate::{
    bus::{Bus, consumer, embedded::EmbeddedBus, retention, stats::BusStats},
    feed::{Follower, stats::FeedStats},
    grpc::{events::Events, reports::ReportApi},
    migration::Migrator,
    reports::Reports,
    settings::BusSettings,
    store::Store,
};

pub use settings::{ENV, Settings};

/// Where the started service is reached.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    /// gRPC.
    pub grpc: SocketAddr,
}

/// Starts the service on `process`; returns when it listens. A database or a reservation service that is away is no
/// error: both are tried again in the background.
///
/// # Errors
/// If a setting is wrong, the port is taken, or the SQLite file is in use by another process.
pub async fn start(settings: Settings, process: &Process) -> anyhow::Result<Running> {
    settings.validate()?;
    let reservation = channel(&ClientSettings::new(&settings.reservation_url))
        .context("RESERVATION_URL is wrong")?;
    let database = Database::start::<Migrator>(process, &settings.database, "analytics").await?;
    let store = Store::new(database);
    let shutdown = process.shutdown().clone();

    let follower = Follower::new(
        store.clone(),
        // A full answer of long stays is larger than the 4 MB that tonic takes by default.
        FeedServiceClient::new(reservation).max_decoding_message_size(feed::ANSWER_BYTES_MAX),
        process.metrics().register(FeedStats::register),
        process.readiness().optional("reservation feed"),
    );
    let follower_shutdown = shutdown.clone();
    process.spawn("reservation feed", async move {
        follower.run(follower_shutdown).await;
        Ok(())
    });

    let bus = start_bus(&settings.bus, &store, process)?;
    let stats = process.metrics().register(BusStats::register);
    let (reader, reader_stats) = (bus.clone(), stats.clone());
    process.spawn("event reader", async move {
        consumer::run(reader, reader_stats, shutdown).await;
        Ok(())
    });

    let grpc = GrpcServer::new(GrpcSettings::new(settings.listen), "analytics")
        .setting_name("ANALYTICS_LISTEN")
        .reflection(banyan_proto::DESCRIPTORS)
        .add(ReportServiceServer::new(ReportApi::new(Reports::new(
            store,
        ))))
        .add(EventServiceServer::new(Events::new(bus, stats)))
        .start(process)
        .await?;
    Ok(Running { grpc })
}

/// Kafka where it is set, else the bus in the service's own database.
fn start_bus(
    settings: &BusSettings,
    store: &Store,
    process: &Process,
) -> anyhow::Result<Arc<dyn Bus>> {
    #[cfg(feature = "kafka")]
    if let Some(brokers) = &settings.kafka_brokers {
        let bus = bus::kafka::KafkaBus::start(brokers, settings, process)
            .context("the Kafka client cannot be started")?;
        return Ok(bus);
    }
    let (swept, limits) = (store.clone(), settings.clone());
    let shutdown = process.shutdown().clone();
    process.spawn("event retention", async move {
        retention::run(swept, limits, shutdown).await;
        Ok(())
    });
    Ok(Arc::new(EmbeddedBus::new(
        store.clone(),
        settings.partitions,
    )))
}

/// Brings the database up to date and returns; what a migration job runs. Waits for a database that is away.
///
/// # Errors
/// If the database cannot be opened, or the process ends before it is migrated.
pub async fn migrate(settings: &Settings, process: &Process) -> anyhow::Result<()> {
    let database = Database::start::<Migrator>(process, &settings.database, "analytics").await?;
    anyhow::ensure!(
        database.ready().await,
        "ended before the analytics database was migrated"
    );
    Ok(())
}

/// An error with its causes on one line. Some libraries' errors name their cause themselves: once is enough.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}
