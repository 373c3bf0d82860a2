//! Makes the topics that are missing, durable as far as the cluster's size allows. Existing ones stay as they are.

use std::time::Duration;

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::Metadata,
};

use super::{
    Topic,
    config::{self, Quiet},
};
use crate::settings::BusSettings;

const REPLICAS_MAX: usize = 3;
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(super) enum CreateError {
    #[error("the brokers cannot be asked for missing topics")]
    Ask(#[source] KafkaError),
    #[error("{topic} is missing, and the brokers do not make it")]
    Refused {
        topic: String,
        #[source]
        code: RDKafkaErrorCode,
    },
}

/// The topics that `cluster` does not have, or does not show.
pub(super) fn missing(cluster: &Metadata) -> Vec<Topic> {
    let is_there = |topic: &Topic| {
        cluster
            .topics()
            .iter()
            .any(|there| there.name() == topic.as_str() && !there.partitions().is_empty())
    };
    Topic::ALL
        .into_iter()
        .filter(|topic| !is_there(topic))
        .collect()
}

/// How many copies of an event a cluster of so many brokers can keep.
pub(super) fn replicas(brokers: usize) -> usize {
    brokers.clamp(1, REPLICAS_MAX)
}

/// Makes `topics`; ones that another replica has made meanwhile are no error.
pub(super) async fn create(
    brokers: &str,
    topics: &[Topic],
    replicas: usize,
    settings: &BusSettings,
) -> Result<(), CreateError> {
    let admin: AdminClient<Quiet> = config::client(brokers)
        .create_with_context(Quiet)
        .map_err(CreateError::Ask)?;
    let retention_ms = (u64::from(settings.retention_hours) * 3_600_000).to_string();
    // One copy may be away without an event being refused, and with it gone an acknowledged event is still there.
    let in_sync_min = replicas.saturating_sub(1).max(1).to_string();
    let topics = topics.iter().map(|topic| NewTopic {
        name: topic.as_str(),
        num_partitions: i32::from(settings.partitions),
        // At most 3.
        replication: TopicReplication::Fixed(i32::try_from(replicas).unwrap_or(1)),
        config: vec![
            ("retention.ms", &retention_ms),
            ("min.insync.replicas", &in_sync_min),
        ],
    });
    let topics: Vec<_> = topics.collect();
    let options = AdminOptions::new()
        .request_timeout(Some(TIMEOUT))
        .operation_timeout(Some(TIMEOUT));
    let results = admin
        .create_topics(&topics, &options)
        .await
        .map_err(CreateError::Ask)?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(CreateError::Refused { topic, code }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_keeps_as_many_copies_as_it_can_and_never_more_than_three() {
        assert_eq!([0, 1, 2, 3, 9].map(replicas), [1, 1, 2, 3, 3]);
    }
}
