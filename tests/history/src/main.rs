//! `banyan-history`: checks recorded histories, and the checker itself.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use anyhow::Context as _;
use banyan_history::{check, record, selftest};
use clap::{Parser, Subcommand};

/// Proves from what clients saw that nothing was sold twice, lost or made up.
///
/// While clients hammer a reservation database, each writes down every call: when it began and ended, what was asked for
/// and what came back, "unknown" included. At the end somebody writes down the feed and what the database holds. From
/// these JSON lines `check` decides whether a correct system can have answered so. docs/history-checker.md tells what is
/// proven and how to read a violation.
///
/// See it work:
///
///   banyan-history generate --seed 7 > good.jsonl;  banyan-history check good.jsonl
///
///   banyan-history generate --seed 7 --mutation "double sale" > bad.jsonl;  banyan-history check bad.jsonl
#[derive(Parser)]
#[command(name = "banyan-history", version, verbatim_doc_comment)]
struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Check histories. Exit code 1 if one of them is not clean, 2 if one cannot be read.
    Check {
        /// JSON lines as written by a recorder. Several files are several histories.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Check the checker: correct histories must pass, tampered ones must be caught. Exit code 1 if not, or if a way of
    /// tampering found no place in any of them (take more histories).
    Selftest {
        /// How many random histories; each is tampered with in every way that has a place in it.
        #[arg(long, default_value_t = 200)]
        histories: u64,
        /// Where to begin; the same seed gives the same histories.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Say for each way of tampering how often it was caught.
        #[arg(long)]
        verbose: bool,
    },
    /// Write a random correct history to standard output, to see what one looks like.
    Generate {
        /// The same seed gives the same history.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Tamper with it in this way, such as `double sale`; `selftest --verbose` lists them.
        #[arg(long)]
        mutation: Option<String>,
    },
    /// Say how long it takes to check a long correct history.
    Time {
        /// How many calls.
        #[arg(long, default_value_t = 1_000_000)]
        calls: u64,
    },
}

fn main() -> ExitCode {
    let out = &mut io::stdout().lock();
    let done = match Args::parse().command {
        Sub::Check { files } => check_files(&files, out),
        Sub::Selftest {
            histories,
            seed,
            verbose,
        } => self_test(seed, histories, verbose, out),
        Sub::Generate { seed, mutation } => generate(seed, mutation.as_deref(), out),
        Sub::Time { calls } => time(calls, out),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nobody listens any more: nothing to be done.
            drop(writeln!(io::stderr(), "{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn check_files(files: &[PathBuf], out: &mut impl Write) -> anyhow::Result<bool> {
    let mut clean = true;
    for file in files {
        let history = record::read_file(file).with_context(|| file.display().to_string())?;
        let start = Instant::now();
        let report = check(&history);
        writeln!(
            out,
            "{}, checked in {} ms:",
            file.display(),
            start.elapsed().as_millis()
        )?;
        write!(out, "{report}")?;
        clean &= report.is_clean();
    }
    Ok(clean)
}

fn self_test(
    seed: u64,
    histories: u64,
    verbose: bool,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let tally = selftest::run(seed, histories);
    for (mutation, caught) in selftest::MUTATIONS.iter().zip(&tally.caught) {
        if verbose || *caught == 0 {
            writeln!(
                out,
                "{:<26} {caught:>6} caught: {}",
                mutation.name, mutation.about
            )?;
        }
    }
    for (seed, report) in &tally.correct_rejected {
        writeln!(
            out,
            "the correct history of seed {seed} was rejected:\n{report}"
        )?;
    }
    for (seed, mutation) in &tally.missed {
        writeln!(out, "missed: {mutation} in the history of seed {seed}")?;
    }
    for (figure, value) in [
        ("correct_histories_accepted", tally.correct_accepted),
        (
            "corrupted_histories_missed",
            tally.corrupted_histories_missed(),
        ),
        (
            "corrupted_histories_caught",
            tally.corrupted_histories_caught(),
        ),
    ] {
        writeln!(out, "figure {figure} {value} histories")?;
    }
    Ok(tally.is_good())
}

fn generate(seed: u64, mutation: Option<&str>, out: &mut impl Write) -> anyhow::Result<bool> {
    let mut history = selftest::generate(seed);
    if let Some(name) = mutation {
        let mutation = selftest::MUTATIONS.iter().find(|it| it.name == name);
        let mutation = mutation.with_context(|| format!("there is no mutation called {name}"))?;
        let tampered = selftest::tamper(&history, mutation, seed);
        (history, _) = tampered
            .with_context(|| format!("{name} has no place in the history of seed {seed}"))?;
    }
    record::write(history, out).context("cannot write the history")?;
    Ok(true)
}

fn time(calls: u64, out: &mut impl Write) -> anyhow::Result<bool> {
    let history = selftest::large(calls);
    let start = Instant::now();
    let report = check(&history);
    let taken = start.elapsed();
    write!(out, "{report}")?;
    writeln!(out, "figure history_check_ms {} ms", taken.as_millis())?;
    Ok(report.is_clean())
}
