//! What a run has found out, as figures: the last lines that it prints, and its block of docs/benchmarks.md.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context as _, ensure};

use crate::{
    act::Outcome,
    load::{REFUSED_LATE, RESOLD, Tally},
};

const BEGIN: &str = "<!-- chaos-reservation -->";
const END: &str = "<!-- /chaos-reservation -->";

/// What a run has found out.
#[derive(Debug, Default)]
pub struct Report {
    kills: u64,
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
        let text =
            fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
        let block = self.block(&machine(), date);
        let text =
            replaced(&text, &block).with_context(|| format!("cannot update {}", page.display()))?;
        fs::write(page, text).with_context(|| format!("cannot write {}", page.display()))
    }

    fn slowest_return(&self) -> Duration {
        self.returns
            .values()
            .map(|(_, longest)| *longest)
            .max()
            .unwrap_or_default()
    }

    fn block(&self, machine: &str, date: jiff::civil::Date) -> String {
        let mut block = format!("{BEGIN}\nRelease build on {machine}, {date}.\n\n");
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
        block + END
    }
}

fn replaced(text: &str, block: &str) -> anyhow::Result<String> {
    let begin = text
        .find(BEGIN)
        .with_context(|| format!("there is no {BEGIN}"))?;
    let end = text
        .find(END)
        .with_context(|| format!("there is no {END}"))?;
    ensure!(begin < end, "{END} comes before {BEGIN}");
    Ok(format!(
        "{}{block}{}",
        &text[..begin],
        &text[end + END.len()..]
    ))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Processors and memory of this machine, as the system calls them.
fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = cpus
        .lines()
        .filter_map(|line| line.strip_prefix("model name"));
    let models: Vec<&str> = models
        .map(|model| model.trim_start_matches([' ', '\t', ':']))
        .collect();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = kilobytes.and_then(|it| it.split_whitespace().next()?.parse::<f64>().ok());
    let gigabytes = kilobytes.unwrap_or_default() / f64::from(1 << 20);
    format!(
        "{} x {}, {gigabytes:.0} GiB",
        models.len(),
        models.first().unwrap_or(&"?")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_of_a_page_is_replaced_and_nothing_else() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let block = Report::default().block("a machine", jiff::civil::date(2026, 11, 21));
        let new = replaced(&page, &block).unwrap();
        assert!(
            new.starts_with("before\n") && new.ends_with("\nafter\n"),
            "{new}"
        );
        assert!(
            new.contains("| kills | 0 | kills |") && !new.contains("\nold\n"),
            "{new}"
        );
        assert!(replaced("nothing", &block).is_err());
    }
}
