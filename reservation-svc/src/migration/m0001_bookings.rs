//! The catalogue of hotels and cinemas, cells and bookings, request ids and the outbox.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};
use uuid::Uuid;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_bookings"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let blob = match connection.get_database_backend() {
            DbBackend::Sqlite => "BLOB",
            _ => "BYTEA",
        };
        for statement in HEAD.iter().chain(HOTELS).chain(CINEMAS).chain(BOOKINGS) {
            connection
                .execute_unprepared(&statement.replace("{blob}", blob))
                .await?;
        }
        let incarnation = Uuid::new_v4();
        let head = format!(
            "INSERT INTO commit_head (id, incarnation, sequence, decided_at, last_pool, last_item) \
             VALUES (1, '{incarnation}', 0, 0, 0, 0)"
        );
        connection.execute_unprepared(&head).await?;
        Ok(())
    }

    // A step is applied whole or not at all, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The one row that every deciding transaction locks.
const HEAD: &[&str] = &["CREATE TABLE commit_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    incarnation TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    decided_at BIGINT NOT NULL,
    last_pool BIGINT NOT NULL,
    last_item BIGINT NOT NULL
)"];

const HOTELS: &[&str] = &[
    "CREATE TABLE hotels (
        id TEXT PRIMARY KEY,
        display_name TEXT NOT NULL,
        time_zone TEXT NOT NULL,
        currency TEXT NOT NULL,
        address TEXT NOT NULL,
        description TEXT NOT NULL
    )",
    "CREATE TABLE room_types (
        pool BIGINT PRIMARY KEY,
        hotel TEXT NOT NULL REFERENCES hotels (id),
        id TEXT NOT NULL,
        display_name TEXT NOT NULL,
        description TEXT NOT NULL,
        max_guests BIGINT NOT NULL CHECK (max_guests BETWEEN 1 AND 20),
        capacity BIGINT NOT NULL CHECK (capacity >= 0),
        UNIQUE (hotel, id)
    )",
    "CREATE TABLE rooms (
        hotel TEXT NOT NULL REFERENCES hotels (id),
        number TEXT NOT NULL,
        pool BIGINT NOT NULL REFERENCES room_types (pool),
        PRIMARY KEY (hotel, number)
    )",
    "CREATE TABLE rates (
        id BIGINT PRIMARY KEY,
        pool BIGINT NOT NULL REFERENCES room_types (pool),
        from_day BIGINT NOT NULL,
        to_day BIGINT NOT NULL,
        weekdays BIGINT NOT NULL CHECK (weekdays BETWEEN 1 AND 127),
        price_minor BIGINT NOT NULL CHECK (price_minor BETWEEN 0 AND 1000000000000),
        CHECK (from_day < to_day)
    )",
    "CREATE INDEX rates_by_pool ON rates (pool, from_day)",
];

const CINEMAS: &[&str] = &[
    "CREATE TABLE cinemas (
        id TEXT PRIMARY KEY,
        display_name TEXT NOT NULL,
        time_zone TEXT NOT NULL,
        currency TEXT NOT NULL,
        city TEXT NOT NULL,
        address TEXT NOT NULL
    )",
    "CREATE TABLE halls (
        id BIGINT PRIMARY KEY,
        cinema TEXT NOT NULL REFERENCES cinemas (id),
        display_name TEXT NOT NULL
    )",
    "CREATE TABLE seats (
        pool BIGINT PRIMARY KEY,
        hall BIGINT NOT NULL REFERENCES halls (id),
        id TEXT NOT NULL,
        idx BIGINT NOT NULL,
        row_label TEXT NOT NULL,
        number BIGINT NOT NULL,
        x BIGINT NOT NULL,
        y BIGINT NOT NULL,
        category TEXT NOT NULL,
        accessible BOOLEAN NOT NULL,
        UNIQUE (hall, id),
        UNIQUE (hall, idx)
    )",
    "CREATE TABLE movies (
        id BIGINT PRIMARY KEY,
        title TEXT NOT NULL,
        description TEXT NOT NULL,
        image_uri TEXT NOT NULL,
        deleted BOOLEAN NOT NULL
    )",
    "CREATE TABLE screenings (
        id BIGINT PRIMARY KEY,
        cinema TEXT NOT NULL REFERENCES cinemas (id),
        movie BIGINT NOT NULL REFERENCES movies (id),
        hall BIGINT NOT NULL REFERENCES halls (id),
        starts_at BIGINT NOT NULL,
        ends_at BIGINT NOT NULL,
        deleted BOOLEAN NOT NULL,
        CHECK (starts_at < ends_at)
    )",
    "CREATE INDEX screenings_by_time ON screenings (cinema, starts_at)",
    "CREATE INDEX screenings_by_movie ON screenings (movie, id)",
    "CREATE TABLE screening_prices (
        screening BIGINT NOT NULL REFERENCES screenings (id),
        category TEXT NOT NULL,
        price_minor BIGINT NOT NULL CHECK (price_minor BETWEEN 0 AND 1000000000000),
        PRIMARY KEY (screening, category)
    )",
];

