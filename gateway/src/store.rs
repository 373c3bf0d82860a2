//! What operators decided, and who did it when and why: the gateway's own database.
//!
//! Two tables. `rollout_settings` holds one row a rollout: the operator's percentage (none: taken back) and a version
//! that counts changes. `rollout_changes` is append-only and has one row a version. Both are written in one transaction,
//! so there is no change without its entry and no entry without its change.
//!
//! The store is asked by people (rarely) and by each replica (twice a second), never by a request: when it is away,
//! traffic goes on by what was last known. Every operation therefore has a time limit.

mod change;
mod entity;

use std::{collections::BTreeMap, future::Future, time::Duration};

use banyan_mesh::{
    database::{Database, DatabaseSettings, OpenError},
    process::Process,
};
use banyan_rollout::{Percent, Source};
use jiff::Timestamp;
use sea_orm::{
    ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

pub use change::NewChange;

use crate::migration::Migrator;

/// An operation takes at most this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The gateway's own database; clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
}

/// An operator's word about one rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The percentage; `None` where it was taken back.
    pub percent: Option<Percent>,
    /// Counts the changes, from 1.
    pub version: u64,
    /// When it was last changed.
    pub change_time: Timestamp,
}

/// One change of a rollout, as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Counts the changes of this rollout, from 1.
    pub version: u64,
    /// When.
    pub change_time: Timestamp,
    /// Who, as the caller named itself.
    pub actor: String,
    /// Why, in the caller's words.
    pub reason: String,
    /// The percentage in force before, and whose it was.
    pub previous: (Percent, Source),
    /// The percentage in force since, and whose it is.
    pub current: (Percent, Source),
}

/// The store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reached, or not migrated, since this process started.
    #[error("the gateway's store has not been reached yet")]
    NotReady,
    /// No answer in time. A change may or may not have been made; the next reading tells.
    #[error("the gateway's store did not answer within {} s", PATIENCE.as_secs())]
    TooSlow,
    /// The settings or changes cannot be read.
    #[error("failed to read rollouts from the gateway's store")]
    Read(#[source] DbErr),
    /// A change cannot be written.
    #[error("failed to write a change of a rollout to the gateway's store")]
    Write(#[source] DbErr),
    /// The rollout is no longer at the version that the caller saw.
    #[error("the rollout was changed meanwhile: it is at version {version}")]
    Changed {
        /// The version it is at.
        version: u64,
    },
    /// A row that this program did not write.
    #[error("the gateway's store holds a rollout with an impossible {what}")]
    Impossible {
        /// Which value is impossible.
        what: &'static str,
    },
}

impl Store {
    /// Opens the store and keeps it migrated in the background. It never makes the process unready: traffic does not
    /// need it.
    ///
    /// # Errors
    /// If the URL is of an unknown kind, or a SQLite file cannot be owned. A server that is away is no error.
    pub async fn open(process: &Process, settings: &DatabaseSettings) -> Result<Self, OpenError> {
        let database = Database::start_optional::<Migrator>(process, settings, "gateway").await?;
        Ok(Self { database })
    }

    /// Waits until the store has been reached and migrated. False if the process ends before.
    pub async fn ready(&self) -> bool {
        self.database.ready().await
    }

    /// The operators' words about all rollouts, by the rollout's name.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn settings(&self) -> Result<BTreeMap<String, Setting>, StoreError> {
        let rows = self
            .within(async {
                entity::setting::Entity::find()
                    .all(self.database.connection())
                    .await
                    .map_err(StoreError::Read)
            })
            .await?;
        rows.into_iter()
            .map(|row| Ok((row.rollout.clone(), Setting::try_from(row)?)))
            .collect()
    }

    /// At most `limit` changes of a rollout, newest first, those before version `before` only.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn changes(
        &self,
        rollout: &str,
        before: Option<u64>,
        limit: u64,
    ) -> Result<Vec<Change>, StoreError> {
        let mut find = entity::change::Entity::find()
            .filter(entity::change::Column::Rollout.eq(rollout))
            .order_by_desc(entity::change::Column::Version)
            .limit(limit);
        if let Some(before) = before {
            let before = i64::try_from(before).unwrap_or(i64::MAX);
            find = find.filter(entity::change::Column::Version.lt(before));
        }
        let rows = self
            .within(async {
                find.all(self.database.connection())
                    .await
                    .map_err(StoreError::Read)
            })
            .await?;
        rows.into_iter().map(Change::try_from).collect()
    }

    async fn within<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if !self.database.is_ready() {
            return Err(StoreError::NotReady);
        }
        tokio::time::timeout(PATIENCE, operation)
            .await
            .unwrap_or(Err(StoreError::TooSlow))
    }
}
