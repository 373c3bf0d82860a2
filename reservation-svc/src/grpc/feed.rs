//! FeedService: the outbox as a stream, from any position on and then for ever.
//!
//! Each reader has a task that reads batches and sends them through a short queue: a slow reader stops its own task and
//! costs nothing more. It wakes at this process's commits, looks for other replicas' every so often, and says that it
//! is alive when there is nothing to tell.

use std::{sync::Arc, time::Duration};

use banyan_proto::reservation::v1::{self, feed_service_server::FeedService};
use prost::Message as _;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

use super::status;
use crate::{
    domain::violation::Fault,
    inventory::Inventory,
    store::{Head, StoreError},
    wire,
};

/// Events of one message; a multiple of those read at once.
const EVENTS_MAX: usize = 1_000;
/// Events read at once: the largest are of some 70 KiB, and a message must stay in its limits with one batch too many.
const EVENTS_READ: u64 = 25;
/// A message is closed when it has this many bytes of events; gRPC clients refuse 4 MiB.
const MESSAGE_BYTES: usize = 1 << 20;
/// Messages that wait for a slow reader.
const QUEUE: usize = 4;
/// How often other replicas' commits are looked for.
const POLL: Duration = Duration::from_millis(500);
/// A reader hears something at least about this often; the contract promises every 10 seconds.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Answers FeedService.
#[derive(Clone)]
pub(super) struct Feed {
    inventory: Inventory,
    shutdown: CancellationToken,
    heartbeat: Duration,
}

impl Feed {
    pub(super) fn new(inventory: Inventory, shutdown: CancellationToken) -> Self {
        Self {
            inventory,
            shutdown,
            heartbeat: HEARTBEAT,
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
        let after = request.into_inner().after;
        let head = self.inventory.store().read().await?.head().await?;
        let sequence = check(after, &head)?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let reader = Reader {
            feed: self.clone(),
            sender,
            incarnation: Arc::from(head.incarnation.as_str()),
            sequence,
        };
        tokio::spawn(reader.run());
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
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

/// One reader's task.
struct Reader {
    feed: Feed,
    sender: mpsc::Sender<Result<v1::ReadResponse, Status>>,
    incarnation: Arc<str>,
    sequence: i64,
}

impl Reader {
    async fn run(self) {
        let shutdown = self.feed.shutdown.clone();
        let sender = self.sender.clone();
        tokio::select! {
            status = self.follow() => drop(sender.send(Err(status)).await),
            () = sender.closed() => {}
            () = shutdown.cancelled() => {
                // The reader is told why, if it listens right now; it comes back elsewhere with its position.
                drop(sender.try_send(Err(Status::unavailable("the service is ending"))));
            }
        }
    }

    /// Sends what there is and what comes; ends when it cannot any more.
    async fn follow(mut self) -> Status {
        let mut commits = self.feed.inventory.commits();
        let mut heard = None;
        loop {
            let message = match self.next().await {
                Ok(Ok(message)) => message,
                Ok(Err(status)) => return status,
                Err(error) => return error.into(),
            };
            let news = !message.events.is_empty();
            if news || heard.is_none_or(|heard: Instant| heard.elapsed() >= self.feed.heartbeat) {
                heard = Some(Instant::now());
                if self.sender.send(Ok(message)).await.is_err() {
                    return Status::cancelled("the reader has gone");
                }
            }
            if !news {
                tokio::time::timeout(POLL, commits.changed()).await.ok();
            }
        }
    }

    /// The next message: the events after the last ones sent, or none.
    async fn next(&mut self) -> Result<Result<v1::ReadResponse, Status>, StoreError> {
        let session = self.feed.inventory.store().read().await?;
        let head = session.head().await?;
        if *head.incarnation != *self.incarnation {
            return Ok(Err(incarnation_changed(&head.incarnation)));
        }
        let mut events = Vec::new();
        let mut bytes = 0;
        while self.sequence < head.sequence && events.len() < EVENTS_MAX && bytes < MESSAGE_BYTES {
            let read = session.events_after(self.sequence, EVENTS_READ).await?;
            if read.is_empty() {
                return Err(gap("none", self.sequence));
            }
            for encoded in read {
                let event = decode(&encoded, &head)?;
                self.sequence = follows(self.sequence, &event)?;
                events.push(event);
                bytes += encoded.len();
            }
        }
        Ok(Ok(v1::ReadResponse {
            events,
            head: Some(wire::position(&head.incarnation, head.sequence)),
        }))
    }
}

/// The event's sequence, which is the one after the last: a reader is never led over a gap.
fn follows(last: i64, event: &v1::FeedEvent) -> Result<i64, StoreError> {
    match event.position.as_ref().map(|it| it.sequence) {
        Some(sequence) if sequence == last + 1 => Ok(sequence),
        other => Err(gap(&format!("{other:?}"), last)),
    }
}

fn gap(found: &str, last: i64) -> StoreError {
    StoreError::corrupt("order of events", format!("{found} after {last}"))
}

/// An event as stored, which keeps the incarnation that it was written under: it is told under the present one.
fn decode(bytes: &[u8], head: &Head) -> Result<v1::FeedEvent, StoreError> {
    let decoded = v1::FeedEvent::decode(bytes);
    let mut event = decoded.map_err(|error| StoreError::corrupt("event", error))?;
    if let Some(position) = &mut event.position {
        position.incarnation.clone_from(&head.incarnation);
    }
    Ok(event)
}
