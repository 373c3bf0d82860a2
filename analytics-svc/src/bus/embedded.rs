//! The bus in the service's own database.
//!
//! An offset is taken from its partition's counter in the transaction that writes the event: offsets have no gaps, their
//! order is commit order, and an answer means that both are durable. Writers of one partition wait for each other;
//! that is the price of an order.
//!
//! Consumers of this process are woken by its own writes and look for those of other replicas every second.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use super::{Bus, BusError, Delivery, Event, Place, Topic};
use crate::store::Store;

/// Events a partition and delivery.
const DELIVERY_MAX: u64 = 200;
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Topics in tables.
pub struct EmbeddedBus {
    store: Store,
    partitions: u16,
    written: Notify,
}

impl EmbeddedBus {
    /// A bus whose topics have `partitions` partitions each. Raising the number later keeps every event and its place,
    /// but moves keys: their order holds within each partition only.
    #[must_use]
    pub fn new(store: Store, partitions: u16) -> Self {
        Self {
            store,
            partitions: partitions.max(1),
            written: Notify::new(),
        }
    }

    async fn unread(&self, group: &str) -> Result<Vec<Delivery>, BusError> {
        let mut deliveries = Vec::new();
        for topic in Topic::ALL {
            let unread = self
                .store
                .unread_events(group, topic, DELIVERY_MAX)
                .await
                .map_err(|error| BusError::Consume {
                    topic,
                    source: error.into(),
                })?;
            deliveries.extend(unread);
        }
        Ok(deliveries)
    }
}

#[tonic::async_trait]
impl Bus for EmbeddedBus {
    async fn check(&self) -> Result<(), BusError> {
        self.store
            .check_events()
            .await
            .map_err(|error| BusError::Away(error.into()))
    }

    async fn publish(&self, event: Event) -> Result<Place, BusError> {
        let topic = event.topic;
        let partition = partition_of(&event.key, self.partitions);
        let offset = self
            .store
            .append_event(partition, event)
            .await
            .map_err(|error| BusError::Publish {
                topic,
                source: error.into(),
            })?;
        self.written.notify_waiters();
        Ok(Place { partition, offset })
    }

    async fn deliver(&self, group: &str) -> Result<Vec<Delivery>, BusError> {
        self.store.ready().await;
        loop {
            // Listens before looking, so that a write in between is not slept through.
            let written = self.written.notified();
            tokio::pin!(written);
            written.as_mut().enable();
            let deliveries = self.unread(group).await?;
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            tokio::time::timeout(LOOK_INTERVAL, written).await.ok();
        }
    }

    async fn commit(&self, group: &str, delivery: &Delivery) -> Result<bool, BusError> {
        let (Some((first, _)), Some((last, _))) = (delivery.events.first(), delivery.events.last())
        else {
            return Ok(true);
        };
        let topic = delivery.topic;
        self.store
            .commit_events(group, topic, delivery.partition, *first, *last + 1)
            .await
            .map_err(|error| BusError::Consume {
                topic,
                source: error.into(),
            })
    }
}

/// The same key goes to the same one of `partitions` partitions in every process and release.
fn partition_of(key: &str, partitions: u16) -> i32 {
    let digest = Sha256::digest(key.as_bytes());
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    let partition = u64::from_be_bytes(head) % u64::from(partitions.max(1));
    // Below 65,536.
    i32::try_from(partition).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_partition_across_releases() {
        let partitions: Vec<i32> = ["1", "5", "7", "8", "10", "42", "100"]
            .into_iter()
            .map(|key| partition_of(key, 3))
            .collect();
        // Any change here would reorder the events of existing deployments.
        assert_eq!(partitions, [1, 2, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn keys_spread_over_all_partitions() {
        let mut counts = [0; 5];
        for key in 0..1_000 {
            let partition = partition_of(&key.to_string(), 5);
            counts[usize::try_from(partition).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| *count > 150), "{counts:?}");
    }
}
