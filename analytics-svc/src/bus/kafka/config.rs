//! How librdkafka is set up: every queue and every wait has a limit.

use rdkafka::{
    client::ClientContext,
    config::{ClientConfig, RDKafkaLogLevel},
    consumer::{ConsumerContext, StreamConsumer},
    error::{KafkaError, KafkaResult},
};
use tracing::debug;

use super::Producer;

/// librdkafka's own words are for debugging: it repeats itself while a broker is away, and the bus says so once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(error = crate::chain(&error), reason, "librdkafka");
    }
}

impl ConsumerContext for Quiet {}

pub(super) fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set_log_level(RDKafkaLogLevel::Warning)
        .set("bootstrap.servers", brokers)
        .set("client.id", "banyan-analytics")
        .set("socket.timeout.ms", "5000")
        .set("socket.connection.setup.timeout.ms", "3000")
        .set("reconnect.backoff.max.ms", "1000")
        // Finds topics and partitions that others add.
        .set("topic.metadata.refresh.interval.ms", "10000");
    config
}

pub(super) fn producer(brokers: &str) -> KafkaResult<Producer> {
    client(brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("delivery.timeout.ms", "5000")
        .set("request.timeout.ms", "4000")
        .set("queue.buffering.max.messages", "10000")
        .set("queue.buffering.max.kbytes", "16384")
        // A caller waits for its one event; those of others fill the batch anyway when there are many.
        .set("linger.ms", "1")
        .set("partitioner", "murmur2_random")
        .create_with_context(Quiet)
}

pub(super) fn consumer(brokers: &str, group: &str) -> KafkaResult<StreamConsumer<Quiet>> {
    client(brokers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "10000")
        .set("queued.max.messages.kbytes", "8192")
        .create_with_context(Quiet)
}
