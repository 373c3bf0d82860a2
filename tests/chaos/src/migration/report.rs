//! What a run of the scenario `migration` has found out, as figures: the last lines that it prints, and its block of
//! docs/benchmarks.md.

use std::path::Path;

use super::{
    check::{Excuse, Verdict},
    history::{Asked, Exchange, History, Side},
};
use crate::{page, progress::Progress};

/// Its block of the page.
const BLOCK: &str = "chaos-migration";

/// What a run has found out.
#[derive(Debug)]
pub struct Report {
    pub(super) verdict: Verdict,
    doctored_histories_caught: u64,
    changes: u64,
    kills: [u64; 2],
    slowest_return_us: u64,
    fell_back: u64,
    pinned: u64,
    explained: u64,
    differences: u64,
    /// Requests by what was asked: how many, and the slowest answer.
    asked: Vec<(&'static str, u64, u64)>,
}

impl Report {
    pub(super) fn new(history: &History, verdict: Verdict, caught: u64) -> Self {
        let killed = |side| history.outages.iter().filter(|it| it.side == side).count() as u64;
        let returns = history.outages.iter().map(|it| it.back_us - it.killed_us);
        let decisions = history.decisions.values();
        Self {
            verdict,
            doctored_histories_caught: caught,
            changes: history.changes.len() as u64,
            kills: [killed(Side::Grpc), killed(Side::Legacy)],
            slowest_return_us: returns.max().unwrap_or_default(),
            fell_back: decisions.clone().filter(|it| it.fell_back).count() as u64,
            pinned: decisions.filter(|it| it.reason == "pin").count() as u64,
            explained: history.end.explained,
            differences: history.end.differences,
            asked: asked(&history.exchanges),
        }
    }

    /// Each figure: its name, value and unit.
    #[must_use]
    pub fn figures(&self) -> Vec<(&'static str, u64, &'static str)> {
        let verdict = &self.verdict;
        let excused = |excuse: Excuse| verdict.excused.get(&excuse).copied().unwrap_or_default();
        vec![
            ("migration_changes", self.changes, "changes"),
            ("migration_grpc_kills", self.kills[0], "kills"),
            ("migration_monolith_kills", self.kills[1], "kills"),
            (
                "migration_slowest_return_ms",
                self.slowest_return_us / 1_000,
                "ms",
            ),
            (
                "migration_excused_in_flight",
                excused(Excuse::InFlight),
                "requests",
            ),
            (
                "migration_excused_no_ids",
                excused(Excuse::NoIds),
                "requests",
            ),
            (
                "migration_excused_cut_off",
                excused(Excuse::AnswerBegun),
                "requests",
            ),
            ("migration_fell_back", self.fell_back, "requests"),
            ("migration_pinned", self.pinned, "requests"),
            (
                "migration_in_force_ms_max",
                verdict.in_force_us / 1_000,
                "ms",
            ),
            ("migration_explained", self.explained, "decisions"),
            ("migration_shadow_differences", self.differences, "answers"),
            (
                "migration_doctored_caught",
                self.doctored_histories_caught,
                "histories",
            ),
            ("migration_requests", verdict.requests, "requests"),
            ("migration_failed_requests", verdict.failed, "requests"),
            ("migration_lost_writes", verdict.lost_writes, "writes"),
            ("migration_moved_back", verdict.moved_back, "subjects"),
            (
                "migration_stale_own_reads",
                verdict.stale_own_reads,
                "reads",
            ),
        ]
    }

    /// Tells what has not held, too.
    pub(super) fn say(&self, progress: &Progress) {
        if !self.verdict.violations.is_empty() {
            for (name, value, unit) in self.figures() {
                progress.say(&format!("{name} {value} {unit}"));
            }
        }
    }

    /// Requests by what was asked, for people.
    #[must_use]
    pub fn asked(&self) -> &[(&'static str, u64, u64)] {
        &self.asked
    }

    /// Writes the figures into their block of a page.
    ///
    /// # Errors
    /// If the page cannot be read or written, or has no such block.
    pub fn write_into(&self, page: &Path, date: jiff::civil::Date) -> anyhow::Result<()> {
        page::write(page, BLOCK, &self.block(&page::machine(), date))
    }

    fn block(&self, machine: &str, date: jiff::civil::Date) -> String {
        let mut block = format!("{} on {machine}, {date}.\n\n", page::build());
        block.push_str("| figure | value | unit |\n| --- | ---: | --- |\n");
        for (name, value, unit) in self.figures() {
            block.push_str(&format!("| {name} | {value} | {unit} |\n"));
        }
        block.push_str("\n| asked | requests | slowest answer, ms |\n| --- | ---: | ---: |\n");
        for (what, count, slowest_ms) in &self.asked {
            block.push_str(&format!("| {what} | {count} | {slowest_ms} |\n"));
        }
        block
    }
}

fn asked(exchanges: &[Exchange]) -> Vec<(&'static str, u64, u64)> {
    let mut all: std::collections::BTreeMap<&'static str, (u64, u64)> = Default::default();
    for it in exchanges {
        let what = match it.asked {
            Asked::Create { .. } => "a movie created",
            Asked::Movie { .. } => "an own movie read",
            Asked::Movies => "all movies listed",
            Asked::Hold => "a room held",
            Asked::Confirm { .. } => "a hold confirmed",
            Asked::Cancel { .. } => "a booking cancelled",
            Asked::Booking { .. } => "an own booking read",
        };
        let (count, slowest) = all.entry(what).or_default();
        *count += 1;
        *slowest = (*slowest).max((it.ended_us - it.sent_us) / 1_000);
    }
    all.into_iter()
        .map(|(what, (count, slowest))| (what, count, slowest))
        .collect()
}
