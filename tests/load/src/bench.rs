//! `make bench-holds`: what the service sells a second, beside the naive engine and beside statements alone.
//!
//! Peers take turns within each round, each on a fresh copy of the same database, and rows are those of the median
//! round: what the machine does meanwhile hits all of them. What has a best setting (clients, connections, sizes) is
//! tried first.

mod measure;
mod plan;
mod search;

use std::path::Path;

use anyhow::Context as _;

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
    let before = measure.bookings_before().await?;
    let mut rows = Vec::new();
    for round in 0..plan.rounds {
        say(&format!("round {} of {}", round + 1, plan.rounds));
        rows.extend(measure.round(round, &before).await?);
    }
    let rows = medians(rows);
    let hot = of(
        &rows,
        Scenario::HotScreening,
        Kind::Postgres,
        Engine::Service,
    )?;
    let (mut rows, rate) = (rows.clone(), hot.answers_per_s * 0.7);
    rows.extend(medians(measure.open(rate).await?));
    let memory = measure.sustained().await?;
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
        rows,
        memory,
    })
}

fn figures(rows: &[Row]) -> anyhow::Result<Vec<(String, f64, String)>> {
    use Engine::{Batch, Naive, NaiveInOrder, Raw, Service};
    use Kind::{Postgres, Sqlite};
    let rate = |scenario, database, engine| {
        of(rows, scenario, database, engine).map(|row| row.holds_per_s)
    };
    let hot = rate(Scenario::HotScreening, Postgres, Service)?;
    // The same schema and the same promise to followers of the feed; without that promise naive is faster.
    let naive = rate(Scenario::HotScreening, Postgres, NaiveInOrder)?;
    let unordered = rate(Scenario::HotScreening, Postgres, Naive)?;
    let batch = rate(Scenario::HotScreening, Postgres, Batch)?;
    let raw = rate(Scenario::HotScreening, Postgres, Raw)?;
    let few = rate(Scenario::Few, Postgres, Service)?;
    let many = rate(Scenario::Many, Postgres, Service)?;
    let open = of(rows, Scenario::Open, Postgres, Service)?;
    let figures = [
        ("hot_pg_holds_per_s", hot, "holds/s"),
        ("hot_pg_vs_naive", hot / naive, "x"),
        ("hot_pg_vs_naive_unordered", hot / unordered, "x"),
        (
            "hot_sqlite_holds_per_s",
            rate(Scenario::HotScreening, Sqlite, Service)?,
            "holds/s",
        ),
        (
            "spread_pg_holds_per_s",
            rate(Scenario::Spread, Postgres, Service)?,
            "holds/s",
        ),
        ("batchhold_vs_raw_sql", batch / raw * 100.0, "%"),
        ("hold_p99_ms_at_70pct", open.latency.p99_ms, "ms"),
        ("holds_per_s_5m_vs_1k", many / few, "x"),
    ];
    let owned = figures.map(|(name, value, unit)| (name.to_owned(), value, unit.to_owned()));
    Ok(owned.to_vec())
}

fn of(rows: &[Row], scenario: Scenario, database: Kind, engine: Engine) -> anyhow::Result<&Row> {
    let subject = Subject {
        scenario,
        database,
        engine,
    };
    let row = rows.iter().find(|row| row.subject == subject);
    row.with_context(|| format!("{subject:?} was not measured"))
}