const BOOKINGS: &[&str] = &[
    // Never sold twice: whatever the code believes, the database refuses a cell over its capacity.
    "CREATE TABLE cells (
        pool BIGINT NOT NULL,
        slot BIGINT NOT NULL,
        capacity BIGINT NOT NULL,
        taken BIGINT NOT NULL,
        PRIMARY KEY (pool, slot),
        CHECK (taken >= 0 AND taken <= capacity)
    )",
    "CREATE TABLE bookings (
        id TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        state TEXT NOT NULL,
        venue TEXT NOT NULL,
        venue_display_name TEXT NOT NULL,
        title TEXT NOT NULL,
        resource TEXT NOT NULL,
        check_in BIGINT,
        check_out BIGINT,
        rooms BIGINT,
        seats TEXT,
        starts_at BIGINT,
        currency TEXT NOT NULL,
        total_minor BIGINT NOT NULL CHECK (total_minor >= 0),
        expires_at BIGINT,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        created_sequence BIGINT NOT NULL UNIQUE,
        updated_sequence BIGINT NOT NULL,
        CHECK ((state = 'HELD') = (expires_at IS NOT NULL))
    )",
    "CREATE INDEX bookings_of_principal ON bookings (principal, created_sequence)",
    "CREATE INDEX bookings_of_venue ON bookings (venue, created_sequence)",
    "CREATE INDEX bookings_that_expire ON bookings (expires_at) WHERE expires_at IS NOT NULL",
    "CREATE TABLE booking_contacts (
        booking TEXT PRIMARY KEY REFERENCES bookings (id),
        display_name TEXT NOT NULL,
        email TEXT NOT NULL,
        phone TEXT NOT NULL
    )",
    // An item counts in its cell's `taken` until it has a released sequence.
    "CREATE TABLE booking_items (
        id BIGINT PRIMARY KEY,
        booking TEXT NOT NULL REFERENCES bookings (id),
        pool BIGINT NOT NULL,
        slot BIGINT NOT NULL,
        cell TEXT NOT NULL,
        quantity BIGINT NOT NULL CHECK (quantity > 0),
        price_minor BIGINT NOT NULL CHECK (price_minor >= 0),
        released_sequence BIGINT,
        FOREIGN KEY (pool, slot) REFERENCES cells (pool, slot)
    )",
    "CREATE INDEX booking_items_of_booking ON booking_items (booking)",
    "CREATE INDEX booking_items_of_cell ON booking_items (pool, slot) WHERE released_sequence IS NULL",
    "CREATE TABLE request_ids (
        principal TEXT NOT NULL,
        method TEXT NOT NULL,
        request_id TEXT NOT NULL,
        fingerprint {blob} NOT NULL,
        booking TEXT,
        answer {blob} NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (principal, method, request_id)
    )",
    "CREATE INDEX request_ids_by_age ON request_ids (created_at)",
    "CREATE TABLE outbox (
        sequence BIGINT PRIMARY KEY,
        decided_at BIGINT NOT NULL,
        event {blob} NOT NULL
    )",
];
