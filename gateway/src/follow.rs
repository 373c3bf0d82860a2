//! After a write on the legacy side: wait a moment until the gRPC side has adopted it.
//!
//! A client that keeps its cookies stays on its side and finds what it wrote. One that does not may be read from the
//! other side next, so the answer to its write waits for the follower, for a limited time: the write has succeeded
//! whatever happens here.

use std::time::Duration;

use banyan_proto::follow::v1::{CatchUpRequest, follow_service_client::FollowServiceClient};

use crate::upstreams::GrpcService;

/// Who follows the legacy side of a rollout.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    client: FollowServiceClient<GrpcService>,
    collection: String,
    timeout: Duration,
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
}
