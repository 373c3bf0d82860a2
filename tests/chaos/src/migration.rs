//! The scenario `migration`: the rollout of the movies goes from 0 to 100 per cent and back in steps while clients
//! read, write and book, the gRPC service and the monolith are killed with `kill -9` and started again, and everything
//! that clients were told is judged in the end.
//!
//! Two gateways share one PostgreSQL store, the reservation service keeps its data in PostgreSQL and follows the
//! monolith, and all of them are processes of their own. The operator works by `banyan rollout`.
//!
//! | module | what it does |
//! |---|---|
//! | `site` | the processes, and what is asked of them behind the gateway's back |
//! | `load`, `person`, `wire` | who reads, writes and books; what each of them does; how it is asked |
//! | `operator`, `plan` | who moves the rollout; when, and what is killed meanwhile |
//! | [`history`], `sources` | what was seen, and where it is collected from |
//! | [`check`], [`doctor`] | what is wrong with a history; histories that are made wrong, each of which must be caught |
//! | [`report`] | the figures |

pub mod check;
pub mod doctor;
pub mod history;
mod load;
mod operator;
mod person;
mod plan;
pub mod report;
mod site;
mod sources;
mod wire;

use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::{
    Settings, chance::Chance, folder::Folder, plan::Form, progress::Progress, service::binary,
};
use check::Verdict;
use history::{Clock, History};
use load::Load;
use operator::Operator;
use report::Report;
use site::Site;

/// Violations that the error of a run tells; the report in its folder has all.
const VIOLATIONS_SHOWN: usize = 20;

/// Runs the scenario. Its folder is removed after a clean run, and named in the error of one that was not.
///
/// # Errors
/// If the run itself failed, or what was seen does not hold.
pub async fn run(settings: &Settings, progress: Progress) -> anyhow::Result<Report> {
    let name = format!("banyan-migration-{}-{}", settings.seed, std::process::id());
    let folder = Folder::new(&settings.parent, &name)?;
    progress.say(&format!("scenario migration, seed {}", settings.seed));
    match played(settings, folder.path(), &progress).await {
        Ok(report) => {
            folder.discard();
            Ok(report)
        }
        Err(error) => {
            let (path, seed) = (folder.path().display(), settings.seed);
            Err(error.context(format!(
                "seed {seed} failed; history and logs are kept in {path}"
            )))
        }
    }
}

async fn played(settings: &Settings, folder: &Path, progress: &Progress) -> anyhow::Result<Report> {
    let banyan = settings
        .binary
        .clone()
        .map_or_else(|| binary("banyan"), Ok)?;
    let beside = banyan.with_file_name("legacy-monolith");
    let monolith = match beside.exists() {
        true => beside,
        false => binary("legacy-monolith")?,
    };
    let mut chance = Chance::new(settings.seed);
    let plan = plan::plan(settings.form, &mut chance);
    let clock = Clock::start();
    let mut site = Site::start(&banyan, &monolith, folder).await?;
    progress.say("everything answers");

    let mut operator = Operator::new(&banyan, &site, clock);
    operator.begin().await?;
    let mut load = Load::start(settings, &site.public(), clock)?;
    let mut outages = Vec::new();
    for (number, step) in (1..).zip(&plan) {
        let moved = operator.take(step, &mut site, &load, &mut outages).await;
        moved.with_context(|| format!("step {number} of {}: {step}", plan.len()))?;
        progress.say(&format!(
            "{number}/{}: {step}; {} requests so far, {} of them without success",
            plan.len(),
            load.count(),
            load.failures(),
        ));
        load.check()?;
    }
    let exchanges = load.end().await?;
    let decisions = site.decisions()?;
    let end = sources::collect(&mut site, &operator, &exchanges, &decisions).await?;
    site.end().await?;
    let history = History {
        decisions,
        exchanges,
        changes: operator.changes(),
        outages,
        end,
    };
    history.write(&folder.join("history.jsonl"))?;
    let report = judged(&history, settings.seed, folder, progress)?;
    if settings.form == Form::Long {
        report.has_met_creates()?;
    }
    Ok(report)
}

/// Judges the history, and the judge by what is made of the history.
fn judged(
    history: &History,
    seed: u64,
    folder: &Path,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let verdict = check::check(history);
    let shown = verdict.violations.join("\n");
    std::fs::write(folder.join("report.txt"), shown).context("cannot write the report")?;
    progress.say(&format!(
        "judged {} requests: {} violations",
        verdict.requests,
        verdict.violations.len()
    ));
    let caught = match verdict.violations.is_empty() {
        true => doctor::all_caught(history, &mut Chance::stream(seed, 1))?,
        false => 0,
    };
    let report = Report::new(history, verdict, caught);
    report.say(progress);
    held(&report)?;
    Ok(report)
}

fn held(report: &Report) -> anyhow::Result<()> {
    let Verdict { violations, .. } = &report.verdict;
    let shown = &violations[..violations.len().min(VIOLATIONS_SHOWN)];
    ensure!(
        violations.is_empty(),
        "the migration does not hold: {} violations\n{}",
        violations.len(),
        shown.join("\n")
    );
    Ok(())
}
