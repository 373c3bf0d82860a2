//! What the answers of both sides differ in, counted by route, field path and kind over all replicas. Of a rollout those
//! are kept that were seen last, a thousand.

use jiff::Timestamp;
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult, RuntimeErr, Statement};

use super::{Store, StoreError, entity::time};

/// So many are kept of a rollout.
const KEPT_MAX: i64 = 1_000;
/// More than ever gather beyond [`KEPT_MAX`]; SQLite wants a limit before an offset.
const BEYOND_MAX: i64 = 1_000_000;

/// One kind of difference at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The rollout.
    pub rollout: String,
    /// The route, as `METHOD template`.
    pub route: String,
    /// Where in the answer, by proto names; the elements of a list share one path. Empty for the whole answer.
    pub path: String,
    /// `status`, `unreadable`, `unknown`, `missing`, `added` or `changed`.
    pub kind: String,
    /// How often the sides differed so.
    pub count: i64,
    /// How often one side's own answers did.
    pub noise: i64,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// What legacy said last, redacted.
    pub owner: String,
    /// What gRPC said last, redacted.
    pub other: String,
    /// The request in which it was last seen.
    pub request_id: String,
}

/// The place in the list of differences where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// How often the last one was seen.
    pub count: i64,
    /// Its route.
    pub route: String,
    /// Its path.
    pub path: String,
    /// Its kind.
    pub kind: String,
}

impl From<&Difference> for Reached {
    fn from(last: &Difference) -> Self {
        Self {
            count: last.count,
            route: last.route.clone(),
            path: last.path.clone(),
            kind: last.kind.clone(),
        }
    }
}

impl Store {
    /// Adds to what was counted of a difference. When it was first seen is that of what was seen first, its example and when
    /// it was last seen are those of what was seen last, but never of noise where there is a difference.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn add_difference(&self, difference: &Difference) -> Result<(), StoreError> {
        let it = difference.clone();
        let taken_if = |column: &str, counts: &str| {
            format!(
                "{column} = CASE WHEN (excluded.count > 0 AND known.count = 0) \
                 OR ((excluded.count > 0) = (known.count > 0) AND {counts}) \
                 THEN excluded.{column} ELSE known.{column} END"
            )
        };
        let first = taken_if("first_us", "excluded.first_us < known.first_us");
        let example = ["last_us", "owner", "other", "request_id"]
            .map(|column| taken_if(column, "excluded.last_us >= known.last_us"));
        let sql = format!(
            "INSERT INTO rollout_differences AS known \
             (rollout, route, path, kind, count, noise, first_us, last_us, owner, other, request_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (rollout, route, path, kind) DO UPDATE SET \
             count = known.count + excluded.count, noise = known.noise + excluded.noise, \
             {first}, {}",
            example.join(", ")
        );
        let add = Statement::from_sql_and_values(
            self.database.backend(),
            sql,
            [
                it.rollout.into(),
                it.route.into(),
                it.path.into(),
                it.kind.into(),
                it.count.into(),
                it.noise.into(),
                it.first_seen.as_microsecond().into(),
                it.last_seen.as_microsecond().into(),
                it.owner.into(),
                it.other.into(),
                it.request_id.into(),
            ],
        );
        self.execute(add).await
    }

    /// At most `limit` differences of a rollout, the most frequent first, those after `reached` only.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn differences(
        &self,
        rollout: &str,
        reached: Option<Reached>,
        limit: u64,
    ) -> Result<Vec<Difference>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut values = vec![rollout.into(), limit.into()];
        let mut after = "";
        if let Some(Reached {
            count,
            route,
            path,
            kind,
        }) = reached
        {
            after = "AND (count < $3 OR (count = $3 AND (route, path, kind) > ($4, $5, $6))) ";
            values.extend([count.into(), route.into(), path.into(), kind.into()]);
        }
        let sql = format!(
            "SELECT rollout, route, path, kind, count, noise, first_us, last_us, owner, other, request_id \
             FROM rollout_differences WHERE rollout = $1 {after}\
             ORDER BY count DESC, route, path, kind LIMIT $2",
        );
        let find = Statement::from_sql_and_values(self.database.backend(), sql, values);
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

    /// Drops what was not seen for longest beyond [`KEPT_MAX`] of a rollout; how many that were.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn trim_differences(&self, rollout: &str) -> Result<u64, StoreError> {
        let trim = Statement::from_sql_and_values(
            self.database.backend(),
            "DELETE FROM rollout_differences WHERE rollout = $1 AND (route, path, kind) IN \
             (SELECT route, path, kind FROM rollout_differences WHERE rollout = $1 \
             ORDER BY last_us DESC, count DESC, route, path, kind LIMIT $2 OFFSET $3)",
            [rollout.into(), BEYOND_MAX.into(), KEPT_MAX.into()],
        );
        self.within(async {
            let done = self.database.connection().execute_raw(trim).await;
            done.map(|done| done.rows_affected())
                .map_err(StoreError::Write)
        })
        .await
    }

    /// Forgets all differences of a rollout and what is known as noise, so that counting begins anew.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn forget_differences(&self, rollout: &str) -> Result<(), StoreError> {
        self.forget_noise(rollout).await?;
        let forget = Statement::from_sql_and_values(
            self.database.backend(),
            "DELETE FROM rollout_differences WHERE rollout = $1",
            [rollout.into()],
        );
        self.execute(forget).await
    }
}

impl StoreError {
    /// Whether it is about what was to be written rather than about the store: to try it again is of no use.
    #[must_use]
    pub fn blames_row(&self) -> bool {
        let Self::Write(DbErr::Exec(RuntimeErr::SqlxError(error))) = self else {
            return false;
        };
        let code = error.as_database_error().and_then(|error| error.code());
        code.is_some_and(|code| match code.len() {
            // Data that cannot be (a NUL in a text), against a constraint, beyond a limit (an index has one).
            5 => ["22", "23", "54"].contains(&&code[..2]),
            // SQLite: too big, a constraint, a mismatch.
            _ => code
                .parse::<u32>()
                .is_ok_and(|code| matches!(code & 0xff, 18..=20)),
        })
    }
}

fn read(row: &QueryResult) -> Result<Difference, StoreError> {
    let text = |column| row.try_get("", column).map_err(StoreError::Read);
    let number = |column| row.try_get("", column).map_err(StoreError::Read);
    Ok(Difference {
        rollout: text("rollout")?,
        route: text("route")?,
        path: text("path")?,
        kind: text("kind")?,
        count: number("count")?,
        noise: number("noise")?,
        first_seen: time(number("first_us")?)?,
        last_seen: time(number("last_us")?)?,
        owner: text("owner")?,
        other: text("other")?,
        request_id: text("request_id")?,
    })
}
