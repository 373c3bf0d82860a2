//! Reads every event back and logs that it was there, without its payload.
//!
//! Offsets are committed after a delivery has been logged, so a crash in between shows an event twice and never hides one.
//! Of several replicas on one database the faster commits; the other looks again.

use std::{sync::Arc, time::Duration};

use banyan_mesh::backoff::Backoff;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Bus, BusError, Delivery, stats::BusStats};

/// The consumer group of the service's own reader.
pub const GROUP: &str = "banyan-analytics";

/// Follows the bus until shutdown; what fails is tried again.
pub async fn run(bus: Arc<dyn Bus>, stats: BusStats, shutdown: CancellationToken) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    loop {
        let step = tokio::select! {
            step = step(bus.as_ref(), &stats) => step,
            () = shutdown.cancelled() => return,
        };
        let Err(error) = step else {
            backoff.reset();
            continue;
        };
        let wait = backoff.next_wait();
        warn!(
            error = crate::chain(&error),
            wait_ms = wait.as_millis(),
            "Events cannot be read back"
        );
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn step(bus: &dyn Bus, stats: &BusStats) -> Result<(), BusError> {
    for delivery in bus.deliver(GROUP).await? {
        show(&delivery);
        if bus.commit(GROUP, &delivery).await? {
            stats.consumed(delivery.topic, delivery.events.len());
        }
    }
    Ok(())
}

fn show(delivery: &Delivery) {
    for (offset, event) in &delivery.events {
        info!(
            topic = delivery.topic.as_str(),
            partition = delivery.partition,
            offset,
            event.id = event.id,
            "event.type" = delivery.topic.event_type(),
            "Read event"
        );
    }
}
