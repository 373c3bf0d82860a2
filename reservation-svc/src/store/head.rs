//! The one-row `commit_head`: which database this is, its last commit sequence and the numbers allotted so far.

use jiff::Timestamp;
use sea_orm::{ConnectionTrait as _, EntityTrait, QuerySelect};

use super::{
    Session, StoreError, Write,
    entity::commit_head,
    error::During,
    rows::{micros, timestamp},
};

/// The head of the order of commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Identity of the database.
    pub incarnation: String,
    /// Of the last commit.
    pub sequence: i64,
    /// When the last decision was made.
    pub decided_at: Timestamp,
    /// The last pool's number.
    pub last_pool: i64,
    /// The last booking item's number.
    pub last_item: i64,
    /// Raised by every change of the catalogue: what was read of it under the same version still holds.
    pub catalogue_version: i64,
    /// How many entries of the waitlist are open.
    pub waiting: i64,
    /// How many bookings have rooms for certain.
    pub pinned: i64,
}

impl Session {
    /// The head of the state that this session reads.
    pub async fn head(&self) -> Result<Head, StoreError> {
        let row = commit_head::Entity::find_by_id(1)
            .one(&self.transaction)
            .await
            .during("read the commit head")?;
        head(row)
    }

    pub(super) async fn lock_head(&self) -> Result<Head, StoreError> {
        // Without effect on SQLite, where the transaction has the whole database already.
        let row = commit_head::Entity::find_by_id(1)
            .lock_exclusive()
            .one(&self.transaction)
            .await
            .during("lock the commit head")?;
        head(row)
    }
}

impl Write {
    /// Notes the batch, so that whether it was committed can be looked up, and moves the head on.
    ///
    /// Numbers and an id of our own can stand in the text: so both go to the server in one piece.
    pub(super) async fn advance(&self, head: &Head) -> Result<(), StoreError> {
        let batch = self.batch().0;
        let Head {
            sequence,
            last_pool,
            last_item,
            catalogue_version,
            waiting,
            pinned,
            ..
        } = head;
        let decided_at = micros(head.decided_at);
        let sql = format!(
            "INSERT INTO commit_batches (id, sequence, committed_at) \
             VALUES ('{batch}', {sequence}, {decided_at}); \
             UPDATE commit_head SET sequence = {sequence}, decided_at = {decided_at}, \
             last_pool = {last_pool}, last_item = {last_item}, \
             catalogue_version = {catalogue_version}, waiting = {waiting}, pinned = {pinned} \
             WHERE id = 1"
        );
        let advanced = self.transaction.execute_unprepared(&sql).await;
        advanced.during("advance the commit head")?;
        Ok(())
    }
}

fn head(row: Option<commit_head::Model>) -> Result<Head, StoreError> {
    let row = row.ok_or_else(|| StoreError::corrupt("commit head", "none"))?;
    Ok(Head {
        incarnation: row.incarnation,
        sequence: row.sequence,
        decided_at: timestamp(row.decided_at)?,
        last_pool: row.last_pool,
        last_item: row.last_item,
        catalogue_version: row.catalogue_version,
        waiting: row.waiting,
        pinned: row.pinned,
    })
}
