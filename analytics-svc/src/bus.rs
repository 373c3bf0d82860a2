//! The event bus: topics of partitions of events in order, acknowledged only when durable.
//!
//! [`Bus`] is what the service needs of a bus, so that Kafka (`kafka`, a cargo feature) can take the place of the
//! [`embedded`] one, which keeps its events in the service's own database. An event goes to the partition that its key
//! hashes to, so events of one movie or one user stay in order. [`consumer`] reads every event back and logs that it
//! was there; it may see an event again after a crash, never miss one.
//!
//! Events of users hold e-mails: payloads are stored and never logged.

pub mod consumer;
pub mod embedded;
pub mod envelope;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod retention;
pub mod stats;

use std::{error::Error, fmt};

use jiff::Timestamp;

/// A stream of events of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `movie-events`, keyed by movie.
    Movies,
    /// `user-events`, keyed by user.
    Users,
    /// `payment-events`, keyed by user.
    Payments,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 3] = [Self::Movies, Self::Users, Self::Payments];

    /// The name that existing consumers know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Movies => "movie-events",
            Self::Users => "user-events",
            Self::Payments => "payment-events",
        }
    }

    /// The `type` of its events.
    #[must_use]
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Movies => "movie",
            Self::Users => "user",
            Self::Payments => "payment",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An event as it is written and read.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// Where it belongs.
    pub topic: Topic,
    /// Unique.
    pub id: String,
    /// Events of one key stay in order.
    pub key: String,
    /// When it was written.
    pub written_at: Timestamp,
    /// JSON; may hold personal data.
    pub payload: String,
}

// Written by hand so that no payload reaches a log through `{:?}`.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("topic", &self.topic)
            .field("id", &self.id)
            .field("written_at", &self.written_at)
            .finish_non_exhaustive()
    }
}

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Of the topic, from 0.
    pub partition: i32,
    /// In the partition, from 0 without gaps.
    pub offset: i64,
}

/// Some events of one partition in order, not yet marked as read.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The topic's name.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// Each with its offset.
    pub events: Vec<(i64, Event)>,
}

/// Why a bus failed, in its own terms.
pub type Cause = Box<dyn Error + Send + Sync>;

/// What the bus could not do.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The event is not durable.
    #[error("the event could not be written to {topic}")]
    Publish {
        /// Where it was to go.
        topic: Topic,
        /// Why not.
        #[source]
        source: Cause,
    },
    /// The event may have become durable, or not.
    #[error("it is not known whether the event was written to {topic}")]
    Unknown {
        /// Where it was to go.
        topic: Topic,
        /// Why it is not known.
        #[source]
        source: Cause,
    },
    /// The bus does not answer.
    #[error("the event bus does not answer")]
    Away(#[source] Cause),
    /// Events could not be read, or not be marked as read.
    #[error("the events of {topic} could not be read")]
    Consume {
        /// Which topic.
        topic: Topic,
        /// Why not.
        #[source]
        source: Cause,
    },
}

/// What the service needs of a bus.
#[tonic::async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Succeeds if events can be written now.
    async fn check(&self) -> Result<(), BusError>;

    /// Writes an event; its place once it is durable.
    async fn publish(&self, event: Event) -> Result<Place, BusError>;

    /// Some unread events of `group`, in order within each partition; waits for the first. The same come again until
    /// they are [committed](Bus::commit).
    async fn deliver(&self, group: &str) -> Result<Vec<Delivery>, BusError>;

    /// Marks a delivery as read by `group`. False if another consumer of the group had been faster.
    async fn commit(&self, group: &str, delivery: &Delivery) -> Result<bool, BusError>;
}
