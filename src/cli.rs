//! What can be said on the command line. The help texts teach; the settings themselves belong to each service.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use banyan_mesh::process::Ending;
use clap::{Args, Parser, Subcommand};

/// A reservations platform that replaces a running legacy system without stopping it.
#[derive(Parser)]
#[command(name = "banyan", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Start here:
  banyan up                                   the whole system at http://localhost:8000
  banyan rollout list                         how far each migration is
  banyan rollout set movies 25 --reason \"…\"   move a quarter of the subjects to gRPC

Every process logs to standard error (LOG_FORMAT=json|pretty, RUST_LOG=info).";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process on embedded databases
    #[command(after_help = UP_HELP)]
    Up(UpOptions),
    /// Run the strangler gateway
    #[command(after_help = GATEWAY_HELP)]
    Gateway(GatewayOptions),
    /// Run the reservation service
    #[command(after_help = RESERVATION_HELP)]
    Reservation(ReservationOptions),
    /// Run the analytics service
    #[command(after_help = ANALYTICS_HELP)]
    Analytics(ServiceOptions),
    /// Serve the browser app
    #[command(after_help = WEBUI_HELP)]
    Webui(ServiceOptions),
    /// Watch and steer migrations (a client of the gateway's ops port)
    Rollout(banyan_gateway::cli::RolloutArgs),
    /// Print reports (a client of the analytics service)
    #[command(subcommand)]
    Report(banyan_analytics::cli::ReportCommand),
}

const UP_HELP: &str = "\
Ports:
  --port 8000         what guests and partners use: REST, and the browser app under /app/
  --ops-listen        what operators use: /ops/, the rollout API, /livez, /readyz, /db-status, /metrics
  Everything between the services stays on free loopback ports.

Data:
  One SQLite file per service under --data. A second start finds it; two processes on one folder are refused.
  For PostgreSQL set the URL of a service's own database, for example
    RESERVATION_DATABASE_URL=postgres://reservation:secret@localhost/reservation
    ANALYTICS_DATABASE_URL, GATEWAY_DATABASE_URL, LEGACY_DATABASE_URL

The legacy system:
  A cinema monolith runs inside the process, so that there is something to migrate. MONOLITH_URL=http://host:port
  replaces it by a real one. MONOLITH_CAPABILITIES=change-feed,update,delete,keeps-ids says what it can do besides.
  MOVIES_MIGRATION_PERCENT and GRADUAL_MIGRATION start the split.

Ctrl-C drains and ends.";

const GATEWAY_HELP: &str = "\
Routes, upstreams and rollouts come from gateway.toml (--config; the built-in one serves Banyan itself).
Environment: PORT or GATEWAY_LISTEN, OPS_LISTEN, OPS_TOKEN, GATEWAY_DATABASE_URL, and the variables that the file names:
RESERVATION_URL, ANALYTICS_URL, MOVIES_SERVICE_URL, EVENTS_SERVICE_URL, MONOLITH_URL, WEBUI_URL,
MOVIES_MIGRATION_PERCENT (0 to 100), GRADUAL_MIGRATION (true or false).
`banyan gateway openapi` prints what it serves as OpenAPI 3.1; a running one serves it at /openapi.json and shows it at /docs.";

