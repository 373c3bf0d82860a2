//! Fills databases with what the load needs, straight by SQL: thousands of screenings and millions of bookings would take
//! longer through the API than the benchmark itself. What is written is what the service would have written.

use std::collections::HashSet;

use jiff::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement, TransactionTrait};

use crate::{
    catalogue::{self, CURRENCY, Catalogue, PRICE_MINOR, ROOM_POOL, ROOMS, SEATS},
    traffic::{Traffic, Wish},
};

const ROWS_PER_INSERT: usize = 500;
const CATEGORY: &str = "standard";
const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = 3_600_000_000;

/// Puts everything on sale in a migrated, empty database.
///
/// # Errors
/// If the database refuses it.
pub async fn catalogue(
    database: &DatabaseConnection,
    catalogue: Catalogue,
    now: Timestamp,
) -> Result<(), DbErr> {
    let transaction = database.begin().await?;
    let fixed = [
        "INSERT INTO hotels (id, display_name, time_zone, currency, address, description) \
         VALUES ('load', 'Hotel Load', 'UTC', 'EUR', '', '')"
            .to_owned(),
        format!(
            "INSERT INTO room_types (pool, hotel, id, display_name, description, max_guests, capacity) \
             VALUES ({ROOM_POOL}, 'load', 'standard', 'Standard room', '', 2, {ROOMS})"
        ),
        format!(
            "INSERT INTO rates (id, pool, from_day, to_day, weekdays, price_minor) \
             VALUES (1, {ROOM_POOL}, 0, 100000, 127, {PRICE_MINOR})"
        ),
        "INSERT INTO cinemas (id, display_name, time_zone, currency, city, address) \
         VALUES ('load', 'Cinema Load', 'UTC', 'EUR', '', '')"
            .to_owned(),
        "INSERT INTO halls (id, cinema, display_name) VALUES (1, 'load', 'Hall 1')".to_owned(),
        "INSERT INTO movies (id, title, description, image_uri, deleted) \
         VALUES (1, 'The Load', '', '', FALSE)"
            .to_owned(),
        format!("UPDATE commit_head SET last_pool = {ROOM_POOL}"),
    ];
    for statement in fixed {
        transaction.execute_unprepared(&statement).await?;
    }
    let seats = (0..SEATS).map(seat_row);
    let columns = "seats (pool, hall, id, idx, row_label, number, x, y, category, accessible)";
    insert(&transaction, columns, seats).await?;
    let numbers = 1..=catalogue.hot + catalogue.spread;
    screenings(&transaction, numbers, now.as_microsecond() + 30 * DAY_US).await?;
    transaction.commit().await
}

fn seat_row(place: i64) -> String {
    let id = catalogue::seat(place);
    let (row, number) = id.split_at(1);
    format!(
        "({}, 1, '{id}', {place}, '{row}', {number}, {number}, {}, '{CATEGORY}', FALSE)",
        place + 1,
        place / 40
    )
}

async fn screenings(
    connection: &impl ConnectionTrait,
    numbers: impl Iterator<Item = i64> + Clone,
    starts_at: i64,
) -> Result<(), DbErr> {
    let ends_at = starts_at + 2 * HOUR_US;
    let rows = numbers
        .clone()
        .map(|number| format!("({number}, 'load', 1, 1, {starts_at}, {ends_at}, FALSE)"));
    let columns = "screenings (id, cinema, movie, hall, starts_at, ends_at, deleted)";
    insert(connection, columns, rows).await?;
    let rows = numbers.map(|number| format!("({number}, '{CATEGORY}', {PRICE_MINOR})"));
    let columns = "screening_prices (screening, category, price_minor)";
    insert(connection, columns, rows).await
}

