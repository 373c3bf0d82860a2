//! What a run of the scenario `reservation` has found out, as figures: the last lines that it prints, and its block of
//! docs/benchmarks.md.

use std::{collections::BTreeMap, path::Path, time::Duration};

use crate::{
    act::Outcome,
    load::{REFUSED_LATE, RESOLD, Tally},
    page,
};

/// Its block of the page.
const BLOCK: &str = "chaos-reservation";

/// What a run has found out.
#[derive(Debug, Default)]
pub struct Report {
    kills: u64,
    judged: u64,
    acknowledged_lost: u64,
    oversold_cells: u64,
    calls: u64,
    events: u64,
    longest_outage: Duration,
    tally: Tally,
    returns: BTreeMap<String, (u64, Duration)>,
    /// Corrupted histories that the checker has caught, all of those that it was shown.
    pub corrupted_histories_caught: u64,
}

impl Report {
    /// Adds an act.
    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.kills += outcome.kills;
        self.judged += outcome.judged;
        self.acknowledged_lost += outcome.judgement.acknowledged_lost;
        self.oversold_cells += outcome.judgement.oversold_cells;
        self.calls += outcome.judgement.calls;
        self.events += outcome.events;
        self.longest_outage = self.longest_outage.max(outcome.longest_outage);
        for (what, count) in outcome.tally {
            *self.tally.entry(what).or_default() += count;
        }
        for (fault, (times, longest)) in outcome.returns {
            let (all, longest_of_all) = self.returns.entry(fault).or_default();
            *all += times;
            *longest_of_all = longest.max(*longest_of_all);
        }
    }

    /// Each figure: its name, value and unit.
    #[must_use]
    pub fn figures(&self) -> Vec<(&'static str, u64, &'static str)> {
        let starting = |start: &str| {
            let some = self
                .tally
                .iter()
                .filter(|(what, _)| what.starts_with(start));
            some.map(|(_, count)| count).sum()
        };
        let faults = self.returns.values().map(|(times, _)| times).sum();
        vec![
            ("calls", self.calls, "calls"),
            ("granted", starting("granted"), "calls"),
            ("refused", starting("refused"), "calls"),
            ("unknown_outcomes", starting("unknown"), "calls"),
            ("turned_away", starting("not done"), "calls"),
            ("feed_events", self.events, "events"),
            ("resold_after_expiry", starting(RESOLD), "holds"),
            ("late_confirms_refused", starting(REFUSED_LATE), "calls"),
            ("faults", faults, "faults"),
            ("longest_outage_ms", milliseconds(self.longest_outage), "ms"),
            (
                "slowest_return_ms",
                milliseconds(self.slowest_return()),
                "ms",
            ),
            ("histories_judged", self.judged, "histories"),
            ("kills", self.kills, "kills"),
            ("acknowledged_lost", self.acknowledged_lost, "bookings"),
            ("oversold_cells", self.oversold_cells, "cells"),
            (
                "corrupted_histories_caught",
                self.corrupted_histories_caught,
                "histories",
            ),
        ]
    }

    /// All kinds of answers with how many there were, for people.
    #[must_use]
    pub fn answers(&self) -> &Tally {
        &self.tally
    }

    /// Writes the figures into their block of a page.
    ///
    /// # Errors
    /// If the page cannot be read or written, or has no such block.
    pub fn write_into(&self, page: &Path, date: jiff::civil::Date) -> anyhow::Result<()> {
        page::write(page, BLOCK, &self.block(&page::machine(), date))
    }

    fn slowest_return(&self) -> Duration {
        self.returns
            .values()
            .map(|(_, longest)| *longest)
            .max()
            .unwrap_or_default()
    }

    fn block(&self, machine: &str, date: jiff::civil::Date) -> String {
        let mut block = format!("{} on {machine}, {date}.\n\n", page::build());
        block.push_str("| figure | value | unit |\n| --- | ---: | --- |\n");
        for (name, value, unit) in self.figures() {
            block.push_str(&format!("| {name} | {value} | {unit} |\n"));
        }
        block.push_str("\n| fault | times | slowest return, ms |\n| --- | ---: | ---: |\n");
        for (fault, (times, longest)) in &self.returns {
            block.push_str(&format!(
                "| {fault} | {times} | {} |\n",
                milliseconds(*longest)
            ));
        }
        block
    }
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
