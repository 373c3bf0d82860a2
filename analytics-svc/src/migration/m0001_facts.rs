//! What the feed has said: the cursor, what is for sale, who claims which cell, and who was refused.
//!
//! Facts have no foreign keys: the feed may speak of a room type before its hotel. Dates are `YYYY-MM-DD` texts, which
//! sort by time; instants are microseconds since 1970, UTC.

use sea_orm_migration::prelude::*;

use super::execute;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE feed_cursor (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        incarnation TEXT,
        sequence BIGINT NOT NULL CHECK (sequence >= 0),
        decide_time_us BIGINT,
        head BIGINT NOT NULL CHECK (head >= sequence)
    )",
    "INSERT INTO feed_cursor (id, incarnation, sequence, decide_time_us, head) VALUES (1, NULL, 0, NULL, 0)",
    "CREATE TABLE hotels (
        name TEXT NOT NULL PRIMARY KEY,
        display_name TEXT NOT NULL,
        time_zone TEXT NOT NULL,
        currency_code TEXT NOT NULL
    )",
    "CREATE TABLE room_types (
        name TEXT NOT NULL PRIMARY KEY,
        hotel TEXT NOT NULL,
        capacity BIGINT NOT NULL CHECK (capacity >= 0)
    )",
    "CREATE INDEX room_types_by_hotel ON room_types (hotel)",
    "CREATE TABLE screenings (
        name TEXT NOT NULL PRIMARY KEY,
        movie TEXT NOT NULL,
        start_time_us BIGINT,
        capacity BIGINT NOT NULL CHECK (capacity >= 0),
        removed BOOLEAN NOT NULL
    )",
    "CREATE TABLE night_claims (
        booking TEXT NOT NULL,
        room_type TEXT NOT NULL,
        night TEXT NOT NULL,
        hotel TEXT NOT NULL,
        state TEXT NOT NULL,
        quantity BIGINT NOT NULL CHECK (quantity >= 0),
        currency_code TEXT NOT NULL,
        amount_minor BIGINT NOT NULL CHECK (amount_minor >= 0),
        PRIMARY KEY (booking, room_type, night)
    )",
    "CREATE INDEX night_claims_by_hotel ON night_claims (hotel, night)",
    "CREATE TABLE seat_claims (
        booking TEXT NOT NULL,
        screening TEXT NOT NULL,
        seat TEXT NOT NULL,
        state TEXT NOT NULL,
        quantity BIGINT NOT NULL CHECK (quantity >= 0),
        currency_code TEXT NOT NULL,
        amount_minor BIGINT NOT NULL CHECK (amount_minor >= 0),
        PRIMARY KEY (booking, screening, seat)
    )",
    "CREATE INDEX seat_claims_by_screening ON seat_claims (screening)",
    "CREATE TABLE night_denials (
        room_type TEXT NOT NULL,
        night TEXT NOT NULL,
        reason TEXT NOT NULL,
        hotel TEXT NOT NULL,
        requests BIGINT NOT NULL CHECK (requests > 0),
        PRIMARY KEY (room_type, night, reason)
    )",
    "CREATE INDEX night_denials_by_hotel ON night_denials (hotel, night)",
    "CREATE TABLE seat_denials (
        screening TEXT NOT NULL,
        seat TEXT NOT NULL,
        reason TEXT NOT NULL,
        requests BIGINT NOT NULL CHECK (requests > 0),
        PRIMARY KEY (screening, seat, reason)
    )",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, UP).await
    }
}
