//! A service's own database: SQLite or PostgreSQL, connected in the background and migrated under a lock.
//!
//! [`Database::start`] returns at once: a service whose database is away starts, says so, keeps trying and is not
//! ready, while what needs no database works on. Statements sent meanwhile fail within the acquire time-out.
//!
//! On SQLite an answer means durable (`WAL`, `synchronous=FULL`), and the file has one owner: a second process on it
//! is refused. On PostgreSQL migrations run inside one transaction under an advisory lock, so that replicas that
//! start together on an empty database all come up.

mod options;

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait};
use sea_orm_migration::MigratorTrait;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    backoff::Backoff,
    ops::DatabaseStatus,
    process::Process,
    readiness::Dependency,
    settings::{DatabaseUrl, SettingsError},
};

/// How often a connected database is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// A check that takes longer has failed: a server that vanished without a word never answers.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);
/// Any number that all migrating processes agree on: "banyan" in ASCII.
const MIGRATION_LOCK: i64 = 0x6261_6e79_616e;

/// Where a service keeps its state.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `sqlite://PATH?mode=rwc` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub url: DatabaseUrl,
    /// Connections to PostgreSQL at most, 2 to 1000, and 6 of a writer. SQLite has one writer whatever is said here.
    #[serde(default = "max_connections")]
    pub max_connections: u32,
}

fn max_connections() -> u32 {
    10
}

impl DatabaseSettings {
    /// A database at `url` with default limits.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: DatabaseUrl::new(url),
            max_connections: max_connections(),
        }
    }
}

/// A database cannot be used at all; trying again would not help.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is of no kind that is supported.
    #[error(transparent)]
    Url(SettingsError),
    /// The folder of a SQLite file cannot be made.
    #[error("cannot create the folder of the database {path:?}")]
    Folder {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The lock file beside a SQLite file cannot be opened.
    #[error("cannot open the lock file {path:?}")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process uses the SQLite file.
    #[error(
        "the database {path:?} is in use by another process: stop it or choose another data folder"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The driver refuses the options.
    #[error("cannot open the {name} database")]
    Connect {
        /// Which database.
        name: String,
        /// Why.
        #[source]
        source: DbErr,
    },
}

/// A service's own database; clones share its connections.
#[derive(Clone, Debug)]
pub struct Database {
    connection: DatabaseConnection,
    writer: DatabaseConnection,
    beside: Option<DatabaseConnection>,
    migrated: watch::Receiver<bool>,
    // Held as long as the database is open: the operating system gives it back whatever happens to the process.
    _owner: Option<Arc<File>>,
}

impl Database {
    /// Opens a database and keeps it migrated, checked and shown in the background.
    ///
    /// # Errors
    /// If the URL is of an unknown kind, or a SQLite file cannot be owned. A server that is away is no error.
    pub async fn start<M: MigratorTrait + 'static>(
        process: &Process,
        settings: &DatabaseSettings,
        name: &str,
    ) -> Result<Self, OpenError> {
        let dependency = process.readiness().dependency(format!("{name} database"));
        Self::open::<M>(process, settings, name, dependency).await
    }

    /// As [`start`](Self::start), for a service that works on without its database: being away never makes the
    /// process unready.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_optional<M: MigratorTrait + 'static>(
        process: &Process,
        settings: &DatabaseSettings,
        name: &str,
    ) -> Result<Self, OpenError> {
        let dependency = process.readiness().optional(format!("{name} database"));
        Self::open::<M>(process, settings, name, dependency).await
    }

    async fn open<M: MigratorTrait + 'static>(
        process: &Process,
        settings: &DatabaseSettings,
        name: &str,
        dependency: Dependency,
    ) -> Result<Self, OpenError> {
        let owner = match settings.url.sqlite_path().map_err(OpenError::Url)? {
            Some(path) => Some(Arc::new(own_file(&path)?)),
            None => None,
        };
        let refused = |source| OpenError::Connect {
            name: name.to_owned(),
            source,
        };
        let connection = sea_orm::Database::connect(options::any(settings)).await;
        let connection = connection.map_err(refused)?;
        let writer = sea_orm::Database::connect(options::writer(settings)).await;
        let writer = writer.map_err(refused)?;
        let beside = match connection.get_database_backend() {
            DbBackend::Sqlite => None,
            _ => {
                let beside = sea_orm::Database::connect(options::beside(settings)).await;
                Some(beside.map_err(refused)?)
            }
        };
        let (done, migrated) = watch::channel(false);
        let status = Arc::new(Mutex::new(DatabaseStatus {
            name: name.to_owned(),
            ..DatabaseStatus::default()
        }));
        let shown = Arc::clone(&status);
        process.ops().add_database(Arc::new(move || {
            shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }));
        let keeper = Keeper {
            connection: connection.clone(),
            dependency,
            status,
            done,
        };
        let shutdown = process.shutdown().clone();
        process.spawn("database keeper", async move {
            tokio::select! {
                () = keeper.run::<M>() => {}
                () = shutdown.cancelled() => {}
            }
            Ok(())
        });
        Ok(Self {
            connection,
            writer,
            beside,
            migrated,
            _owner: owner,
        })
    }

    /// The pool of connections.
    #[must_use]
    pub fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Connections for the one task that writes: readers, however many, never keep it waiting for one. What it commits
    /// is durable whatever the server's defaults are, and its plans do not depend on what the server knows of how much
    /// the tables hold; the server ends its transactions when it falls silent in the middle of one.
    #[must_use]
    pub fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Connections as the writer's, where there is more than one at a time: for what a transaction that holds a lock may
    /// ask at the same time without waiting for anybody. They are soon given up on: the transaction can ask by itself.
    #[must_use]
    pub fn beside(&self) -> Option<&DatabaseConnection> {
        self.beside.as_ref()
    }

    /// Which kind of database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    /// Whether it has been reached and migrated by this process.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.migrated.borrow()
    }

    /// Waits until it has been reached and migrated. False if the process ends before.
    pub async fn ready(&self) -> bool {
        self.migrated
            .clone()
            .wait_for(|migrated| *migrated)
            .await
            .is_ok()
    }
}

