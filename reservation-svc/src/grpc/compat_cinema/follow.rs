//! What the gateway asks a service that follows a legacy system: how well it does, and to catch up.

use banyan_proto::follow::v1::{
    CatchUpRequest, CatchUpResponse, StatusRequest, StatusResponse,
    follow_service_server::FollowService,
};
use tonic::{Code, Request, Response, Status};

use super::super::status::{crowded, reasoned};
use crate::{
    follow::{COLLECTION, CatchUpError, Follower},
    store::FollowedMovies,
    wire::timestamp,
};

/// Answers for the one collection that is followed here.
#[derive(Debug)]
pub(crate) struct Following {
    movies: FollowedMovies,
    follower: Option<Follower>,
}

impl Following {
    /// Without a `follower` nothing is followed.
    pub(crate) fn new(movies: FollowedMovies, follower: Option<Follower>) -> Self {
        Self { movies, follower }
    }

    fn follower(&self, collection: &str) -> Result<&Follower, Status> {
        let missing = || {
            let message = format!("`{collection}` is not followed here");
            reasoned(Code::NotFound, "NOT_FOLLOWED", message, [])
        };
        self.follower
            .as_ref()
            .filter(|_| collection == COLLECTION)
            .ok_or_else(missing)
    }
}

#[tonic::async_trait]
impl FollowService for Following {
    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        let progress = self.follower(&request.into_inner().collection)?.progress();
        let adopted = self.movies.count().await?;
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
        CatchUpError::Crowded => return crowded(&error.to_string()),
        CatchUpError::Stopping => "STOPPING",
        CatchUpError::NotReady => "DATABASE_UNAVAILABLE",
    };
    reasoned(Code::Unavailable, reason, error.to_string(), [])
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn too_many_who_wait_are_told_when_to_ask_again() {
        let refused = catch_up_failed(CatchUpError::Crowded);
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let details = refused.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "OVERLOADED");
        assert!(details.retry_info().unwrap().retry_delay.is_some());
    }
}
