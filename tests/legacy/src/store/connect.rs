//! From a database URL to a store that is ready: connects, brings the tables up to date, and tries
//! again with growing pauses for as long as the database is away.
//!
//! Bringing the tables up to date is one transaction that first takes a lock, so that of two
//! processes starting together on an empty database one waits and then finds the work done: an
//! advisory lock on PostgreSQL, the write lock itself (`BEGIN IMMEDIATE`) on SQLite.
//!
//! SQLite runs with WAL and `synchronous=FULL`: an answered POST survives a crash of the machine.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use sea_orm::{
    ConnectionTrait, DbBackend, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use tracing::{info, warn};

use super::{Store, StoreError, demo, feed};
use crate::migration::Migrator;

/// How long one attempt to get a connection, and one statement, may take.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
const POSTGRES_CONNECTIONS_MAX: u32 = 10;
const SQLITE_CONNECTIONS_MAX: u32 = 4;
/// Names the migration among the advisory locks of a PostgreSQL database: "legacy" in ASCII.
const MIGRATION_LOCK: i64 = 0x6c65_6761_6379;

/// A database URL that was found usable.
#[derive(Clone)]
pub(crate) struct Target {
    url: String,
    /// The options of a SQLite file; PostgreSQL otherwise.
    sqlite: Option<SqliteConnectOptions>,
    demo: bool,
}

impl Target {
    /// Takes `sqlite:` and `postgres:` URLs; nothing is opened yet. `demo`: fill an empty database.
    pub(crate) fn parse(url: &str, demo: bool) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url).map_err(StoreError::Url)?;
            return Ok(Self {
                url: url.to_owned(),
                sqlite: Some(options),
                demo,
            });
        }
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or(StoreError::UnknownScheme)?;
        let url = format!("postgres://{rest}");
        PgConnectOptions::from_str(&url).map_err(StoreError::Url)?;
        Ok(Self {
            url,
            sqlite: None,
            demo,
        })
    }

    async fn open(&self) -> Result<DatabaseConnection, StoreError> {
        let mut options = ConnectOptions::new(&self.url);
        options
            .sqlx_logging(false)
            .connect_timeout(PATIENCE)
            .acquire_timeout(PATIENCE);
        match &self.sqlite {
            None => {
                options
                    .max_connections(POSTGRES_CONNECTIONS_MAX)
                    .statement_timeout(PATIENCE);
            }
            Some(file) => {
                create_folder(file.get_filename())?;
                // A database in memory lives as long as its one connection.
                let in_memory = self.url.contains(":memory:") || self.url.contains("mode=memory");
                options
                    .min_connections(1)
                    .max_connections(if in_memory { 1 } else { SQLITE_CONNECTIONS_MAX })
                    .idle_timeout(None)
                    .max_lifetime(None)
                    .map_sqlx_sqlite_opts(|options| {
                        options
                            .journal_mode(SqliteJournalMode::Wal)
                            .synchronous(SqliteSynchronous::Full)
                            .busy_timeout(PATIENCE)
                    });
            }
        }
        Database::connect(options)
            .await
            .map_err(StoreError::Connect)
    }
}

fn create_folder(file: &Path) -> Result<(), StoreError> {
    match file.parent() {
        Some(folder) => std::fs::create_dir_all(folder).map_err(StoreError::Folder),
        None => Ok(()),
    }
}

/// Connects `store` to its database, however long that takes.
pub(crate) async fn connect(store: Store, target: Target) {
    let mut pause = RETRY_FIRST;
    loop {
        match attempt(&target, store.capabilities.change_feed).await {
            Ok(db) => {
                info!(
                    database = backend(&db),
                    demo = target.demo,
                    "Connected to the database"
                );
                // Only this function fills the store, once.
                let _ = store.db.set(db);
                return;
            }
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                retry_s = pause.as_secs_f64(),
                "The database is away"
            ),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

async fn attempt(target: &Target, has_feed: bool) -> Result<DatabaseConnection, StoreError> {
    let db = target.open().await?;
    match prepare(&db, target.demo, has_feed).await {
        Ok(()) => Ok(db),
        Err(source) => {
            // The next attempt opens its own; a failure to close says nothing new.
            let _ = db.close().await;
            Err(StoreError::Prepare(source))
        }
    }
}

async fn prepare(db: &DatabaseConnection, demo: bool, has_feed: bool) -> Result<(), DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = db.begin_with_options(options).await?;
    if db.get_database_backend() == DbBackend::Postgres {
        let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
        transaction.execute_unprepared(&lock).await?;
    }
    Migrator::up(&transaction, None).await?;
    if demo {
        demo::fill_if_empty(&transaction).await?;
    }
    feed::prepare(&transaction, has_feed).await?;
    transaction.commit().await
}

fn backend(db: &DatabaseConnection) -> &'static str {
    match db.get_database_backend() {
        DbBackend::Postgres => "PostgreSQL",
        _ => "SQLite",
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[track_caller]
    fn check(url: &str, usable: bool) {
        assert_eq!(Target::parse(url, false).is_ok(), usable, "{url}");
    }

    #[test]
    fn only_sqlite_and_postgres_urls_are_usable() {
        check("sqlite://./data/legacy.db?mode=rwc", true);
        check("sqlite::memory:", true);
        check("postgres://cinema:secret@db:5432/cinema", true);
        check("postgresql://cinema@db/cinema", true);
        check("sqlite://x.db?mode=sometimes", false);
        check("postgres://db:notaport/cinema", false);
        check("mysql://db/cinema", false);
        check("", false);
    }
}
