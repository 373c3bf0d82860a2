//! FeedService: the outbox as a stream, from any position on and then for ever; before it the snapshot of what is no
//! longer in it, where there is one.
//!
//! Each reader has a task of its own ([`reader`]) and a short queue; how far there is to read is known to all of them
//! at once ([`tip`]).

mod reader;
mod tip;

use std::sync::Arc;

use banyan_mesh::process::Process;
use banyan_proto::reservation::v1::{self, feed_service_server::FeedService};
use prost::Message as _;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

use super::status;
use crate::{
    domain::violation::Fault,
    inventory::Inventory,
    store::{Head, StoreError},
};
use reader::Reader;
use tip::Tip;

/// Messages that wait for a slow reader.
const QUEUE: usize = 2;
/// Readers at once: a slow one keeps some megabytes waiting.
const READERS_MAX: usize = 64;

/// Answers FeedService.
#[derive(Clone)]
pub(super) struct Feed {
    inventory: Inventory,
    shutdown: CancellationToken,
    tip: watch::Sender<Tip>,
    places: Arc<Semaphore>,
}

impl Feed {
    pub(super) fn new(inventory: Inventory, process: &Process) -> Self {
        let tip = tip::watch_in_background(inventory.clone(), process);
        Self {
            inventory,
            shutdown: process.shutdown().clone(),
            tip,
            places: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }
}

#[tonic::async_trait]
impl FeedService for Feed {
    type ReadStream = ReceiverStream<Result<v1::ReadResponse, Status>>;

    async fn read(
        &self,
        request: Request<v1::ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let v1::ReadRequest {
            after,
            takes_snapshot,
        } = request.into_inner();
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| status::crowded("too many readers of the feed"))?;
        let session = self.inventory.store().read().await?;
        let (head, trimmed) = (session.head().await?, session.trimmed().await?);
        drop(session);
        let sequence = check(after, &head)?;
        let is_starting = sequence == 0;
        if sequence < trimmed && !is_starting && !takes_snapshot {
            return Err(expired(&head.incarnation, trimmed));
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        let reader = Reader {
            feed: self.clone(),
            sender,
            incarnation: Arc::from(head.incarnation.as_str()),
            sequence,
            takes_snapshot,
            is_starting,
        };
        tokio::spawn(async move {
            reader.run().await;
            drop(place);
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// An event as stored, which keeps the incarnation that it was written under: it is told under the present one.
pub(super) fn decode(bytes: &[u8], head: &Head) -> Result<v1::FeedEvent, StoreError> {
    let decoded = v1::FeedEvent::decode(bytes);
    let mut event = decoded.map_err(|error| StoreError::corrupt("event", error))?;
    if let Some(position) = &mut event.position {
        position.incarnation.clone_from(&head.incarnation);
    }
    Ok(event)
}

/// The sequence after which to read.
fn check(after: Option<v1::CommitPosition>, head: &Head) -> Result<i64, Status> {
    let Some(after) = after else {
        return Ok(0);
    };
    if after.sequence < 0 {
        return Err(status::wrong(
            "after.sequence",
            Fault::Range,
            "must not be negative",
        ));
    }
    // Before the first change all databases are alike.
    let anywhere = after.sequence == 0 && after.incarnation.is_empty();
    if !anywhere && after.incarnation != head.incarnation {
        return Err(incarnation_changed(&head.incarnation));
    }
    if after.sequence > head.sequence {
        let message = format!("the last commit is {}", head.sequence);
        let metadata = [
            ("incarnation", head.incarnation.clone()),
            ("commit_sequence", head.sequence.to_string()),
        ];
        return Err(status::reasoned(
            Code::OutOfRange,
            "POSITION_AHEAD",
            message,
            metadata,
        ));
    }
    Ok(after.sequence)
}

fn incarnation_changed(now: &str) -> Status {
    let message = "the position is of another incarnation of the database";
    let metadata = [("incarnation", now.to_owned())];
    status::reasoned(Code::OutOfRange, "INCARNATION_CHANGED", message, metadata)
}

fn expired(incarnation: &str, trimmed: i64) -> Status {
    let message = format!("events up to {trimmed} are no longer kept");
    let metadata = [
        ("incarnation", incarnation.to_owned()),
        ("snapshot_sequence", trimmed.to_string()),
    ];
    status::reasoned(Code::OutOfRange, "POSITION_EXPIRED", message, metadata)
}
