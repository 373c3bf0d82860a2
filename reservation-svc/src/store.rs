//! Where bookings and the catalogue are kept: SQLite or PostgreSQL, through sea-orm.
//!
//! A [`Session`] reads one consistent state. A [`Write`] has the one-row `commit_head` locked from its first statement
//! to its commit: so the order of commit sequences is the order of commits, replicas cannot deadlock, and what a write
//! reads nobody changes under it. Nothing here decides; rules live in the domain.

mod agreement;
mod batch;
mod bookings;
mod cells;
mod cinema_rules;
mod cinemas;
mod contacts;
mod entity;
mod error;
mod followed_movies;
mod following;
mod head;
mod hotel_rules;
mod hotels;
mod movie_creates;
mod origin;
mod outbox;
mod policies;
mod requests;
mod rooms;
mod rows;
mod screenings;
mod snapshot;
#[cfg(test)]
pub(crate) mod testing;
mod waitlist;

use std::{ops::Deref, time::Duration};

use banyan_mesh::database::Database;
use jiff::Timestamp;
use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use uuid::Uuid;

pub(crate) use batch::{AnswerKey, BatchId, Changes, NewAnswer, NewEvent};
pub use bookings::{BookingFilter, StoredBooking};
pub use error::{Rule, StoreError};
pub(crate) use followed_movies::FollowedMovies;
pub(crate) use following::{Adoption, Made, OwnCreate, Position};
pub use head::Head;
pub(crate) use movie_creates::{Busy, Earlier, Intent, Opened, Turn};
pub use requests::StoredAnswer;
pub(crate) use rooms::{RoomChanges, RoomNight};
pub use screenings::ScreeningFilter;
pub(crate) use snapshot::{SnapshotRow, StoredEvent};

use error::During;

/// The answer to COMMIT is waited for this long, and so is the one to the statement before it.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(8);
/// Lost connections that are passed over to begin a write: a restarted server has lost all there are.
const LOST_MAX: usize = 2;

/// The database of one reservation service; clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
}

/// One consistent state of the database, for reading.
#[derive(Debug)]
pub struct Session {
    transaction: DatabaseTransaction,
}

/// The one writer at a time: reads as a [`Session`] does, and nobody else commits before it.
#[derive(Debug)]
pub struct Write {
    session: Session,
    /// A connection that may be asked at the same time, where there is one: it sees what was committed before this, which
    /// is all that is committed until this is.
    beside: Option<DatabaseConnection>,
    head: Head,
    server_time: Option<Timestamp>,
    batch: BatchId,
    /// Whether the head was written with all that changes.
    has_advanced: bool,
}

impl Store {
    /// A store in that database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Waits until the database has been reached and migrated. False if the process ends before.
    pub async fn ready(&self) -> bool {
        self.database.ready().await
    }

    /// Begins to read one consistent state.
    pub async fn read(&self) -> Result<Session, StoreError> {
        let isolation_level = match self.database.backend() {
            // A SQLite transaction is a snapshot by itself.
            DbBackend::Sqlite => None,
            _ => Some(IsolationLevel::RepeatableRead),
        };
        let options = TransactionOptions {
            isolation_level,
            ..TransactionOptions::default()
        };
        self.begin(self.database.connection(), options).await
    }

    /// Whether several may wait for the writer's turn at the same time, each on a connection of its own.
    pub(crate) fn has_several_writers(&self) -> bool {
        self.database.backend() != DbBackend::Sqlite
    }

    /// Waits for the writer's turn and takes it; on another connection where one turns out to be lost.
    pub async fn write(&self) -> Result<Write, StoreError> {
        let mut begun = self.begin_to_write().await;
        for _ in 0..LOST_MAX {
            match &begun {
                Err(error) if error.is_worth_another_connection() => {
                    begun = self.begin_to_write().await;
                }
                _ => break,
            }
        }
        begun
    }

    async fn begin_to_write(&self) -> Result<Write, StoreError> {
        let options = match self.database.backend() {
            // SQLite knows no row locks: the whole database is locked from the start, or the turn could still be lost
            // between reading and writing.
            DbBackend::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            },
            // READ COMMITTED, as the writer's connections begin all of them.
            _ => TransactionOptions::default(),
        };
        let session = self.begin(self.database.writer(), options).await?;
        let (head, server_time) = session.lock_head().await?;
        Ok(Write {
            session,
            beside: self.database.beside().cloned(),
            head,
            server_time,
            batch: BatchId(Uuid::now_v7()),
            has_advanced: false,
        })
    }

    /// Begins a transaction of any kind.
    async fn begin(
        &self,
        connection: &DatabaseConnection,
        options: TransactionOptions,
    ) -> Result<Session, StoreError> {
        if !self.database.is_ready() {
            return Err(StoreError::NotReady);
        }
        let begun = connection.begin_with_options(options).await;
        let transaction = begun.during("begin a transaction")?;
        Ok(Session { transaction })
    }
}

impl Write {
    /// The head as it was when the turn was taken.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What time it was by the database's server when the turn was taken, where it has one; older by as long as another
    /// kept the turn and then gave it up.
    pub(crate) fn server_time(&self) -> Option<Timestamp> {
        self.server_time
    }

    /// What [`Store::committed`] knows it by once it is committed.
    pub(crate) fn batch(&self) -> BatchId {
        self.batch
    }

    /// Makes all of it durable, with the head as it is from now on. [`StoreError::Unconfirmed`] if it may be durable
    /// although the database did not say so.
    pub async fn commit(self, head: &Head) -> Result<(), StoreError> {
        if !self.has_advanced {
            let advanced = tokio::time::timeout(COMMIT_TIMEOUT, self.advance(head)).await;
            advanced.unwrap_or_else(|_| {
                Err(StoreError::Failed {
                    operation: "advance the commit head",
                    source: DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
                })
            })?;
        }
        let committing = self.session.transaction.commit();
        let unconfirmed = |source| StoreError::Unconfirmed { source };
        match tokio::time::timeout(COMMIT_TIMEOUT, committing).await {
            Ok(committed) => committed.map_err(|error| unconfirmed(error.into())),
            Err(elapsed) => Err(unconfirmed(elapsed.into())),
        }
    }
}

impl Deref for Write {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}
