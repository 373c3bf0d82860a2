//! FeedAdminService: an operator's word on how much of the feed is kept.

use banyan_proto::reservation::v1::{self, feed_admin_service_server::FeedAdminService};
use jiff::Timestamp;
use tonic::{Request, Response, Status};

use super::{position::position, status};
use crate::{
    domain::violation::Fault,
    feed::Trimmer,
    inventory::{Inventory, Position},
    wire,
};

const FIELD: &str = "before_time";

/// Answers FeedAdminService.
#[derive(Clone)]
pub(super) struct FeedAdmin {
    inventory: Inventory,
    trimmer: Trimmer,
}

impl FeedAdmin {
    pub(super) fn new(inventory: Inventory) -> Self {
        let trimmer = Trimmer::new(inventory.clone());
        Self { inventory, trimmer }
    }

    async fn before(&self, request: &v1::TrimFeedRequest) -> Result<Timestamp, Status> {
        let Some(time) = request.before_time else {
            return Err(status::wrong(FIELD, Fault::Missing, "must be given"));
        };
        let before = Timestamp::new(time.seconds, time.nanos).ok();
        let before = before
            .filter(|_| (0..1_000_000_000).contains(&time.nanos))
            .ok_or_else(|| status::wrong(FIELD, Fault::Range, "is no time"))?;
        if before > self.inventory.forgets_at().await? {
            let description = "must not be in the future";
            return Err(status::wrong(FIELD, Fault::Range, description));
        }
        Ok(before)
    }
}

#[tonic::async_trait]
impl FeedAdminService for FeedAdmin {
    async fn trim_feed(
        &self,
        request: Request<v1::TrimFeedRequest>,
    ) -> Result<Response<v1::TrimFeedResponse>, Status> {
        let before = self.before(request.get_ref()).await?;
        let trimmed = self.trimmer.trim(before).await?;
        let session = self.inventory.store().read().await?;
        let (head, snapshot) = (session.head().await?, session.trimmed().await?);
        Ok(Response::new(v1::TrimFeedResponse {
            trimmed_events: i64::try_from(trimmed.events).unwrap_or(i64::MAX),
            snapshot_position: (snapshot > 0).then(|| wire::position(&head.incarnation, snapshot)),
            complete: trimmed.complete,
            position: position(&Position::from(&head)),
        }))
    }
}
