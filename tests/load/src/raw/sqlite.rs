//! A batch on SQLite: statements of many rows, as many as its limit of parameters lets them have.

use std::{fmt::Write as _, str::FromStr as _};

use sea_orm::sqlx::{
    self, AssertSqlSafe, Connection as _, Sqlite, SqliteConnection,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{Batch, Row, capacity};
use crate::catalogue::{CURRENCY, PRICE_MINOR};

/// Rows of one statement; the widest has 19 parameters a row.
const ROWS: usize = 500;

type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

pub(super) async fn open(url: &str) -> sqlx::Result<SqliteConnection> {
    let options = SqliteConnectOptions::from_str(url)?
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true);
    SqliteConnection::connect_with(&options).await
}

pub(super) async fn last_number(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    let sql = "SELECT COALESCE(MAX(sequence), 0) FROM outbox";
    sqlx::query_scalar(sql).fetch_one(connection).await
}

pub(super) async fn write(
    connection: &mut SqliteConnection,
    batch: &Batch,
    first: i64,
) -> sqlx::Result<()> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let on = &mut *transaction;
    sqlx::query("SELECT sequence FROM commit_head WHERE id = 1")
        .fetch_one(&mut *on)
        .await?;
    for rows in batch.rows.chunks(ROWS) {
        repeated(on, rows).await?;
    }
    cells(on, batch).await?;
    let numbered: Vec<(i64, &Row)> = (first..).zip(&batch.rows).collect();
    for rows in numbered.chunks(ROWS) {
        bookings(on, batch, rows).await?;
        items(on, rows).await?;
        answers(on, batch, rows).await?;
        events(on, batch, rows).await?;
    }
    sqlx::query("INSERT INTO commit_batches (id, sequence, committed_at) VALUES ($1, $2, $3)")
        .bind(&batch.id)
        .bind(first)
        .bind(batch.now)
        .execute(&mut *on)
        .await?;
    let last = numbered.last().map_or(first, |row| row.0);
    sqlx::query(
        "UPDATE commit_head SET sequence = $1, last_item = $1, decided_at = $2 WHERE id = 1",
    )
    .bind(last)
    .bind(batch.now)
    .execute(&mut *on)
    .await?;
    transaction.commit().await
}

async fn repeated(on: &mut SqliteConnection, rows: &[Row]) -> sqlx::Result<()> {
    let sql = format!(
        "WITH w (principal, id) AS (VALUES {}) SELECT r.request_id FROM w CROSS JOIN request_ids r \
         WHERE r.principal = w.principal AND r.method = 'HoldBooking' AND r.request_id = w.id",
        rows_of(2, rows.len())
    );
    let bind = |query: Query<'static>, row: &Row| {
        query
            .bind(row.principal.clone())
            .bind(row.request_id.clone())
    };
    let query = rows.iter().fold(sqlx::query(AssertSqlSafe(sql)), bind);
    query.fetch_all(on).await.map(drop)
}

async fn cells(on: &mut SqliteConnection, batch: &Batch) -> sqlx::Result<()> {
    for cells in batch.cells.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO cells (pool, slot, capacity, taken) VALUES {} \
             ON CONFLICT (pool, slot) DO UPDATE SET taken = cells.taken + excluded.taken",
            rows_of(4, cells.len())
        );
        let bind = |query: Query<'static>, cell: &(i64, i64, i64)| {
            let (pool, slot, taken) = *cell;
            query.bind(pool).bind(slot).bind(capacity(pool)).bind(taken)
        };
        let query = cells.iter().fold(sqlx::query(AssertSqlSafe(sql)), bind);
        query.execute(&mut *on).await?;
    }
    Ok(())
}

async fn bookings(
    on: &mut SqliteConnection,
    batch: &Batch,
    rows: &[(i64, &Row)],
) -> sqlx::Result<()> {
    let sql = format!(
        "INSERT INTO bookings (id, principal, state, venue, venue_display_name, title, resource, check_in, check_out, \
         rooms, seats, starts_at, currency, total_minor, expires_at, created_at, updated_at, created_sequence, \
         updated_sequence) VALUES {}",
        rows_of(19, rows.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for (number, row) in rows {
        let it = &row.booked;
        query = query
            .bind(&it.id)
            .bind(&row.principal)
            .bind("HELD")
            .bind(it.venue)
            .bind(it.venue_display_name)
            .bind(it.title)
            .bind(&it.resource)
            .bind(it.nights.map(|nights| nights.0))
            .bind(it.nights.map(|nights| nights.1))
            .bind(it.nights.map(|_| 1_i64))
            .bind(it.seat.as_deref())
            .bind(it.seat.as_ref().map(|_| batch.now))
            .bind(CURRENCY)
            .bind(PRICE_MINOR)
            .bind(it.expires_at)
            .bind(batch.now)
            .bind(batch.now)
            .bind(number)
            .bind(number);
    }
    query.execute(on).await.map(drop)
}

async fn items(on: &mut SqliteConnection, rows: &[(i64, &Row)]) -> sqlx::Result<()> {
    let sql = format!(
        "INSERT INTO booking_items (id, booking, pool, slot, cell, quantity, price_minor) VALUES {}",
        rows_of(7, rows.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for (number, row) in rows {
        let it = &row.booked;
        query = query
            .bind(number)
            .bind(&it.id)
            .bind(it.pool)
            .bind(it.slot)
            .bind(&it.cell)
            .bind(1_i64)
            .bind(PRICE_MINOR);
    }
    query.execute(on).await.map(drop)
}

async fn answers(
    on: &mut SqliteConnection,
    batch: &Batch,
    rows: &[(i64, &Row)],
) -> sqlx::Result<()> {
    let sql = format!(
        "INSERT INTO request_ids (principal, method, request_id, fingerprint, booking, answer, created_at) VALUES {}",
        rows_of(7, rows.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for (_, row) in rows {
        query = query
            .bind(&row.principal)
            .bind("HoldBooking")
            .bind(&row.request_id)
            .bind(&row.fingerprint)
            .bind(&row.booked.id)
            .bind(&row.answer)
            .bind(batch.now);
    }
    query.execute(on).await.map(drop)
}

async fn events(
    on: &mut SqliteConnection,
    batch: &Batch,
    rows: &[(i64, &Row)],
) -> sqlx::Result<()> {
    let sql = format!(
        "INSERT INTO outbox (sequence, decided_at, event, booking) VALUES {}",
        rows_of(4, rows.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for (number, row) in rows {
        query = query
            .bind(number)
            .bind(batch.now)
            .bind(&row.event)
            .bind(&row.booked.id);
    }
    query.execute(on).await.map(drop)
}

/// `(?, ?), (?, ?)`.
fn rows_of(columns: usize, rows: usize) -> String {
    let row = vec!["?"; columns].join(", ");
    let mut text = String::with_capacity((row.len() + 4) * rows);
    for at in 0..rows {
        let comma = if at == 0 { "" } else { ", " };
        // A String takes whatever is written.
        let _ = write!(text, "{comma}({row})");
    }
    text
}
