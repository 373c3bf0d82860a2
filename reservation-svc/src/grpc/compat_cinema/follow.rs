//! What the gateway asks a service that follows a legacy system: how well it does, and to catch up.

use banyan_proto::follow::v1::{
    Authority, Capability, CatchUpRequest, CatchUpResponse, Difference, ReconcileRequest,
    ReconcileResponse, SetAuthorityRequest, SetAuthorityResponse, StatusRequest, StatusResponse,
    difference, follow_service_server::FollowService,
};
use jiff::{SignedDuration, Timestamp};
use tonic::{Code, Request, Response, Status};

use super::super::{
    page::Page,
    status::{crowded, reasoned, wrong},
};
use crate::{
    capabilities,
    domain::{followed_movie, violation::Fault},
    follow::{
        COLLECTION, CatchUpError, Follower, HandOverError, Kind, Place, ReconcileError, Reconciled,
        monolith,
    },
    store::FollowedMovies,
    wire::timestamp,
};

/// Differences of a page where nobody says how many: as many as there may be.
const DIFFERENCES_DEFAULT: i32 = 1_000;

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
        let follower = self.follower(&request.into_inner().collection)?;
        let progress = follower.progress();
        let adopted = self.movies.count().await?;
        let position = self.movies.position().await?;
        Ok(Response::new(StatusResponse {
            healthy: progress.healthy,
            last_poll_time: progress.last_success.map(timestamp),
            adopted: i64::try_from(adopted).unwrap_or(i64::MAX),
            lag: progress.known_since.map(lag),
            legacy_count: progress.legacy_count.map_or(-1, count),
            poll_done: progress.adopting.map_or(0, |(done, _)| count(done)),
            poll_total: progress.adopting.map_or(0, |(_, total)| count(total)),
            authority: authority(position.authority).into(),
            capabilities: follower
                .capabilities()
                .iter()
                .map(|it| capability(it).into())
                .collect(),
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
        let ReconcileRequest {
            collection,
            mend,
            page_size,
            page_token,
        } = request.into_inner();
        let follower = self.follower(&collection)?;
        let size = match page_size {
            0 => DIFFERENCES_DEFAULT,
            size => size,
        };
        let parameters = [collection.as_str(), if mend { "mend" } else { "" }];
        let page = Page::parse("differences", &parameters, size, &page_token)?;
        let from = page.after_pair()?;
        let from = from.map(|(after, epoch)| Place { after, epoch });
        let reconciled = follower.reconcile(mend, from, page.size()).await;
        let reconciled = reconciled.map_err(reconcile_failed)?;
        Ok(Response::new(view(reconciled, &page)))
    }

    async fn set_authority(
        &self,
        request: Request<SetAuthorityRequest>,
    ) -> Result<Response<SetAuthorityResponse>, Status> {
        let request = request.into_inner();
        let follower = self.follower(&request.collection)?.clone();
        let to_own = match request.authority() {
            Authority::Own => true,
            Authority::Legacy => false,
            Authority::Unspecified | Authority::Returning => {
                let allowed = "must be AUTHORITY_LEGACY or AUTHORITY_OWN";
                return Err(wrong("authority", Fault::Range, allowed));
            }
        };
        // Goes on when the caller stops waiting: nothing can be created in the middle of it.
        let handing = tokio::spawn(async move {
            if to_own {
                follower.take_over().await.map(|()| 0)
            } else {
                follower.give_back().await
            }
        });
        let copied = handing.await.unwrap_or(Err(HandOverError::Busy));
        Ok(Response::new(SetAuthorityResponse {
            copied_count: count(copied.map_err(hand_over_failed)?),
        }))
    }
}

fn authority(authority: followed_movie::Authority) -> Authority {
    match authority {
        followed_movie::Authority::Legacy => Authority::Legacy,
        followed_movie::Authority::Own => Authority::Own,
        followed_movie::Authority::Returning => Authority::Returning,
    }
}

fn capability(capability: capabilities::Capability) -> Capability {
    match capability {
        capabilities::Capability::ChangeFeed => Capability::ChangeFeed,
        capabilities::Capability::Update => Capability::Update,
        capabilities::Capability::Delete => Capability::Delete,
        capabilities::Capability::KeepsIds => Capability::KeepsIds,
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

fn view(reconciled: Reconciled, page: &Page) -> ReconcileResponse {
    let Reconciled {
        legacy_count,
        own_count,
        differences,
        read_at,
        next,
    } = reconciled;
    let token = |next: Place| page.token(&format!("{} {}", next.after, next.epoch));
    let mended = differences.iter().filter(|it| it.mended).count();
    ReconcileResponse {
        legacy_count: count(legacy_count),
        own_count: count(own_count),
        differences_count: count(differences.len()),
        mended_count: count(mended),
        read_time: Some(timestamp(read_at)),
        next_page_token: next.map(token).unwrap_or_default(),
        differences: differences
            .into_iter()
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
                needs: it.needs.map_or(Capability::Unspecified, capability).into(),
            })
            .collect(),
    }
}

fn reconcile_failed(error: ReconcileError) -> Status {
    let (code, reason) = match error {
        ReconcileError::Store(source) => return source.into(),
        ReconcileError::Monolith(_) => (Code::Unavailable, "MONOLITH_UNAVAILABLE"),
        ReconcileError::Write(source) => return write_failed(&source),
        ReconcileError::Running => (Code::Aborted, "RECONCILE_RUNNING"),
        ReconcileError::Overtaken => (Code::Aborted, "RECONCILE_OVERTAKEN"),
        ReconcileError::ChangedHands => (Code::Aborted, "AUTHORITY_CHANGED"),
        ReconcileError::Stopping => (Code::Unavailable, "STOPPING"),
    };
    reasoned(code, reason, error.to_string(), [])
}

/// The monolith was written to, and did not do it, or nobody knows.
fn write_failed(error: &monolith::Error) -> Status {
    let message = format!("failed to write to the monolith: {error}");
    match error {
        monolith::Error::NotOffered { capability, .. } => cannot(*capability, message),
        monolith::Error::Refused { .. } => {
            reasoned(Code::FailedPrecondition, "MONOLITH_REFUSED", message, [])
        }
        _ => reasoned(Code::Unavailable, "MONOLITH_UNAVAILABLE", message, []),
    }
}

fn cannot(capability: capabilities::Capability, message: String) -> Status {
    let metadata = [("capability", capability.to_string())];
    reasoned(Code::FailedPrecondition, "LEGACY_CANNOT", message, metadata)
}

fn hand_over_failed(error: HandOverError) -> Status {
    tracing::warn!(
        error = &error as &dyn std::error::Error,
        "The authority for movies did not change hands"
    );
    let message = error.to_string();
    match error {
        HandOverError::Store(source) => source.into(),
        HandOverError::Copy(source) => reconcile_failed(source),
        HandOverError::CatchUp(source) => catch_up_failed(source),
        HandOverError::Needs { needs, .. } => cannot(needs, message),
        HandOverError::Monolith(_) => {
            reasoned(Code::Unavailable, "MONOLITH_UNAVAILABLE", message, [])
        }
        HandOverError::Busy => reasoned(Code::Aborted, "HAND_OVER_RUNNING", message, []),
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
