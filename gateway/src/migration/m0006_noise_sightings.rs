//! How often one side's own answers differ, by day: what a single sighting made noise is not to be believed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};

pub(super) struct CreateNoiseSightings;

impl MigrationName for CreateNoiseSightings {
    fn name(&self) -> &str {
        "m0006_create_rollout_noise_sightings"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateNoiseSightings {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sightings = Table::create()
            .table("rollout_noise_sightings")
            .col(text("rollout"))
            .col(big_integer("day"))
            .col(text("route"))
            .col(text("path"))
            .col(text("kind"))
            .col(big_integer("count"))
            .primary_key(
                Index::create()
                    .col("rollout")
                    .col("day")
                    .col("route")
                    .col("path")
                    .col("kind"),
            )
            .take();
        manager.create_table(sightings).await?;
        manager
            .drop_table(Table::drop().table("rollout_noise").take())
            .await
    }

    // A step is applied whole or not at all, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
