//! What shadowed answers differ in, counted.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};

pub(super) struct CreateDifferences;

impl MigrationName for CreateDifferences {
    fn name(&self) -> &str {
        "m0004_create_rollout_differences"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateDifferences {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let differences = Table::create()
            .table("rollout_differences")
            .col(text("rollout"))
            .col(text("route"))
            .col(text("path"))
            .col(text("kind"))
            .col(big_integer("count"))
            .col(big_integer("noise"))
            .col(big_integer("first_us"))
            .col(big_integer("last_us"))
            .col(text("owner"))
            .col(text("other"))
            .col(text("request_id"))
            .primary_key(
                Index::create()
                    .col("rollout")
                    .col("route")
                    .col("path")
                    .col("kind"),
            )
            .take();
        manager.create_table(differences).await
    }

    // A step is applied whole or not at all, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
