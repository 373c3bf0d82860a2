//! Tidies up: ends holds that have run out and forgets old request ids. Nothing waits for it; every reader and every
//! decision discounts what it has not got to yet.
//!
//! A sweep is bounded, so that it never keeps a guest waiting for long; what is left comes next time. Several
//! replicas may sweep at once: each finds what the others have left.

use std::time::Duration;

use banyan_mesh::process::Process;
use tracing::{debug, warn};

use super::{Inventory, answer, decide, rejection::Rejection};

/// How often.
const INTERVAL: Duration = Duration::from_secs(5);
/// Holds of one sweep.
const HOLDS_MAX: i64 = 100;
/// Request ids of one sweep.
const REQUEST_IDS_MAX: i64 = 1_000;

impl Inventory {
    /// Sweeps until the process ends.
    pub fn sweep_in_background(&self, process: &Process) {
        let inventory = self.clone();
        let shutdown = process.shutdown().clone();
        process.spawn("inventory sweeper", async move {
            while shutdown
                .run_until_cancelled(tokio::time::sleep(INTERVAL))
                .await
                .is_some()
            {
                match inventory.sweep().await {
                    Ok(()) => {}
                    Err(Rejection::Store(error)) if error.is_transient() => {
                        debug!(%error, "Sweep put off")
                    }
                    Err(error) => warn!(error = &error as &dyn std::error::Error, "Sweep failed"),
                }
            }
            Ok(())
        });
    }

    /// Sweeps once.
    pub async fn sweep(&self) -> Result<(), Rejection> {
        let now = self.now();
        let idle = {
            let session = self.store().read().await?;
            let lapsed = session.lapsed_holds_anywhere(now, 1).await?;
            lapsed.is_empty() && !session.has_answers_before(now - answer::KEPT).await?
        };
        if idle {
            return Ok(());
        }
        let mut turn = self.turn().await?;
        let lapsed = turn
            .commit
            .write
            .lapsed_holds_anywhere(turn.commit.now, HOLDS_MAX)
            .await?;
        let expired = lapsed.len() as u64;
        decide::expire(&mut turn.commit, lapsed).await?;
        let forgotten = turn
            .commit
            .write
            .forget_answers(turn.commit.now - answer::KEPT, REQUEST_IDS_MAX)
            .await?;
        turn.finish().await?;
        self.shared.metrics.expired.inc_by(expired);
        self.shared.metrics.forgotten.inc_by(forgotten);
        debug!(expired, forgotten, "Swept");
        Ok(())
    }
}
