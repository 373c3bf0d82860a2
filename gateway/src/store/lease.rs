//! One of several replicas does what only one should: who, for how long.
//!
//! A lease is a row with a holder and an end. Whoever finds none, or one that has ended, takes it; the holder renews
//! its own long before the end. It saves work and noise, nothing more: what a holder does is checked by the version
//! that it saw, so a replica that was paused and does not know that its lease is over does no harm.

use std::time::Duration;

use jiff::Timestamp;
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult, Statement};

use super::{Store, StoreError, entity::time};

/// Who does it, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which replica.
    pub holder: String,
    /// Counts the holders, from 1.
    pub term: i64,
    /// When it ends unless it is renewed.
    pub expires: Timestamp,
}

impl Store {
    /// Takes or renews the lease `name` for `holder`, if nobody else holds it at `now`. Returns whose it is now.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        duration: Duration,
    ) -> Result<Lease, StoreError> {
        let duration_us = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let now_us = now.as_microsecond();
        let backend = self.database.backend();
        let take = Statement::from_sql_and_values(
            backend,
            "INSERT INTO gateway_leases (name, holder, term, expires_us) VALUES ($1, $2, 1, $3) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_us = excluded.expires_us, \
             term = gateway_leases.term + CASE WHEN gateway_leases.holder = excluded.holder THEN 0 ELSE 1 END \
             WHERE gateway_leases.holder = excluded.holder OR gateway_leases.expires_us <= $4 \
             RETURNING holder, term, expires_us",
            [
                name.into(),
                holder.into(),
                now_us.saturating_add(duration_us).into(),
                now_us.into(),
            ],
        );
        let whose = Statement::from_sql_and_values(
            backend,
            "SELECT holder, term, expires_us FROM gateway_leases WHERE name = $1",
            [name.into()],
        );
        self.within(async {
            let connection = self.database.connection();
            let taken = connection
                .query_one_raw(take)
                .await
                .map_err(StoreError::Write)?;
            let row = match taken {
                Some(row) => row,
                None => connection
                    .query_one_raw(whose)
                    .await
                    .and_then(|row| row.ok_or_else(|| DbErr::RecordNotFound(name.to_owned())))
                    .map_err(StoreError::Read)?,
            };
            read(&row)
        })
        .await
    }

    /// Gives the lease `name` back, if `holder` has it, so that another replica need not wait for its end.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn give_back(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let end = Statement::from_sql_and_values(
            self.database.backend(),
            "UPDATE gateway_leases SET expires_us = 0 WHERE name = $1 AND holder = $2",
            [name.into(), holder.into()],
        );
        self.execute(end).await
    }
}

fn read(row: &QueryResult) -> Result<Lease, StoreError> {
    let expires_us = row.try_get("", "expires_us").map_err(StoreError::Read)?;
    Ok(Lease {
        holder: row.try_get("", "holder").map_err(StoreError::Read)?,
        term: row.try_get("", "term").map_err(StoreError::Read)?,
        expires: time(expires_us)?,
    })
}
