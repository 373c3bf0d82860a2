//! After a write on the legacy side: wait a moment until the gRPC side has adopted it.
//!
//! A client that keeps its cookies stays on its side and finds what it wrote. One that does not may be read from the
//! other side next, so the answer to its write waits for the follower, for a limited time: the write has succeeded
//! whatever happens here.

use std::{collections::BTreeMap, time::Duration};

use banyan_proto::follow::v1::{
    Authority, Capability, CatchUpRequest, ReconcileRequest, ReconcileResponse,
    SetAuthorityRequest, StatusRequest, StatusResponse, follow_service_client::FollowServiceClient,
};
use banyan_rollout::Follower as State;
use jiff::Timestamp;
use tonic::{Code, Status};

use crate::{
    config::Config,
    upstreams::{GrpcService, Upstreams},
};

/// An operator waits at most this long to hear how far the follower is.
const STATE_TIMEOUT: Duration = Duration::from_secs(1);
/// Both sides are read whole, and one may be written.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(30);
/// A follower whose last poll is younger has caught up: polls begin one after the other.
const LAG_MAX: Duration = Duration::from_secs(10);

/// Who follows the legacy side of a rollout.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    client: FollowServiceClient<GrpcService>,
    collection: String,
    timeout: Duration,
}

/// Who follows the legacy side of which rollout.
pub(crate) fn followers(
    config: &Config,
    upstreams: &Upstreams,
) -> anyhow::Result<BTreeMap<String, Follower>> {
    let mut followers = BTreeMap::new();
    for (name, rollout) in &config.rollouts {
        if let Some(follow) = &rollout.follow {
            let upstream = upstreams.grpc("follow.upstream", &follow.upstream)?;
            let follower = Follower::new(
                upstream.service.clone(),
                &follow.collection,
                follow.timeout_ms,
            );
            followers.insert(name.clone(), follower);
        }
    }
    Ok(followers)
}

impl Follower {
    pub(crate) fn new(service: GrpcService, collection: &str, timeout_ms: u64) -> Follower {
        Follower {
            client: FollowServiceClient::new(service),
            collection: collection.to_owned(),
            timeout: Duration::from_millis(timeout_ms),
        }
    }

    /// Waits until the follower has caught up, or says why it has not.
    pub(crate) async fn catch_up(&self) -> Result<(), String> {
        let request = CatchUpRequest {
            collection: self.collection.clone(),
        };
        let mut client = self.client.clone();
        match tokio::time::timeout(self.timeout, client.catch_up(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(format!("the follower cannot catch up: {}", status.code())),
            Err(_) => Err("the follower did not catch up in time".to_owned()),
        }
    }

    /// Compares the data of both sides completely.
    ///
    /// # Errors
    /// What the follower says, or DEADLINE_EXCEEDED.
    pub(crate) async fn reconcile(&self, mend: bool) -> Result<ReconcileResponse, Status> {
        let request = ReconcileRequest {
            collection: self.collection.clone(),
            mend,
        };
        let mut client = self.client.clone();
        match tokio::time::timeout(RECONCILE_TIMEOUT, client.reconcile(request)).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded(
                "the follower did not compare in time",
            )),
        }
    }

    /// What it knows; nothing if it cannot be asked.
    pub(crate) async fn known(&self) -> Option<Known> {
        let request = StatusRequest {
            collection: self.collection.clone(),
        };
        let mut client = self.client.clone();
        let status = tokio::time::timeout(STATE_TIMEOUT, client.status(request)).await;
        let status = status.ok()?.ok()?.into_inner();
        Some(Known::new(&status, Timestamp::now()))
    }

    /// Says who gives ids, and waits until it is so. A follower that knows nothing of it has nothing to hand over.
    ///
    /// # Errors
    /// What the follower says, or DEADLINE_EXCEEDED.
    pub(crate) async fn set_authority(&self, authority: Authority) -> Result<(), Status> {
        let request = SetAuthorityRequest {
            collection: self.collection.clone(),
            authority: authority.into(),
        };
        let mut client = self.client.clone();
        match tokio::time::timeout(RECONCILE_TIMEOUT, client.set_authority(request)).await {
            Ok(Err(status)) if status.code() == Code::Unimplemented => Ok(()),
            Ok(answer) => answer.map(drop),
            Err(_) => Err(Status::deadline_exceeded(
                "the follower did not copy in time; what it has copied stays, so try again",
            )),
        }
    }
}

/// What a follower knows of the legacy side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// How well.
    pub state: State,
    /// Who gives ids and is right where both sides differ.
    pub authority: Authority,
    /// What the legacy system is declared to be able to do.
    pub capabilities: Vec<Capability>,
}

impl Known {
    fn new(status: &StatusResponse, now: Timestamp) -> Self {
        let since = status.last_poll_time.and_then(|time| {
            let time = Timestamp::new(time.seconds, time.nanos).ok()?;
            // A clock that is ahead is no lag.
            Some(now.duration_since(time).unsigned_abs())
        });
        let state = match since {
            // There is nobody to be behind of.
            _ if status.authority() == Authority::Own => State::Ready,
            Some(lag) if status.healthy && lag <= LAG_MAX => State::Ready,
            lag => State::Behind {
                lag_ms: lag.map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX)),
            },
        };
        Self {
            state,
            authority: status.authority(),
            capabilities: status.capabilities().collect(),
        }
    }

    /// Whether the legacy system takes entries under ids that others gave.
    pub(crate) fn keeps_ids(&self) -> bool {
        self.capabilities.contains(&Capability::KeepsIds)
    }
}
