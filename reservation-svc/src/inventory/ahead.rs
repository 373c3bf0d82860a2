//! The next batch's transaction, asked for while the one before it is committed: the database hands the commit head over
//! as soon as it can, and no time goes by between the two.
//!
//! Nothing is decided or read ahead: the transaction that is begun has the head locked, as any has, and sees what was
//! committed before. It is asked for only if there are commands for it. Whoever else takes this process's turn, or asks the
//! database what became of a batch, gives it up first, for it would be waited for by those who hold its turn.

use std::time::Duration;

use tokio::{task::JoinHandle, time::timeout};

use crate::store::{Store, StoreError, Write};

/// The database is waited for this long, as it is by a whole batch.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A transaction that may have been begun.
#[derive(Default)]
pub(super) struct Ahead(Option<JoinHandle<Option<Write>>>);

impl Ahead {
    /// Asks for the transaction, where the database lets several wait for the head.
    pub(super) fn begin(&mut self, store: &Store) {
        if self.0.is_none() && store.has_several_writers() {
            let store = store.clone();
            let begun = async move { timeout(WAIT_MAX, store.write()).await.ok()?.ok() };
            self.0 = Some(tokio::spawn(begun));
        }
    }

    /// The transaction that was asked for, or one that is begun now: what kept the other from beginning may be over.
    pub(super) async fn take(&mut self, store: &Store) -> Result<Write, StoreError> {
        if let Some(begun) = self.0.take()
            && let Ok(Some(write)) = begun.await
        {
            return Ok(write);
        }
        store.write().await
    }

    /// Does without it. It ends by itself, having changed nothing, once the database has let it begin.
    pub(super) fn give_up(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;

    use super::{
        super::testing::{Rig, hold},
        *,
    };

    #[tokio::test]
    async fn it_begins_where_the_one_before_it_ended() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let store = rig.inventory.store();
            let mut ahead = Ahead::default();
            let write = store.write().await.unwrap();
            ahead.begin(store);
            let mut head = write.head().clone();
            head.sequence += 7;
            write.commit(&head).await.unwrap();
            let next = ahead.take(store).await.unwrap();
            assert_eq!(next.head().sequence, head.sequence);
        }
    }

    #[tokio::test]
    async fn one_that_is_given_up_keeps_nobody_waiting() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let store = rig.inventory.store();
            let mut ahead = Ahead::default();
            ahead.begin(store);
            ahead.give_up();
            store.write().await.unwrap();
        }
    }

    #[tokio::test]
    async fn commands_and_changes_of_the_catalogue_take_turns() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let guests = (0..20).map(|_| {
                let inventory = rig.inventory.clone();
                tokio::spawn(async move {
                    for _ in 0..10 {
                        drop(inventory.submit(hold("garden-double", 1)).await);
                    }
                })
            });
            let guests: Vec<_> = guests.collect();
            for _ in 0..20 {
                rig.inventory.turn().await.unwrap().finish().await.unwrap();
            }
            for guest in guests {
                guest.await.unwrap();
            }
            let metrics = rig.process.metrics().encode().unwrap();
            let granted = "reservation_commands_accepted_total 10";
            assert!(metrics.contains(granted), "all rooms: {metrics}");
        }
    }
}
