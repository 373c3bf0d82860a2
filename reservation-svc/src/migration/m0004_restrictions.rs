//! Under which restrictions nights are sold.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0004_restrictions"
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

/// Like rates: of the rows that cover a date the one with the highest id holds.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE restrictions (
        id BIGINT PRIMARY KEY,
        pool BIGINT NOT NULL REFERENCES room_types (pool),
        from_day BIGINT NOT NULL,
        to_day BIGINT NOT NULL,
        weekdays BIGINT NOT NULL CHECK (weekdays BETWEEN 1 AND 127),
        nights_min BIGINT NOT NULL,
        nights_max BIGINT NOT NULL,
        closed_to_arrival BOOLEAN NOT NULL,
        closed_to_departure BOOLEAN NOT NULL,
        stop_sell BOOLEAN NOT NULL,
        cut_off_hours BIGINT,
        advance_days_min BIGINT NOT NULL,
        advance_days_max BIGINT NOT NULL,
        CHECK (from_day < to_day)
    )",
    "CREATE INDEX restrictions_by_pool ON restrictions (pool, from_day)",
];
