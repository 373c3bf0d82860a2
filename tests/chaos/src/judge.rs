//! What the checker of histories says of what was seen, and whether the checker can be trusted.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};
use banyan_history::{check, record, selftest};

use crate::load::{REFUSED_LATE, RESOLD, Tally};

/// The seed of the histories that the checker is tried on.
const SELFTEST_SEED: u64 = 1;

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// Calls that were judged.
    pub(crate) calls: u64,
    /// Requests that were acknowledged and are gone.
    pub(crate) acknowledged_lost: u64,
    /// Cells that were sold beyond what there is.
    pub(crate) oversold_cells: u64,
    /// Everything that is wrong, for people.
    pub(crate) violations: Vec<String>,
}

/// Judges a history, and that it has seen what it is about. What the checker says lies beside the history.
pub(crate) fn judge(folder: &Path, tally: &Tally) -> anyhow::Result<Judgement> {
    let history = record::read_file(&folder.join("history.jsonl"));
    let history = history.context("cannot read the history again")?;
    let report = check(&history);
    fs::write(folder.join("report.txt"), report.to_string()).context("cannot write the report")?;
    let mut violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    violations.extend(report.unproven.iter().map(|it| format!("not proven: {it}")));
    let unreadable = tally
        .iter()
        .filter(|(what, _)| what.contains("Internal") || *what == "unreadable");
    violations
        .extend(unreadable.map(|(what, count)| format!("{count} calls were answered: {what}")));
    let unseen = [RESOLD, REFUSED_LATE]
        .into_iter()
        .filter(|wanted| !tally.contains_key(*wanted));
    violations.extend(unseen.map(|wanted| format!("the run has never seen: {wanted}")));
    Ok(Judgement {
        calls: report.calls,
        acknowledged_lost: report.acknowledged_lost(),
        oversold_cells: report.oversold_cells.len() as u64,
        violations,
    })
}

/// Tries the checker on so many correct histories, each also corrupted in every way there is; how many corrupted ones it
/// has caught, which has to be all.
pub(crate) fn selftest(histories: u64) -> anyhow::Result<u64> {
    let tally = selftest::run(SELFTEST_SEED, histories);
    ensure!(tally.is_good(), "the checker cannot be trusted: {tally:?}");
    Ok(tally.corrupted_histories_caught())
}
