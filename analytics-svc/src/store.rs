//! The one place that speaks SQL: facts and their cursor, the sums that reports are made of, and the bus's tables.
//!
//! Every write is one transaction. On SQLite a transaction takes the write lock when it begins, and writers of this
//! process queue for it here, in order, rather than spin on the file's lock; on PostgreSQL rows are locked. So the
//! database decides who is first, and any number of replicas is safe.
//!
//! Nothing is attempted before the migrations have run: that is [`StoreError::NotReady`], and callers answer UNAVAILABLE
//! or wait.

mod cursor;
pub mod events;
mod facts;
mod figures;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use banyan_mesh::database::Database;
use sea_orm::{
    AccessMode, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

pub use cursor::ApplyError;
pub use facts::Applied;
pub use figures::{FeeFigures, HotelFigures, ScreeningFigures};

/// Access to the analytics database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    database: Database,
    writer: Arc<Mutex<()>>,
}

/// What the database could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is away, or its migrations have not run.
    #[error("the analytics database is not ready")]
    NotReady,
    /// A statement failed, most often because the connection did.
    #[error("failed to {operation}")]
    Statement {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// Why not.
        #[source]
        source: DbErr,
    },
    /// A row says what this version cannot have written.
    #[error("a stored {what} reads {value:?}")]
    Corrupt {
        /// The kind of value.
        what: &'static str,
        /// The value.
        value: String,
    },
}

/// Turns a database error into one that names the operation.
trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, DbErr> {
    fn during(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Statement { operation, source })
    }
}

/// A transaction that writes. Dropping it rolls back.
struct Write {
    transaction: DatabaseTransaction,
    // Released after the transaction has ended.
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Write {
    async fn commit(self, operation: &'static str) -> Result<(), StoreError> {
        self.transaction.commit().await.during(operation)
    }
}

impl Store {
    /// A store on `database`, whose migrations are [`Migrator`](crate::migration::Migrator)'s.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            writer: Arc::new(Mutex::new(())),
        }
    }

    /// Waits until the migrations have run, or for ever; race it with shutdown.
    pub async fn ready(&self) {
        self.database.ready().await;
    }

    fn backend(&self) -> DbBackend {
        self.database.backend()
    }

    fn connection(&self) -> Result<&sea_orm::DatabaseConnection, StoreError> {
        if self.database.is_ready() {
            Ok(self.database.connection())
        } else {
            Err(StoreError::NotReady)
        }
    }

    async fn write(&self, operation: &'static str) -> Result<Write, StoreError> {
        let connection = self.connection()?;
        let turn = match self.backend() {
            DbBackend::Sqlite => Some(self.writer.clone().lock_owned().await),
            _ => None,
        };
        let transaction = connection
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await
            .during(operation)?;
        Ok(Write {
            transaction,
            _turn: turn,
        })
    }

    /// A transaction in which every statement sees the same commit.
    async fn snapshot(&self, operation: &'static str) -> Result<DatabaseTransaction, StoreError> {
        let connection = self.connection()?;
        match self.backend() {
            // A read transaction in WAL mode is a snapshot.
            DbBackend::Sqlite => connection.begin().await,
            _ => {
                connection
                    .begin_with_config(
                        Some(IsolationLevel::RepeatableRead),
                        Some(AccessMode::ReadOnly),
                    )
                    .await
            }
        }
        .during(operation)
    }
}
