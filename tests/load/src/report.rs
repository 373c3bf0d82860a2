//! What a benchmark found, as JSON for the script that writes it down.

use serde::Serialize;

use crate::{generator::Run, tally::Latency};

/// What was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Engine {
    /// HoldBooking of the service.
    #[serde(rename = "HoldBooking")]
    Service,
    /// BatchHold of the service.
    #[serde(rename = "BatchHold")]
    Batch,
    /// One transaction a request, with row locks.
    #[serde(rename = "naive")]
    Naive,
    /// The same, in the order of commits.
    #[serde(rename = "naive, in commit order")]
    NaiveInOrder,
    /// Statements alone.
    #[serde(rename = "raw SQL")]
    Raw,
}

/// What was sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Scenario {
    /// One screening at a time.
    #[serde(rename = "hot screening")]
    HotScreening,
    /// One room type on one night.
    #[serde(rename = "hot room type, one night")]
    HotNight,
    /// 1,000 screenings.
    #[serde(rename = "spread over 1,000 screenings")]
    Spread,
    /// The hot screening beside few bookings that were there before.
    #[serde(rename = "hot screening, few bookings before")]
    Few,
    /// The hot screening beside many bookings that were there before.
    #[serde(rename = "hot screening, many bookings before")]
    Many,
    /// The hot screening at a fixed rate.
    #[serde(rename = "hot screening, open loop")]
    Open,
}

/// On what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// PostgreSQL.
    #[serde(rename = "PostgreSQL")]
    Postgres,
    /// SQLite.
    #[serde(rename = "SQLite")]
    Sqlite,
}

/// Which measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// What was sold.
    pub scenario: Scenario,
    /// On what.
    pub database: Kind,
    /// By whom.
    pub engine: Engine,
}

/// One measurement, or the median of several.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Of what.
    #[serde(flatten)]
    pub subject: Subject,
    /// Holds granted a second.
    pub holds_per_s: f64,
    /// Answers a second, refusals included.
    pub answers_per_s: f64,
    /// Refused because somebody else has it, of all answers.
    pub refused_share: f64,
    /// Calls that failed.
    pub failed: u64,
    /// Of those that were granted.
    #[serde(flatten)]
    pub latency: Latency,
    /// Processor time of the one that answers for each hold, in microseconds.
    pub server_us: f64,
    /// Processor time of PostgreSQL for each hold, in microseconds; 0 for SQLite, which runs inside the server.
    pub database_us: f64,
    /// Processor time of the load generator for each hold, in microseconds; 0 where there is none.
    pub client_us: f64,
}

impl Row {
    /// A run as a row.
    pub fn new(subject: Subject, run: &Run) -> Self {
        let tally = &run.tally;
        let answers = tally.held + tally.refused;
        let each = |total: u64| total as f64 / tally.held.max(1) as f64;
        let alone = subject.engine == Engine::Raw;
        Self {
            subject,
            holds_per_s: run.holds_per_s(),
            answers_per_s: run.answers_per_s(),
            refused_share: tally.refused as f64 / answers.max(1) as f64,
            failed: tally.failed.values().sum(),
            latency: tally.latency().unwrap_or_default(),
            server_us: each(run.usage.server_us),
            database_us: each(run.usage.database_us),
            client_us: if alone {
                0.0
            } else {
                each(run.usage.client_us)
            },
        }
    }
}

/// Resident memory of the service while it is loaded as much as it can take.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// For how long.
    pub seconds: f64,
    /// Holds granted meanwhile.
    pub holds: u64,
    /// After the warm-up.
    pub start_mb: f64,
    /// Half-way.
    pub middle_mb: f64,
    /// At the end.
    pub end_mb: f64,
}

/// What was chosen by trying, because it is best.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Choices {
    /// Clients of the service that each wait for their answer.
    pub clients: usize,
    /// The same for the naive engine.
    pub naive_clients: usize,
    /// Connections of the naive engine.
    pub naive_pool: u32,
    /// The same when it keeps the order of commits.
    pub naive_in_order_pool: u32,
    /// Clients that call BatchHold.
    pub batch_clients: usize,
    /// Holds of one raw batch.
    pub raw_batch: usize,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of PostgreSQL.
    pub postgres_version: String,
    /// Every measurement was made so often; rows are those of the median.
    pub rounds: usize,
    /// Seconds of one measurement.
    pub seconds: f64,
    /// What was tried and chosen.
    pub choices: Choices,
    /// Bookings that were there before: few, and many.
    pub bookings_before: [i64; 2],
    /// One for each subject.
    pub rows: Vec<Row>,
    /// Of the service.
    pub memory: Memory,
    /// Name, value and unit.
    pub figures: Vec<(String, f64, String)>,
}

/// The row in the middle, the lower one of two, for each subject: by its rate, or by its latency where the rate was given.
pub fn medians(mut rows: Vec<Row>) -> Vec<Row> {
    let mut medians = Vec::new();
    while let Some(subject) = rows.first().map(|row| row.subject) {
        let (mut same, others): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.subject == subject);
        let rank = |row: &Row| match row.subject.scenario {
            Scenario::Open => row.latency.p99_ms,
            _ => row.holds_per_s,
        };
        same.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
        medians.push(same.swap_remove((same.len() - 1) / 2));
        rows = others;
    }
    medians
}

#[cfg(test)]
mod tests {
    use crate::{tally::Tally, usage::Usage};

    use super::*;

    #[test]
    fn medians_are_taken_for_each_subject() {
        let row = |engine, held| {
            let mut tally = Tally::default();
            tally.held = held;
            let subject = Subject {
                scenario: Scenario::Spread,
                database: Kind::Sqlite,
                engine,
            };
            let run = Run {
                tally,
                seconds: 1.0,
                usage: Usage::default(),
            };
            Row::new(subject, &run)
        };
        let rows = vec![
            row(Engine::Service, 3),
            row(Engine::Naive, 9),
            row(Engine::Service, 1),
            row(Engine::Service, 2),
        ];
        let found: Vec<_> = medians(rows)
            .into_iter()
            .map(|row| (row.subject.engine, row.holds_per_s))
            .collect();
        assert_eq!(found, [(Engine::Service, 2.0), (Engine::Naive, 9.0)]);
    }
}
