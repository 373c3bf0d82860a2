//! The tables of the embedded bus: offsets, events, and how far each group has read.

use jiff::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, Statement, Value};

use super::{During as _, Store, StoreError};
use crate::bus::{Delivery, Event, Topic, retention::Limits};

/// Events a sweep's transaction.
const REMOVED_MAX: i64 = 1_000;

// Both databases understand `$1` and RETURNING. The first event of a partition makes its counter.
const ALLOT: &str =
    "INSERT INTO bus_partitions (topic, partition_id, next_offset) VALUES ($1, $2, 1)
    ON CONFLICT (topic, partition_id) DO UPDATE SET next_offset = bus_partitions.next_offset + 1
    RETURNING next_offset";
const WRITE: &str = "INSERT INTO bus_events
    (topic, partition_id, event_offset, event_id, event_type, event_key, written_at_us, payload)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const PARTITIONS: &str =
    "SELECT p.partition_id AS partition_id, COALESCE(c.next_offset, 0) AS next_unread
    FROM bus_partitions p LEFT JOIN bus_consumers c
    ON c.consumer_group = $1 AND c.topic = p.topic AND c.partition_id = p.partition_id
    WHERE p.topic = $2 AND p.next_offset > COALESCE(c.next_offset, 0) ORDER BY p.partition_id";
const UNREAD: &str =
    "SELECT event_offset, event_id, event_key, written_at_us, payload FROM bus_events
    WHERE topic = $1 AND partition_id = $2 AND event_offset >= $3 ORDER BY event_offset LIMIT $4";
const COMMIT: &str = "INSERT INTO bus_consumers (consumer_group, topic, partition_id, next_offset)
    VALUES ($1, $2, $3, $5)
    ON CONFLICT (consumer_group, topic, partition_id) DO UPDATE SET next_offset = excluded.next_offset
    WHERE bus_consumers.next_offset <= $4";
const BOUNDS: &str =
    "SELECT p.next_offset AS next_offset, COALESCE(c.next_offset, 0) AS next_unread
    FROM bus_partitions p LEFT JOIN bus_consumers c
    ON c.consumer_group = $1 AND c.topic = p.topic AND c.partition_id = p.partition_id
    WHERE p.topic = $2 AND p.partition_id = $3";
const OLDEST: &str = "SELECT event_offset, written_at_us FROM bus_events
    WHERE topic = $1 AND partition_id = $2 ORDER BY event_offset LIMIT $3";
const REMOVE: &str =
    "DELETE FROM bus_events WHERE topic = $1 AND partition_id = $2 AND event_offset < $3";

impl Store {
    /// Succeeds if the bus's tables answer.
    pub async fn check_events(&self) -> Result<(), StoreError> {
        let sql = "SELECT COUNT(*) AS partitions FROM bus_partitions";
        self.rows(sql, vec![], "check the event bus").await?;
        Ok(())
    }

    /// Writes an event at the end of a partition; its offset once it is durable.
    pub async fn append_event(&self, partition: i32, event: Event) -> Result<i64, StoreError> {
        let write = self.write("begin writing an event").await?;
        let offset = self
            .allot(&write.transaction, event.topic, partition)
            .await?;
        let values: Vec<Value> = vec![
            event.topic.as_str().into(),
            partition.into(),
            offset.into(),
            event.id.into(),
            event.topic.event_type().into(),
            event.key.into(),
            event.written_at.as_microsecond().into(),
            event.payload.into(),
        ];
        write
            .transaction
            .execute_raw(self.statement(WRITE, values))
            .await
            .during("write an event")?;
        write.commit("commit an event").await?;
        Ok(offset)
    }

    async fn allot(
        &self,
        transaction: &DatabaseTransaction,
        topic: Topic,
        partition: i32,
    ) -> Result<i64, StoreError> {
        let values = vec![topic.as_str().into(), partition.into()];
        let next: Option<i64> = transaction
            .query_one_raw(self.statement(ALLOT, values))
            .await
            .and_then(|row| row.map(|row| row.try_get("", "next_offset")).transpose())
            .during("allot an offset")?;
        let next = next.ok_or_else(|| StoreError::Corrupt {
            what: "partition counter",
            value: "no row".to_owned(),
        })?;
        Ok(next - 1)
    }

