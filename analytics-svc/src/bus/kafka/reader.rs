//! A member of a consumer group on all topics, in one of the service's replicas.
//!
//! Kafka shares the partitions out among the members. One that had to give a partition back while it was reading cannot
//! commit any more; the next owner begins after the last commit and sees those events again.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer as _, StreamConsumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use serde::Deserialize;
use tracing::{debug, warn};

use super::{Delivery, Event, Topic, config, config::Quiet};

/// Events a delivery.
const DELIVERY_MAX: usize = 200;

pub(super) struct Reader {
    consumer: StreamConsumer<Quiet>,
}

impl Reader {
    pub(super) fn new(brokers: &str, group: &str) -> KafkaResult<Self> {
        let consumer = config::consumer(brokers, group)?;
        consumer.subscribe(&Topic::ALL.map(Topic::as_str))?;
        Ok(Self { consumer })
    }

    /// The next events, once there are some.
    pub(super) async fn deliver(&self) -> KafkaResult<Vec<Delivery>> {
        let mut events: BTreeMap<(Topic, i32), Vec<(i64, Event)>> = BTreeMap::new();
        let mut next = self.next().await;
        let mut taken = 0;
        loop {
            let message = next?;
            if let Some(event) = event(&message) {
                let place = (event.topic, message.partition());
                let events = events.entry(place).or_default();
                events.push((message.offset(), event));
            }
            taken += 1;
            if taken == DELIVERY_MAX {
                break;
            }
            // Only what has arrived already.
            next = match tokio::time::timeout(Duration::ZERO, self.next()).await {
                Ok(next) => next,
                Err(_) => break,
            };
        }
        let deliveries = events
            .into_iter()
            .map(|((topic, partition), events)| Delivery {
                topic,
                partition,
                events,
            });
        Ok(deliveries.collect())
    }

    /// The next message. Of errors only fatal ones end the wait: librdkafka mends the others by itself, provided that it
    /// is asked again at once, for what it has to do comes after them in the same queue.
    async fn next(&self) -> KafkaResult<BorrowedMessage<'_>> {
        loop {
            match self.consumer.recv().await {
                Err(error) if is_outage(&error) => {
                    debug!(error = crate::chain(&error), "Kafka's consumer waits");
                }
                Err(error) if !matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                    warn!(error = crate::chain(&error), "Kafka's consumer complains");
                }
                next => return next,
            }
        }
    }

    /// Marks everything before `next` as read; blocks, without a limit while brokers are away. False if the partition is no
    /// longer this member's.
    pub(super) fn commit(&self, topic: Topic, partition: i32, next: i64) -> KafkaResult<bool> {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic.as_str(), partition, Offset::Offset(next))?;
        match self.consumer.commit(&offsets, CommitMode::Sync) {
            Ok(()) => Ok(true),
            Err(error) if is_taken_away(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives its partitions back; the answer to that is awaited when it is dropped.
    pub(super) fn leave(&self) {
        self.consumer.unsubscribe();
    }
}

/// Whether brokers are away, which the bus says once and for all of its parts.
fn is_outage(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::Resolve
        )
    )
}

fn is_taken_away(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::RebalanceInProgress
        )
    )
}

/// The parts of an envelope that a reader needs. Others may write to these topics too: nothing is certain.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    id: String,
    timestamp: Timestamp,
}

fn event(message: &BorrowedMessage<'_>) -> Option<Event> {
    let topic = Topic::ALL
        .into_iter()
        .find(|topic| topic.as_str() == message.topic())?;
    let payload = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
    let head: Head = serde_json::from_str(&payload).unwrap_or_default();
    Some(Event {
        topic,
        id: head.id,
        key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
        written_at: head.timestamp,
        payload,
    })
}
