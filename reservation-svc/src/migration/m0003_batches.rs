//! What committing by batches needs: batches by their ids, a version of the catalogue, the history of a booking; and
//! tables that cost a batch the same whether they hold a thousand bookings or five million.
//!
//! Measured on PostgreSQL 15 with batches of 500 holds, as time of the server's process a batch:
//! - foreign keys of items and contacts: a trigger a row, a quarter of all. Dropped: the rows they point to are written
//!   by the same statement's neighbours under the commit head, and nothing ever removes them. On SQLite they cost
//!   little and stay.
//! - the principal (64 digits at random) and the request id (up to 128 bytes at random) in full in an index: every row
//!   goes to another page of it, which is read, and logged in full after each checkpoint. With five million bookings a
//!   batch took twice as long as with none. A short prefix and hashes keep these indexes in memory.
//! - ids and names are compared as bytes, as SQLite does, whatever the database's collation is.
//! - cells of hotels are updated over and over: a page that is not full takes the new version of a row beside the old
//!   one, and no index is touched. A booking's changes touch the index of what expires anyway, so its pages stay full.

use banyan_proto::reservation::v1::{self, feed_event::Event};
use prost::Message as _;
use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, SchemaManagerConnection, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement},
};

use crate::domain::name::BookingId;

/// Events of one step of [`tell_whose`].
const EVENTS_A_STEP: i64 = 1_000;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0003_batches"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for statement in COLUMNS {
            connection.execute_unprepared(statement).await?;
        }
        tell_whose(connection).await?;
        let own = match connection.get_database_backend() {
            DbBackend::Sqlite => SQLITE,
            _ => POSTGRES,
        };
        for statement in own.iter().chain(INDEXES) {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    // A step is applied whole or not at all, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const COLUMNS: &[&str] = &[
    "ALTER TABLE commit_head ADD COLUMN catalogue_version BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE commit_head ADD COLUMN waiting BIGINT NOT NULL DEFAULT 0",
    "CREATE TABLE commit_batches (
        id TEXT PRIMARY KEY,
        sequence BIGINT NOT NULL,
        committed_at BIGINT NOT NULL
    )",
    "ALTER TABLE bookings ADD COLUMN kind TEXT NOT NULL DEFAULT 'GUEST'",
    "ALTER TABLE outbox ADD COLUMN booking TEXT",
    "DROP INDEX bookings_of_principal",
];

const SQLITE: &[&str] = &[];

const POSTGRES: &[&str] = &[
    "ALTER TABLE booking_items DROP CONSTRAINT booking_items_booking_fkey",
    "ALTER TABLE booking_items DROP CONSTRAINT booking_items_pool_slot_fkey",
    "ALTER TABLE booking_contacts DROP CONSTRAINT booking_contacts_booking_fkey",
    "ALTER TABLE request_ids DROP CONSTRAINT request_ids_pkey",
    "ALTER TABLE bookings
        ALTER COLUMN id TYPE TEXT COLLATE \"C\",
        ALTER COLUMN principal TYPE TEXT COLLATE \"C\",
        ALTER COLUMN venue TYPE TEXT COLLATE \"C\"",
    "ALTER TABLE booking_contacts ALTER COLUMN booking TYPE TEXT COLLATE \"C\"",
    "ALTER TABLE booking_items ALTER COLUMN booking TYPE TEXT COLLATE \"C\"",
    "ALTER TABLE outbox ALTER COLUMN booking TYPE TEXT COLLATE \"C\"",
    "ALTER TABLE request_ids
        ALTER COLUMN principal TYPE TEXT COLLATE \"C\",
        ALTER COLUMN method TYPE TEXT COLLATE \"C\",
        ALTER COLUMN request_id TYPE TEXT COLLATE \"C\"",
    // Two hashes of 64 bits with different seeds: that two keys have both in common does not happen. Neither part of a
    // key has a space in it but the last.
    "CREATE UNIQUE INDEX request_ids_by_key ON request_ids (
        hashtextextended(principal || ' ' || method || ' ' || request_id, 0),
        hashtextextended(principal || ' ' || method || ' ' || request_id, 1)
    )",
    "ALTER TABLE cells SET (fillfactor = 70)",
];

const INDEXES: &[&str] = &[
    "CREATE INDEX bookings_of_principal ON bookings (substr(principal, 1, 12), created_sequence)",
    "CREATE INDEX commit_batches_by_age ON commit_batches (committed_at)",
    "CREATE INDEX outbox_of_booking ON outbox (booking, sequence) WHERE booking IS NOT NULL",
];

