//! From a configuration to a gateway that listens.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use axum::Extension;
use banyan_mesh::{database::DatabaseSettings, process::Process, server::bind};

use crate::{
    admin,
    config::{Config, ListenerName, RolloutConfig},
    contracts::{self, Contracts},
    descriptors::{self, Sets},
    edge::{Edge, Limits, NoPage, Operators, Shared},
    follow, listener,
    metrics::Metrics,
    ops::Guard,
    probes::Probes,
    reload::{self, InForce},
    rollouts::{Definition, Rollouts, Steering},
    routes,
    store::Store,
    tokens::Tokens,
    upstreams::{GrpcService, Metrics as UpstreamMetrics, Upstreams},
};

/// A gateway that listens.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    /// Where clients connect.
    pub public: SocketAddr,
    /// Where operators, probes and metrics connect.
    pub ops: SocketAddr,
}

/// Starts the gateway in a process; returns when both addresses are listened on.
///
/// Its ops address serves the whole process, so that services which add routes to [`Process::ops`] start before it.
///
/// # Errors
/// If the configuration does not fit together, the store's URL is none, or an address is taken.
pub async fn start(config: Config, process: &Process) -> anyhow::Result<Running> {
    let public_socket = bind(config.listener.address, "PORT").await?;
    let ops_socket = bind(config.ops.address, "OPS_LISTEN").await?;
    let running = Running {
        public: public_socket.local_addr()?,
        ops: ops_socket.local_addr()?,
    };

    let steering = Steering::new(&config.steering)?;
    let tokens = config.tokens.as_ref();
    let tokens = tokens.map(|tokens| Tokens::start(tokens, process));
    let tokens = tokens.transpose()?;
    let store = open_store(&config, process).await?;
    let rollouts = Rollouts::start(definitions(&config), Some(store), steering, process).await;

    let admin = admin::service(rollouts.clone());
    let metrics = process.metrics().register(UpstreamMetrics::register);
    let upstreams = Upstreams::new(&config, GrpcService::local(admin.clone()), metrics)?;
    rollouts.know_followers(follow::followers(&config, &upstreams)?);
    // A follower that has caught up holds up nothing, not even for the first requests.
    rollouts.settle().await;
    let sets = descriptors::load(&config, &upstreams, &Sets::default(), true).await?;
    let routes = routes::compile(&config, &upstreams, &sets)
        .context("gateway.toml does not fit together")?;
    rollouts.know_routes(&routes);
    let contracts = Contracts::new(routes);

    let shared = Shared {
        contracts: contracts.clone(),
        rollouts: rollouts.clone(),
        tokens,
        metrics: Metrics::register(process.metrics()),
        readiness: process.readiness().clone(),
    };
    let reload = reload::start(
        InForce {
            probes: Probes::start(&config, process),
            config: config.clone(),
            upstreams,
            sets,
            contracts,
            rollouts,
        },
        process,
    );
    let pages = process
        .ops()
        .router(process)
        .merge(tonic::service::Routes::new(admin).into_axum_router())
        .merge(reload::page(reload))
        // tonic's own fallback answers 200 in gRPC's way, which a browser or curl takes for success.
        .fallback(async || Extension(NoPage));
    let operators = Operators {
        guard: Guard::new(&config.ops, running.ops),
        pages,
    };
    let limits = || Limits::new(&config.listener);
    let public = Edge::new(ListenerName::Public, limits(), shared.clone(), None);
    let ops = Edge::new(ListenerName::Ops, limits(), shared, Some(operators));

    for (name, socket, edge, threads) in [
        (
            "public listener",
            public_socket,
            public,
            config.listener.threads(),
        ),
        ("ops listener", ops_socket, ops, 0),
    ] {
        let (limits, shutdown) = (config.listener.clone(), process.shutdown().clone());
        process.spawn(name, async move {
            listener::serve(socket, Arc::new(edge), &limits, threads, shutdown).await
        });
    }
    tracing::info!(public = %running.public, ops = %running.ops, "Gateway listens");
    Ok(running)
}

/// Compiles a configuration as [`start`] does, and starts nothing: finds what does not fit together. Returns what is
/// served from which contracts, and what could not be checked because its upstream is away, as TOML comments.
///
/// # Errors
/// Those of [`start`] that are in the configuration.
pub async fn check(config: &Config) -> anyhow::Result<String> {
    let nobody = tower::service_fn(|_| std::future::pending());
    let upstreams = Upstreams::new(
        config,
        GrpcService::local(nobody),
        UpstreamMetrics::default(),
    )?;
    let sets = descriptors::load(config, &upstreams, &Sets::default(), true).await?;
    let routes =
        routes::compile(config, &upstreams, &sets).context("gateway.toml does not fit together")?;
    Ok(contracts::summary(&routes, &sets))
}

/// The OpenAPI document of a listener, as a gateway of this configuration serves it; nothing is started.
///
/// # Errors
/// Those of [`check`].
pub async fn openapi(config: &Config, listener: ListenerName) -> anyhow::Result<serde_json::Value> {
    check(config).await?;
    let nobody = tower::service_fn(|_| std::future::pending());
    let upstreams = Upstreams::new(
        config,
        GrpcService::local(nobody),
        UpstreamMetrics::default(),
    )?;
    let sets = descriptors::load(config, &upstreams, &Sets::default(), true).await?;
    Ok(crate::openapi::document(
        config,
        &|name| sets.find(name),
        listener,
    ))
}

/// Brings the gateway's store up to date and returns; what a migration job runs.
///
/// # Errors
/// If the store cannot be opened, or the process ends before it is migrated.
pub async fn migrate(config: &Config, process: &Process) -> anyhow::Result<()> {
    let store = open_store(config, process).await?;
    anyhow::ensure!(
        store.ready().await,
        "ended before the gateway's store was migrated"
    );
    Ok(())
}

async fn open_store(config: &Config, process: &Process) -> anyhow::Result<Store> {
    let settings = DatabaseSettings {
        url: config.store.url.clone(),
        max_connections: config.store.connections_max,
    };
    Store::open(process, &settings)
        .await
        .context("the gateway's store cannot be opened")
}

/// What the configuration says about rollouts.
pub(crate) fn definitions(config: &Config) -> Vec<Definition> {
    let rollouts = config.rollouts.iter();
    let definitions = rollouts.map(|(name, rollout)| Definition {
        file_percent: rollout.percent,
        env_percent: rollout.environment_percent,
        env_name: rollout.percent_env.clone(),
        percent_file: percent_file(config, rollout),
        enabled: rollout.enabled,
        routes: routes::routes_of(config, name),
        going_down: rollout.going_down,
        rules: rollout.rules.clone(),
        has_fallback: rollout.fallback,
        legacy_keeps_ids: rollout.legacy.keeps_ids,
        shares_data: rollout.shares_data,
        legacy_honours_request_ids: rollout.legacy.honours_request_ids,
        policy: rollout.policy.clone(),
        has_follower: rollout.follow.is_some(),
        shadow: rollout.shadow.percent.unwrap_or_default(),
        noise: rollout.shadow.noise_percent.unwrap_or_default(),
        ..Definition::new(name, rollout.subjects.clone())
    });
    definitions.collect()
}

fn percent_file(config: &Config, rollout: &RolloutConfig) -> Option<PathBuf> {
    let in_folder = || {
        let folder = config.rollouts_folder.as_ref()?;
        Some(folder.join(rollout.percent_env.as_ref()?))
    };
    rollout.percent_file.clone().or_else(in_folder)
}
