//! What goes with a booking: who comes, what cancelling costs, whether it is paid, and whether its contact was erased.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0005_agreements"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for statement in STATEMENTS {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// One text a booking for what goes with it, NULL where nothing does: nobody asks for parts of it, and most bookings of a
/// hot screening have none, whose price is then that of a NULL. Contacts that were erased must not come back, so that is
/// remembered where they are not.
const STATEMENTS: &[&str] = &[
    "ALTER TABLE bookings ADD COLUMN agreement TEXT",
    "ALTER TABLE bookings ADD COLUMN contact_erased BOOLEAN NOT NULL DEFAULT FALSE",
];
