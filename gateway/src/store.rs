//! What was decided about rollouts, who decided it when and why: the gateway's own database.
//!
//! `rollout_states` holds one row a rollout: its whole [`State`] and a version that counts changes. `rollout_log` is
//! append-only and has one row a version, chained by hashes ([`chain`]). Both are written in one transaction, so there is
//! no change without its entry and no entry without its change. Beside them is what replicas share to decide by
//! themselves: a lease, the windows that each counted, a key.
//!
//! The store is asked by people (rarely) and by each replica (four times a second), never by a request: when it is away,
//! traffic goes on by what was last known. Every operation therefore has a time limit.

mod analysis;
pub(crate) mod chain;
mod change;
mod difference;
mod entity;
mod lease;
mod log;
mod noise;
mod secret;
mod settings;
mod state;
mod window;

use std::{collections::BTreeMap, future::Future, time::Duration};

use banyan_mesh::{
    database::{Database, DatabaseSettings, OpenError},
    process::Process,
};
use jiff::Timestamp;
use sea_orm::{DbBackend, DbErr, EntityTrait as _};

pub use analysis::StoredAnalysis;
pub use change::NewEntry;
pub use difference::{Difference, Reached};
pub use lease::Lease;
pub use log::{Entry, Verdict};
pub use noise::Noise;
pub use settings::{Changed, Overrides, PolicyWord, Setting};
pub use state::{Configured, Said, State, SteeringTerms};
pub use window::Window;

use crate::migration::Migrator;

/// An operation takes at most this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The gateway's own database; clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
}

/// A rollout as the store has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its state.
    pub state: State,
    /// Counts the changes; 0 before the first.
    pub version: u64,
    /// When it was last changed.
    pub change_time: Option<Timestamp>,
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Somebody set stage, owner of writes or percentage.
    Set,
    /// Somebody took the percentage back.
    Unset,
    /// Somebody went one step further.
    Promote,
    /// Somebody stopped the automatic analysis.
    Pause,
    /// Somebody let it go on.
    Resume,
    /// Somebody sent everybody back.
    Abort,
    /// The automatic analysis went one step further.
    Advance,
    /// The automatic analysis went back.
    RollBack,
    /// A variable, a mounted file or gateway.toml says something else than before.
    Configure,
    /// Somebody set or unset shadow share, fallback or policy.
    Adjust,
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
    /// The states or the log cannot be read.
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

    /// Whether other replicas may use it too: a SQLite file belongs to one process.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.database.backend() != DbBackend::Sqlite
    }

    /// Waits until the store has been reached and migrated. False if the process ends before.
    pub async fn ready(&self) -> bool {
        self.database.ready().await
    }

    /// All rollouts, by name.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn states(&self) -> Result<BTreeMap<String, Stored>, StoreError> {
        let rows = self
            .within(async {
                entity::state::Entity::find()
                    .all(self.database.connection())
                    .await
                    .map_err(StoreError::Read)
            })
            .await?;
        rows.into_iter()
            .map(|row| Ok((row.rollout.clone(), Stored::try_from(row)?)))
            .collect()
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

impl Action {
    /// Every action.
    pub const ALL: [Self; 10] = [
        Self::Set,
        Self::Unset,
        Self::Promote,
        Self::Pause,
        Self::Resume,
        Self::Abort,
        Self::Advance,
        Self::RollBack,
        Self::Configure,
        Self::Adjust,
    ];

    /// The stable name in stores, logs and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Unset => "unset",
            Self::Promote => "promote",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
            Self::Advance => "advance",
            Self::RollBack => "roll-back",
            Self::Configure => "configure",
            Self::Adjust => "adjust",
        }
    }

    /// The action of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}
