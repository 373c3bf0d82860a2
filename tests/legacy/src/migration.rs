//! The tables, as steps that are each applied once. A step is never edited after a release: what
//! comes later is a step of its own.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_pk_auto, double, json, json_null, text, text_uniq,
};

pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateTables), Box::new(CreateFeed)]
    }
}

struct CreateTables;

impl MigrationName for CreateTables {
    fn name(&self) -> &str {
        "m0001_create_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        for table in ["payments", "subscriptions"] {
            let by_user = Index::create()
                .name(format!("{table}_user_id_idx"))
                .table(table)
                .col("user_id")
                .take();
            manager.create_index(by_user).await?;
        }
        Ok(())
    }
}

struct CreateFeed;

impl MigrationName for CreateFeed {
    fn name(&self) -> &str {
        "m0002_create_feed"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateFeed {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let head = Table::create()
            .table("movie_feed")
            .col(big_integer("id").primary_key())
            .col(text("incarnation"))
            .col(big_integer("head"))
            .take();
        let changes = Table::create()
            .table("movie_changes")
            .col(big_integer("number").primary_key())
            .col(big_integer("movie_id"))
            .col(json_null("movie"))
            .take();
        manager.create_table(head).await?;
        manager.create_table(changes).await
    }
}

fn tables() -> [TableCreateStatement; 4] {
    [
        Table::create()
            .table("users")
            .col(big_pk_auto("id"))
            .col(text_uniq("username"))
            .col(text_uniq("email"))
            .take(),
        Table::create()
            .table("movies")
            .col(big_pk_auto("id"))
            .col(text("title"))
            .col(text("description"))
            .col(json("genres"))
            .col(double("rating"))
            .take(),
        Table::create()
            .table("payments")
            .col(big_pk_auto("id"))
            .col(big_integer("user_id"))
            .col(json("amount"))
            .col(text("timestamp"))
            .take(),
        Table::create()
            .table("subscriptions")
            .col(big_pk_auto("id"))
            .col(big_integer("user_id"))
            .col(text("plan_type"))
            .col(text("start_date"))
            .col(text("end_date"))
            .take(),
    ]
}
