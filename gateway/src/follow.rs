//! Whoever follows the legacy side of a rollout, as a client sees it.
//!
//! After a write on the legacy side: wait a moment until the gRPC side has adopted it. A client that keeps its cookies
//! stays on its side and finds what it wrote. One that does not may be read from the other side next, so the answer to its
//! write waits for the follower, for a limited time: the write has succeeded whatever happens here.
//!
//! What it says of itself ([`known`]) is kept, for those who look again and again.

mod known;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use banyan_proto::follow::v1::{
    Authority, CatchUpRequest, ReconcileRequest, ReconcileResponse, SetAuthorityRequest,
    StatusRequest, StatusResponse, follow_service_client::FollowServiceClient,
};
use jiff::Timestamp;
use tonic::{Code, Status};

pub(crate) use self::known::Known;

use crate::{
    config::Config,
    upstreams::{GrpcService, Upstreams},
};

/// An operator waits at most this long to hear how far the follower is.
const STATE_TIMEOUT: Duration = Duration::from_secs(1);
/// A page of a comparison: both sides are read, and one may be written. A follower ends its pages far earlier.
const PAGE_TIMEOUT: Duration = Duration::from_secs(45);
/// Everything may have to be copied.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(30);

/// Who follows the legacy side of a rollout.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    client: FollowServiceClient<GrpcService>,
    collection: String,
    timeout: Duration,
    /// What it said when it was last asked.
    lately: Arc<ArcSwapOption<Heard>>,
}

/// What was last heard of a follower; nothing if it could not be asked.
#[derive(Debug)]
struct Heard {
    known: Option<Known>,
    at: Instant,
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
            lately: Arc::default(),
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

    /// What is followed.
    pub(crate) fn collection(&self) -> &str {
        &self.collection
    }

    /// Compares the data of both sides, a page of it: `page_size` differences at most, from `page_token` on.
    ///
    /// # Errors
    /// What the follower says, or DEADLINE_EXCEEDED.
    pub(crate) async fn reconcile(
        &self,
        mend: bool,
        page_size: i32,
        page_token: String,
    ) -> Result<ReconcileResponse, Status> {
        let request = ReconcileRequest {
            collection: self.collection.clone(),
            mend,
            page_size,
            page_token,
        };
        let mut client = self.client.clone();
        match tokio::time::timeout(PAGE_TIMEOUT, client.reconcile(request)).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded(
                "the follower did not compare in time",
            )),
        }
    }

    /// What it knows; nothing if it cannot be asked.
    pub(crate) async fn known(&self) -> Option<Known> {
        let asked = Timestamp::now();
        let known = self.status().await.map(|status| Known::new(&status, asked));
        self.lately.store(Some(Arc::new(Heard {
            known: known.clone(),
            at: Instant::now(),
        })));
        known
    }

    async fn status(&self) -> Option<StatusResponse> {
        let request = StatusRequest {
            collection: self.collection.clone(),
        };
        let mut client = self.client.clone();
        let status = tokio::time::timeout(STATE_TIMEOUT, client.status(request)).await;
        Some(status.ok()?.ok()?.into_inner())
    }

    /// What [`Follower::known`] last answered, as far as it is true by now; nothing if nobody has asked.
    pub(crate) fn lately(&self) -> Option<Option<Known>> {
        let heard = self.lately.load_full()?;
        let known = heard.known.clone();
        Some(known.map(|known| known.after(heard.at.elapsed())))
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
        match tokio::time::timeout(HAND_OVER_TIMEOUT, client.set_authority(request)).await {
            Ok(Err(status)) if status.code() == Code::Unimplemented => Ok(()),
            Ok(answer) => answer.map(drop),
            Err(_) => Err(Status::deadline_exceeded(
                "the follower did not copy in time; what it has copied stays, so try again",
            )),
        }
    }
}
