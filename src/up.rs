//! Everything in one process: what `make run` starts.
//!
//! The services are the same as in processes of their own and talk gRPC over loopback ports that nobody has to choose.
//! With the cargo feature `demo` the legacy monolith runs here too, unless `MONOLITH_URL` names a real one.

use std::{io::Write as _, net::SocketAddr};

use anyhow::Context as _;
use banyan_gateway::config::Config;
use banyan_mesh::{
    database::DatabaseSettings,
    process::Process,
    settings::{self, DatabaseUrl, std_env},
    telemetry,
};
use banyan_reservation::Capabilities;

use crate::cli::UpOptions;

/// Runs until told to end.
pub(crate) async fn run(options: UpOptions) -> anyhow::Result<()> {
    // The monolith's own lines would tell of a poll every second.
    telemetry::start(&format!(
        "{},legacy_monolith=warn",
        telemetry::DEFAULT_FILTER
    ))?;
    let process = Process::new();
    let addresses = start(&options, &process).await?;
    announce(&addresses)?;
    process.run((&options.ending).into()).await
}

async fn start(options: &UpOptions, process: &Process) -> anyhow::Result<banyan_gateway::Running> {
    // What people must not get wrong is checked before anything starts.
    let mut config = Config::load(None, &std_env)?;
    // The gateway drains first: what it still has to answer, the others answer it.
    let backstage = &process.backstage();
    let mut reservation: banyan_reservation::Settings =
        settings::load(None, banyan_reservation::ENV, &std_env)?;
    let monolith = monolith(options, reservation.legacy_capabilities, backstage).await?;
    reservation.listen = any_port();
    reservation.database = database(options, "RESERVATION_DATABASE_URL", "reservation");
    reservation.demo = !options.no_demo;
    reservation.legacy_url = monolith.clone();
    let reservation = banyan_reservation::start(reservation, backstage).await?;
    let reservation = format!("http://{}", reservation.grpc);

    let mut analytics: banyan_analytics::Settings =
        settings::load(None, banyan_analytics::ENV, &std_env)?;
    analytics.listen = any_port();
    analytics.database = database(options, "ANALYTICS_DATABASE_URL", "analytics");
    analytics.reservation_url.clone_from(&reservation);
    let analytics = banyan_analytics::start(analytics, backstage).await?;
    let analytics = format!("http://{}", analytics.grpc);

    let webui =
        banyan_webui::start(banyan_webui::Settings { listen: any_port() }, backstage).await?;

    config.set_listeners(
        SocketAddr::new(options.host, options.port),
        options.ops_listen,
    );
    config.store.url = database(options, "GATEWAY_DATABASE_URL", "gateway").url;
    let inside = [
        ("reservation", &reservation),
        ("movies", &reservation),
        ("analytics", &analytics),
        ("events", &analytics),
        ("webui", &format!("http://{}", webui.http)),
    ];
    for (name, url) in inside {
        config.set_upstream(name, url)?;
    }
    if let Some(monolith) = monolith {
        config.set_upstream("monolith", monolith)?;
    }
    banyan_gateway::start(config, process).await
}

/// A service's own PostgreSQL where its variable says so, else its file in the data folder.
fn database(options: &UpOptions, variable: &str, name: &str) -> DatabaseSettings {
    let url = std_env(variable).map_or_else(|| file_url(options, name), DatabaseUrl::new);
    DatabaseSettings {
        url,
        ..DatabaseSettings::new("")
    }
}

fn file_url(options: &UpOptions, name: &str) -> DatabaseUrl {
    DatabaseUrl::new(format!("sqlite://{}/{name}.db", options.data.display()))
}

/// The address of the monolith: a real one, or the one that is started here.
async fn monolith(
    options: &UpOptions,
    declared: Capabilities,
    process: &Process,
) -> anyhow::Result<Option<String>> {
    match std_env("MONOLITH_URL") {
        Some(url) => Ok(Some(url)),
        None => embedded_monolith(options, declared, process).await,
    }
}

#[cfg(feature = "demo")]
async fn embedded_monolith(
    options: &UpOptions,
    declared: Capabilities,
    process: &Process,
) -> anyhow::Result<Option<String>> {
    use banyan_reservation::Capability;

    let database_url = std_env("LEGACY_DATABASE_URL")
        .unwrap_or_else(|| format!("{}?mode=rwc", file_url(options, "legacy").expose()));
    let settings = legacy_monolith::Settings {
        listen: any_port(),
        database_url,
        demo: !options.no_demo,
        // It offers what it is declared to.
        capabilities: legacy_monolith::Capabilities {
            change_feed: declared.has(Capability::ChangeFeed),
            update: declared.has(Capability::Update),
            delete: declared.has(Capability::Delete),
            keeps_ids: declared.has(Capability::KeepsIds),
            ..legacy_monolith::Capabilities::default()
        },
    };
    let shutdown = process.shutdown().clone().cancelled_owned();
    let running = legacy_monolith::start(settings, shutdown)
        .await
        .context("the monolith cannot start")?;
    let monolith = process.readiness().optional("embedded monolith");
    let mut ready = running.ready;
    process.spawn("legacy monolith", async move {
        if ready.wait_for(|ready| *ready).await.is_ok() {
            monolith.up();
        }
        running.task.await.context("the monolith ended")?
    });
    Ok(Some(format!("http://{}", running.addr)))
}

#[cfg(not(feature = "demo"))]
async fn embedded_monolith(
    _: &UpOptions,
    _: Capabilities,
    _: &Process,
) -> anyhow::Result<Option<String>> {
    Ok(None)
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Where to go, for the person who has just started it.
fn announce(addresses: &banyan_gateway::Running) -> anyhow::Result<()> {
    let host = |address: SocketAddr| {
        if address.ip().is_loopback() || address.ip().is_unspecified() {
            format!("http://localhost:{}", address.port())
        } else {
            format!("http://{address}")
        }
    };
    let (public, ops) = (host(addresses.public), host(addresses.ops));
    // As this one was called: it may not be on anybody's PATH.
    let banyan = std::env::args()
        .next()
        .unwrap_or_else(|| "banyan".to_owned());
    writeln!(
        std::io::stdout(),
        "\nBanyan is up. Book a room or a seat:  {public}\n\
         Bookings and migrations (operators):  {ops}/ops/\n\
         Move movies off the monolith:         {banyan} rollout --ops-url {ops} set movies 25\n\
         Ctrl-C drains and ends.\n"
    )?;
    Ok(())
}