/// Tells of the events there are whose history they belong to.
async fn tell_whose(connection: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    let mut after = 0_i64;
    loop {
        let select = format!(
            "SELECT sequence, event FROM outbox WHERE sequence > {after} ORDER BY sequence LIMIT {EVENTS_A_STEP}"
        );
        let events = connection
            .query_all_raw(Statement::from_string(backend, select))
            .await?;
        let mut whose = Vec::new();
        for row in &events {
            after = row.try_get("", "sequence")?;
            let event: Vec<u8> = row.try_get("", "event")?;
            if let Some(id) = booking_of(&event) {
                whose.push(format!("({after}, '{}')", id.0));
            }
        }
        if !whose.is_empty() {
            let update = format!(
                "WITH w (sequence, booking) AS (VALUES {}) \
                 UPDATE outbox SET booking = w.booking FROM w WHERE outbox.sequence = w.sequence",
                whose.join(", ")
            );
            connection.execute_unprepared(&update).await?;
        }
        if events.is_empty() {
            return Ok(());
        }
    }
}

fn booking_of(event: &[u8]) -> Option<BookingId> {
    let Event::BookingChanged(changed) = v1::FeedEvent::decode(event).ok()?.event? else {
        return None;
    };
    BookingId::parse(&changed.booking).ok()
}

#[cfg(test)]
mod tests {
    use banyan_mesh::{
        database::{Database, DatabaseSettings},
        process::Process,
        testing::TestDatabase,
    };
    use sea_orm_migration::MigratorTrait as _;
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{booking::BookingKind, request::Principal},
        migration::Migrator,
        store::{AnswerKey, BookingFilter, Store},
    };

    const ID: Uuid = Uuid::from_u128(7);

    /// What a database of the step before may hold.
    async fn fill(url: &str) {
        let url = match url.starts_with("sqlite") {
            true => format!("{url}?mode=rwc"),
            false => url.to_owned(),
        };
        let database = sea_orm_migration::sea_orm::Database::connect(url)
            .await
            .unwrap();
        Migrator::up(&database, Some(2)).await.unwrap();
        let events = (1..=EVENTS_A_STEP + 2).map(|sequence| {
            let changed = v1::BookingChanged {
                booking: format!("bookings/{ID}"),
                ..Default::default()
            };
            let event = v1::FeedEvent {
                event: (sequence % 500 == 1).then_some(Event::BookingChanged(changed)),
                ..Default::default()
            };
            let hex: String = event
                .encode_to_vec()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            match database.get_database_backend() {
                DbBackend::Sqlite => format!("({sequence}, 0, x'{hex}')"),
                _ => format!("({sequence}, 0, '\\x{hex}')"),
            }
        });
        let events: Vec<_> = events.collect();
        for statement in [
            format!("INSERT INTO outbox VALUES {}", events.join(", ")),
            "UPDATE commit_head SET sequence = 1002, last_item = 1".to_owned(),
            "INSERT INTO cells VALUES (1, 20000, 1, 1)".to_owned(),
            format!(
                "INSERT INTO bookings VALUES ('{ID}', 'somebody', 'HELD', 'hotels/a', 'A', 'B', 'hotels/a/roomTypes/b', \
                 20000, 20001, 1, NULL, NULL, 'EUR', 5, 9, 1, 1, 1, 1)"
            ),
            format!("INSERT INTO booking_contacts VALUES ('{ID}', 'Ada', '', '')"),
            format!(
                "INSERT INTO booking_items VALUES (1, '{ID}', 1, 20000, '2024-10-04', 1, 5, NULL)"
            ),
            "INSERT INTO request_ids VALUES ('somebody', 'HoldBooking', 'one', 'f', NULL, 'a', 1)"
                .to_owned(),
        ] {
            database.execute_unprepared(&statement).await.unwrap();
        }
        database.close().await.unwrap();
    }

    #[tokio::test]
    async fn what_a_database_holds_is_there_afterwards() {
        for database in TestDatabase::each() {
            fill(&database.url).await;
            let process = Process::new();
            let settings = DatabaseSettings::new(&database.url);
            let opened = Database::start::<Migrator>(&process, &settings, "reservation").await;
            let store = Store::new(opened.unwrap());
            assert!(store.ready().await);
            let session = store.read().await.unwrap();
            let somebody = Principal::stored("somebody".into());
            let filter = BookingFilter {
                principal: Some(somebody),
                ..BookingFilter::default()
            };
            let found = session.bookings(&filter, 10).await.unwrap().remove(0);
            assert_eq!(found.booking.id, BookingId(ID));
            assert_eq!(found.booking.kind, BookingKind::Guest);
            assert_eq!(found.contact.unwrap().display_name, "Ada");
            let items = session.items_of(&[BookingId(ID)]).await.unwrap();
            assert_eq!(items[&BookingId(ID)].len(), 1);
            let key = AnswerKey {
                principal: "somebody".into(),
                method: "HoldBooking".into(),
                id: "one".into(),
            };
            let answers = session.answers_to(std::slice::from_ref(&key)).await;
            assert_eq!(answers.unwrap()[&key].answer, b"a");
            let head = session.head().await.unwrap();
            assert_eq!(
                (head.sequence, head.catalogue_version, head.waiting),
                (1_002, 0, 0)
            );
            let history = session.events_of_booking(BookingId(ID), 0, 10).await;
            assert_eq!(history.unwrap().len(), 3);
        }
    }
}
