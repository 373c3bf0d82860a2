//! One service in a process of its own: what a container runs.

use std::{future::Future, net::SocketAddr, path::Path, time::Duration};

use banyan_gateway::config::ListenerName;
use banyan_mesh::{
    ops,
    process::Process,
    settings::{self, EnvVar, SettingsError, std_env},
    telemetry,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::cli::{GatewayCommand, Listener, ReservationCommand, ServiceOptions};

/// What a command has begun may take so long to end.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// The gateway. Its ops port is its own: operators' routes live there too.
pub(crate) async fn gateway(options: ServiceOptions) -> anyhow::Result<()> {
    let mut config = banyan_gateway::config::Config::load(options.config.as_deref(), &std_env)?;
    if let Some(listen) = options.ops_listen {
        config.ops.address = listen;
    }
    if options.check_config {
        let contracts = banyan_gateway::check(&config).await?;
        return print(&format!("{contracts}{}", config.effective()));
    }
    telemetry::start(telemetry::DEFAULT_FILTER)?;
    let process = Process::new();
    if options.migrate {
        banyan_gateway::migrate(&config, &process).await?;
        return process.stop(options.ending.grace()).await;
    }
    banyan_gateway::start(config, &process).await?;
    process.run((&options.ending).into()).await
}

/// What the gateway does beside serving.
pub(crate) async fn gateway_command(command: GatewayCommand) -> anyhow::Result<()> {
    let GatewayCommand::Openapi { listener, config } = command;
    let config = banyan_gateway::config::Config::load(config.as_deref(), &std_env)?;
    let listener = match listener {
        Listener::Public => ListenerName::Public,
        Listener::Ops => ListenerName::Ops,
    };
    let document = banyan_gateway::openapi(&config, listener).await?;
    print(&format!("{document:#}\n"))
}

/// The reservation service.
pub(crate) async fn reservation(options: ServiceOptions) -> anyhow::Result<()> {
    use banyan_reservation::{ENV, Settings, migrate, start};
    run(
        options,
        9001,
        ENV,
        |settings: Settings, process| async move { start(settings, &process).await.map(drop) },
        |settings: Settings, process| async move { migrate(&settings, &process).await },
    )
    .await
}

/// What the reservation service does beside serving.
pub(crate) async fn reservation_command(command: ReservationCommand) -> anyhow::Result<()> {
    use banyan_reservation::{ENV, Settings, after_restore};
    let ReservationCommand::AfterRestore { config } = command;
    let settings: Settings = load(config.as_deref(), ENV)?;
    telemetry::start(telemetry::DEFAULT_FILTER)?;
    let process = Process::new();
    let renewed = after_restore(&settings, &process).await?;
    print(&format!(
        "The reservation database, restored up to commit {}, has incarnation {} from now on.\n\
         Positions of incarnation {} are refused: who follows the feed begins anew.\n",
        renewed.sequence, renewed.now, renewed.before
    ))?;
    process.stop(DRAIN_MAX).await
}

/// The analytics service.
pub(crate) async fn analytics(options: ServiceOptions) -> anyhow::Result<()> {
    use banyan_analytics::{ENV, Settings, migrate, start};
    run(
        options,
        9002,
        ENV,
        |settings: Settings, process| async move { start(settings, &process).await.map(drop) },
        |settings: Settings, process| async move { migrate(&settings, &process).await },
    )
    .await
}

/// The browser app.
pub(crate) async fn webui(options: ServiceOptions) -> anyhow::Result<()> {
    use banyan_webui::{ENV, Settings, start};
    run(
        options,
        9003,
        ENV,
        |settings: Settings, process| async move { start(settings, &process).await.map(drop) },
        |_: Settings, _| async { Ok(()) },
    )
    .await
}

/// The way of every service: settings, then either show them, or migrate, or serve until told to end.
async fn run<S, Start, Started, Migrate, Migrated>(
    options: ServiceOptions,
    ops_port: u16,
    variables: &[EnvVar],
    start: Start,
    migrate: Migrate,
) -> anyhow::Result<()>
where
    S: DeserializeOwned + Serialize,
    Start: FnOnce(S, Process) -> Started,
    Started: Future<Output = anyhow::Result<()>>,
    Migrate: FnOnce(S, Process) -> Migrated,
    Migrated: Future<Output = anyhow::Result<()>>,
{
    let settings: S = load(options.config.as_deref(), variables)?;
    if options.check_config {
        return print(&settings::show(&settings));
    }
    telemetry::start(telemetry::DEFAULT_FILTER)?;
    let process = Process::new();
    if options.migrate {
        migrate(settings, process.clone()).await?;
        return process.stop(options.ending.grace()).await;
    }
    let listen = options
        .ops_listen
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], ops_port)));
    start(settings, process.clone()).await?;
    ops::serve(&process, listen, "OPS_LISTEN").await?;
    process.run((&options.ending).into()).await
}

fn load<S: DeserializeOwned>(
    file: Option<&Path>,
    variables: &[EnvVar],
) -> Result<S, SettingsError> {
    settings::load(file, variables, &std_env)
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    Ok(())
}
