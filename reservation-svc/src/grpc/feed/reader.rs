//! One reader's task: reads batches and sends them through a short queue, so that a slow reader stops its own task and
//! costs nothing more. It reads the database when there is something to read and only then.

use std::{sync::Arc, time::Duration};

use banyan_proto::reservation::v1;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tonic::Status;

use super::{Feed, decode, expired, incarnation_changed, tip::Tip};
use crate::{
    store::{Head, Session, StoreError},
    wire,
};

/// Events of one message; a multiple of those read at once.
const EVENTS_MAX: usize = 1_000;
/// Events read at once: the largest are of some 70 KiB, and a message must stay in its limits with one batch too many.
const EVENTS_READ: u64 = 25;
/// A message is closed when it has this many bytes of events; gRPC clients refuse 4 MiB.
const MESSAGE_BYTES: usize = 1 << 20;
/// A reader hears something at least about this often; the contract promises every 10 seconds.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Why a message could not be made.
enum Stop {
    /// For the reader to know.
    Told(Status),
    /// The database failed.
    Store(StoreError),
}

/// A message in the making.
#[derive(Default)]
struct Pieces {
    events: Vec<v1::FeedEvent>,
    bytes: usize,
}

/// One reader.
pub(super) struct Reader {
    pub(super) feed: Feed,
    pub(super) sender: mpsc::Sender<Result<v1::ReadResponse, Status>>,
    pub(super) incarnation: Arc<str>,
    /// Of the last event sent.
    pub(super) sequence: i64,
    /// Whether it is told the snapshot where events are no longer kept.
    pub(super) takes_snapshot: bool,
    /// It began at the beginning and has not come to the events that are kept: it takes the snapshot until then.
    pub(super) is_starting: bool,
}

impl Reader {
    pub(super) async fn run(self) {
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
        let mut tip = self.feed.tip.subscribe();
        let mut head = 0;
        let mut heard = None;
        loop {
            head = match self.known(&mut commits, &mut tip, head) {
                Ok(known) => known,
                Err(status) => return status,
            };
            let mut message = self.sign_of_life(head);
            if heard.is_none() || self.sequence < head {
                message = match self.next().await {
                    Ok(message) => message,
                    Err(Stop::Told(status)) => return status,
                    Err(Stop::Store(error)) => return error.into(),
                };
                head = head.max(message.head.as_ref().map_or(0, |it| it.sequence));
            }
            let due = heard.map(|heard: Instant| heard + HEARTBEAT);
            if !message.events.is_empty() || due.is_none_or(|due| due <= Instant::now()) {
                heard = Some(Instant::now());
                if self.sender.send(Ok(message)).await.is_err() {
                    return Status::cancelled("the reader has gone");
                }
            } else if let Some(due) = due {
                tokio::select! {
                    _ = commits.changed() => {}
                    _ = tip.changed() => {}
                    () = tokio::time::sleep_until(due) => {}
                }
            }
        }
    }

    /// How far the feed goes by all that is known.
    fn known(
        &self,
        commits: &mut watch::Receiver<i64>,
        tip: &mut watch::Receiver<Tip>,
        head: i64,
    ) -> Result<i64, Status> {
        let head = head.max(*commits.borrow_and_update());
        match &*tip.borrow_and_update() {
            Tip::Unknown => Ok(head),
            Tip::At {
                incarnation,
                sequence,
            } if **incarnation == *self.incarnation => Ok(head.max(*sequence)),
            Tip::At { incarnation, .. } => Err(incarnation_changed(incarnation)),
            Tip::Lost(status) => Err(status.clone()),
        }
    }

    fn sign_of_life(&self, head: i64) -> v1::ReadResponse {
        v1::ReadResponse {
            events: Vec::new(),
            head: Some(wire::position(&self.incarnation, head)),
        }
    }

    /// The next message: the events after the last ones sent, or none.
    async fn next(&mut self) -> Result<v1::ReadResponse, Stop> {
        let session = self.feed.inventory.store().read().await?;
        let head = session.head().await?;
        if *head.incarnation != *self.incarnation {
            return Err(Stop::Told(incarnation_changed(&head.incarnation)));
        }
        let trimmed = session.trimmed().await?;
        let mut pieces = Pieces::default();
        if self.sequence < trimmed {
            if !self.takes_snapshot && !self.is_starting {
                return Err(Stop::Told(expired(&head.incarnation, trimmed)));
            }
            self.snapshot(&session, &head, &mut pieces).await?;
        }
        if self.sequence >= trimmed {
            self.is_starting = false;
            self.kept(&session, &head, &mut pieces).await?;
        }
        Ok(v1::ReadResponse {
            events: pieces.events,
            head: Some(wire::position(&head.incarnation, head.sequence)),
        })
    }

    /// Takes the snapshot's events. They rise to where the outbox begins; what is trimmed between two messages only
    /// moves some of them on, to where they are still ahead of this reader.
    async fn snapshot(
        &mut self,
        session: &Session,
        head: &Head,
        pieces: &mut Pieces,
    ) -> Result<(), StoreError> {
        while pieces.have_room() {
            let read = session.snapshot_after(self.sequence, EVENTS_READ).await?;
            if read.is_empty() {
                return Ok(());
            }
            for encoded in read {
                let mut event = decode(&encoded, head)?;
                self.sequence = match sequence(&event) {
                    Some(sequence) if sequence > self.sequence => sequence,
                    other => return Err(gap(&format!("{other:?}"), self.sequence)),
                };
                event.snapshot = true;
                pieces.add(event, encoded.len());
            }
        }
        Ok(())
    }

    /// Takes the outbox's events, each of which follows the one before.
    async fn kept(
        &mut self,
        session: &Session,
        head: &Head,
        pieces: &mut Pieces,
    ) -> Result<(), StoreError> {
        while self.sequence < head.sequence && pieces.have_room() {
            let read = session.events_after(self.sequence, EVENTS_READ).await?;
            if read.is_empty() {
                return Err(gap("none", self.sequence));
            }
            for encoded in read {
                let event = decode(&encoded, head)?;
                self.sequence = follows(self.sequence, &event)?;
                pieces.add(event, encoded.len());
            }
        }
        Ok(())
    }
}

impl Pieces {
    fn have_room(&self) -> bool {
        self.events.len() < EVENTS_MAX && self.bytes < MESSAGE_BYTES
    }

    fn add(&mut self, event: v1::FeedEvent, bytes: usize) {
        self.events.push(event);
        self.bytes += bytes;
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The event's sequence, which is the one after the last: a reader is never led over a gap.
fn follows(last: i64, event: &v1::FeedEvent) -> Result<i64, StoreError> {
    match sequence(event) {
        Some(sequence) if sequence == last + 1 => Ok(sequence),
        other => Err(gap(&format!("{other:?}"), last)),
    }
}

fn sequence(event: &v1::FeedEvent) -> Option<i64> {
    event.position.as_ref().map(|it| it.sequence)
}

fn gap(found: &str, last: i64) -> StoreError {
    StoreError::corrupt("order of events", format!("{found} after {last}"))
}
