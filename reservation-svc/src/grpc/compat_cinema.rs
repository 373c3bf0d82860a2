//! The cinema monolith's movies over gRPC: what the gateway sends here of `/api/movies`.
//!
//! Answered from what has been adopted ([`follow`](crate::follow)). Without a monolith to follow, what was adopted
//! before is still served, and nothing can be created unless this side is the authority.
//!
//! A create that fails is UNAVAILABLE with one of these reasons: `MONOLITH_UNAVAILABLE`, `HANDING_OVER` and `CREATE_BUSY`
//! (nothing was created, try again) or `OUTCOME_UNKNOWN` (the request was sent, and a repetition may create a second movie
//! unless it has the same request id).

pub(crate) mod follow;

use std::error::Error as StdError;

use banyan_proto::compat::cinema::v1::{
    CheckHealthRequest, CheckHealthResponse, CreateMovieRequest, GetMovieRequest,
    ListMoviesRequest, ListMoviesResponse, Movie, movie_service_server::MovieService,
};
use tonic::{Code, Request, Response, Status};

use super::{
    compat_status::{Violation, Violations},
    status::{crowded, reasoned},
};
use crate::{
    domain::{
        followed_movie::{FollowedMovie, MovieDetails},
        request::{REQUEST_ID_BYTES_MAX, is_request_id},
    },
    follow::{CreateError, Creator, FindError, Follower, ListError, monolith},
    store::FollowedMovies,
};

/// The movies of the monolith.
#[derive(Debug)]
pub(crate) struct Movies {
    movies: FollowedMovies,
    follower: Option<Follower>,
    creator: Creator,
}

impl Movies {
    /// Without a `follower` there is nothing to read through to.
    pub(crate) fn new(
        movies: FollowedMovies,
        follower: Option<Follower>,
        creator: Creator,
    ) -> Self {
        Self {
            movies,
            follower,
            creator,
        }
    }

    async fn find(&self, id: i64) -> Result<Option<FollowedMovie>, Status> {
        match &self.follower {
            Some(follower) => follower.find(id).await.map_err(find_failed),
            None => Ok(self.movies.find(id).await?),
        }
    }
}

#[tonic::async_trait]
impl MovieService for Movies {
    async fn list_movies(
        &self,
        _: Request<ListMoviesRequest>,
    ) -> Result<Response<ListMoviesResponse>, Status> {
        let movies = match &self.follower {
            Some(follower) => follower.list().await.map_err(list_failed)?,
            None => self.movies.list().await?,
        };
        Ok(Response::new(ListMoviesResponse {
            movies: movies.into_iter().map(view).collect(),
        }))
    }

    async fn get_movie(
        &self,
        request: Request<GetMovieRequest>,
    ) -> Result<Response<Movie>, Status> {
        let id = request.into_inner().id;
        let missing = || {
            let message = format!("movie {id} not found");
            reasoned(Code::NotFound, "MOVIE_NOT_FOUND", message, [])
        };
        self.find(id)
            .await?
            .map(|movie| Response::new(view(movie)))
            .ok_or_else(missing)
    }

    async fn create_movie(
        &self,
        request: Request<CreateMovieRequest>,
    ) -> Result<Response<Movie>, Status> {
        let CreateMovieRequest {
            title,
            description,
            genres,
            rating,
            request_id,
        } = request.into_inner();
        let details = MovieDetails {
            title,
            description,
            genres,
            rating,
        };
        let mut violations = Violations::default();
        for flaw in details.flaws() {
            let kind = if flaw.out_of_range {
                Violation::Range
            } else {
                Violation::Format
            };
            violations.add(flaw.field, kind, flaw.rule);
        }
        if !request_id.is_empty() && !is_request_id(&request_id) {
            let rule = format!("must be 1 to {REQUEST_ID_BYTES_MAX} visible ASCII characters");
            violations.add("request_id", Violation::Format, &rule);
        }
        violations.check()?;
        let request_id = Some(request_id).filter(|id| !id.is_empty());
        let movie = self.creator.create(request_id, details).await;
        Ok(Response::new(view(movie.map_err(create_failed)?)))
    }

    async fn check_health(
        &self,
        _: Request<CheckHealthRequest>,
    ) -> Result<Response<CheckHealthResponse>, Status> {
        // As cheap as a read can be: that it could be read is the answer, not what was found.
        self.movies.find(0).await?;
        Ok(Response::new(CheckHealthResponse { status: true }))
    }
}

fn view(movie: FollowedMovie) -> Movie {
    let FollowedMovie {
        id,
        details:
            MovieDetails {
                title,
                description,
                genres,
                rating,
            },
    } = movie;
    Movie {
        id,
        title,
        description,
        genres,
        rating,
    }
}

fn list_failed(error: ListError) -> Status {
    match error {
        ListError::Store(source) => source.into(),
        ListError::NothingKnown => {
            let message = error.to_string();
            reasoned(Code::Unavailable, "MONOLITH_UNAVAILABLE", message, [])
        }
    }
}

fn find_failed(error: FindError) -> Status {
    match error {
        FindError::Store { source, .. } => source.into(),
        FindError::Monolith { id, source } => {
            tracing::warn!(
                movie.id = id,
                error = &source as &dyn StdError,
                "Failed to read a movie through"
            );
            let message = format!("movie {id} is not here, and the monolith cannot be asked");
            reasoned(Code::Unavailable, "MONOLITH_UNAVAILABLE", message, [])
        }
    }
}

fn create_failed(error: CreateError) -> Status {
    match error {
        CreateError::Store(source) => source.into(),
        CreateError::HandingOver => {
            reasoned(Code::Unavailable, "HANDING_OVER", error.to_string(), [])
        }
        CreateError::Reused => {
            let message = error.to_string();
            reasoned(Code::AlreadyExists, "REQUEST_ID_REUSED", message, [])
        }
        CreateError::Crowded => crowded(&error.to_string()),
        CreateError::Busy => reasoned(Code::Unavailable, "CREATE_BUSY", error.to_string(), []),
        CreateError::Unsettled => {
            reasoned(Code::Unavailable, "OUTCOME_UNKNOWN", error.to_string(), [])
        }
        CreateError::NoMonolith => reasoned(
            Code::Unavailable,
            "MONOLITH_UNAVAILABLE",
            error.to_string(),
            [],
        ),
        CreateError::Monolith(monolith::Error::Refused { message }) => {
            reasoned(Code::InvalidArgument, "MONOLITH_REFUSED", message, [])
        }
        CreateError::Monolith(source) => {
            let unknown = source.may_have_happened();
            tracing::warn!(
                error = &source as &dyn StdError,
                outcome_unknown = unknown,
                "Failed to create a movie at the monolith"
            );
            if unknown {
                let message = format!("{source}: whether the movie was created is not known");
                reasoned(Code::Unavailable, "OUTCOME_UNKNOWN", message, [])
            } else {
                let message = format!("{source}: the movie was not created, try again later");
                reasoned(Code::Unavailable, "MONOLITH_UNAVAILABLE", message, [])
            }
        }
    }
}
