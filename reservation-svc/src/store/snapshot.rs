//! The feed's snapshot: what is left of the events that are no longer in the outbox, the last one of each thing.
//!
//! Trimming moves a run of the outbox's oldest events into it, in one transaction: for a reader the two together are
//! one feed at any time. The greatest sequence of the snapshot is where the outbox begins.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::OnConflict,
};

use super::{
    Session, StoreError, Write,
    entity::{feed_snapshot, outbox},
    error::During,
};

/// Rows of one statement; both databases limit its parameters.
const ROWS_MAX: usize = 500;

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    /// Its place in the order of commits.
    pub(crate) sequence: i64,
    /// Encoded.
    pub(crate) event: Vec<u8>,
}

/// The last event of a thing, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotRow {
    /// What it is about.
    pub(crate) thing: String,
    /// The event's sequence.
    pub(crate) sequence: i64,
    /// The event.
    pub(crate) event: Vec<u8>,
}

impl Session {
    /// The sequence up to which events are in the snapshot only; 0 where none has been trimmed.
    pub(crate) async fn trimmed(&self) -> Result<i64, StoreError> {
        let last = feed_snapshot::Entity::find()
            .select_only()
            .column(feed_snapshot::Column::Sequence)
            .order_by_desc(feed_snapshot::Column::Sequence)
            .into_tuple::<i64>()
            .one(&self.transaction)
            .await;
        Ok(last.during("read where the outbox begins")?.unwrap_or(0))
    }

    /// Events of the snapshot after that sequence, in order.
    pub(crate) async fn snapshot_after(
        &self,
        sequence: i64,
        limit: u64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let events = feed_snapshot::Entity::find()
            .select_only()
            .column(feed_snapshot::Column::Event)
            .filter(feed_snapshot::Column::Sequence.gt(sequence))
            .order_by_asc(feed_snapshot::Column::Sequence)
            .limit(limit)
            .into_tuple()
            .all(&self.transaction)
            .await;
        events.during("read the snapshot")
    }

    /// The snapshot's events of these things, those that it has, in no order.
    pub(crate) async fn snapshot_of(&self, things: &[&str]) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut events = Vec::new();
        for things in things.chunks(ROWS_MAX) {
            let found = feed_snapshot::Entity::find()
                .select_only()
                .column(feed_snapshot::Column::Event)
                .filter(feed_snapshot::Column::Thing.is_in(things.iter().copied()))
                .into_tuple::<Vec<u8>>()
                .all(&self.transaction)
                .await;
            events.extend(found.during("read things of the snapshot")?);
        }
        Ok(events)
    }

    /// The oldest events of the outbox after that sequence that were decided before that time (in microseconds).
    pub(crate) async fn oldest_events(
        &self,
        after: i64,
        before: i64,
        limit: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let rows = outbox::Entity::find()
            .filter(outbox::Column::Sequence.gt(after))
            .order_by_asc(outbox::Column::Sequence)
            .limit(limit)
            .all(&self.transaction)
            .await;
        let rows = rows.during("read the oldest events")?.into_iter();
        Ok(rows
            .take_while(|row| row.decided_at < before)
            .map(|row| StoredEvent {
                sequence: row.sequence,
                event: row.event,
            })
            .collect())
    }
}

impl Write {
    /// Moves the events up to a sequence out of the outbox, and into the snapshot what is left of them.
    pub(crate) async fn trim(&self, upto: i64, rows: Vec<SnapshotRow>) -> Result<(), StoreError> {
        let mut rows = rows.into_iter().map(|row| feed_snapshot::ActiveModel {
            thing: Set(row.thing),
            sequence: Set(row.sequence),
            event: Set(row.event),
        });
        loop {
            let chunk: Vec<_> = rows.by_ref().take(ROWS_MAX).collect();
            if chunk.is_empty() {
                break;
            }
            let overtaken = OnConflict::column(feed_snapshot::Column::Thing)
                .update_columns([
                    feed_snapshot::Column::Sequence,
                    feed_snapshot::Column::Event,
                ])
                .to_owned();
            feed_snapshot::Entity::insert_many(chunk)
                .on_conflict(overtaken)
                .exec_without_returning(&self.transaction)
                .await
                .during("write the snapshot")?;
        }
        outbox::Entity::delete_many()
            .filter(outbox::Column::Sequence.lte(upto))
            .exec(&self.transaction)
            .await
            .during("trim the outbox")?;
        Ok(())
    }
}
