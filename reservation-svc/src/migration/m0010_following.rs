//! How far the monolith is followed, and who is the authority for what is followed.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0010_following"
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
    // One row for each collection. `epoch` counts the changes of authority; `cursor` is the monolith's, and everything
    // before it is here; `last_id` is the highest id that was given here while this side was the authority.
    "CREATE TABLE following (
        collection TEXT PRIMARY KEY,
        authority TEXT NOT NULL CHECK (authority IN ('legacy', 'own', 'returning')),
        epoch BIGINT NOT NULL,
        cursor TEXT,
        last_id BIGINT NOT NULL
    )",
    "INSERT INTO following (collection, authority, epoch, cursor, last_id) VALUES ('movies', 'legacy', 0, NULL, 0)",
];
