//! What is, or was of late, to be created as a movie: written before the monolith is asked, so that no replica asks twice.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0011_movie_creates"
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
    // `request_id` is the client's, or one made up here. `content` is the SHA-256 of what is to be created. `mark` changes
    // whenever somebody takes the row or shows to be alive. `twins_before` is a JSON list: the ids of equal movies that
    // were here before it began.
    "CREATE TABLE movie_creates (
        request_id TEXT PRIMARY KEY,
        content TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('OPEN', 'ENDED', 'UNKNOWN', 'DONE')),
        mark TEXT NOT NULL,
        twins_before TEXT NOT NULL,
        movie_id BIGINT,
        begun_at BIGINT NOT NULL,
        touched_at BIGINT NOT NULL,
        CHECK ((state = 'DONE') = (movie_id IS NOT NULL))
    )",
    // Equal movies are created one after the other, whichever replicas create them.
    "CREATE UNIQUE INDEX movie_creates_turns ON movie_creates (content) WHERE state = 'OPEN'",
    "CREATE INDEX movie_creates_contents ON movie_creates (content)",
    "CREATE INDEX movie_creates_done ON movie_creates (touched_at) WHERE state = 'DONE'",
    "CREATE INDEX movie_creates_unfinished ON movie_creates (begun_at) WHERE state <> 'DONE'",
];
