//! The operator's percentage and a plain list of changes: what [the log](super::m0002_log) was made from.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer, integer_null, text};

pub(super) struct CreateTables;

impl MigrationName for CreateTables {
    fn name(&self) -> &str {
        "m0001_create_rollout_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(rollout_settings()).await?;
        manager.create_table(rollout_changes()).await
    }
}

fn rollout_settings() -> TableCreateStatement {
    Table::create()
        .table("rollout_settings")
        .col(text("rollout").primary_key())
        .col(integer_null("percent_hundredths").check(is_percent("percent_hundredths")))
        .col(big_integer("version"))
        .col(big_integer("change_time_us"))
        .take()
}

fn rollout_changes() -> TableCreateStatement {
    Table::create()
        .table("rollout_changes")
        .col(text("rollout"))
        .col(big_integer("version"))
        .col(big_integer("change_time_us"))
        .col(text("actor"))
        .col(text("reason"))
        .col(integer("previous_hundredths").check(is_percent("previous_hundredths")))
        .col(text("previous_source"))
        .col(integer("percent_hundredths").check(is_percent("percent_hundredths")))
        .col(text("source"))
        .primary_key(Index::create().col("rollout").col("version"))
        .take()
}

fn is_percent(column: &'static str) -> SimpleExpr {
    Expr::col(column).between(0, 10_000)
}
