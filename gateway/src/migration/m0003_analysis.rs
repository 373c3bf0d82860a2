//! What the analysis of each rollout has found so far: written by whoever holds the lease, read by whoever holds it next.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};

pub(super) struct CreateAnalyses;

impl MigrationName for CreateAnalyses {
    fn name(&self) -> &str {
        "m0003_create_rollout_analyses"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateAnalyses {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let analyses = Table::create()
            .table("rollout_analyses")
            .col(text("rollout").primary_key())
            .col(big_integer("until_us"))
            .col(text("policy"))
            .col(text("analysis"))
            .col(text("verdict"))
            .take();
        manager.create_table(analyses).await
    }

    // A step is applied whole or not at all, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