async fn insert(
    connection: &impl ConnectionTrait,
    columns: &str,
    rows: impl Iterator<Item = String>,
) -> Result<(), DbErr> {
    let rows: Vec<String> = rows.collect();
    for chunk in rows.chunks(ROWS_PER_INSERT) {
        let statement = format!("INSERT INTO {columns} VALUES {}", chunk.join(", "));
        connection.execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// Cells that the naive engine can lock, which makes none itself: those that the first requests of a stream want.
///
/// # Errors
/// If the database refuses it.
pub async fn cells(
    database: &DatabaseConnection,
    traffic: &Traffic,
    requests: usize,
    now: Timestamp,
) -> Result<(), DbErr> {
    let asks = std::iter::from_fn(|| traffic.next()).take(requests);
    let wishes: HashSet<Wish> = asks.map(|ask| ask.wish).collect();
    let rows = wishes.into_iter().map(|wish| {
        let (pool, slot) = wish.cell(now);
        let capacity = match wish {
            Wish::Seat { .. } => 1,
            Wish::Night => ROOMS,
        };
        format!("({pool}, {slot}, {capacity}, 0)")
    });
    let transaction = database.begin().await?;
    insert(&transaction, "cells (pool, slot, capacity, taken)", rows).await?;
    transaction.commit().await
}

/// Bookings that were there before, each of one seat of a past screening, with cells, items and events: PostgreSQL only.
/// The connection must be a pool of one. Foreign keys are not checked and indexes are built at the end, or it would take
/// many times as long. Their events are there but empty: nobody reads them, and they would fill disks.
///
/// # Errors
/// If the database refuses it.
pub async fn bookings(
    database: &DatabaseConnection,
    count: i64,
    now: Timestamp,
) -> Result<(), DbErr> {
    for setting in [
        "SET synchronous_commit = off",
        "SET session_replication_role = replica",
        "SET maintenance_work_mem = '512MB'",
    ] {
        database.execute_unprepared(setting).await?;
    }
    let past = now.as_microsecond() - 30 * DAY_US;
    let first = catalogue::FIRST_PAST_SCREENING;
    let last = first + (count - 1) / SEATS;
    screenings(database, first..=last, past).await?;
    let indexes = secondary_indexes(database).await?;
    for (name, _) in &indexes {
        let statement = format!("DROP INDEX {name}");
        database.execute_unprepared(&statement).await?;
    }
    for statement in rows_of_bookings(count, past) {
        database.execute_unprepared(&statement).await?;
    }
    for (_, definition) in &indexes {
        database.execute_unprepared(definition).await?;
    }
    let head = format!(
        "UPDATE commit_head SET sequence = {count}, last_item = {count}, decided_at = {past}"
    );
    for statement in [head.as_str(), "VACUUM (ANALYZE)", "CHECKPOINT"] {
        database.execute_unprepared(statement).await?;
    }
    Ok(())
}

/// One statement a table. Booking `n` has item, event and sequence `n`.
fn rows_of_bookings(count: i64, past: i64) -> [String; 4] {
    let screening = format!("({} + (n - 1) / {SEATS})", catalogue::FIRST_PAST_SCREENING);
    let pool = format!("(1 + (n - 1) % {SEATS})");
    let seat = format!("(chr(65 + ((n - 1) % {SEATS} / 40)::int) || (n - 1) % {SEATS} % 40 + 1)");
    let id = "('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))";
    let numbers = format!("generate_series(1::bigint, {count}) AS n");
    [
        format!(
            "INSERT INTO cells (pool, slot, capacity, taken) \
             SELECT {pool}, {screening}, 1, 1 FROM {numbers}"
        ),
        format!(
            "INSERT INTO bookings (id, principal, state, venue, venue_display_name, title, resource, seats, starts_at, \
             currency, total_minor, created_at, updated_at, created_sequence, updated_sequence) \
             SELECT {id}, md5(n::text) || md5((n + 1)::text), 'CONFIRMED', '{}', 'Cinema Load', 'The Load', \
             '{}/screenings/' || {screening}, {seat}, {past}, '{CURRENCY}', {PRICE_MINOR}, {past}, {past}, n, n \
             FROM {numbers}",
            catalogue::CINEMA,
            catalogue::CINEMA
        ),
        format!(
            "INSERT INTO booking_items (id, booking, pool, slot, cell, quantity, price_minor) \
             SELECT n, {id}, {pool}, {screening}, {seat}, 1, {PRICE_MINOR} FROM {numbers}"
        ),
        format!(
            "INSERT INTO outbox (sequence, decided_at, event, booking) \
             SELECT n, {past}, ''::bytea, {id} FROM {numbers}"
        ),
    ]
}

/// Indexes that guard nothing, with the statements that make them.
async fn secondary_indexes(database: &DatabaseConnection) -> Result<Vec<(String, String)>, DbErr> {
    let sql = "SELECT indexname::text AS name, indexdef AS definition FROM pg_indexes \
               WHERE schemaname = 'public' AND tablename IN ('cells', 'bookings', 'booking_items', 'outbox') \
               AND indexname NOT IN (SELECT conname FROM pg_constraint)";
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await?;
    rows.into_iter()
        .map(|row| Ok((row.try_get("", "name")?, row.try_get("", "definition")?)))
        .collect()
}
