//! Writing to the monolith what is right here: movies under their ids, changes and removals.
//!
//! Each is done once even if its answer is lost, because to repeat it changes nothing: what came of it is read by id
//! before it is tried again, twice at most.

use super::{Follower, monolith};
use crate::{capabilities::Capability, domain::followed_movie::FollowedMovie};

/// How often a write whose outcome is not known is repeated.
const REPEATS_MAX: usize = 2;

impl Follower {
    /// Makes the monolith's movie of that id what it is here; `capability` is what that takes.
    pub(super) async fn put_there(
        &self,
        movie: &FollowedMovie,
        capability: Capability,
    ) -> Result<(), monolith::Error> {
        let is_done = |there: Option<FollowedMovie>| there.as_ref() == Some(movie);
        let put = || self.monolith.put_movie(movie, capability);
        self.settled(movie.id, put, is_done).await
    }

    /// Removes the monolith's movie of that id.
    pub(super) async fn delete_there(&self, id: i64) -> Result<(), monolith::Error> {
        let delete = || self.monolith.delete_movie(id);
        self.settled(id, delete, |there| there.is_none()).await
    }

    async fn settled<W: Future<Output = Result<(), monolith::Error>>>(
        &self,
        id: i64,
        write: impl Fn() -> W,
        is_done: impl Fn(Option<FollowedMovie>) -> bool,
    ) -> Result<(), monolith::Error> {
        let mut written = write().await;
        for _ in 0..REPEATS_MAX {
            match &written {
                Err(error) if error.may_have_happened() => {
                    self.metrics.lost_answer();
                    if is_done(self.monolith.get_movie(id).await?) {
                        let error = error as &dyn std::error::Error;
                        tracing::info!(
                            movie.id = id,
                            error,
                            "Settled a write whose answer was lost"
                        );
                        return Ok(());
                    }
                }
                _ => break,
            }
            written = write().await;
        }
        written
    }
}
