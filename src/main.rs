//! The `banyan` command: composes, nothing else.
//!
//! `banyan up` runs every service in one process; `banyan gateway|reservation|analytics|webui` runs one, which is what
//! a container does; `banyan rollout` and `banyan report` are clients. All of them run the same code.

mod cli;
mod service;
mod up;

use std::{io::Write as _, num::NonZeroUsize, process::ExitCode, time::Duration};

use banyan_gateway::cli::CliError;
use clap::Parser as _;
use tokio::runtime::{Builder, Runtime};

use crate::cli::{Cli, Command};

// Many small, short-lived buffers on several threads: what mimalloc is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even this cannot be written, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            let of_rollouts = error.downcast_ref::<CliError>();
            of_rollouts.map_or(ExitCode::FAILURE, |it| ExitCode::from(it.exit_code()))
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<()> {
    let runtime = runtime(&cli.command)?;
    let ended = runtime.block_on(run(cli));
    // What was already started when something failed ends first: the error is the last word in the log.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// A runtime with a thread for each core, or as many as `TOKIO_WORKER_THREADS` says.
///
/// The reservation service leaves a core to its committer, which has a thread of its own, and to the database's end of
/// that: every booking waits for these two, and calls in a crowd would keep both from their turn (15 % of the holds a
/// second on two cores).
fn runtime(command: &Command) -> std::io::Result<Runtime> {
    let mut runtime = Builder::new_multi_thread();
    runtime.enable_all();
    let chosen = std::env::var_os("TOKIO_WORKER_THREADS").is_some();
    if matches!(command, Command::Reservation(_)) && !chosen {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        runtime.worker_threads(cores.saturating_sub(1).max(1));
    }
    runtime.build()
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Up(options) => up::run(options).await?,
        Command::Gateway(options) => match options.command {
            Some(command) => service::gateway_command(command).await?,
            None => service::gateway(options.service).await?,
        },
        Command::Reservation(options) => match options.command {
            Some(command) => service::reservation_command(command).await?,
            None => service::reservation(options.service).await?,
        },
        Command::Analytics(options) => service::analytics(options).await?,
        Command::Webui(options) => service::webui(options).await?,
        Command::Rollout(args) => {
            let (mut out, mut aside) = (std::io::stdout(), std::io::stderr());
            banyan_gateway::cli::run(args, &mut out, &mut aside).await?;
        }
        Command::Report(command) => {
            banyan_analytics::cli::run(command, &mut std::io::stdout()).await?
        }
    }
    Ok(())
}
