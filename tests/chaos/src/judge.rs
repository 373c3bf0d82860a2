//! What the checker of histories says of what was seen, and whether the checker can be trusted.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Read as _},
    path::Path,
};

use anyhow::{Context as _, bail, ensure};
use banyan_history::{
    check,
    record::{self, History},
    report::Report,
    selftest,
};

use crate::load::{REFUSED_LATE, RESOLD, Tally};

/// The file of a history, in the folder of its act.
pub(crate) const HISTORY: &str = "history.jsonl";
/// Violations that the error of a run tells; the report in its folder has all.
pub(crate) const VIOLATIONS_SHOWN: usize = 10;
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

/// A moment at which nobody waited for an answer.
#[derive(Debug)]
pub(crate) struct Moment {
    /// So much of the history was written.
    pub(crate) bytes: u64,
    /// The feed and the state that the database held.
    pub(crate) held: History,
}

/// Judges what was seen up to a moment, while the load goes on.
///
/// # Errors
/// What does not hold; history and report of the moment are kept in the folder.
pub(crate) fn judge_so_far(folder: &Path, moment: Moment) -> anyhow::Result<()> {
    let file = File::open(folder.join(HISTORY)).context("cannot open the history")?;
    let so_far = BufReader::with_capacity(1 << 20, file.take(moment.bytes));
    let mut history = record::read(so_far).context("cannot read the history so far")?;
    history.feed = moment.held.feed;
    history.end = moment.held.end;
    let report = check(&history);
    let violations = violations(&report);
    if violations.is_empty() {
        return Ok(());
    }
    write_report(folder, &report)?;
    let kept = File::create(folder.join("history-so-far.jsonl"));
    let kept = kept.and_then(|file| record::write(history, BufWriter::new(file)));
    kept.context("cannot keep the history so far")?;
    let shown = &violations[..violations.len().min(VIOLATIONS_SHOWN)];
    bail!("the history does not hold:\n{}", shown.join("\n"))
}

fn violations(report: &Report) -> Vec<String> {
    let violations = report.violations.iter().map(ToString::to_string);
    let unproven = report.unproven.iter();
    let unproven = unproven.map(|it| format!("not proven: {it}"));
    violations.chain(unproven).collect()
}

fn write_report(folder: &Path, report: &Report) -> anyhow::Result<()> {
    fs::write(folder.join("report.txt"), report.to_string()).context("cannot write the report")
}

/// Judges a history, and that it has seen what it is about. What the checker says lies beside the history.
pub(crate) fn judge(folder: &Path, tally: &Tally) -> anyhow::Result<Judgement> {
    let history = record::read_file(&folder.join(HISTORY));
    let history = history.context("cannot read the history again")?;
    let report = check(&history);
    write_report(folder, &report)?;
    let mut violations = violations(&report);
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use banyan_history::record::Change;

    use super::*;
    use crate::folder::Folder;

    #[test]
    fn what_was_seen_until_a_moment_is_judged_and_kept_where_it_does_not_hold() {
        let name = format!("banyan-judged-{}", std::process::id());
        let folder = Folder::new(&std::env::temp_dir(), &name).unwrap();
        let mut history = selftest::generate(SELFTEST_SEED);
        let (feed, end) = (history.feed.take(), history.end.take());
        let mut lines = Vec::new();
        record::write(history, &mut lines).unwrap();
        let moment = |feed| Moment {
            bytes: lines.len() as u64,
            held: History {
                feed,
                end: end.clone(),
                ..History::default()
            },
        };
        let mut file = File::create(folder.path().join(HISTORY)).unwrap();
        file.write_all(&lines).unwrap();
        file.write_all(b"{\"line\": \"not of this mo").unwrap();

        judge_so_far(folder.path(), moment(feed.clone())).unwrap();
        let kept = folder.path().join("history-so-far.jsonl");
        assert!(!kept.exists());

        let mut feed = feed.unwrap();
        let is_booking = |it: &record::Event| matches!(it.change, Change::Booking { .. });
        let lost = feed.iter().rposition(is_booking).unwrap();
        feed.truncate(lost);
        let error = judge_so_far(folder.path(), moment(Some(feed))).unwrap_err();
        assert!(error.to_string().contains("does not hold"), "{error}");
        let kept = record::read_file(&kept).unwrap();
        assert!(!check(&kept).violations.is_empty());
        folder.discard();
    }
}
