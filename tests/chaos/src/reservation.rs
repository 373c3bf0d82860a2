//! The scenario `reservation`: bookings that are fought for while everything under them is killed, cut off, paused and
//! starved.
//!
//! Three acts: two replicas on PostgreSQL; the same on a small disk that fills up; one replica on SQLite. Each has its
//! own database and its own history, which is judged after each fault, and as a whole in the end.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::{
    act::{self, Outcome},
    chance::Chance,
    disk::Disk,
    folder::Folder,
    judge,
    plan::{self, Form},
    progress::Progress,
    report::Report,
    service,
    settings::Settings,
    stage::Stage,
};

/// Runs the scenario. Its folder is removed after a clean run, and named in the error of one that was not.
///
/// # Errors
/// If the system did not come back from a fault, the history does not hold, or the run itself failed.
pub async fn run(settings: &Settings, progress: Progress) -> anyhow::Result<Report> {
    let name = format!("banyan-chaos-{}-{}", settings.seed, std::process::id());
    let folder = Folder::new(&settings.parent, &name)?;
    progress.say(&format!("scenario reservation, seed {}", settings.seed));
    match acts(settings, folder.path(), progress).await {
        Ok(report) => {
            folder.discard();
            Ok(report)
        }
        Err(error) => {
            let path = folder.path().display();
            let seed = settings.seed;
            Err(error.context(format!(
                "seed {seed} failed; history and logs are kept in {path}"
            )))
        }
    }
}

async fn acts(settings: &Settings, folder: &Path, progress: Progress) -> anyhow::Result<Report> {
    let binary = settings
        .binary
        .clone()
        .map_or_else(|| service::binary("banyan"), Ok)?;
    let (form, seed) = (settings.form, settings.seed);
    let mut chance = Chance::new(seed);
    let mut report = Report::default();
    report.corrupted_histories_caught = judge::selftest(form.histories())?;
    progress.say(&format!(
        "the checker caught {} corrupted histories of as many",
        report.corrupted_histories_caught
    ));

    let own = act_folder(folder, "postgresql")?;
    let stage = Stage::postgres(&binary, &own, None).await?;
    let faults = plan::postgres(form, &mut chance);
    let outcome = act::play(stage, faults, (form, seed), &own, &progress).await;
    add(
        &mut report,
        outcome.context("two replicas on PostgreSQL")?,
        &progress,
    )?;

    if form == Form::Long {
        let own = act_folder(folder, "postgresql-on-a-small-disk")?;
        let faults = plan::postgres_on_disk(&mut chance);
        if let Some(disk) = disk(&own, &progress) {
            let stage = Stage::postgres(&binary, &own, Some(disk)).await?;
            let outcome =
                act::play(stage, faults, (form, seed.wrapping_add(1)), &own, &progress).await;
            add(
                &mut report,
                outcome.context("PostgreSQL on a small disk")?,
                &progress,
            )?;
        }
    }

    let own = act_folder(folder, "sqlite")?;
    let disk = if form == Form::Long {
        disk(&own, &progress)
    } else {
        None
    };
    let faults = plan::sqlite(form, disk.is_some(), &mut chance);
    let stage = Stage::sqlite(&binary, &own, disk).await?;
    let outcome = act::play(stage, faults, (form, seed.wrapping_add(2)), &own, &progress).await;
    add(
        &mut report,
        outcome.context("one replica on SQLite")?,
        &progress,
    )?;
    Ok(report)
}

fn act_folder(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    // The folder of the run is already open to PostgreSQL; its own has to be as well.
    let own = Folder::new(folder, name)?;
    Ok(own.path().to_owned())
}

fn disk(folder: &Path, progress: &Progress) -> Option<Disk> {
    match Stage::disk(folder) {
        Ok(disk) => Some(disk),
        Err(error) => {
            progress.say(&format!(
                "NO FULL DISK: a tmpfs cannot be mounted here ({error:#}); root can"
            ));
            None
        }
    }
}

fn add(report: &mut Report, outcome: Outcome, progress: &Progress) -> anyhow::Result<()> {
    let violations = &outcome.judgement.violations;
    progress.say(&format!(
        "judged {} calls and {} events: {} violations",
        outcome.judgement.calls,
        outcome.events,
        violations.len()
    ));
    let shown = &violations[..violations.len().min(judge::VIOLATIONS_SHOWN)];
    ensure!(
        violations.is_empty(),
        "the history does not hold:\n{}",
        shown.join("\n")
    );
    report.add(outcome);
    Ok(())
}
