//! A reader of the feed that follows it through every fault, from one replica to the other, and keeps what it was told.
//!
//! At once it checks what a consumer relies on: no event is missing, none comes twice, none comes out of order, and the
//! database stays the one that it is.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use banyan_proto::reservation::v1::{self, feed_service_client::FeedServiceClient};
use prost::Message as _;
use tokio::task::JoinHandle;
use tonic::{Code, transport::Channel};

/// After a broken stream, before the next try.
const PAUSE: Duration = Duration::from_millis(50);
/// A stream that says nothing for so long is given up; the contract promises a sign of life every 10 seconds.
const SILENCE: Duration = Duration::from_secs(15);

/// A reader that runs until it is told to stop.
#[derive(Debug)]
pub(crate) struct Follower {
    told: Arc<Mutex<Told>>,
    following: JoinHandle<anyhow::Result<()>>,
}

/// What a reader was told.
#[derive(Debug, Default)]
struct Told {
    after: Option<v1::CommitPosition>,
    /// The hash of each event, from sequence 1 on.
    hashes: Vec<u64>,
}

impl Follower {
    /// Follows from the beginning, over whichever channel answers.
    pub(crate) fn start(channels: Vec<Channel>) -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let following = tokio::spawn(follow(channels, Arc::clone(&told)));
        Self { told, following }
    }

    /// How many events it was told of.
    pub(crate) fn count(&self) -> usize {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .hashes
            .len()
    }

    /// That it has found nothing wrong so far.
    pub(crate) async fn check(&mut self) -> anyhow::Result<()> {
        if self.following.is_finished() {
            (&mut self.following)
                .await
                .context("the reader of the feed was aborted")??;
        }
        Ok(())
    }

    /// Stops, and compares what it was told with the events as they are in the database in the end.
    pub(crate) async fn end(mut self, events: &[v1::FeedEvent]) -> anyhow::Result<()> {
        self.check().await?;
        self.following.abort();
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(
            told.hashes.len() <= events.len(),
            "the feed has told of {} events, the database has {}",
            told.hashes.len(),
            events.len()
        );
        let differing = told
            .hashes
            .iter()
            .zip(events)
            .position(|(told, event)| *told != hash(event));
        if let Some(index) = differing {
            bail!(
                "the feed has told event {} other than it is in the database",
                index + 1
            );
        }
        Ok(())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(channels: Vec<Channel>, told: Arc<Mutex<Told>>) -> anyhow::Result<()> {
    for channel in channels.iter().cycle() {
        if let Err(status) = read(FeedServiceClient::new(channel.clone()), &told).await? {
            // It is told why it cannot go on only when it never can.
            let fatal = matches!(
                status.code(),
                Code::OutOfRange | Code::InvalidArgument | Code::Unimplemented
            );
            ensure!(!fatal, "the feed cannot be followed any more: {status}");
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Reads one stream to its end.
async fn read(
    mut feed: FeedServiceClient<Channel>,
    told: &Mutex<Told>,
) -> anyhow::Result<Result<(), tonic::Status>> {
    let after = told
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .after
        .clone();
    let request = v1::ReadRequest {
        after,
        ..Default::default()
    };
    let opened = tokio::time::timeout(SILENCE, feed.read(request)).await;
    let mut stream = match opened {
        Ok(Ok(stream)) => stream.into_inner(),
        Ok(Err(status)) => return Ok(Err(status)),
        Err(_) => return Ok(Ok(())),
    };
    loop {
        match tokio::time::timeout(SILENCE, stream.message()).await {
            Ok(Ok(Some(message))) => {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                for event in &message.events {
                    told.hear(event)?;
                }
            }
            Ok(Err(status)) => return Ok(Err(status)),
            Ok(Ok(None)) | Err(_) => return Ok(Ok(())),
        }
    }
}

impl Told {
    fn hear(&mut self, event: &v1::FeedEvent) -> anyhow::Result<()> {
        let position = event
            .position
            .clone()
            .context("an event without a position")?;
        let last = self.after.clone().unwrap_or_default();
        ensure!(
            position.sequence == last.sequence + 1,
            "the feed told of event {} after event {}",
            position.sequence,
            last.sequence
        );
        ensure!(
            last.sequence == 0 || position.incarnation == last.incarnation,
            "the feed came from another database at event {}",
            position.sequence
        );
        self.after = Some(position);
        self.hashes.push(hash(event));
        Ok(())
    }
}

fn hash(event: &v1::FeedEvent) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.encode_to_vec().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: i64, incarnation: &str) -> v1::FeedEvent {
        let incarnation = incarnation.to_owned();
        v1::FeedEvent {
            position: Some(v1::CommitPosition {
                incarnation,
                sequence,
            }),
            ..v1::FeedEvent::default()
        }
    }

    #[test]
    fn a_gap_a_repeat_and_another_database_are_noticed() {
        for wrong in [event(3, "a"), event(1, "a"), event(2, "b")] {
            let mut told = Told::default();
            told.hear(&event(1, "a")).unwrap();
            assert!(told.hear(&wrong).is_err(), "{wrong:?}");
        }
    }
}
