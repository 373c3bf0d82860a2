//! What became of a COMMIT whose answer is missing, because the connection died in it: the batch's id tells, which is looked
//! up before anything is answered or tried once more.

use std::time::Duration;

use banyan_mesh::backoff::Backoff;
use tracing::{debug, warn};

use super::Inventory;
use crate::store::{BatchId, Head, Store, StoreError, Write};

/// Whether a batch was committed is looked up for this long.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(8);

impl Inventory {
    /// Makes a write durable, for whoever is not the committer. Begun, it runs to its end even if the caller has gone.
    ///
    /// # Errors
    /// As [`settled`].
    pub(crate) async fn commit(&self, write: Write, head: Head) -> Result<(), StoreError> {
        let store = self.store().clone();
        let committing = self.apart.spawn(async move {
            let batch = write.batch();
            let committed = write.commit(&head).await;
            settled(&store, batch, committed).await
        });
        let unconfirmed = |ended| StoreError::Unconfirmed {
            source: Box::new(ended),
        };
        committing
            .await
            .unwrap_or_else(|ended| Err(unconfirmed(ended)))
    }
}

/// How a COMMIT went, for certain where that can be found out. It waits for the database's turn: whoever has asked for that
/// ahead gives it up first.
///
/// # Errors
/// [`StoreError::Undone`] if it was lost, [`StoreError::Unconfirmed`] if that cannot be found out in time.
pub(super) async fn settled(
    store: &Store,
    batch: BatchId,
    committed: Result<(), StoreError>,
) -> Result<(), StoreError> {
    let error = match committed {
        Err(error @ StoreError::Unconfirmed { .. }) => error,
        known => return known,
    };
    let found = tokio::time::timeout(LOOKUP_TIMEOUT, look_up(store, batch)).await;
    let committed = found.ok();
    warn!(committed, "Lost the answer to a COMMIT");
    match committed {
        Some(true) => Ok(()),
        Some(false) => Err(StoreError::Undone {
            source: Box::new(error),
        }),
        None => Err(error),
    }
}

/// Whether a batch was committed, as soon as the database tells.
async fn look_up(store: &Store, batch: BatchId) -> bool {
    let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
    loop {
        match store.committed(batch).await {
            Ok(committed) => return committed,
            Err(error) => debug!(%error, "Cannot look a batch up yet"),
        }
        tokio::time::sleep(backoff.next_wait()).await;
    }
}
