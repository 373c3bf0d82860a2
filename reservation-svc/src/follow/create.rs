//! A movie is created once: at the monolith, even if its answer is lost, or here once this side is the authority.
//!
//! The monolith has no request ids, so a create whose answer did not come is looked for by content among its movies:
//! what has the same content, was not here when the create began and has been answered to nobody else is the one. If
//! it is not there although the monolith can be read and the exchange is over, it was not created, and is tried
//! again, twice at most. An exchange that may still be going on is not repeated: its outcome is told to be unknown, and so it is
//! when the monolith cannot be read soon enough.
//!
//! Equal movies are created one after the other, or one whose answer is on its way could be taken for another's. What
//! this cannot tell apart: equal movies that somebody else creates at the same moment, at the monolith or by another
//! replica.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use banyan_mesh::backoff::Backoff;
use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard};

use super::{CreateError, Follower, monolith};
use crate::{
    domain::followed_movie::{Authority, FollowedMovie, MovieDetails},
    store::{FollowedMovies, Position, StoreError},
};

/// The monolith is looked at for this long; a monolith that was just restarted is back by then.
const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(3);
/// How often a create that was not carried out is repeated.
const REPEATS_MAX: usize = 2;
/// How many answered ids are remembered, which no other create can have made.
const ANSWERED_MAX: usize = 1_024;

/// How often the authority may change hands while a movie is kept; then it is kept as it is.
const MOVES_MAX: usize = 3;

/// Creates that can run at once; equal movies always share a place.
const PLACES: usize = 64;

/// Where creates wait for equal ones.
#[derive(Debug)]
pub(super) struct Places([Mutex<()>; PLACES]);

impl Default for Places {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Places {
    async fn enter(&self, details: &MovieDetails) -> MutexGuard<'_, ()> {
        let MovieDetails {
            title,
            description,
            genres,
            rating,
        } = details;
        let mut hasher = DefaultHasher::new();
        (title, description, genres, rating.to_bits()).hash(&mut hasher);
        let place = hasher.finish() % PLACES as u64;
        self.0[place as usize].lock().await
    }
}

/// The ids that were answered of late.
#[derive(Debug, Default)]
pub(super) struct Answered(VecDeque<i64>);

impl Answered {
    fn note(&mut self, id: i64) {
        if self.0.len() == ANSWERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(id);
    }
}

/// Creates a movie here, where this side is the authority.
pub(crate) async fn create_own(
    movies: &FollowedMovies,
    details: &MovieDetails,
) -> Result<FollowedMovie, CreateError> {
    let created = movies.create_own(details, Timestamp::now()).await;
    created
        .map_err(CreateError::Store)?
        .ok_or(CreateError::HandingOver)
}

impl Follower {
    /// Creates a movie at the authority, and keeps it here under the id that it got.
    pub(crate) async fn create(
        &self,
        details: &MovieDetails,
    ) -> Result<FollowedMovie, CreateError> {
        let position = self.movies.position().await.map_err(CreateError::Store)?;
        match position.authority {
            Authority::Legacy => self.create_there(details, &position).await,
            Authority::Own => create_own(&self.movies, details).await,
            Authority::Returning => Err(CreateError::HandingOver),
        }
    }

    async fn create_there(
        &self,
        details: &MovieDetails,
        position: &Position,
    ) -> Result<FollowedMovie, CreateError> {
        let _alone = self.creating.enter(details).await;
        let known = self.movies.list().await.map_err(CreateError::Store)?;
        let twins = known.into_iter().filter(|it| it.details == *details);
        let before: BTreeSet<i64> = twins.map(|it| it.id).collect();
        let movie = match self.monolith.create_movie(details).await {
            Ok(movie) => {
                self.answered.lock().await.note(movie.id);
                Ok(movie)
            }
            Err(error) if error.may_have_happened() && error.is_over() => {
                self.metrics.lost_answer();
                self.find_or_repeat(details, &before, error).await
            }
            Err(error) => Err(error),
        };
        let movie = movie.map_err(CreateError::Monolith)?;
        Ok(self.keep_created(position, movie).await)
    }

    /// The movie exists whether it can be kept here or not. A failure must not be answered as one: a create would be
    /// repeated and make a second movie. Later polls adopt it.
    async fn keep_created(&self, position: &Position, movie: FollowedMovie) -> FollowedMovie {
        let id = movie.id;
        let kept = match self.keep(position, &movie).await {
            Ok(true) => return movie,
            Ok(false) => self.keep_after_a_move(movie.clone()).await,
            Err(error) => Err(error),
        };
        kept.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(movie.id = id, error, "Left a movie to the next poll");
            movie
        })
    }

    /// What was adopted since the monolith was asked may be newer than its answer: its feed says. Or this side has become
    /// the authority, perhaps just while the monolith was read, which then was not: kept nowhere, its id would be given
    /// to another movie.
    async fn keep_after_a_move(&self, movie: FollowedMovie) -> Result<FollowedMovie, StoreError> {
        for _ in 0..MOVES_MAX {
            let before = self.movies.position().await?;
            if before.authority != Authority::Legacy {
                break;
            }
            if let Err(error) = self.catch_up().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(movie.id, error, "Kept a movie without the monolith's word");
                break;
            }
            if !self.movies.position().await?.changed_hands_since(&before) {
                return Ok(movie);
            }
        }
        self.movies.keep_late(movie, Timestamp::now()).await
    }

    /// One at a time: two that lost their answers never take one movie for both.
    async fn find_or_repeat(
        &self,
        details: &MovieDetails,
        before: &BTreeSet<i64>,
        mut lost: monolith::Error,
    ) -> Result<FollowedMovie, monolith::Error> {
        let mut answered = self.answered.lock().await;
        for repeats in 0..=REPEATS_MAX {
            let Some(movies) = self.look().await else {
                return Err(lost);
            };
            let mut same = movies.into_iter().filter(|it| it.details == *details);
            let found = same.find(|it| !before.contains(&it.id) && !answered.0.contains(&it.id));
            let settled = match found {
                Some(movie) => Ok(movie),
                None if repeats == REPEATS_MAX => break,
                None => self.monolith.create_movie(details).await,
            };
            match settled {
                Ok(movie) => {
                    let error = &lost as &dyn std::error::Error;
                    tracing::info!(movie.id, error, "Settled a create whose answer was lost");
                    answered.note(movie.id);
                    return Ok(movie);
                }
                Err(error) if error.may_have_happened() && error.is_over() => lost = error,
                Err(error) => return Err(error),
            }
        }
        Err(lost)
    }

    /// What the monolith has; nothing if it cannot be read soon enough.
    async fn look(&self) -> Option<Vec<FollowedMovie>> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(500));
        let look = async {
            loop {
                match self.monolith.list_movies().await {
                    Ok(movies) => return movies,
                    Err(error) => tracing::debug!(%error, "Cannot look for a lost movie yet"),
                }
                tokio::time::sleep(backoff.next_wait()).await;
            }
        };
        tokio::time::timeout(LOOK_UP_TIME_MAX, look).await.ok()
    }
}
