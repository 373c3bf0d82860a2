//! A movie is created once: at the monolith, or here once this side is the authority; whatever is lost, whichever replica
//! dies in the middle, and whichever is asked again.
//!
//! The monolith has no request ids. So a create is written down before it is carried out, under the client's request id or
//! one made up for it ([`store`](crate::store): `movie_creates`), with the equal movies that were here by then. Whoever
//! writes it has the *turn* for that content: of equal creates one is under way at a time, on whichever replica, and the
//! others wait. What came of a create whose answer is missing is looked for by content: a movie that is equal, was not here
//! when the create began and was made by no other create is its own. Only if there is none is the create repeated, twice at
//! most.
//!
//! A turn is renewed before each step, none of which takes as long as a [lease](Patience::lease). Whoever sees one stand
//! still for that long, by its own clock, takes its holder for dead: the create becomes one whose outcome is not known, and
//! the turn is free. So what a holder leaves behind, wherever it dies, is found by who comes next:
//!
//! | it dies, or loses its database | it leaves | a repetition with the same request id | an equal create of somebody else |
//! | --- | --- | --- | --- |
//! | before the row is written | nothing | begins | begins |
//! | before the request is sent | a turn that stands still | waits for the lease, finds no movie, creates it | waits for the lease, begins |
//! | the request is sent, and never carried out | the same | the same | the same |
//! | the request is carried out, its answer lost | the same | waits for the lease, finds the movie, answers it | waits for the lease, begins; does not take the movie for its own unless its own answer is lost too, and then the repetition gets its own |
//! | the answer is here, and the movie not kept | the same | the same | the same |
//! | the movie is kept, which notes the answer | a create that is done | answers the movie | begins, knows the movie for another's |
//!
//! Whoever is not dead but was stopped for so long finds its mark gone when it writes, and begins again by asking what came
//! of its create meanwhile. Whoever has the answer, but can neither keep the movie nor tell that nobody else gives its id by
//! now, says that the outcome is not known (`keep`).
//!
//! A create goes on when its caller stops waiting, so that a repetition finds out what came of it. An exchange that may
//! still be going on is not repeated: one without an answer in time, whose connection broke, or that somebody before the
//! monolith has answered (502, 504). If its movie is not there at once its outcome is told to be unknown. A repetition
//! repeats it only after the monolith has answered others for [a while](Patience::quiet) without the movie turning up.
//!
//! Limits: [`CREATES_MAX`] at once in a process; a turn is waited for at most [so long](Patience::wait); creates are
//! forgotten after as many hours as other request ids ([`forget`]). What cannot be told apart: equal movies that somebody
//! else creates at the monolith itself between the last poll and a create whose answer is lost. And a monolith that carries
//! a request out long after it was sent, while it answers others, has it carried out twice if it is repeated meanwhile.

mod carry;
mod forget;
mod keep;
mod metrics;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use banyan_mesh::{backoff::Backoff, process::Process};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::{sync::Semaphore, time::Instant};
use uuid::Uuid;

use self::metrics::Metrics;
use super::{CreateError, Follower};
use crate::{
    domain::followed_movie::{FollowedMovie, MovieDetails},
    store::{Busy, FollowedMovies, Intent, Opened, Turn},
};

/// Creates under way in a process, those included whose callers have gone.
const CREATES_MAX: usize = 1_024;
/// How often a create may lose its turn before it is given up.
const TURNS_MAX: usize = 3;

/// How long what is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Whoever has shown no life for so long is dead. More than any step between two renewals takes: an exchange with the
    /// monolith is given up after five seconds.
    lease: Duration,
    /// What the monolith has not carried out after answering others for so long, it will not.
    quiet: Duration,
    /// The monolith is looked at for this long; a monolith that was just restarted is back by then.
    look: Duration,
    /// For a turn.
    wait: Duration,
}

const PATIENCE: Patience = Patience {
    lease: Duration::from_secs(8),
    quiet: Duration::from_secs(5),
    look: Duration::from_secs(3),
    wait: Duration::from_secs(20),
};

/// Creates movies at the authority; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Creator {
    movies: FollowedMovies,
    follower: Option<Follower>,
    patience: Patience,
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    /// Creates are forgotten after so long.
    kept: SignedDuration,
}

