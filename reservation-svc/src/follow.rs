//! Follows the cinema monolith while it is being strangled, so that its movies can be served from here.
//!
//! The monolith owns the movies until this side is made the authority ([`authority`]): it assigns their ids, and most
//! monoliths have no feed of changes. So three things keep this service level with it. A task polls the whole list every
//! second and adopts what is new or differs ([`poll`]), or reads what changed where there is a feed ([`feed`]). A movie
//! that is asked for by id and is not here is read through. A movie that is created here is created there first, and kept
//! under the id that it got, once even if the answer is lost or a replica dies in the middle ([`create`]); while the
//! monolith is down nothing can be created.
//!
//! Until the first poll has succeeded since the start, what is here is what an earlier process left, or nothing; a list
//! waits for that poll rather than tell a client that there are no movies.
//!
//! Whoever wants to be sure that nothing is missing asks [`Follower::catch_up`]: it answers when a poll that began
//! after the question has been adopted.
//!
//! What the monolith can do besides is declared by an operator ([`Capabilities`]) and used where it is declared. What was
//! adopted stays unless the monolith is declared to remove movies.
//!
//! Several replicas may follow one monolith; they write the same rows, each only as long as nobody else has moved on.

mod authority;
mod compare;
mod create;
mod feed;
mod kept;
mod metrics;
pub(crate) mod monolith;
mod poll;
mod reconcile;
mod write_back;

use std::{sync::Arc, time::Duration};

use banyan_mesh::process::Process;
use jiff::Timestamp;
use tokio::sync::{Mutex, watch};

use crate::{
    capabilities::{Capabilities, Capability},
    domain::followed_movie::{Authority, FollowedMovie},
    store::{Adoption, FollowedMovies, Position, StoreError},
};
pub(crate) use authority::HandOverError;
pub(crate) use compare::Kind;
pub(crate) use create::Creator;
use metrics::Metrics;
use monolith::Monolith;
pub(crate) use poll::{CatchUpError, Progress};
pub(crate) use reconcile::{Place, ReconcileError, Reconciled};

/// The name under which the movies are followed.
pub(crate) const COLLECTION: &str = "movies";

/// A list waits at most this long for the first poll; a monolith that is down is told at once.
const FIRST_POLL_WAIT: Duration = Duration::from_secs(1);

/// Follows one monolith; clones are the same follower.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    monolith: Monolith,
    capabilities: Capabilities,
    movies: FollowedMovies,
    metrics: Arc<Metrics>,
    catch_ups: poll::CatchUps,
    progress: watch::Receiver<Progress>,
    /// Held while both sides are compared, or while one of them becomes the authority; between two pages of a comparison
    /// it has the monolith's list.
    reconciling: Arc<Mutex<Option<kept::List>>>,
}

/// Why a movie could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FindError {
    #[error("failed to look movie {id} up")]
    Store {
        id: i64,
        #[source]
        source: StoreError,
    },
    #[error("failed to read movie {id} through")]
    Monolith {
        id: i64,
        #[source]
        source: monolith::Error,
    },
}

/// Why the movies could not be listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    #[error("failed to list the movies")]
    Store(#[source] StoreError),
    /// Nothing was ever adopted: an empty list would be a guess.
    #[error("the monolith's movies are not known yet")]
    NothingKnown,
}

/// Why a movie could not be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateError {
    /// Found out before the monolith was asked: what it creates could not be kept here.
    #[error("movies cannot be kept at the moment")]
    Store(#[source] StoreError),
    #[error("failed to create a movie at the monolith")]
    Monolith(#[source] monolith::Error),
    /// The monolith gets what was created here meanwhile.
    #[error("the authority for movies is changing hands")]
    HandingOver,
    /// It is the authority, and nobody says where it is.
    #[error("no monolith is configured to create movies at")]
    NoMonolith,
    #[error("the request id was used for another request")]
    Reused,
    /// Nothing was created.
    #[error(
        "an equal movie is being created, and it takes long: try again with the same request id"
    )]
    Busy,
    #[error("too many movies are being created")]
    Crowded,
    /// An earlier attempt may have been carried out, and the monolith cannot be asked; or it was, and it cannot be told
    /// under which id the movie is known.
    #[error("what became of an attempt to create the movie is not known yet")]
    Unsettled,
}

