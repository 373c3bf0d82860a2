//! The ceiling: the statements of a whole batch of holds in a loop over one connection, with nothing around them. No
//! server, no decisions, no answers to anybody; batches are made up by another task meanwhile.

mod postgres;
mod sqlite;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use jiff::Timestamp;
use prost::Message as _;
use sea_orm::sqlx;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    booked::Booked,
    catalogue,
    generator::{Run, Span},
    tally::{Answer, Tally},
    traffic::Traffic,
    usage::Processes,
};

/// Batches that are made up ahead.
const AHEAD: usize = 4;
/// Holds that are written at once.
#[derive(Debug)]
struct Batch {
    id: String,
    now: i64,
    rows: Vec<Row>,
    /// How much of each cell is taken.
    cells: Vec<(i64, i64, i64)>,
}

/// One hold of a batch.
#[derive(Debug)]
struct Row {
    booked: Booked,
    principal: String,
    request_id: String,
    fingerprint: Vec<u8>,
    answer: Vec<u8>,
    event: Vec<u8>,
}

enum Connection {
    Postgres(sqlx::PgConnection),
    Sqlite(sqlx::SqliteConnection),
}

impl Connection {
    async fn open(url: &str) -> anyhow::Result<Self> {
        let opened = if url.starts_with("sqlite:") {
            sqlite::open(url).await.map(Self::Sqlite)
        } else {
            postgres::open(url).await.map(Self::Postgres)
        };
        opened.context("cannot open the raw statements' database")
    }

    /// The last commit that is there.
    async fn last_number(&mut self) -> sqlx::Result<i64> {
        match self {
            Self::Postgres(connection) => postgres::last_number(connection).await,
            Self::Sqlite(connection) => sqlite::last_number(connection).await,
        }
    }

    async fn write(&mut self, batch: &Batch, first: i64) -> sqlx::Result<()> {
        match self {
            Self::Postgres(connection) => postgres::write(connection, batch, first).await,
            Self::Sqlite(connection) => sqlite::write(connection, batch, first).await,
        }
    }
}

/// Writes batches of `size` holds as fast as the database takes them.
///
/// # Errors
/// If the database fails, or there was nothing left to ask for before the end.
pub async fn run(
    url: &str,
    traffic: Arc<Traffic>,
    size: usize,
    span: Span,
    database: Option<u32>,
) -> anyhow::Result<Run> {
    let mut connection = Connection::open(url).await?;
    let (sender, mut batches) = mpsc::channel(AHEAD);
    let maker = tokio::spawn(async move {
        while let Some(batch) = make(&traffic, size) {
            if sender.send(batch).await.is_err() {
                return;
            }
        }
    });
    let processes = Processes {
        server: std::process::id(),
        database,
    };
    let mut numbers = connection.last_number().await?;
    let mut write = async |span: Duration| {
        let (usage, start) = (processes.usage(), Instant::now());
        let mut tally = Tally::default();
        while start.elapsed() < span {
            let batch = batches.recv().await;
            let batch = batch.context("sold out before the end of the run")?;
            let sent = Instant::now();
            connection.write(&batch, numbers + 1).await?;
            let held = batch.rows.len();
            numbers += i64::try_from(held)?;
            let held = u64::try_from(held)?;
            tally.add(
                Answer {
                    held,
                    ..Answer::default()
                },
                sent.elapsed(),
            );
        }
        anyhow::Ok(Run {
            tally,
            seconds: start.elapsed().as_secs_f64(),
            usage: processes.usage() - usage,
        })
    };
    write(span.warm_up).await?;
    let run = write(span.measured).await;
    maker.abort();
    run
}

/// The next batch: of guests who want the same seat only the first is in it.
fn make(traffic: &Traffic, size: usize) -> Option<Batch> {
    let now = Timestamp::now();
    let mut rows: Vec<Row> = Vec::with_capacity(size);
    let mut cells: HashMap<(i64, i64), i64> = HashMap::new();
    while rows.len() < size {
        let ask = traffic.next()?;
        if ask.contended {
            continue;
        }
        let request = traffic.message(&ask);
        let booked = Booked::of(&request, now)?;
        *cells.entry((booked.pool, booked.slot)).or_default() += 1;
        rows.push(Row {
            principal: format!("{:064x}", ask.number % 10_000),
            request_id: request.request_id,
            fingerprint: vec![7; 32],
            answer: booked.answer(1).encode_to_vec(),
            event: booked.event(1),
            booked,
        });
    }
    Some(Batch {
        id: Uuid::now_v7().to_string(),
        now: now.as_microsecond(),
        rows,
        cells: cells
            .into_iter()
            .map(|((pool, slot), taken)| (pool, slot, taken))
            .collect(),
    })
}

/// What there is of a cell.
fn capacity(pool: i64) -> i64 {
    if pool == catalogue::ROOM_POOL {
        catalogue::ROOMS
    } else {
        1
    }
}
