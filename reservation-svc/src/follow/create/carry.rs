//! Carrying out a create whose turn it is: at the authority of the moment, or by finding what an earlier attempt made.

use std::time::Duration;

use banyan_mesh::backoff::Backoff;
use jiff::Timestamp;

use super::Creator;
use crate::{
    domain::followed_movie::{Authority, FollowedMovie, MovieDetails},
    follow::{CreateError, Follower, monolith},
    store::{Earlier, OwnCreate, Position, StoreError, Turn},
};

/// How often a create that was not carried out is repeated.
const REPEATS_MAX: usize = 2;
/// Nothing is sent in a turn that was renewed longer ago: who was stopped in between may have been taken for dead.
const TURN_AGE_MAX: Duration = Duration::from_secs(1);

/// What an earlier attempt made.
enum Found {
    Movie(FollowedMovie),
    Nothing,
    /// The monolith could not be read, or the turn not be renewed.
    Unknown,
    TurnLost,
}

impl Creator {
    /// None if the turn was lost.
    pub(super) async fn carry_out(
        &self,
        turn: Turn,
        details: &MovieDetails,
    ) -> Result<Option<FollowedMovie>, CreateError> {
        let position = match self.movies.position().await {
            Ok(position) => position,
            Err(error) => return self.put_back(&turn, CreateError::Store(error)).await,
        };
        match (position.authority, &self.follower) {
            (Authority::Own, _) => self.create_here(&turn, details).await,
            (Authority::Legacy, Some(follower)) => {
                self.create_there(follower, turn, details, &position).await
            }
            (Authority::Returning, Some(_)) => self.put_back(&turn, CreateError::HandingOver).await,
            (_, None) => self.put_back(&turn, CreateError::NoMonolith).await,
        }
    }

    pub(super) async fn put_back<T>(
        &self,
        turn: &Turn,
        error: CreateError,
    ) -> Result<T, CreateError> {
        if let Err(error) = self.movies.put_create_back(turn, Timestamp::now()).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "Left a turn to be taken for abandoned");
        }
        Err(error)
    }

    /// What was created at the monolith before this side became the authority is here by now.
    async fn create_here(
        &self,
        turn: &Turn,
        details: &MovieDetails,
    ) -> Result<Option<FollowedMovie>, CreateError> {
        let store = CreateError::Store;
        if turn.earlier != Earlier::Nothing {
            let twins = self.movies.twins(details).await.map_err(store)?;
            let made = self.movies.made_by_creates(&turn.content).await;
            let made = made.map_err(store)?;
            let is_ours = |id: &&i64| !turn.twins_before.contains(id) && !made.contains(id);
            if let Some(&id) = twins.iter().find(is_ours) {
                let now = Timestamp::now();
                let finished = self.movies.finish_create(turn, id, now).await;
                let details = details.clone();
                return Ok(finished
                    .map_err(store)?
                    .then_some(FollowedMovie { id, details }));
            }
        }
        let created = self.movies.create_own(turn, details, Timestamp::now());
        match created.await.map_err(store)? {
            OwnCreate::Created(movie) => Ok(Some(movie)),
            OwnCreate::TurnLost => Ok(None),
            OwnCreate::NotOurs => self.put_back(turn, CreateError::HandingOver).await,
        }
    }

    async fn create_there(
        &self,
        follower: &Follower,
        mut turn: Turn,
        details: &MovieDetails,
        position: &Position,
    ) -> Result<Option<FollowedMovie>, CreateError> {
        let mut failed = CreateError::Unsettled;
        let mut posts_left = 1 + REPEATS_MAX;
        let movie = loop {
            let repeats = posts_left > 0;
            match self.find_made(follower, &mut turn, details, repeats).await {
                Ok(Found::Nothing) if repeats => {}
                Ok(Found::Nothing | Found::Unknown) => return self.put_back(&turn, failed).await,
                Ok(Found::Movie(movie)) => break movie,
                Ok(Found::TurnLost) => return Ok(None),
                Err(error) => {
                    warn(&error, "Failed to look for what a create made");
                    return self.put_back(&turn, failed).await;
                }
            }
            posts_left -= 1;
            match follower.monolith.create_movie(details).await {
                Ok(movie) => break movie,
                Err(error) if error.may_have_happened() => {
                    let is_slow = matches!(error, monolith::Error::Slow);
                    match error.is_over() {
                        true => turn.earlier = Earlier::Ended,
                        // It is looked for once, and repeated by a repetition: its caller does not wait for so long.
                        false => (turn.earlier, posts_left) = (Earlier::Unknown, 0),
                    }
                    failed = CreateError::Monolith(error);
                    if is_slow {
                        return self.put_back(&turn, failed).await;
                    }
                    follower.metrics.lost_answer();
                }
                Err(error) => {
                    // This attempt made nothing; what an earlier one may make yet is still looked for.
                    return self.put_back(&turn, CreateError::Monolith(error)).await;
                }
            }
        };
        if turn.earlier != Earlier::Nothing {
            tracing::info!(movie.id, "Settled a create whose answer was lost");
        }
        self.keep_made(follower, turn, position, movie).await
    }

    /// Looks for what earlier attempts made; if there is nothing, and the create is to be repeated, until there cannot be
    /// any more. The turn is fresh afterwards, so that what comes next has all of its time.
    async fn find_made(
        &self,
        follower: &Follower,
        turn: &mut Turn,
        details: &MovieDetails,
        repeats: bool,
    ) -> Result<Found, StoreError> {
        while turn.earlier != Earlier::Nothing {
            if !self.movies.renew_create(turn, Timestamp::now()).await? {
                return Ok(Found::TurnLost);
            }
            let Some(listed) = self.look(follower).await else {
                return Ok(Found::Unknown);
            };
            let made = self.movies.made_by_creates(&turn.content).await?;
            let found = listed.into_iter().find(|it| {
                it.details == *details
                    && !turn.twins_before.contains(&it.id)
                    && !made.contains(&it.id)
            });
            if let Some(movie) = found {
                return Ok(Found::Movie(movie));
            }
            if !self.movies.renew_create(turn, Timestamp::now()).await? {
                return Ok(Found::TurnLost);
            }
            if turn.earlier == Earlier::Ended || !repeats {
                break;
            }
            tokio::time::sleep(self.patience.quiet).await;
            turn.earlier = Earlier::Ended;
        }
        let is_fresh = turn.age() < TURN_AGE_MAX;
        match is_fresh || self.movies.renew_create(turn, Timestamp::now()).await? {
            true => Ok(Found::Nothing),
            false => Ok(Found::TurnLost),
        }
    }

    /// What the monolith has; nothing if it cannot be read soon enough.
    async fn look(&self, follower: &Follower) -> Option<Vec<FollowedMovie>> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(500));
        let look = async {
            loop {
                match follower.monolith.list_movies().await {
                    Ok(movies) => return movies,
                    Err(error) => tracing::debug!(%error, "Cannot look for a lost movie yet"),
                }
                tokio::time::sleep(backoff.next_wait()).await;
            }
        };
        tokio::time::timeout(self.patience.look, look).await.ok()
    }
}

pub(super) fn warn(error: &(dyn std::error::Error + 'static), what: &str) {
    tracing::warn!(error, "{what}");
}