impl Follower {
    /// Starts to follow the monolith at `url`, which can do that, and goes on until the process ends.
    pub(crate) fn start(
        url: &str,
        capabilities: Capabilities,
        movies: FollowedMovies,
        process: &Process,
    ) -> Result<Self, monolith::UrlError> {
        let monolith = Monolith::new(url)?;
        let (report, progress) = watch::channel(Progress::default());
        let metrics = Arc::new(Metrics::register(process.metrics(), progress.clone()));
        let (catch_ups, questions) = poll::CatchUps::new(Arc::clone(&metrics));
        let poller = poll::Poller {
            monolith: monolith.clone(),
            capabilities,
            movies: movies.clone(),
            metrics: metrics.clone(),
            // Optional: everything but creating works without it.
            dependency: process.readiness().optional("monolith"),
            questions,
            report,
        };
        let shutdown = process.shutdown().clone();
        process.spawn("follower of the monolith", async move {
            poller.run(shutdown).await;
            Ok(())
        });
        let told: Vec<_> = capabilities.iter().map(Capability::as_str).collect();
        tracing::info!(capabilities = told.join(", "), "Following the monolith");
        Ok(Self {
            monolith,
            capabilities,
            movies,
            metrics,
            catch_ups,
            progress,
            reconciling: Arc::default(),
        })
    }

    /// All movies, by id.
    pub(crate) async fn list(&self) -> Result<Vec<FollowedMovie>, ListError> {
        if self.progress().last_success.is_none() {
            // Told or not in time: what is here then decides.
            let _ = tokio::time::timeout(FIRST_POLL_WAIT, self.catch_up()).await;
        }
        let movies = self.movies.list().await.map_err(ListError::Store)?;
        if movies.is_empty() && self.progress().last_success.is_none() {
            return Err(ListError::NothingKnown);
        }
        Ok(movies)
    }

    /// One movie, read through and adopted if it is not here. None if the monolith has none of that id either.
    pub(crate) async fn find(&self, id: i64) -> Result<Option<FollowedMovie>, FindError> {
        let store = |source| FindError::Store { id, source };
        if let Some(movie) = self.movies.find(id).await.map_err(store)? {
            return Ok(Some(movie));
        }
        let position = self.movies.position().await.map_err(store)?;
        if position.authority != Authority::Legacy {
            return Ok(None);
        }
        let read = self.monolith.get_movie(id).await;
        let Some(movie) = read.map_err(|source| FindError::Monolith { id, source })? else {
            return Ok(None);
        };
        // Not kept if something newer was adopted meanwhile: it may be the end of this one.
        if let Err(error) = self.keep(&position, &movie).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(movie.id, error, "Left a movie to the next poll");
        }
        Ok(Some(movie))
    }

    /// What the monolith can do.
    pub(crate) fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Answers when a poll that began after this call has been adopted, with the moment at which it began.
    pub(crate) async fn catch_up(&self) -> Result<Timestamp, CatchUpError> {
        self.movies
            .check_ready()
            .map_err(|_| CatchUpError::NotReady)?;
        self.catch_ups.ask().await
    }

    /// How the last poll went.
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Adopts what the monolith answered, unless something else was adopted since it was asked.
    async fn keep(&self, position: &Position, movie: &FollowedMovie) -> Result<bool, StoreError> {
        let adoption = Adoption {
            upserts: vec![movie.clone()],
            ..Adoption::default()
        };
        let kept = self.movies.adopt(position, adoption, Timestamp::now());
        let kept = kept.await?;
        if kept {
            self.metrics.adopted(1);
        }
        Ok(kept)
    }
}
