//! What is left of the feed's events once they are trimmed.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0007_feed_snapshot"
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
        connection
            .execute_unprepared(&FEED_SNAPSHOT.replace("{blob}", blob))
            .await?;
        Ok(())
    }
}

/// One row a thing, with the sequence of its last event: every event is about one thing, so no two rows share one. The
/// greatest is where the outbox begins; its index is the order in which the snapshot is read.
const FEED_SNAPSHOT: &str = "CREATE TABLE feed_snapshot (
    thing TEXT PRIMARY KEY,
    sequence BIGINT NOT NULL UNIQUE,
    event {blob} NOT NULL
)";
