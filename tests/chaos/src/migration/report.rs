//! What a run of the scenario `migration` has found out, as figures: the last lines that it prints, and its block of
//! docs/benchmarks.md.

use std::{fmt, path::Path};

use anyhow::ensure;

use super::{
    check::{Excuse, Met, Verdict, met},
    history::{Asked, Change, Exchange, History, Outage, Side},
};
use crate::{page, progress::Progress};

/// Its block of the page.
const BLOCK: &str = "chaos-migration";

/// The head of the table of kills.
const KILLS: &str = "
| killed | away, ms | creates in flight to it | told 502 or 503 | done |
| --- | ---: | ---: | ---: | ---: |
";

/// What a run has found out.
#[derive(Debug)]
pub struct Report {
    pub(super) verdict: Verdict,
    doctored_histories_caught: u64,
    changes: u64,
    kills: Vec<Kill>,
    fell_back: u64,
    pinned: u64,
    explained: u64,
    differences: u64,
    /// Requests by what was asked: how many, and the slowest answer.
    asked: Vec<(&'static str, u64, u64)>,
}

/// A kill, how long the process was away, and what it has met.
#[derive(Debug)]
struct Kill {
    side: Side,
    fallback: bool,
    away_us: u64,
    met: Met,
}

impl Kill {
    fn what(&self) -> &'static str {
        match (self.side, self.fallback) {
            (Side::Legacy, _) => "the monolith",
            (Side::Grpc, true) => "the gRPC service, with fallback",
            (Side::Grpc, false) => "the gRPC service, without fallback",
        }
    }

    fn row(&self) -> String {
        let Met {
            creates,
            told,
            done,
        } = self.met;
        let (what, away_ms) = (self.what(), self.away_us / 1_000);
        format!("| {what} | {away_ms} | {creates} | {told} | {done} |\n")
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = self.what();
        let (away_ms, met) = (self.away_us / 1_000, self.met);
        let Met {
            creates,
            told,
            done,
        } = met;
        write!(
            f,
            "{side}: away for {away_ms} ms, {creates} creates in flight to it, {told} told 502 or 503, {done} done"
        )
    }
}

impl Report {
    pub(super) fn new(history: &History, verdict: Verdict, caught: u64) -> Self {
        let kill = |it: &Outage| {
            let before = |change: &&Change| change.ended_us <= it.killed_us;
            let change = history.changes.iter().rfind(before);
            Kill {
                side: it.side,
                fallback: change.is_some_and(|change| change.fallback),
                away_us: it.back_us - it.killed_us,
                met: met(history, it),
            }
        };
        let decisions = history.decisions.values();
        Self {
            verdict,
            doctored_histories_caught: caught,
            changes: history.changes.len() as u64,
            kills: history.outages.iter().map(kill).collect(),
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
        let killed = |side| self.kills.iter().filter(|it| it.side == side).count() as u64;
        let away_us = self.kills.iter().map(|it| it.away_us);
        let (shortest_us, longest_us) = (away_us.clone().min(), away_us.max());
        let in_flight = self.kills.iter().map(|it| it.met.creates).sum();
        vec![
            ("migration_changes", self.changes, "changes"),
            ("migration_grpc_kills", killed(Side::Grpc), "kills"),
            ("migration_monolith_kills", killed(Side::Legacy), "kills"),
            (
                "migration_outage_ms_min",
                shortest_us.unwrap_or_default() / 1_000,
                "ms",
            ),
            (
                "migration_outage_ms_max",
                longest_us.unwrap_or_default() / 1_000,
                "ms",
            ),
            ("migration_creates_in_flight", in_flight, "requests"),
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
            ("migration_fell_back", self.fell_back, "requests"),
            ("migration_pinned", self.pinned, "requests"),
            (
                "migration_pin_over_ms_max",
                verdict.pin_over_us / 1_000,
                "ms",
            ),
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
        for kill in &self.kills {
            progress.say(&format!("killed {kill}"));
        }
    }

    /// That each side was killed while something was being created there, with fallback and without.
    ///
    /// # Errors
    /// If nothing was: the run has proved less than it is there for.
    pub(super) fn has_met_creates(&self) -> anyhow::Result<()> {
        for kill in &self.kills {
            let mut same = self.kills.iter().filter(|it| it.what() == kill.what());
            ensure!(
                same.any(|it| it.met.told > 0),
                "no kill of {} has met a create in flight that was told so",
                kill.what()
            );
        }
        Ok(())
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
        block.push_str(KILLS);
        for kill in &self.kills {
            block.push_str(&kill.row());
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
