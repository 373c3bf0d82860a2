//! Keeps the embedded bus bounded: events that are too old, or too many, go; unread ones stay.
//!
//! Offsets are never given again. An event that the service's own consumer has not read is kept whatever its age.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Topic, consumer::GROUP};
use crate::{
    settings::BusSettings,
    store::{Store, StoreError},
};

const INTERVAL: Duration = Duration::from_secs(60);

/// How long and how many events are kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events written before are removed.
    pub written_before: Timestamp,
    /// Events a partition at most.
    pub events_max: i64,
}

impl Limits {
    /// The limits of `settings` at `now`.
    #[must_use]
    pub fn at(now: Timestamp, settings: &BusSettings) -> Self {
        let age = Duration::from_secs(u64::from(settings.retention_hours) * 3_600);
        Self {
            written_before: now.checked_sub(age).unwrap_or(Timestamp::MIN),
            events_max: i64::try_from(settings.retention_events_max).unwrap_or(i64::MAX),
        }
    }
}

/// Removes what exceeds the limits, every minute until shutdown.
pub async fn run(store: Store, settings: BusSettings, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = shutdown.cancelled() => return,
        }
        match sweep(&store, Limits::at(Timestamp::now(), &settings)).await {
            Ok(0) => {}
            Ok(events) => info!(events, "Removed old events"),
            Err(error) => warn!(
                error = crate::chain(&error),
                "Old events could not be removed"
            ),
        }
    }
}

/// Removes what exceeds `limits`, in short transactions; how many events that was.
pub async fn sweep(store: &Store, limits: Limits) -> Result<u64, StoreError> {
    let mut removed = 0;
    for topic in Topic::ALL {
        for partition in store.event_partitions(topic).await? {
            loop {
                let some = store.remove_events(GROUP, topic, partition, limits).await?;
                if some == 0 {
                    break;
                }
                removed += some;
            }
        }
    }
    Ok(removed)
}
