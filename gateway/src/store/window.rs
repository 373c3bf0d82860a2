//! What replicas counted, for the one that decides: each writes its own windows, the decider reads everybody's.
//!
//! A replica writes a window more than once while it lasts; the row is replaced. What is older than a day, or belongs
//! to a version of the rollout that is over, is swept.

use jiff::Timestamp;
use sea_orm::{ConnectionTrait as _, QueryResult, Statement};

use super::{Store, StoreError, entity::time};

/// The decider reads at most so many windows at once.
const WINDOWS_MAX: i64 = 10_000;

/// What one replica counted about one rollout in one stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it began.
    pub start: Timestamp,
    /// Who counted.
    pub replica: String,
    /// At which version of the rollout.
    pub version: i64,
    /// What; JSON.
    pub counts: String,
}

impl Store {
    /// Writes a window, or replaces what was written of it before.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn put_window(&self, rollout: &str, window: &Window) -> Result<(), StoreError> {
        let put = Statement::from_sql_and_values(
            self.database.backend(),
            "INSERT INTO rollout_windows (rollout, start_us, replica, version, counts) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (rollout, start_us, replica) DO UPDATE SET version = excluded.version, counts = excluded.counts",
            [
                rollout.into(),
                window.start.as_microsecond().into(),
                window.replica.clone().into(),
                window.version.into(),
                window.counts.clone().into(),
            ],
        );
        self.execute(put).await
    }

    /// The windows of all replicas that began in `[from, until)`, oldest first.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn windows(
        &self,
        rollout: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Window>, StoreError> {
        let find = Statement::from_sql_and_values(
            self.database.backend(),
            "SELECT start_us, replica, version, counts FROM rollout_windows \
             WHERE rollout = $1 AND start_us >= $2 AND start_us < $3 ORDER BY start_us, replica LIMIT $4",
            [
                rollout.into(),
                from.as_microsecond().into(),
                until.as_microsecond().into(),
                WINDOWS_MAX.into(),
            ],
        );
        let rows = self
            .within(async {
                let connection = self.database.connection();
                connection
                    .query_all_raw(find)
                    .await
                    .map_err(StoreError::Read)
            })
            .await?;
        rows.iter().map(read).collect()
    }

    /// Forgets windows of all rollouts that began before `until`.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn sweep_windows(&self, until: Timestamp) -> Result<(), StoreError> {
        let sweep = Statement::from_sql_and_values(
            self.database.backend(),
            "DELETE FROM rollout_windows WHERE start_us < $1",
            [until.as_microsecond().into()],
        );
        self.execute(sweep).await
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<(), StoreError> {
        self.within(async {
            let connection = self.database.connection();
            connection
                .execute_raw(statement)
                .await
                .map(drop)
                .map_err(StoreError::Write)
        })
        .await
    }
}

fn read(row: &QueryResult) -> Result<Window, StoreError> {
    let start_us = row.try_get("", "start_us").map_err(StoreError::Read)?;
    Ok(Window {
        start: time(start_us)?,
        replica: row.try_get("", "replica").map_err(StoreError::Read)?,
        version: row.try_get("", "version").map_err(StoreError::Read)?,
        counts: row.try_get("", "counts").map_err(StoreError::Read)?,
    })
}