impl Creator {
    /// Without a `follower` movies are created only where this side is the authority. Creates are forgotten after `kept`.
    pub(crate) fn start(
        movies: FollowedMovies,
        follower: Option<Follower>,
        kept: SignedDuration,
        process: &Process,
    ) -> Self {
        let metrics = Arc::new(Metrics::register(process.metrics()));
        Self {
            movies,
            follower,
            patience: PATIENCE,
            places: Arc::new(Semaphore::new(CREATES_MAX)),
            metrics,
            kept,
        }
    }

    /// Creates a movie, once for each request id.
    pub(crate) async fn create(
        &self,
        request_id: Option<String>,
        details: MovieDetails,
    ) -> Result<FollowedMovie, CreateError> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.metrics.turned_away.inc();
            return Err(CreateError::Crowded);
        };
        let intent = Intent {
            request_id: request_id.unwrap_or_else(|| Uuid::now_v7().to_string()),
            content: content(&details),
            details,
        };
        let creator = self.clone();
        let creating = tokio::spawn(async move {
            let _place = place;
            creator.create_once(&intent).await
        });
        creating.await.unwrap_or(Err(CreateError::Unsettled))
    }

    async fn create_once(&self, intent: &Intent) -> Result<FollowedMovie, CreateError> {
        for _ in 0..TURNS_MAX {
            let created = match self.enter(intent).await? {
                Entered::Done(id) => return Ok(self.made_before(id, intent).await),
                Entered::Turn(turn) => self.carry_out(turn, &intent.details).await?,
            };
            match created {
                Some(movie) => return Ok(movie),
                None => tracing::warn!("Lost the turn to create a movie: asking what came of it"),
            }
        }
        Err(CreateError::Unsettled)
    }

    /// Waits for the turn, or for what came of the create.
    async fn enter(&self, intent: &Intent) -> Result<Entered, CreateError> {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(250));
        let mut watched: Option<(Busy, Instant)> = None;
        let began = Instant::now();
        loop {
            let now = Timestamp::now();
            let opened = self.movies.open_create(intent, now).await;
            match opened.map_err(CreateError::Store)? {
                Opened::Turn(turn) => return Ok(Entered::Turn(turn)),
                Opened::Done(id) => return Ok(Entered::Done(id)),
                Opened::Reused => return Err(CreateError::Reused),
                Opened::Raced => {}
                Opened::Busy(busy) => {
                    let since = match watched {
                        Some((known, since)) if known == busy => since,
                        _ => Instant::now(),
                    };
                    if since.elapsed() >= self.patience.lease {
                        self.abandon(&busy).await?;
                        watched = None;
                        continue;
                    }
                    watched = Some((busy, since));
                }
            }
            if began.elapsed() >= self.patience.wait {
                self.metrics.waited_out.inc();
                return Err(CreateError::Busy);
            }
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    async fn abandon(&self, busy: &Busy) -> Result<(), CreateError> {
        let abandoned = self.movies.abandon_create(busy, Timestamp::now()).await;
        if abandoned.map_err(CreateError::Store)? {
            self.metrics.abandoned.inc();
            let request_id = &busy.request_id;
            tracing::info!(
                request_id,
                "Ended the turn of a create that nobody goes on with"
            );
        }
        Ok(())
    }

    /// The movie that a create made before, as it is now.
    async fn made_before(&self, id: i64, intent: &Intent) -> FollowedMovie {
        let found = match &self.follower {
            Some(follower) => follower.find(id).await.ok().flatten(),
            None => self.movies.find(id).await.ok().flatten(),
        };
        found.unwrap_or_else(|| FollowedMovie {
            id,
            details: intent.details.clone(),
        })
    }
}

enum Entered {
    Turn(Turn),
    Done(i64),
}

/// Equal for equal details.
fn content(details: &MovieDetails) -> String {
    let MovieDetails {
        title,
        description,
        genres,
        rating,
    } = details;
    // 0 and -0 are equal.
    let rating = (rating + 0.0).to_bits();
    let text = json!([title, description, genres, rating]).to_string();
    let hash = Sha256::digest(text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
