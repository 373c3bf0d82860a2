//! Something to try it out on: a hotel and a cinema, invented, in an empty database.
//!
//! Both are made under the commit head in one transaction each, so that two processes which start together make them
//! once. The cinema's programme is topped up at every start: there is always a week ahead.

mod cinema;
mod hotel;

use std::time::Duration;

use banyan_mesh::{backoff::Backoff, process::Process};
use jiff::tz::TimeZone;
use tracing::{debug, info};

use crate::{domain::money::Currency, inventory::Inventory, store::StoreError};

/// Why the demo's data could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The database failed.
    #[error("failed to make demo data")]
    Store(#[from] StoreError),
    /// The time zone database has changed under us.
    #[error("failed to find the demo's time zone or currency")]
    World,
}

/// Makes the demo's data as soon as the database is there. Until then the process is not ready.
pub(crate) fn fill_in_background(inventory: Inventory, process: &Process) {
    let made = process.readiness().dependency("demo data");
    let shutdown = process.shutdown().clone();
    process.spawn("demo data", async move {
        let fill = async {
            if !inventory.store().ready().await {
                return Ok(());
            }
            let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
            loop {
                match fill(&inventory).await {
                    Err(DemoError::Store(error)) if error.is_transient() => {
                        debug!(%error, "Demo data put off");
                        tokio::time::sleep(backoff.next_wait()).await;
                    }
                    result => return result,
                }
            }
        };
        if let Some(result) = shutdown.run_until_cancelled(fill).await {
            result?;
            made.up();
        }
        Ok(())
    });
}

/// Makes what is missing of the demo's data.
pub(crate) async fn fill(inventory: &Inventory) -> Result<(), DemoError> {
    let mut turn = inventory.turn().await?;
    let empty = {
        let write = &turn.commit.write;
        write.hotels(None, 1).await?.is_empty() && write.cinemas(None, 1).await?.is_empty()
    };
    if empty {
        hotel::create(&mut turn.commit).await?;
        cinema::create(&mut turn.commit).await?;
        info!("Made demo data");
    }
    let added = cinema::top_up(&mut turn.commit).await?;
    if empty || added > 0 {
        turn.finish().await?;
    }
    Ok(())
}

/// Where and in which money the demo's venues stand.
struct World {
    zone: TimeZone,
    zone_name: &'static str,
    currency: Currency,
}

impl World {
    fn lisbon() -> Result<Self, DemoError> {
        let zone_name = "Europe/Lisbon";
        Ok(Self {
            zone: TimeZone::get(zone_name).map_err(|_| DemoError::World)?,
            zone_name,
            currency: Currency::parse("EUR").ok_or(DemoError::World)?,
        })
    }
}
