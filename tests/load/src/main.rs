//! `banyan-load`: measures what the service sells a second, or serves the naive engine that it is compared with.

use std::{io::Write as _, net::SocketAddr, path::PathBuf};

use banyan_load::{bench, naive};
use clap::{Parser, Subcommand};

// As the service has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Loads the reservation service and its peers.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure everything and print it as JSON
    Bench {
        /// The program that is measured
        #[arg(long, default_value = "target/dist/banyan")]
        binary: PathBuf,
        /// In about a minute, with figures that mean nothing
        #[arg(long)]
        quick: bool,
        /// So many times, instead of as often as is usual
        #[arg(long)]
        rounds: Option<usize>,
    },
    /// Serve the naive engine
    Naive {
        /// Where
        #[arg(long)]
        listen: SocketAddr,
        /// On which database, which the service has migrated
        #[arg(long)]
        database: String,
        /// With so many connections
        #[arg(long)]
        pool: u32,
        /// In the order of commits
        #[arg(long)]
        in_order: bool,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Bench {
            binary,
            quick,
            rounds,
        } => {
            let report = bench::run(&binary, quick, rounds, say).await?;
            serde_json::to_writer_pretty(std::io::stdout(), &report)?;
            Ok(())
        }
        Command::Naive {
            listen,
            database,
            pool,
            in_order,
        } => {
            let order = if in_order {
                naive::Order::Strict
            } else {
                naive::Order::Loose
            };
            naive::run(listen, &database, pool, order).await
        }
    }
}

fn say(what: &str) {
    // If nobody listens, the report is still made.
    let _ = writeln!(std::io::stderr(), "{what}");
}
