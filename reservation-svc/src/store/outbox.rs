//! The outbox: every accepted state change, encoded for the feed, in commit order. Rows are only ever added.

use jiff::Timestamp;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Session, StoreError, Write, entity::outbox, error::During, rows::micros};
use crate::domain::name::BookingId;

/// Rows of one INSERT statement; both databases limit its parameters.
const ROWS_PER_INSERT: usize = 500;

impl Session {
    /// Encoded events after that sequence, in order.
    pub async fn events_after(
        &self,
        sequence: i64,
        limit: u64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = outbox::Entity::find()
            .filter(outbox::Column::Sequence.gt(sequence))
            .order_by_asc(outbox::Column::Sequence)
            .limit(limit)
            .all(&self.transaction)
            .await;
        Ok(rows
            .during("read the outbox")?
            .into_iter()
            .map(|row| row.event)
            .collect())
    }
}

impl Session {
    /// Encoded events of a booking after that sequence, in order: its history.
    pub async fn events_of_booking(
        &self,
        id: BookingId,
        after: i64,
        limit: u64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = outbox::Entity::find()
            .filter(outbox::Column::Booking.eq(id.0.to_string()))
            .filter(outbox::Column::Sequence.gt(after))
            .order_by_asc(outbox::Column::Sequence)
            .limit(limit)
            .all(&self.transaction)
            .await;
        let rows = rows.during("read the history of a booking")?;
        Ok(rows.into_iter().map(|row| row.event).collect())
    }
}

impl Write {
    /// Adds encoded events with their sequences, all decided at that time.
    pub async fn insert_events(
        &self,
        events: Vec<(i64, Vec<u8>)>,
        decided_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut rows = events
            .into_iter()
            .map(|(sequence, event)| outbox::ActiveModel {
                sequence: Set(sequence),
                decided_at: Set(micros(decided_at)),
                event: Set(event),
                booking: Set(None),
            });
        loop {
            let chunk: Vec<_> = rows.by_ref().take(ROWS_PER_INSERT).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let insert = outbox::Entity::insert_many(chunk);
            insert
                .exec_without_returning(&self.transaction)
                .await
                .during("write the outbox")?;
        }
    }
}
