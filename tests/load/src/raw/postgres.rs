//! A batch on PostgreSQL: arrays, one statement a table.

use sea_orm::sqlx::{self, Connection as _, PgConnection, Row as _};

use super::{Batch, Row, capacity};
use crate::catalogue::{CURRENCY, PRICE_MINOR};

pub(super) async fn open(url: &str) -> sqlx::Result<PgConnection> {
    PgConnection::connect(url).await
}

pub(super) async fn last_number(connection: &mut PgConnection) -> sqlx::Result<i64> {
    let sql = "SELECT COALESCE(MAX(sequence), 0) FROM outbox";
    sqlx::query_scalar(sql).fetch_one(connection).await
}

pub(super) async fn write(
    connection: &mut PgConnection,
    batch: &Batch,
    first: i64,
) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    let on = &mut *transaction;
    sqlx::query("SELECT sequence FROM commit_head WHERE id = 1 FOR UPDATE")
        .fetch_one(&mut *on)
        .await?;
    answers(on, batch).await?;
    lapsed(on, batch).await?;
    cells(on, batch).await?;
    bookings(on, batch, first).await?;
    items(on, batch, first).await?;
    keep_answers(on, batch).await?;
    events(on, batch, first).await?;
    sqlx::query("INSERT INTO commit_batches (id, sequence, committed_at) VALUES ($1, $2, $3)")
        .bind(&batch.id)
        .bind(first)
        .bind(batch.now)
        .execute(&mut *on)
        .await?;
    sqlx::query(
        "UPDATE commit_head SET sequence = $1, last_item = $1, decided_at = $2 WHERE id = 1",
    )
    .bind(last(batch, first))
    .bind(batch.now)
    .execute(&mut *on)
    .await?;
    transaction.commit().await
}

async fn answers(on: &mut PgConnection, batch: &Batch) -> sqlx::Result<()> {
    let sql = "WITH w (principal, id) AS (SELECT * FROM unnest($1::text[], $2::text[])) \
               SELECT r.request_id FROM w CROSS JOIN request_ids r \
               WHERE r.principal = w.principal AND r.method = 'HoldBooking' AND r.request_id = w.id \
               AND hashtextextended(r.principal || ' ' || r.method || ' ' || r.request_id, 0) \
               = hashtextextended(w.principal || ' HoldBooking ' || w.id, 0) \
               AND hashtextextended(r.principal || ' ' || r.method || ' ' || r.request_id, 1) \
               = hashtextextended(w.principal || ' HoldBooking ' || w.id, 1)";
    sqlx::query(sql)
        .bind(column(batch, |row| row.principal.as_str()))
        .bind(column(batch, |row| row.request_id.as_str()))
        .fetch_all(on)
        .await
        .map(drop)
}

async fn lapsed(on: &mut PgConnection, batch: &Batch) -> sqlx::Result<()> {
    sqlx::query("SELECT id FROM bookings WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000")
        .bind(batch.now)
        .fetch_all(on)
        .await
        .map(drop)
}

async fn cells(on: &mut PgConnection, batch: &Batch) -> sqlx::Result<()> {
    let pools: Vec<i64> = batch.cells.iter().map(|cell| cell.0).collect();
    let slots: Vec<i64> = batch.cells.iter().map(|cell| cell.1).collect();
    let sql = "SELECT c.pool, c.slot, c.capacity, c.taken FROM cells c \
               JOIN unnest($1::bigint[], $2::bigint[]) AS k (pool, slot) ON c.pool = k.pool AND c.slot = k.slot";
    let found = sqlx::query(sql)
        .bind(&pools)
        .bind(&slots)
        .fetch_all(&mut *on)
        .await?;
    let taken: Vec<i64> = batch.cells.iter().map(|cell| cell.2).collect();
    let exist: std::collections::HashSet<(i64, i64)> = found
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<sqlx::Result<_>>()?;
    let all_exist = batch
        .cells
        .iter()
        .all(|cell| exist.contains(&(cell.0, cell.1)));
    if all_exist {
        let sql = "UPDATE cells SET taken = cells.taken + k.taken \
                   FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS k (pool, slot, taken) \
                   WHERE cells.pool = k.pool AND cells.slot = k.slot";
        let update = sqlx::query(sql).bind(pools).bind(slots).bind(taken);
        return update.execute(on).await.map(drop);
    }
    let capacities: Vec<i64> = pools.iter().map(|pool| capacity(*pool)).collect();
    let sql = "INSERT INTO cells (pool, slot, capacity, taken) \
               SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])";
    let insert = sqlx::query(sql)
        .bind(pools)
        .bind(slots)
        .bind(capacities)
        .bind(taken);
    insert.execute(on).await.map(drop)
}

