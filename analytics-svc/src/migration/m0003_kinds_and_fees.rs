//! Why bookings have their cells, and what cancelling them has cost.
//!
//! What was claimed before there were kinds was claimed by guests, and nothing was charged for cancelling.

use sea_orm_migration::prelude::*;

use super::execute;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const UP: &[&str] = &[
    "ALTER TABLE night_claims ADD COLUMN kind TEXT NOT NULL DEFAULT 'GUEST'",
    "ALTER TABLE seat_claims ADD COLUMN kind TEXT NOT NULL DEFAULT 'GUEST'",
    "CREATE TABLE cancellation_fees (
        booking TEXT NOT NULL PRIMARY KEY,
        venue TEXT NOT NULL,
        currency_code TEXT NOT NULL,
        amount_minor BIGINT NOT NULL CHECK (amount_minor > 0)
    )",
    "CREATE INDEX cancellation_fees_by_venue ON cancellation_fees (venue)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, UP).await
    }
}
