//! The shape of the analytics database, on SQLite and PostgreSQL alike.
//!
//! Migrations only ever add: a running older replica must not notice (expand, then contract in a later release). They
//! are plain SQL in the subset that both databases share, because the CHECKs and indexes are the point of them.

use sea_orm_migration::prelude::*;

mod m0001_facts;
mod m0002_bus;
mod m0003_kinds_and_fees;

/// All migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_facts::Migration),
            Box::new(m0002_bus::Migration),
            Box::new(m0003_kinds_and_fees::Migration),
        ]
    }
}

async fn execute(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager
            .get_connection()
            .execute_unprepared(statement)
            .await?;
    }
    Ok(())
}
