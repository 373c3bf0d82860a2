//! Where a side's own answers differ, as far as any replica has seen it: shared, and kept over restarts.
//!
//! A path that has not been noisy for a while is forgotten, so that what was mended is compared again. A rollout has a
//! limited number of them: one whose answers differ everywhere cannot be compared anyhow.

use jiff::Timestamp;
use sea_orm::{ConnectionTrait as _, QueryResult, Statement};

use super::{Store, StoreError, entity::time};

/// So many paths are kept of a rollout.
const PATHS_MAX: i64 = 1_000;
/// So many are read at once.
const READ_MAX: i64 = 10_000;

/// A path at which one side's own answers were seen to differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noise {
    /// The rollout.
    pub rollout: String,
    /// The route, as `METHOD template`.
    pub route: String,
    /// Where in the answer, by proto names.
    pub path: String,
    /// When that was last seen.
    pub last_seen: Timestamp,
}

impl Store {
    /// Keeps what was learned. Beyond [`PATHS_MAX`] of a rollout nothing new is kept.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn learn_noise(&self, noise: &Noise) -> Result<(), StoreError> {
        let learn = Statement::from_sql_and_values(
            self.database.backend(),
            "INSERT INTO rollout_noise (rollout, route, path, last_us) \
             SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT) \
             WHERE (SELECT COUNT(*) FROM rollout_noise WHERE rollout = $1) < $5 \
             OR EXISTS (SELECT 1 FROM rollout_noise WHERE rollout = $1 AND route = $2 AND path = $3) \
             ON CONFLICT (rollout, route, path) DO UPDATE SET last_us = excluded.last_us",
            [
                noise.rollout.as_str().into(),
                noise.route.as_str().into(),
                noise.path.as_str().into(),
                noise.last_seen.as_microsecond().into(),
                PATHS_MAX.into(),
            ],
        );
        self.execute(learn).await
    }

    /// What was learned and seen since `since`; what is older is forgotten.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn noise(&self, since: Timestamp) -> Result<Vec<Noise>, StoreError> {
        let since_us = since.as_microsecond();
        let forget = Statement::from_sql_and_values(
            self.database.backend(),
            "DELETE FROM rollout_noise WHERE last_us < $1",
            [since_us.into()],
        );
        self.execute(forget).await?;
        let find = Statement::from_sql_and_values(
            self.database.backend(),
            "SELECT rollout, route, path, last_us FROM rollout_noise ORDER BY last_us DESC LIMIT $1",
            [READ_MAX.into()],
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
}

fn read(row: &QueryResult) -> Result<Noise, StoreError> {
    let text = |column| row.try_get("", column).map_err(StoreError::Read);
    let last_us = row.try_get("", "last_us").map_err(StoreError::Read)?;
    Ok(Noise {
        rollout: text("rollout")?,
        route: text("route")?,
        path: text("path")?,
        last_seen: time(last_us)?,
    })
}