    /// Unread events of `group`: at most `limit` of each partition, from the first unread one on.
    pub async fn unread_events(
        &self,
        group: &str,
        topic: Topic,
        limit: u64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let values = vec![group.into(), topic.as_str().into()];
        let partitions = self.rows(PARTITIONS, values, "find unread events").await?;
        let mut deliveries = Vec::new();
        for row in partitions {
            let (partition, next): (i32, i64) = row
                .try_get("", "partition_id")
                .and_then(|partition| Ok((partition, row.try_get("", "next_unread")?)))
                .during("find unread events")?;
            let values = vec![
                topic.as_str().into(),
                partition.into(),
                next.into(),
                i64::try_from(limit).unwrap_or(i64::MAX).into(),
            ];
            let events = self
                .rows(UNREAD, values, "read unread events")
                .await?
                .iter()
                .map(|row| event(topic, row).during("read unread events"))
                .collect::<Result<Vec<_>, StoreError>>()?;
            if !events.is_empty() {
                deliveries.push(Delivery {
                    topic,
                    partition,
                    events,
                });
            }
        }
        Ok(deliveries)
    }

    /// Moves `group` on from offset `from` to `to`; false if it was beyond `from` already.
    pub async fn commit_events(
        &self,
        group: &str,
        topic: Topic,
        partition: i32,
        from: i64,
        to: i64,
    ) -> Result<bool, StoreError> {
        let write = self.write("begin committing offsets").await?;
        let values = vec![
            group.into(),
            topic.as_str().into(),
            partition.into(),
            from.into(),
            to.into(),
        ];
        let result = write
            .transaction
            .execute_raw(self.statement(COMMIT, values))
            .await
            .during("move a consumer's offset")?;
        write.commit("commit a consumer's offset").await?;
        Ok(result.rows_affected() == 1)
    }

    /// Every partition of a topic that has ever had an event.
    pub async fn event_partitions(&self, topic: Topic) -> Result<Vec<i32>, StoreError> {
        let sql = "SELECT partition_id FROM bus_partitions WHERE topic = $1 ORDER BY partition_id";
        self.rows(sql, vec![topic.as_str().into()], "list partitions")
            .await?
            .iter()
            .map(|row| row.try_get("", "partition_id").during("list partitions"))
            .collect()
    }

    /// Removes some of a partition's oldest events that exceed `limits` and that `group` has read; how many.
    pub async fn remove_events(
        &self,
        group: &str,
        topic: Topic,
        partition: i32,
        limits: Limits,
    ) -> Result<u64, StoreError> {
        let operation = "find old events";
        let values = vec![group.into(), topic.as_str().into(), partition.into()];
        let bounds = self.rows(BOUNDS, values, operation).await?;
        let Some(row) = bounds.first() else {
            return Ok(0);
        };
        let next: i64 = row.try_get("", "next_offset").during(operation)?;
        let unread: i64 = row.try_get("", "next_unread").during(operation)?;
        let values = vec![topic.as_str().into(), partition.into(), REMOVED_MAX.into()];
        let mut end = None;
        for row in self.rows(OLDEST, values, operation).await? {
            let offset: i64 = row.try_get("", "event_offset").during(operation)?;
            let written_at: i64 = row.try_get("", "written_at_us").during(operation)?;
            let too_old = written_at < limits.written_before.as_microsecond();
            let too_many = offset < next.saturating_sub(limits.events_max);
            if offset >= unread || !(too_old || too_many) {
                break;
            }
            end = Some(offset + 1);
        }
        match end {
            Some(end) => self.remove_before(topic, partition, end).await,
            None => Ok(0),
        }
    }

    async fn remove_before(
        &self,
        topic: Topic,
        partition: i32,
        end: i64,
    ) -> Result<u64, StoreError> {
        let write = self.write("begin removing old events").await?;
        let values = vec![topic.as_str().into(), partition.into(), end.into()];
        let result = write
            .transaction
            .execute_raw(self.statement(REMOVE, values))
            .await
            .during("remove old events")?;
        write.commit("commit the removal of old events").await?;
        Ok(result.rows_affected())
    }

    async fn rows(
        &self,
        sql: &str,
        values: Vec<Value>,
        operation: &'static str,
    ) -> Result<Vec<QueryResult>, StoreError> {
        self.connection()?
            .query_all_raw(self.statement(sql, values))
            .await
            .during(operation)
    }

    fn statement(&self, sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, values)
    }
}

fn event(topic: Topic, row: &QueryResult) -> Result<(i64, Event), sea_orm::DbErr> {
    let written_at: i64 = row.try_get("", "written_at_us")?;
    let event = Event {
        topic,
        id: row.try_get("", "event_id")?,
        key: row.try_get("", "event_key")?,
        written_at: Timestamp::from_microsecond(written_at).unwrap_or(Timestamp::UNIX_EPOCH),
        payload: row.try_get("", "payload")?,
    };
    Ok((row.try_get("", "event_offset")?, event))
}
