//! What is adopted from the cinema monolith.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0002_followed_movies"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(FOLLOWED_MOVIES)
            .await?;
        Ok(())
    }
}

/// Ids are the monolith's. Genres are a JSON list; no CHECK on the rating, because what the monolith holds is adopted
/// as it is.
const FOLLOWED_MOVIES: &str = "CREATE TABLE followed_movies (
    id BIGINT PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    genres TEXT NOT NULL,
    rating DOUBLE PRECISION NOT NULL,
    adopted_at BIGINT NOT NULL
)";
