//! Forgets creates after their time, which is that of all request ids: a repetition that comes later is a new create.
//!
//! Several replicas may do so at once: each finds what the others have left.

use std::{sync::Arc, time::Duration};

use banyan_mesh::process::Process;
use jiff::{SignedDuration, Timestamp};

use super::Metrics;
use crate::store::{FollowedMovies, StoreError};

const INTERVAL: Duration = Duration::from_secs(60);
/// Of one kind in one statement; what is left comes with the next.
const ROWS_MAX: u64 = 5_000;

/// Forgets what is older than `kept` until the process ends.
pub(super) fn in_background(
    movies: FollowedMovies,
    kept: SignedDuration,
    metrics: Arc<Metrics>,
    process: &Process,
) {
    let shutdown = process.shutdown().clone();
    process.spawn("forgetting of creates", async move {
        let forgetting = async {
            movies.ready().await;
            loop {
                match forget(&movies, Timestamp::now() - kept, &metrics).await {
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

/// Whether there may be more to forget.
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
