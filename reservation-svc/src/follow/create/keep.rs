//! Keeping here what a create made at the monolith, and noting that it did.
//!
//! Both are one transaction wherever the movie may get another id by that: so a create that is done never names a movie of
//! somebody else, wherever its holder dies. What was not noted is found by a repetition, as any lost answer is.

use jiff::Timestamp;

use super::{Creator, carry::warn};
use crate::{
    domain::followed_movie::{Authority, FollowedMovie},
    follow::Follower,
    store::{Made, Position, StoreError, Turn},
};

/// How often the authority may change hands while a movie is kept; then it is kept as it is.
const MOVES_MAX: usize = 3;

impl Creator {
    /// The movie exists whether that can be noted and kept here or not. A failure must not be answered as one: a create
    /// would be repeated and make a second movie. Later polls adopt it. None if the turn was lost.
    pub(super) async fn keep_made(
        &self,
        follower: &Follower,
        mut turn: Turn,
        position: &Position,
        movie: FollowedMovie,
    ) -> Option<FollowedMovie> {
        let kept = self.keep(follower, &mut turn, position, &movie).await;
        kept.unwrap_or_else(|error| {
            warn(&error, "Left a movie to the next poll");
            Some(movie)
        })
    }

    async fn keep(
        &self,
        follower: &Follower,
        turn: &mut Turn,
        position: &Position,
        movie: &FollowedMovie,
    ) -> Result<Option<FollowedMovie>, StoreError> {
        let now = Timestamp::now();
        match self.movies.keep_made(position, turn, movie, now).await? {
            Made::Kept => {
                follower.metrics.adopted(1);
                Ok(Some(movie.clone()))
            }
            Made::Moved => self.keep_after_a_move(follower, turn, movie.clone()).await,
            Made::TurnLost => Ok(None),
        }
    }

    /// What was adopted since the monolith was asked may be newer than its answer: its feed says. Or this side has become
    /// the authority, perhaps just while the monolith was read, which then was not: kept nowhere, its id would be given to
    /// another movie.
    async fn keep_after_a_move(
        &self,
        follower: &Follower,
        turn: &mut Turn,
        movie: FollowedMovie,
    ) -> Result<Option<FollowedMovie>, StoreError> {
        for _ in 0..MOVES_MAX {
            let before = self.movies.position().await?;
            if before.authority != Authority::Legacy {
                break;
            }
            if !self.movies.renew_create(turn, Timestamp::now()).await? {
                return Ok(None);
            }
            if let Err(error) = follower.catch_up().await {
                warn(&error, "Kept a movie without the monolith's word");
                break;
            }
            let after = self.movies.position().await?;
            if !after.changed_hands_since(&before) {
                // It is here by now, or it is gone: nobody else gets its id.
                let noted = self.movies.finish_create(turn, movie.id, Timestamp::now());
                return Ok(noted.await?.then_some(movie));
            }
        }
        self.movies.keep_late(turn, movie, Timestamp::now()).await
    }
}
