//! The command `banyan-chaos`: runs scenarios and prints their figures.

use std::{
    io::{Write, stdout},
    path::PathBuf,
    process::ExitCode,
};

use banyan_chaos::{Progress, Settings, migration, plan::Form, reservation};
use clap::{Parser, ValueEnum};

/// Breaks the system on purpose while clients use it, and proves that nothing was sold twice or lost.
#[derive(Parser)]
#[command(name = "banyan-chaos", version, after_help = AFTER_HELP)]
struct Cli {
    /// What to break; everything where none is named
    scenario: Option<Scenario>,
    /// Repeats the schedule of faults and the wishes of the clients; random where absent
    #[arg(long, env = "SEED", value_name = "NUMBER")]
    seed: Option<u64>,
    /// Some of each fault only, in well under a minute
    #[arg(long)]
    short: bool,
    /// The `banyan` to run [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Where the files of a run are kept; those of a clean run are removed [default: the system's temporary folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The page whose block of figures is regenerated
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
A run starts real processes. `reservation`: PostgreSQL, `banyan reservation`, a proxy between them. Clients hold, confirm, cancel and
move, all of them the same few seats and nights, and write down what they were told. Then things are killed, cut off,
paused and starved, one after the other; after each the system has to come back by itself. In the end the whole history
is checked against the feed and the tables. `migration`: two gateways, the reservation service and the monolith; the
rollout of the movies goes up and down again, both sides are killed, and no client may notice more than it must.

  banyan-chaos reservation              all of it: 10 minutes, at least 20 times kill -9
  banyan-chaos migration                a rollout from 0 to 100 % and back: 5 minutes
  banyan-chaos reservation --short      some of each
  SEED=7 banyan-chaos reservation       the schedule of a run that failed, again

It needs PostgreSQL's server binaries (Debian: postgresql), and root for a disk that fills up: elsewhere that part is
left out, and says so. The last lines are the figures; a run that fails ends with 1 and names the folder with its
history and logs.";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Bookings, on PostgreSQL with two replicas and on SQLite
    Reservation,
    /// The rollout of the movies to gRPC and back, while both sides are killed
    Migration,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even this cannot be written, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: &Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    for scenario in Scenario::value_variants() {
        if cli.scenario.is_none_or(|only| only == *scenario) {
            // On this thread: the database server ends with the thread that has started it.
            runtime.block_on(run(*scenario, cli))?;
        }
    }
    Ok(())
}

async fn run(scenario: Scenario, cli: &Cli) -> anyhow::Result<()> {
    let settings = Settings {
        seed: cli.seed.unwrap_or_else(random),
        form: if cli.short { Form::Short } else { Form::Long },
        binary: cli.binary.clone(),
        parent: cli.folder.clone().unwrap_or_else(std::env::temp_dir),
    };
    let today = jiff::Zoned::now().date();
    let mut out = stdout().lock();
    match scenario {
        Scenario::Reservation => {
            let report = reservation::run(&settings, Progress::start()).await?;
            for (what, count) in report.answers() {
                writeln!(out, "{count:>9} {what}")?;
            }
            print(&mut out, &report.figures())?;
            cli.page
                .iter()
                .try_for_each(|page| report.write_into(page, today))
        }
        Scenario::Migration => {
            let report = migration::run(&settings, Progress::start()).await?;
            for (what, count, slowest_ms) in report.asked() {
                writeln!(out, "{count:>9} {what}, the slowest in {slowest_ms} ms")?;
            }
            print(&mut out, &report.figures())?;
            cli.page
                .iter()
                .try_for_each(|page| report.write_into(page, today))
        }
    }
}

/// Short enough to be typed again.
fn random() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0 % 1_000_000
}

fn print(out: &mut impl Write, figures: &[(&str, u64, &str)]) -> anyhow::Result<()> {
    for (name, value, unit) in figures {
        writeln!(out, "figure {name} {value} {unit}")?;
    }
    Ok(())
}
