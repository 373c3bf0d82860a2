//! How a database is connected to.

use std::time::Duration;

use sea_orm::{
    ConnectOptions,
    sqlx::{
        self, Connection as _, Executor as _, SqliteConnection,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};

use super::DatabaseSettings;

/// A statement waits at most this long for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// One that writes, one that waits to write next, one that tidies up, and one to ask what became of a commit whose
/// connection was lost.
const WRITERS_MAX: u32 = 4;
/// One that is asked and one that is on its way back.
const BESIDE_MAX: u32 = 2;
/// What is asked beside a writer can be asked on its own connection too: that is worth no long wait.
const BESIDE_TIMEOUT: Duration = Duration::from_millis(500);
/// A writer's connection that was used a moment ago is not asked whether it is still there: that would be one more way to
/// the server and back for each transaction, and a lost one shows by its first statement.
const WRITER_IDLE: Duration = Duration::from_millis(500);
/// Statements that a writer's connection keeps prepared: all that there are, in every size of theirs.
const STATEMENTS_MAX: usize = 500;
/// Of every connection to PostgreSQL that writes. A plan made while a table was small would read all of it once it has
/// grown: statements go by an index where there is one, and are planned anew as long as a plan for any values would
/// cost more (that of a partial index whose condition is among them). A writer that stops in the middle of a
/// transaction (a paused machine, a lost network) must not keep the others out for long.
const WRITER_SETTINGS: &str = "SET synchronous_commit = on; SET default_transaction_isolation = 'read committed'; \
     SET plan_cache_mode = auto; SET enable_seqscan = off; \
     SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; \
     SET idle_in_transaction_session_timeout = '10s'";

/// Of every connection.
pub(super) fn any(settings: &DatabaseSettings) -> ConnectOptions {
    let mut options = ConnectOptions::new(settings.url.expose());
    // A connection that SQLite and the driver disagree about is never lent again.
    options.map_sqlx_sqlite_pool_opts(|pool| {
        pool.after_release(|connection, _| Box::pin(outside_transactions(connection)))
    });
    options
        .connect_lazy(true)
        .connect_timeout(ACQUIRE_TIMEOUT)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_connections(settings.max_connections.clamp(2, 1_000))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(sqlite_options);
    options
}

fn sqlite_options(sqlite: SqliteConnectOptions) -> SqliteConnectOptions {
    sqlite
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
}

/// As [`any`], of those that write.
pub(super) fn writer(settings: &DatabaseSettings) -> ConnectOptions {
    let mut options = any(settings);
    options
        .max_connections(WRITERS_MAX)
        .test_before_acquire_if_idle_for(WRITER_IDLE)
        .map_sqlx_postgres_opts(|postgres| postgres.statement_cache_capacity(STATEMENTS_MAX))
        .map_sqlx_postgres_pool_opts(|pool| {
            pool.after_connect(|connection, _| {
                Box::pin(async move { connection.execute(WRITER_SETTINGS).await.map(drop) })
            })
        })
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite_options(sqlite)
                .statement_cache_capacity(STATEMENTS_MAX)
                .pragma("cache_size", "-65536")
        });
    options
}

/// As [`writer`], of those that are asked while a writer is busy.
pub(super) fn beside(settings: &DatabaseSettings) -> ConnectOptions {
    let mut options = writer(settings);
    options
        .max_connections(BESIDE_MAX)
        .acquire_timeout(BESIDE_TIMEOUT);
    options
}

/// Whether the driver believes that a connection is in no transaction, once it has done what it was told to.
///
/// On a full disk or an I/O error SQLite rolls back by itself. The driver's own rollback fails then, and it goes on
/// believing that it is in a transaction: what it takes for the next one would be a savepoint that no commit makes
/// durable, though everybody on that connection sees it.
async fn outside_transactions(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}
