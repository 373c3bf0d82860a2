//! The waitlist: who is in line for what, and what is held for them.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0008_waitlist"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in STATEMENTS {
            let connection = manager.get_connection();
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// `line` is what is waited for: a room type's name or a screening's. An entry has its contact only while it may need
/// it: it goes to what is offered.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE waitlist_entries (
        id TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        state TEXT NOT NULL,
        line TEXT NOT NULL,
        check_in BIGINT,
        check_out BIGINT,
        rooms BIGINT,
        seats BIGINT,
        category TEXT,
        accessible BIGINT,
        offer TEXT,
        display_name TEXT,
        email TEXT,
        phone TEXT,
        ends_at BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        created_sequence BIGINT NOT NULL,
        CHECK ((state = 'OFFERED') <= (offer IS NOT NULL)),
        CHECK ((rooms IS NULL) <> (seats IS NULL))
    )",
    "CREATE INDEX waitlist_lines ON waitlist_entries (line, created_sequence, id) WHERE state = 'WAITING'",
    "CREATE INDEX waitlist_offers ON waitlist_entries (offer) WHERE state = 'OFFERED'",
    "CREATE INDEX waitlist_ends ON waitlist_entries (ends_at) WHERE state = 'WAITING'",
    "CREATE INDEX waitlist_of_principal ON waitlist_entries (principal, created_sequence, id)",
];
