//! Forgets creates after their time, which is that of all request ids: a repetition that comes later is a new create.
//!
//! Several replicas may do so at once: each finds what the others have left. What is forgotten does not come back: by a
//! clock that is ahead nothing is.

use std::time::Duration;

use banyan_mesh::process::Process;
use jiff::Timestamp;

use super::{Creator, Metrics};
use crate::{
    inventory::Inventory,
    store::{FollowedMovies, StoreError},
};

const INTERVAL: Duration = Duration::from_secs(60);
/// Of one kind in one statement; what is left comes with the next.
const ROWS_MAX: u64 = 5_000;

impl Creator {
    /// Forgets creates after their time until the process ends; what time it is the inventory says.
    pub(crate) fn forget_in_background(&self, inventory: Inventory, process: &Process) {
        let creator = self.clone();
        let shutdown = process.shutdown().clone();
        process.spawn("forgetting of creates", async move {
            let forgetting = async {
                creator.movies.ready().await;
                loop {
                    match creator.forget_old(&inventory).await {
                        Ok(Left::Some) => continue,
                        Ok(Left::Nothing) => {}
                        Err(error) => {
                            let error = &error as &dyn std::error::Error;
                            tracing::debug!(error, "Left old creates to the next time");
                        }
                    }
                    tokio::time::sleep(INTERVAL).await;
                }
            };
            shutdown.run_until_cancelled(forgetting).await;
            Ok(())
        });
    }

    async fn forget_old(&self, inventory: &Inventory) -> Result<Left, StoreError> {
        let before = inventory.forgets_at().await? - self.kept;
        forget(&self.movies, before, &self.metrics).await
    }
}

/// Whether there may be more to forget.
#[derive(Debug)]
pub(super) enum Left {
    Nothing,
    Some,
}

pub(super) async fn forget(
    movies: &FollowedMovies,
    before: Timestamp,
    metrics: &Metrics,
) -> Result<Left, StoreError> {
    let forgotten = movies.forget_creates(before, ROWS_MAX).await?;
    metrics.forgot("done", forgotten.done);
    metrics.forgot("unfinished", forgotten.unfinished);
    match forgotten.done.max(forgotten.unfinished) {
        ROWS_MAX.. => Ok(Left::Some),
        _ => Ok(Left::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;

    use super::{
        super::testing::{KEPT, intent},
        *,
    };
    use crate::{inventory::testing::Rig, store::Opened};

    #[tokio::test]
    async fn by_a_clock_that_is_ahead_nothing_is_forgotten() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let movies = FollowedMovies::new(rig.opened.clone());
            let creator = Creator::start(movies.clone(), None, KEPT, &rig.process);
            let begun_at = rig.inventory.now();
            let open = async || movies.open_create(&intent("a"), begun_at).await.unwrap();
            assert!(matches!(open().await, Opened::Turn(_)));
            rig.jump(KEPT * 2);
            let put_off = creator.forget_old(&rig.inventory).await;
            assert!(
                matches!(put_off, Err(StoreError::ClockAhead { .. })),
                "{put_off:?}"
            );
            assert!(matches!(open().await, Opened::Busy(_)));

            rig.jump(-KEPT * 2);
            creator.forget_old(&rig.inventory).await.unwrap();
            assert!(matches!(open().await, Opened::Busy(_)));
            rig.advance(KEPT * 2);
            creator.forget_old(&rig.inventory).await.unwrap();
            assert!(matches!(open().await, Opened::Turn(_)));
        }
    }
}
