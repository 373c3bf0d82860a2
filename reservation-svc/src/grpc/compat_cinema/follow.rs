//! What the gateway asks a service that follows a legacy system: how well it does, and to catch up.

use banyan_proto::follow::v1::{
    CatchUpRequest, CatchUpResponse, Difference, ReconcileRequest, ReconcileResponse,
    StatusRequest, StatusResponse, difference, follow_service_server::FollowService,
};
use jiff::{SignedDuration, Timestamp};
use tonic::{Code, Request, Response, Status};

use super::super::status::{crowded, reasoned};
use crate::{
    follow::{COLLECTION, CatchUpError, Follower, Kind, ReconcileError, Reconciled},
    store::FollowedMovies,
    wire::timestamp,
};

/// Differences that are told one by one; the rest are counted.
const DIFFERENCES_MAX: usize = 1_000;

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
            lag: progress.known_since.map(lag),
            legacy_count: progress.legacy_count.map_or(-1, count),
            poll_done: progress.adopting.map_or(0, |(done, _)| count(done)),
            poll_total: progress.adopting.map_or(0, |(_, total)| count(total)),
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

    async fn reconcile(
        &self,
        request: Request<ReconcileRequest>,
    ) -> Result<Response<ReconcileResponse>, Status> {
        let ReconcileRequest { collection, mend } = request.into_inner();
        let reconciled = self.follower(&collection)?.reconcile(mend).await;
        Ok(Response::new(view(reconciled.map_err(reconcile_failed)?)))
    }
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How long ago, never negative.
fn lag(since: Timestamp) -> prost_types::Duration {
    let lag = Timestamp::now()
        .duration_since(since)
        .max(SignedDuration::ZERO);
    prost_types::Duration {
        seconds: lag.as_secs(),
        nanos: lag.subsec_nanos(),
    }
}

fn view(reconciled: Reconciled) -> ReconcileResponse {
    let Reconciled {
        legacy_count,
        own_count,
        differences,
        read_at,
    } = reconciled;
    let mended = differences.iter().filter(|it| it.mended).count();
    ReconcileResponse {
        legacy_count: count(legacy_count),
        own_count: count(own_count),
        differences_count: count(differences.len()),
        mended_count: count(mended),
        read_time: Some(timestamp(read_at)),
        differences: differences
            .into_iter()
            .take(DIFFERENCES_MAX)
            .map(|it| Difference {
                id: it.id.to_string(),
                kind: match it.kind {
                    Kind::MissingHere => difference::Kind::MissingHere,
                    Kind::MissingInLegacy => difference::Kind::MissingInLegacy,
                    Kind::Different => difference::Kind::Different,
                }
                .into(),
                fields: it.fields.into_iter().map(str::to_owned).collect(),
                mended: it.mended,
            })
            .collect(),
    }
}

fn reconcile_failed(error: ReconcileError) -> Status {
    let (code, reason) = match error {
        ReconcileError::Store(source) => return source.into(),
        ReconcileError::Monolith(_) => (Code::Unavailable, "MONOLITH_UNAVAILABLE"),
        ReconcileError::Running => (Code::Aborted, "RECONCILE_RUNNING"),
    };
    reasoned(code, reason, error.to_string(), [])
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