/// Keeps one database migrated, checked and shown.
struct Keeper {
    connection: DatabaseConnection,
    dependency: Dependency,
    status: Arc<Mutex<DatabaseStatus>>,
    done: watch::Sender<bool>,
}

impl Keeper {
    async fn run<M: MigratorTrait>(self) {
        self.migrate_until_done::<M>().await;
        loop {
            match tokio::time::timeout(CHECK_TIMEOUT, self.check()).await {
                Ok(Ok(())) => self.dependency.up(),
                Ok(Err(error)) => self.away(&error.to_string()),
                Err(_) => self.away("it does not answer"),
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }

    async fn migrate_until_done<M: MigratorTrait>(&self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while let Err(error) = migrate::<M>(&self.connection).await {
            self.away(&error.to_string());
            tokio::time::sleep(backoff.next_wait()).await;
        }
        self.done.send_replace(true);
    }

    async fn check(&self) -> Result<(), DbErr> {
        let (version, tables) = match self.connection.get_database_backend() {
            DbBackend::Sqlite => (
                "SELECT 'SQLite ' || sqlite_version() AS value",
                "SELECT COUNT(*) AS value FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            ),
            _ => (
                "SELECT 'PostgreSQL ' || current_setting('server_version') AS value",
                "SELECT COUNT(*) AS value FROM information_schema.tables WHERE table_schema = current_schema()",
            ),
        };
        let version: Option<String> = self.value(version).await?;
        let tables_count: Option<i64> = self.value(tables).await?;
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.connected = true;
        status.version = version;
        status.tables_count = tables_count;
        status.last_check = Some(jiff::Timestamp::now());
        Ok(())
    }

    async fn value<T: sea_orm::TryGetable>(&self, sql: &str) -> Result<Option<T>, DbErr> {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let row = self.connection.query_one_raw(statement).await?;
        row.map(|row| row.try_get("", "value")).transpose()
    }

    fn away(&self, why: &str) {
        self.dependency.down(why);
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.connected = false;
        status.last_check = Some(jiff::Timestamp::now());
    }
}

async fn migrate<M: MigratorTrait>(connection: &DatabaseConnection) -> Result<(), DbErr> {
    if connection.get_database_backend() == DbBackend::Sqlite {
        return M::up(connection, None).await;
    }
    let transaction = connection.begin().await?;
    let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
    transaction.execute_unprepared(&lock).await?;
    M::up(&transaction, None).await?;
    transaction.commit().await
}

/// Makes this process the only owner of a SQLite file.
fn own_file(path: &Path) -> Result<File, OpenError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|source| OpenError::Folder {
            path: path.to_owned(),
            source,
        })?;
    }
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock)
        .map_err(|source| OpenError::Lock {
            path: lock.clone(),
            source,
        })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(OpenError::Lock { path: lock, source }),
    }
}

#[cfg(test)]
mod tests;
