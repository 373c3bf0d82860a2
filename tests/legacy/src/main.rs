//! The monolith as a program: settings from flags and environment, logs to the standard output
//! (readable in a terminal, JSON elsewhere), and an orderly end on Ctrl-C or SIGTERM.

use std::io::{self, IsTerminal, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use legacy_monolith::{Capabilities, Settings, StartError};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

const LOG_DEFAULT: &str = "info,sqlx=warn,sea_orm_migration=warn";

/// The cinema monolith: users, movies, payments and subscriptions over HTTP and JSON
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    /// Where to listen, as address:port; port 0 takes a free one
    #[arg(long, env = "LEGACY_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// The database: a SQLite file, or PostgreSQL as postgres://user:password@host:5432/name
    #[arg(
        long,
        env = "LEGACY_DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite://./data/legacy.db?mode=rwc"
    )]
    database_url: String,

    /// Fill an empty database with a few movies and users
    #[arg(long)]
    demo: bool,

    #[command(flatten)]
    offers: Offers,
}

/// What it offers for its movies beyond GET and POST
#[derive(clap::Args)]
struct Offers {
    /// Tell what changed: GET /api/movies/changes
    #[arg(long)]
    change_feed: bool,

    /// How many changes are kept; who is further behind has to read everything anew
    #[arg(long, default_value_t = Capabilities::FEED_KEEPS)]
    feed_keeps: u32,

    /// Let movies be changed: PUT /api/movies?id=N
    #[arg(long)]
    update: bool,

    /// Let movies be removed: DELETE /api/movies?id=N
    #[arg(long)]
    delete: bool,

    /// Take movies under ids that others gave: PUT /api/movies?id=N
    #[arg(long)]
    keeps_ids: bool,
}

impl From<Offers> for Capabilities {
    fn from(offers: Offers) -> Self {
        Self {
            change_feed: offers.change_feed,
            feed_keeps: offers.feed_keeps,
            update: offers.update,
            delete: offers.delete,
            keeps_ids: offers.keeps_ids,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  legacy-monolith --demo
  legacy-monolith --listen 0.0.0.0:8080 --database-url postgres://cinema:secret@db/cinema
  legacy-monolith --demo --change-feed --update --delete --keeps-ids
  curl http://127.0.0.1:8080/api/movies

RUST_LOG chooses what is logged (default: info).";

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stdout();
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even this cannot be written, the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {error:#}{}", advice(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("failed to watch for SIGTERM")?;
    let shutdown = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    };
    let settings = Settings {
        listen: cli.listen,
        database_url: cli.database_url,
        demo: cli.demo,
        capabilities: cli.offers.into(),
    };
    let running = legacy_monolith::start(settings, shutdown).await?;
    running.task.await.context("the server ended abruptly")?
}

/// Which setting to change, when one is to blame.
fn advice(error: &anyhow::Error) -> &'static str {
    match error.downcast_ref::<StartError>() {
        Some(StartError::Listen { .. }) => {
            "; choose another address with --listen or LEGACY_LISTEN"
        }
        Some(StartError::DatabaseUrl(_)) => "; see --database-url or LEGACY_DATABASE_URL",
        None => "",
    }
}

fn log_to_stdout() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    if io::stdout().is_terminal() {
        log.init();
    } else {
        log.json().init();
    }
}
