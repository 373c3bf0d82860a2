//! Where the database lives, so that a copy that lives elsewhere is told from it.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0012_origin"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared(ORIGIN).await?;
        Ok(())
    }
}

/// At most one row, of a database whose server tells.
const ORIGIN: &str = "CREATE TABLE database_origin (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    origin TEXT NOT NULL
)";
