//! What committing by batches needs: batches by their ids, a version of the catalogue, the history of a booking.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0003_batches"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in STATEMENTS {
            manager
                .get_connection()
                .execute_unprepared(statement)
                .await?;
        }
        Ok(())
    }

    // A step is applied whole or not at all, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE commit_head ADD COLUMN catalogue_version BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE commit_head ADD COLUMN waiting BIGINT NOT NULL DEFAULT 0",
    "CREATE TABLE commit_batches (
        id TEXT PRIMARY KEY,
        sequence BIGINT NOT NULL,
        committed_at BIGINT NOT NULL
    )",
    "CREATE INDEX commit_batches_by_age ON commit_batches (committed_at)",
    "ALTER TABLE bookings ADD COLUMN kind TEXT NOT NULL DEFAULT 'GUEST'",
    "ALTER TABLE outbox ADD COLUMN booking TEXT",
    "CREATE INDEX outbox_of_booking ON outbox (booking, sequence) WHERE booking IS NOT NULL",
];
