//! Where one side's own answers differ: what replicas learned.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};

pub(super) struct CreateNoise;

impl MigrationName for CreateNoise {
    fn name(&self) -> &str {
        "m0005_create_rollout_noise"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateNoise {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let noise = Table::create()
            .table("rollout_noise")
            .col(text("rollout"))
            .col(text("route"))
            .col(text("path"))
            .col(big_integer("last_us"))
            .primary_key(Index::create().col("rollout").col("route").col("path"))
            .take();
        manager.create_table(noise).await
    }

    // A step is applied whole or not at all, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
