//! Applying the feed exactly once: the cursor and the facts change in the same transaction, or not at all.
//!
//! The transaction begins by locking the cursor's row and decides what is new from *that* cursor, not from the one the
//! stream was opened with. So whatever is delivered twice (a reconnect, a restart after `kill -9`, a second replica on
//! the same database) is recognised, and two replicas take turns.

use jiff::Timestamp;
use sea_orm::{
    ActiveModelTrait as _, DatabaseTransaction, EntityTrait as _, QuerySelect as _, Set,
};

use super::{
    During as _, Store, StoreError,
    facts::{self, Applied},
    tables::feed_cursor,
};
use crate::domain::{
    batch::{Batch, BatchError, Cursor},
    change::Event,
};

const ROW: i32 = 1;

/// Why a delivery was not applied; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It does not follow what is known.
    #[error("the delivery does not continue the facts")]
    Order(#[source] BatchError),
    /// The database failed.
    #[error("the delivery could not be stored")]
    Store(#[source] StoreError),
}

impl Store {
    /// How far the feed has been applied.
    pub async fn cursor(&self) -> Result<Cursor, StoreError> {
        let row = feed_cursor::Entity::find_by_id(ROW)
            .one(self.connection()?)
            .await
            .during("read the feed cursor")?;
        parse(row)
    }

    /// Applies what is new in a delivery, atomically and exactly once. `head` is the feed's last known sequence.
    pub async fn apply(&self, events: &[Event], head: i64) -> Result<Applied, ApplyError> {
        let write = self
            .write("begin applying the feed")
            .await
            .map_err(ApplyError::Store)?;
        let cursor = lock(&write.transaction).await.map_err(ApplyError::Store)?;
        let batch = Batch::after(&cursor, events, head).map_err(ApplyError::Order)?;
        let applied = Applied {
            cursor: batch.cursor.clone(),
            applied: batch.applied,
            skipped: batch.skipped,
        };
        if batch.cursor == cursor {
            return Ok(applied);
        }
        let stored = async {
            facts::write(&write.transaction, batch).await?;
            move_to(&write.transaction, &applied.cursor).await?;
            write.commit("commit facts and feed cursor").await
        };
        stored.await.map_err(ApplyError::Store)?;
        Ok(applied)
    }

    /// Forgets all facts and the cursor, atomically, so that the feed is read from its first event again. Does nothing if
    /// the facts are no longer of `incarnation`: another replica was first. True if it forgot.
    pub async fn forget(&self, incarnation: Option<&str>) -> Result<bool, StoreError> {
        let write = self.write("begin forgetting the facts").await?;
        let cursor = lock(&write.transaction).await?;
        if cursor.incarnation.as_deref() != incarnation {
            return Ok(false);
        }
        facts::clear(&write.transaction).await?;
        move_to(&write.transaction, &Cursor::default()).await?;
        write.commit("commit the emptied facts").await?;
        Ok(true)
    }
}

pub(super) async fn read(transaction: &DatabaseTransaction) -> Result<Cursor, StoreError> {
    let row = feed_cursor::Entity::find_by_id(ROW)
        .one(transaction)
        .await
        .during("read the feed cursor")?;
    parse(row)
}

async fn lock(transaction: &DatabaseTransaction) -> Result<Cursor, StoreError> {
    // SQLite has no row locks and needs none: the transaction holds the write lock already.
    let row = feed_cursor::Entity::find_by_id(ROW)
        .lock_exclusive()
        .one(transaction)
        .await
        .during("lock the feed cursor")?;
    parse(row)
}

fn parse(row: Option<feed_cursor::Model>) -> Result<Cursor, StoreError> {
    let row = row.ok_or_else(|| StoreError::Corrupt {
        what: "feed cursor",
        value: "no row".to_owned(),
    })?;
    let decide_time = row
        .decide_time_us
        .map(Timestamp::from_microsecond)
        .transpose()
        .map_err(|error| StoreError::Corrupt {
            what: "decision time",
            value: error.to_string(),
        })?;
    Ok(Cursor {
        incarnation: row.incarnation,
        sequence: row.sequence,
        decide_time,
        head: row.head,
    })
}

async fn move_to(transaction: &DatabaseTransaction, cursor: &Cursor) -> Result<(), StoreError> {
    feed_cursor::ActiveModel {
        id: Set(ROW),
        incarnation: Set(cursor.incarnation.clone()),
        sequence: Set(cursor.sequence),
        decide_time_us: Set(cursor.decide_time.map(Timestamp::as_microsecond)),
        head: Set(cursor.head),
    }
    .update(transaction)
    .await
    .during("move the feed cursor")?;
    Ok(())
}
