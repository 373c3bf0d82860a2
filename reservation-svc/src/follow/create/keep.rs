//! Keeping here what a create made at the monolith, and noting that it did.
//!
//! Both are one transaction wherever the movie may get another id by that: so a create that is done never names a movie of
//! somebody else, wherever its holder dies. What was not noted is found by a repetition, as any lost answer is.
//!
//! The monolith's id is the movie's own for as long as the monolith is the authority. Once it is not, or that cannot be told,
//! this side may have given the id to another movie: then a failure is answered as one, with an outcome that is not known.

use jiff::Timestamp;

use super::{Creator, carry::warn};
use crate::{
    domain::followed_movie::FollowedMovie,
    follow::{CreateError, Follower},
    store::{Earlier, Made, OwnCreate, Position, StoreError, Turn},
};

impl Creator {
    /// The movie exists whether that can be noted and kept here or not. As long as its id is its own, a failure is not
    /// answered as one: a create would be repeated and make a second movie, and later polls adopt this one. None if the
    /// turn was lost.
    pub(super) async fn keep_made(
        &self,
        follower: &Follower,
        mut turn: Turn,
        position: &Position,
        movie: FollowedMovie,
    ) -> Result<Option<FollowedMovie>, CreateError> {
        let now = Timestamp::now();
        let kept = match self.movies.keep_made(position, &turn, &movie, now).await {
            Ok(Made::Kept) => {
                follower.metrics.adopted(1);
                return Ok(Some(movie));
            }
            Ok(Made::TurnLost) => return Ok(None),
            Ok(Made::Moved) => {
                self.keep_after_a_move(follower, &mut turn, position, movie)
                    .await
            }
            Err(error) if self.stands(position).await.unwrap_or(false) => {
                warn(&error, "Left a movie to the next poll");
                return Ok(Some(movie));
            }
            Err(error) => Err(error),
        };
        match kept {
            Ok(OwnCreate::Created(movie)) => return Ok(Some(movie)),
            Ok(OwnCreate::TurnLost) => return Ok(None),
            Ok(OwnCreate::NotOurs) => tracing::warn!("The id of a movie may be another's by now"),
            Err(error) => warn(&error, "Cannot tell whether a movie still has its id"),
        }
        // The request was answered: whoever comes next need not wait for it.
        turn.earlier = Earlier::Ended;
        self.put_back(&turn, CreateError::Unsettled).await
    }

    /// Whether the monolith has been the authority since then, so that nobody else has given its ids.
    async fn stands(&self, position: &Position) -> Result<bool, StoreError> {
        let now = self.movies.position().await?;
        Ok(!now.changed_hands_since(position))
    }

    /// What was adopted since the monolith was asked may be newer than its answer: its feed says. Or this side has become
    /// the authority, perhaps just while the monolith was read, which then was not: kept nowhere, its id would be given to
    /// another movie.
    async fn keep_after_a_move(
        &self,
        follower: &Follower,
        turn: &mut Turn,
        position: &Position,
        movie: FollowedMovie,
    ) -> Result<OwnCreate, StoreError> {
        if self.stands(position).await? {
            if !self.movies.renew_create(turn, Timestamp::now()).await? {
                return Ok(OwnCreate::TurnLost);
            }
            match follower.catch_up().await {
                Ok(_) if self.stands(position).await? => {
                    // It is here by now, or it is gone: nobody else gets its id.
                    let noted = self.movies.finish_create(turn, movie.id, Timestamp::now());
                    return Ok(match noted.await? {
                        true => OwnCreate::Created(movie),
                        false => OwnCreate::TurnLost,
                    });
                }
                Ok(_) => {}
                Err(error) => warn(&error, "Kept a movie without the monolith's word"),
            }
        }
        self.movies.keep_late(turn, movie, Timestamp::now()).await
    }
}
