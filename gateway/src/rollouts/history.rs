//! What the store remembers of a rollout: its changes, whether they are as they were written, what answers differ in.

use super::{ChangeError, Rollouts};
use crate::store::{Difference, Entry, Reached, Verdict};

impl Rollouts {
    /// At most `limit` changes of a rollout, newest first, those before version `before` only.
    ///
    /// # Errors
    /// If there is no such rollout, or the store is away.
    pub async fn changes(
        &self,
        name: &str,
        before: Option<u64>,
        limit: u64,
    ) -> Result<Vec<Entry>, ChangeError> {
        self.live(name)?;
        self.store()?
            .entries(name, before, limit)
            .await
            .map_err(|source| ChangeError::History {
                name: name.to_owned(),
                source,
            })
    }

    /// Walks the whole log of a rollout. `known_hash`, where given, must be that of one of its entries.
    ///
    /// # Errors
    /// If there is no such rollout, or the store is away.
    pub async fn verify(
        &self,
        name: &str,
        known_hash: Option<&str>,
    ) -> Result<Verdict, ChangeError> {
        self.live(name)?;
        self.store()?
            .verify(name, known_hash)
            .await
            .map_err(|source| ChangeError::History {
                name: name.to_owned(),
                source,
            })
    }

    /// At most `limit` differences between the answers of both sides, the most frequent first, those after `reached`
    /// only.
    ///
    /// # Errors
    /// If there is no such rollout, or the store is away.
    pub async fn differences(
        &self,
        name: &str,
        reached: Option<Reached>,
        limit: u64,
    ) -> Result<Vec<Difference>, ChangeError> {
        self.live(name)?;
        let differences = self.store()?.differences(name, reached, limit).await;
        differences.map_err(|source| ChangeError::History {
            name: name.to_owned(),
            source,
        })
    }

    /// Forgets what the answers of both sides differ in, and what is known as noise.
    ///
    /// # Errors
    /// If there is no such rollout, or the store is away.
    pub async fn forget_differences(&self, name: &str) -> Result<(), ChangeError> {
        self.live(name)?;
        let forgotten = self.store()?.forget_differences(name).await;
        forgotten.map_err(|source| ChangeError::Change {
            name: name.to_owned(),
            source,
        })
    }
}
