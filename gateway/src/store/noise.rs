//! How often a side's own answers differ, by day and as far as any replica has seen it: shared, and kept over restarts.
//!
//! Only the last days are kept, so that what was mended is compared again. A rollout has a limited number of paths a day:
//! one whose answers differ everywhere cannot be compared anyhow.

use sea_orm::{ConnectionTrait as _, QueryResult, Statement};

use super::{Store, StoreError};

/// So many paths are kept of a rollout and day.
const PATHS_MAX: i64 = 1_000;
/// So many are read at once, the most frequent first.
const READ_MAX: i64 = 10_000;

/// How often something was seen between two answers of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noise {
    /// The rollout.
    pub rollout: String,
    /// The route, as `METHOD template`.
    pub route: String,
    /// Where in the answer, by proto names; empty for [`Noise::SAMPLE`].
    pub path: String,
    /// What differs, as of a [`Difference`](super::Difference); or [`Noise::SAMPLE`].
    pub kind: String,
    /// On which day, counted from 1970-01-01, UTC.
    pub day: i64,
    /// How often.
    pub count: i64,
}

impl Noise {
    /// The kind that counts how often one side was asked twice, whatever came of it.
    pub const SAMPLE: &str = "sample";
}

impl Store {
    /// Adds to what was counted. Beyond [`PATHS_MAX`] of a rollout and day nothing new is kept.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn add_noise(&self, noise: &Noise) -> Result<(), StoreError> {
        let add = Statement::from_sql_and_values(
            self.database.backend(),
            "INSERT INTO rollout_noise_sightings (rollout, day, route, path, kind, count) \
             SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), \
             CAST($6 AS BIGINT) \
             WHERE CAST($5 AS TEXT) = 'sample' \
             OR (SELECT COUNT(*) FROM rollout_noise_sightings \
             WHERE rollout = $1 AND day = $2 AND kind <> 'sample') < $7 \
             OR EXISTS (SELECT 1 FROM rollout_noise_sightings \
             WHERE rollout = $1 AND day = $2 AND route = $3 AND path = $4 AND kind = $5) \
             ON CONFLICT (rollout, day, route, path, kind) DO UPDATE SET \
             count = rollout_noise_sightings.count + excluded.count",
            [
                noise.rollout.as_str().into(),
                noise.day.into(),
                noise.route.as_str().into(),
                noise.path.as_str().into(),
                noise.kind.as_str().into(),
                noise.count.into(),
                PATHS_MAX.into(),
            ],
        );
        self.execute(add).await
    }

    /// What was seen since the day `since`, added up, with the last day of each; what is older is forgotten.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn noise(&self, since: i64) -> Result<Vec<Noise>, StoreError> {
        let forget = Statement::from_sql_and_values(
            self.database.backend(),
            "DELETE FROM rollout_noise_sightings WHERE day < $1",
            [since.into()],
        );
        self.execute(forget).await?;
        let find = Statement::from_sql_and_values(
            self.database.backend(),
            "SELECT rollout, route, path, kind, MAX(day) AS day, CAST(SUM(count) AS BIGINT) AS count \
             FROM rollout_noise_sightings WHERE day >= $1 GROUP BY rollout, route, path, kind \
             ORDER BY 6 DESC, rollout, route, path, kind LIMIT $2",
            [since.into(), READ_MAX.into()],
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

    /// Forgets all that was seen of a rollout.
    pub(super) async fn forget_noise(&self, rollout: &str) -> Result<(), StoreError> {
        let forget = Statement::from_sql_and_values(
            self.database.backend(),
            "DELETE FROM rollout_noise_sightings WHERE rollout = $1",
            [rollout.into()],
        );
        self.execute(forget).await
    }
}

fn read(row: &QueryResult) -> Result<Noise, StoreError> {
    let text = |column| row.try_get("", column).map_err(StoreError::Read);
    let number = |column| row.try_get("", column).map_err(StoreError::Read);
    Ok(Noise {
        rollout: text("rollout")?,
        route: text("route")?,
        path: text("path")?,
        kind: text("kind")?,
        day: number("day")?,
        count: number("count")?,
    })
}
