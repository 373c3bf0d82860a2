//! `make bench-holds`: what the service sells a second, beside the naive engine and beside statements alone.
//!
//! Peers take turns within each round, each on a fresh copy of the same database, a row is the median of its own, and a
//! ratio that of the median round: what the machine does meanwhile hits all of them. The hot screening, by which the
//! service is held to the naive engine, is measured twice a round, there and back. What has a best setting (clients,
//! connections, sizes) is tried first. Databases with bookings from before come last: millions of them would take memory
//! and time of the machine from everything else, which says nothing of it.

mod measure;
mod plan;
mod search;
mod under_load;

use std::path::Path;

use crate::{
    databases::Databases,
    report::{Choices, Engine, Kind, Report, Row, Scenario, Subject, medians},
};
use measure::Measure;
use plan::Plan;

/// Runs all of it with the program at `binary`; `say` is told how far it has come.
///
/// # Errors
/// If anything fails or does not add up: half a benchmark is none.
pub async fn run(
    binary: &Path,
    quick: bool,
    rounds: Option<usize>,
    say: fn(&str),
) -> anyhow::Result<Report> {
    let mut plan = if quick { Plan::QUICK } else { Plan::FULL };
    plan.rounds = rounds.unwrap_or(plan.rounds);
    say("filling the databases");
    let databases = Databases::start(binary, plan.naive_requests).await?;
    let mut measure = Measure {
        binary,
        databases: &databases,
        plan,
        choices: Choices::default(),
        say,
    };
    measure.choices = search::best(&measure).await?;
    let mut rows = Vec::new();
    for round in 0..plan.rounds {
        say(&format!("round {} of {}", round + 1, plan.rounds));
        rows.extend(measure.round(round).await?);
    }
    let memory = measure.sustained().await?;
    let before = measure.bookings_before().await?;
    for round in 0..plan.rounds {
        rows.extend(measure.compare_bookings_before(round, &before).await?);
    }
    for it in &before {
        databases.settle(&it.url).await?;
    }
    Ok(Report {
        postgres_version: databases.version().await?,
        rounds: plan.rounds,
        seconds: plan.span.measured.as_secs_f64(),
        choices: measure.choices,
        bookings_before: plan.bookings_before,
        figures: figures(&rows)?,
        rows: medians(rows),
        memory,
    })
}

/// What comes of the rows of all rounds. Ratios are those of the median round: each compares what was measured close
/// together, for the machine may be half as fast a few minutes later.
fn figures(rows: &[Row]) -> anyhow::Result<Vec<(String, f64, String)>> {
    use Engine::{Batch, Naive, NaiveInOrder, Raw, Service};
    use Kind::{Postgres, Sqlite};
    use Scenario::{Few, HotScreening, Many, Open, Spread};
    let rates = |scenario, database, engine| {
        let rows = of(rows, scenario, database, engine)?;
        anyhow::Ok(rows.iter().map(|it| it.holds_per_s).collect::<Vec<f64>>())
    };
    let hot = rates(HotScreening, Postgres, Service)?;
    // The same schema and the same promise to followers of the feed; without that promise naive is faster.
    let naive = rates(HotScreening, Postgres, NaiveInOrder)?;
    let unordered = rates(HotScreening, Postgres, Naive)?;
    let batch = rates(HotScreening, Postgres, Batch)?;
    let raw = rates(HotScreening, Postgres, Raw)?;
    let few = rates(Few, Postgres, Service)?;
    let many = rates(Many, Postgres, Service)?;
    let open = of(rows, Open, Postgres, Service)?;
    let p99 = open.iter().map(|it| it.latency.p99_ms).collect();
    let sqlite = rates(HotScreening, Sqlite, Service)?;
    let spread = rates(Spread, Postgres, Service)?;
    let figures = [
        ("hot_pg_holds_per_s", median(hot.clone()), "holds/s"),
        ("hot_pg_vs_naive", ratio(&hot, &naive), "x"),
        ("hot_pg_vs_naive_unordered", ratio(&hot, &unordered), "x"),
        ("hot_sqlite_holds_per_s", median(sqlite), "holds/s"),
        ("spread_pg_holds_per_s", median(spread), "holds/s"),
        ("batchhold_vs_raw_sql", ratio(&batch, &raw) * 100.0, "%"),
        ("hold_p99_ms_at_70pct", median(p99), "ms"),
        ("holds_per_s_5m_vs_1k", ratio(&many, &few), "x"),
    ];
    let owned = figures.map(|(name, value, unit)| (name.to_owned(), value, unit.to_owned()));
    Ok(owned.to_vec())
}

/// The median of the rounds' ratios.
fn ratio(rates: &[f64], peers: &[f64]) -> f64 {
    median(
        rates
            .iter()
            .zip(peers)
            .map(|(it, peer)| it / peer)
            .collect(),
    )
}

/// The value in the middle, the mean of the two of an even number; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => 0.0,
        (count, middle) if count % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        (_, middle) => values[middle],
    }
}

/// A row for each round, in their order.
fn of(
    rows: &[Row],
    scenario: Scenario,
    database: Kind,
    engine: Engine,
) -> anyhow::Result<Vec<&Row>> {
    let subject = Subject {
        scenario,
        database,
        engine,
    };
    let found: Vec<&Row> = rows.iter().filter(|row| row.subject == subject).collect();
    anyhow::ensure!(!found.is_empty(), "{subject:?} was not measured");
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_the_median_round() {
        // As a whole the machine is slower from round to round.
        assert!((ratio(&[90.0, 44.0, 10.0], &[10.0, 4.0, 2.0]) - 9.0).abs() < 1e-9);
        assert!(median(Vec::new()).abs() < 1e-9);
        assert!((median(vec![5.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }
}