const RESERVATION_HELP: &str = "\
Environment: RESERVATION_LISTEN (127.0.0.1:50051), OPS_LISTEN (127.0.0.1:9001), RESERVATION_DATABASE_URL
(sqlite://./data/reservation.db), MONOLITH_URL (the legacy system whose movies are followed), MONOLITH_CAPABILITIES (what
it can do besides: change-feed,update,delete,keeps-ids), BANYAN_DEMO (true fills an empty database), RESERVATION_REQUEST_ID_HOURS (48: how long a repeated request id gets the same answer),
RESERVATION_CONTACT_RETENTION_DAYS (365: guests' contacts are erased so long after the stay or the screening),
RESERVATION_FEED_RETENTION_DAYS (unset: the feed is kept for ever; set: older events go into its snapshot).
`banyan reservation after-restore` is for a database that was restored from a backup.";

const AFTER_RESTORE_HELP: &str = "\
Use it once after each restore of the reservation database: from a dump, from a copied SQLite file, to a point in time.

What was committed after the backup is gone, and its sequences are given to other events. Analytics, and whoever else reads
the feed from a position of before, would not notice and go on in another history. So this gives the database another
incarnation: positions of before are refused with INCARNATION_CHANGED, and their owners begin anew; analytics does so by
itself. Bookings stay as they are. It brings the schema up to date first, and waits for a database that is away.

  1. stop the reservation service        2. restore        3. run this        4. start the service

It may also be run late, on PostgreSQL while services run: readers begin anew from then on. A SQLite file in use is refused.
On PostgreSQL a service that starts recognises most restores, and moves, by itself and says so in its log.

Environment: RESERVATION_DATABASE_URL (sqlite://./data/reservation.db).";

const ANALYTICS_HELP: &str = "\
Environment: ANALYTICS_LISTEN (127.0.0.1:50052), OPS_LISTEN (127.0.0.1:9002), ANALYTICS_DATABASE_URL
(sqlite://./data/analytics.db), RESERVATION_URL (http://127.0.0.1:50051).
KAFKA_BROKERS (host:port,host:port) puts the event bus on Kafka; a build needs the cargo feature `kafka` for it.";

const WEBUI_HELP: &str = "\
Environment: WEBUI_LISTEN (127.0.0.1:8002), OPS_LISTEN (127.0.0.1:9003).";

/// Options of `banyan up`.
#[derive(Args)]
pub(crate) struct UpOptions {
    /// Public port on --host
    #[arg(long, env = "PORT", default_value_t = 8000)]
    pub(crate) port: u16,
    /// Address that the public port is bound to
    #[arg(long, env = "BANYAN_HOST", default_value = "127.0.0.1")]
    pub(crate) host: std::net::IpAddr,
    /// Address and port for operators; loopback unless you know better
    #[arg(long, env = "OPS_LISTEN", default_value = "127.0.0.1:9000")]
    pub(crate) ops_listen: SocketAddr,
    /// Folder of the embedded databases
    #[arg(
        long,
        env = "BANYAN_DATA",
        default_value = "./data",
        value_name = "FOLDER"
    )]
    pub(crate) data: PathBuf,
    /// Start without demo hotels, movies and screenings
    #[arg(long)]
    pub(crate) no_demo: bool,
    #[command(flatten)]
    pub(crate) ending: EndingOptions,
}

/// Options of the gateway, and what it can do beside serving.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct GatewayOptions {
    #[command(subcommand)]
    pub(crate) command: Option<GatewayCommand>,
    #[command(flatten)]
    pub(crate) service: ServiceOptions,
}

#[derive(Subcommand)]
pub(crate) enum GatewayCommand {
    /// Print the OpenAPI document of a listener and end; nothing is started
    Openapi {
        /// Whose routes to describe
        #[arg(long, default_value = "public")]
        listener: Listener,
        /// Settings in TOML; the built-in ones where absent
        #[arg(long, env = "BANYAN_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Options of the reservation service, and what it can do beside serving.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ReservationOptions {
    #[command(subcommand)]
    pub(crate) command: Option<ReservationCommand>,
    #[command(flatten)]
    pub(crate) service: ServiceOptions,
}

#[derive(Subcommand)]
pub(crate) enum ReservationCommand {
    /// Tell the database that it was restored from a backup, and end
    #[command(after_help = AFTER_RESTORE_HELP)]
    AfterRestore {
        /// Settings in TOML; environment variables beat them
        #[arg(long, env = "BANYAN_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// One of the gateway's two addresses.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Listener {
    Public,
    Ops,
}

/// Options of one service.
#[derive(Args)]
pub(crate) struct ServiceOptions {
    /// Settings in TOML; environment variables beat them
    #[arg(long, env = "BANYAN_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the effective settings, secrets masked, and end
    #[arg(long)]
    pub(crate) check_config: bool,
    /// Bring the database's schema up to date and end
    #[arg(long, conflicts_with = "check_config")]
    pub(crate) migrate: bool,
    /// Address and port for /livez, /readyz, /db-status and /metrics
    #[arg(long, env = "OPS_LISTEN")]
    pub(crate) ops_listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) ending: EndingOptions,
}

/// How a process ends.
#[derive(Args)]
pub(crate) struct EndingOptions {
    /// Milliseconds to answer on, though unready, before draining: time for load balancers to notice
    #[arg(
        long,
        env = "SHUTDOWN_UNREADY_WAIT_MS",
        default_value_t = 0,
        hide_short_help = true
    )]
    shutdown_unready_wait_ms: u64,
    /// Milliseconds that work in flight may take once draining
    #[arg(
        long,
        env = "SHUTDOWN_GRACE_MS",
        default_value_t = 20_000,
        hide_short_help = true
    )]
    shutdown_grace_ms: u64,
}

impl EndingOptions {
    /// How long work in flight may take once draining.
    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms)
    }
}

impl From<&EndingOptions> for Ending {
    fn from(options: &EndingOptions) -> Self {
        Self {
            unready_wait: Duration::from_millis(options.shutdown_unready_wait_ms),
            grace: options.grace(),
        }
    }
}
