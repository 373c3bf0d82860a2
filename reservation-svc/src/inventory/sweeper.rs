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

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;
    use jiff::{SignedDuration, civil::date};

    use crate::{
        domain::{
            booking::State,
            claim::{Claim, Nights, Stay},
            name::{BookingId, RoomTypeId},
            request::{Principal, RequestKey},
        },
        inventory::{Action, Command, Hold, testing::Rig},
    };

    fn hold() -> Command {
        let claim = Claim::Stay(Stay {
            room_type: RoomTypeId::parse("hotels/banyan-bay/roomTypes/banyan-suite").unwrap(),
            nights: Nights::new(date(2026, 12, 1), date(2026, 12, 3)).unwrap(),
            rooms: 1,
        });
        let duration = SignedDuration::from_mins(10);
        let hold = Hold {
            claim,
            contact: None,
            duration,
            confirm: false,
            sells_started: false,
        };
        Command {
            principal: Principal::guest("x".into()),
            request: Some(RequestKey {
                method: "HoldBooking",
                id: "one".into(),
                fingerprint: [1; 32],
            }),
            action: Action::Hold(hold),
        }
    }

    #[tokio::test]
    async fn a_sweep_ends_lapsed_holds_and_forgets_answers_after_48_hours() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let held = rig.inventory.submit(hold()).await.unwrap();
            let id = BookingId::parse(&held.booking.name).unwrap();
            rig.inventory.sweep().await.unwrap();
            let state = async || {
                let session = rig.inventory.store().read().await.unwrap();
                session.booking(id).await.unwrap().unwrap().recorded_state
            };
            assert_eq!(state().await, State::Held);
            rig.advance(SignedDuration::from_mins(10));
            rig.inventory.sweep().await.unwrap();
            assert_eq!(state().await, State::Expired);

            rig.advance(SignedDuration::from_hours(47));
            rig.inventory.sweep().await.unwrap();
            assert_eq!(rig.inventory.submit(hold()).await.unwrap(), held);
            rig.advance(SignedDuration::from_hours(1));
            rig.inventory.sweep().await.unwrap();
            assert_ne!(
                rig.inventory.submit(hold()).await.unwrap().booking.name,
                held.booking.name
            );
        }
    }
}
