//! Which rooms stays have for certain, and which they had in the last plan.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0009_rooms"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in STATEMENTS {
            let connection = manager.get_connection();
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    // A step is applied whole or not at all, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const STATEMENTS: &[&str] = &[
    // How many bookings have rooms for certain: hotels where none has pay nothing for it.
    "ALTER TABLE commit_head ADD COLUMN pinned BIGINT NOT NULL DEFAULT 0",
    // Numbers of the rooms that a stay has for certain, with commas between; empty while the plan decides.
    "ALTER TABLE bookings ADD COLUMN pinned_rooms TEXT NOT NULL DEFAULT ''",
    // Who sleeps in a room type from some day on. Seats have no check-out and do not pay for these.
    "CREATE INDEX bookings_in_rooms ON bookings (resource, check_out) WHERE check_out IS NOT NULL",
    "CREATE INDEX bookings_pinned ON bookings (resource, check_out) WHERE pinned_rooms <> ''",
    "CREATE INDEX rooms_by_pool ON rooms (pool)",
    // Nobody sleeps where somebody else has the room for certain: whatever the code believes, the database refuses.
    "CREATE TABLE room_nights (
        hotel TEXT NOT NULL,
        room TEXT NOT NULL,
        night BIGINT NOT NULL,
        booking TEXT NOT NULL REFERENCES bookings (id),
        PRIMARY KEY (hotel, room, night),
        FOREIGN KEY (hotel, room) REFERENCES rooms (hotel, number)
    )",
    "CREATE INDEX room_nights_of_booking ON room_nights (booking)",
    // The plan as it was when it was last needed: a hint that keeps it from changing, never a promise.
    "CREATE TABLE room_plan (
        booking TEXT NOT NULL,
        unit BIGINT NOT NULL,
        room TEXT NOT NULL,
        PRIMARY KEY (booking, unit)
    )",
];
