//! What cancelling costs at a venue, and the rules of halls.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0006_venue_rules"
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

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// A venue without a row: cancelling is free. Without hours: never free. Without a fee: it costs nothing.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE cancellation_policies (
        venue TEXT PRIMARY KEY,
        free_until_hours BIGINT CHECK (free_until_hours BETWEEN 0 AND 8760),
        fee_percent BIGINT CHECK (fee_percent BETWEEN 1 AND 100),
        fee_nights BIGINT CHECK (fee_nights BETWEEN 1 AND 365),
        CHECK (fee_percent IS NULL OR fee_nights IS NULL)
    )",
    "ALTER TABLE halls ADD COLUMN no_single_seats BOOLEAN NOT NULL DEFAULT FALSE",
];
