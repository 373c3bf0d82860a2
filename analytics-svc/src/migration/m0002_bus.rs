//! The embedded bus: a counter per partition that allots offsets, the events, and how far each consumer group has read.
//!
//! The counter outlives the events that retention removes, so that an offset is never given twice.

use sea_orm_migration::prelude::*;

use super::execute;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE bus_partitions (
        topic TEXT NOT NULL,
        partition_id INTEGER NOT NULL CHECK (partition_id >= 0),
        next_offset BIGINT NOT NULL CHECK (next_offset > 0),
        PRIMARY KEY (topic, partition_id)
    )",
    "CREATE TABLE bus_events (
        topic TEXT NOT NULL,
        partition_id INTEGER NOT NULL,
        event_offset BIGINT NOT NULL CHECK (event_offset >= 0),
        event_id TEXT NOT NULL,
        event_type TEXT NOT NULL,
        event_key TEXT NOT NULL,
        written_at_us BIGINT NOT NULL,
        payload TEXT NOT NULL,
        PRIMARY KEY (topic, partition_id, event_offset)
    )",
    "CREATE TABLE bus_consumers (
        consumer_group TEXT NOT NULL,
        topic TEXT NOT NULL,
        partition_id INTEGER NOT NULL,
        next_offset BIGINT NOT NULL CHECK (next_offset > 0),
        PRIMARY KEY (consumer_group, topic, partition_id)
    )",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, UP).await
    }
}