async fn bookings(on: &mut PgConnection, batch: &Batch, first: i64) -> sqlx::Result<()> {
    let sql = "INSERT INTO bookings (id, principal, state, venue, venue_display_name, title, resource, check_in, \
               check_out, rooms, seats, starts_at, currency, total_minor, expires_at, created_at, updated_at, \
               created_sequence, updated_sequence) \
               SELECT k.id, k.principal, 'HELD', k.venue, k.name, k.title, k.resource, k.check_in, k.check_out, k.rooms, \
               k.seats, k.starts_at, $11, $12, k.expires_at, $13, $13, k.number, k.number \
               FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], \
               $8::bigint[], $9::bigint[], $10::text[], $14::bigint[], $15::bigint[], $16::bigint[]) \
               AS k (id, principal, venue, name, title, resource, check_in, check_out, rooms, seats, starts_at, \
               expires_at, number)";
    sqlx::query(sql)
        .bind(column(batch, |row| row.booked.id.as_str()))
        .bind(column(batch, |row| row.principal.as_str()))
        .bind(column(batch, |row| row.booked.venue))
        .bind(column(batch, |row| row.booked.venue_display_name))
        .bind(column(batch, |row| row.booked.title))
        .bind(column(batch, |row| row.booked.resource.as_str()))
        .bind(column(batch, |row| {
            row.booked.nights.map(|nights| nights.0)
        }))
        .bind(column(batch, |row| {
            row.booked.nights.map(|nights| nights.1)
        }))
        .bind(column(batch, |row| row.booked.nights.map(|_| 1_i64)))
        .bind(column(batch, |row| row.booked.seat.as_deref()))
        .bind(CURRENCY)
        .bind(PRICE_MINOR)
        .bind(batch.now)
        .bind(column(batch, |row| {
            row.booked.seat.as_ref().map(|_| batch.now)
        }))
        .bind(column(batch, |row| row.booked.expires_at))
        .bind(numbers(batch, first))
        .execute(on)
        .await
        .map(drop)
}

async fn items(on: &mut PgConnection, batch: &Batch, first: i64) -> sqlx::Result<()> {
    let sql = "INSERT INTO booking_items (id, booking, pool, slot, cell, quantity, price_minor) \
               SELECT k.id, k.booking, k.pool, k.slot, k.cell, 1, $6 \
               FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[]) \
               AS k (id, booking, pool, slot, cell)";
    sqlx::query(sql)
        .bind(numbers(batch, first))
        .bind(column(batch, |row| row.booked.id.as_str()))
        .bind(column(batch, |row| row.booked.pool))
        .bind(column(batch, |row| row.booked.slot))
        .bind(column(batch, |row| row.booked.cell.as_str()))
        .bind(PRICE_MINOR)
        .execute(on)
        .await
        .map(drop)
}

async fn keep_answers(on: &mut PgConnection, batch: &Batch) -> sqlx::Result<()> {
    let sql = "INSERT INTO request_ids (principal, method, request_id, fingerprint, booking, answer, created_at) \
               SELECT k.principal, 'HoldBooking', k.id, k.fingerprint, k.booking, k.answer, $6 \
               FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::bytea[]) \
               AS k (principal, id, fingerprint, booking, answer)";
    sqlx::query(sql)
        .bind(column(batch, |row| row.principal.as_str()))
        .bind(column(batch, |row| row.request_id.as_str()))
        .bind(column(batch, |row| row.fingerprint.as_slice()))
        .bind(column(batch, |row| row.booked.id.as_str()))
        .bind(column(batch, |row| row.answer.as_slice()))
        .bind(batch.now)
        .execute(on)
        .await
        .map(drop)
}

async fn events(on: &mut PgConnection, batch: &Batch, first: i64) -> sqlx::Result<()> {
    let sql = "INSERT INTO outbox (sequence, decided_at, event, booking) \
               SELECT k.sequence, $4, k.event, k.booking \
               FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS k (sequence, event, booking)";
    sqlx::query(sql)
        .bind(numbers(batch, first))
        .bind(column(batch, |row| row.event.as_slice()))
        .bind(column(batch, |row| row.booked.id.as_str()))
        .bind(batch.now)
        .execute(on)
        .await
        .map(drop)
}

fn column<'a, T>(batch: &'a Batch, of: impl Fn(&'a Row) -> T) -> Vec<T> {
    batch.rows.iter().map(of).collect()
}

fn numbers(batch: &Batch, first: i64) -> Vec<i64> {
    (first..=last(batch, first)).collect()
}

fn last(batch: &Batch, first: i64) -> i64 {
    first + i64::try_from(batch.rows.len()).unwrap_or(0) - 1
}
