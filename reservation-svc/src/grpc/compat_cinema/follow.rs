//! What the gateway asks a service that follows a legacy system: how well it does, and to catch up.

use banyan_proto::follow::v1::{
    CatchUpRequest, CatchUpResponse, StatusRequest, StatusResponse,
    follow_service_server::FollowService,
};
use jiff::Timestamp;
use tonic::{Code, Request, Response, Status};

use super::super::compat_status::{refusal, store_failed};
use crate::{
    follow::{COLLECTION, CatchUpError, Follower},
    store::FollowedMovies,
};

/// Answers for the one collection that is followed here.
#[derive(Debug)]
pub(crate) struct Follow {
    movies: FollowedMovies,
    follower: Option<Follower>,
}

impl Follow {
    /// Without a `follower` nothing is followed.
    pub(crate) fn new(movies: FollowedMovies, follower: Option<Follower>) -> Self {
        Self { movies, follower }
    }

    fn follower(&self, collection: &str) -> Result<&Follower, Status> {
        let missing = || {
            refusal(
                Code::NotFound,
                format!("`{collection}` is not followed here"),
                "NOT_FOLLOWED",
            )
        };
        self.follower
            .as_ref()
            .filter(|_| collection == COLLECTION)
            .ok_or_else(missing)
    }
}

#[tonic::async_trait]
impl FollowService for Follow {
    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        let progress = self.follower(&request.into_inner().collection)?.progress();
        let adopted = self.movies.count().await.map_err(store_failed)?;
        Ok(Response::new(StatusResponse {
            healthy: progress.healthy,
            last_poll_time: progress.last_success.map(timestamp),
            adopted: i64::try_from(adopted).unwrap_or(i64::MAX),
        }))
    }

    async fn catch_up(
        &self,
        request: Request<CatchUpRequest>,
    ) -> Result<Response<CatchUpResponse>, Status> {
        let follower = self.follower(&request.into_inner().collection)?;
        let began = follower.catch_up().await.map_err(catch_up_failed)?;
        Ok(Response::new(CatchUpResponse {
            poll_time: Some(timestamp(began)),
        }))
    }
}

/// Not logged here: the poller's dependency was.
fn catch_up_failed(error: CatchUpError) -> Status {
    let reason = match &error {
        CatchUpError::Poll(_) => "POLL_FAILED",
        CatchUpError::Crowded => "CROWDED",
        CatchUpError::Stopping => "STOPPING",
        CatchUpError::NotReady => "DATABASE_UNAVAILABLE",
    };
    refusal(Code::Unavailable, error.to_string(), reason)
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}
