//! What a batch writes.

use sea_orm::Value;

use super::{BatchId, Changes};
use crate::{
    domain::booking::Contact,
    store::{Head, Store, StoreError, Write, rows::micros},
};

impl Write {
    /// Writes all of it.
    pub(crate) async fn apply(&self, changes: &Changes) -> Result<(), StoreError> {
        for (key, cell) in &changes.cells_new {
            let sql = "INSERT INTO cells (pool, slot, capacity, taken) VALUES ($1, $2, $3, $4)";
            let values = [key.pool.0, key.slot.0, cell.capacity, cell.taken];
            let values = values.map(Value::from).to_vec();
            self.execute(sql, values, "create cells").await?;
        }
        for (key, delta) in &changes.cell_deltas {
            let sql = "UPDATE cells SET taken = taken + $3 WHERE pool = $1 AND slot = $2";
            let values = [key.pool.0, key.slot.0, *delta].map(Value::from).to_vec();
            self.execute(sql, values, "take cells").await?;
        }
        for booking in &changes.bookings_new {
            self.insert_booking(booking, None).await?;
        }
        for booking in &changes.bookings_changed {
            self.update_booking(booking).await?;
        }
        for (id, contact) in &changes.contacts_new {
            let Contact {
                display_name,
                email,
                phone,
            } = contact;
            let sql = "INSERT INTO booking_contacts (booking, display_name, email, phone) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (booking) DO UPDATE SET display_name = excluded.display_name, \
                email = excluded.email, phone = excluded.phone";
            let values = [&id.0.to_string(), display_name, email, phone];
            let values = values.map(|it| Value::from(it.as_str())).to_vec();
            self.execute(sql, values, "keep contacts").await?;
        }
        for (id, item) in &changes.items_new {
            self.insert_items(*id, std::slice::from_ref(item)).await?;
        }
        for (number, sequence) in &changes.items_released {
            let sql = "UPDATE booking_items SET released_sequence = $2 WHERE id = $1";
            let values = [*number, *sequence].map(Value::from).to_vec();
            self.execute(sql, values, "release items").await?;
        }
        for it in &changes.answers_new {
            let sql = "INSERT INTO request_ids (principal, method, request_id, fingerprint, booking, answer, created_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let values = vec![
                it.key.principal.as_str().into(),
                it.key.method.as_str().into(),
                it.key.id.as_str().into(),
                it.fingerprint.to_vec().into(),
                it.booking.map(|id| id.0.to_string()).into(),
                it.answer.clone().into(),
                micros(changes.decided_at).into(),
            ];
            self.execute(sql, values, "keep request ids").await?;
        }
        for it in &changes.events {
            let sql =
                "INSERT INTO outbox (sequence, decided_at, event, booking) VALUES ($1, $2, $3, $4)";
            let values = vec![
                it.sequence.into(),
                micros(changes.decided_at).into(),
                it.event.clone().into(),
                it.booking.map(|id| id.0.to_string()).into(),
            ];
            self.execute(sql, values, "write the outbox").await?;
        }
        Ok(())
    }

    /// Notes the batch, so that whether it was committed can be looked up.
    pub(in crate::store) async fn record_batch(&self, head: &Head) -> Result<(), StoreError> {
        let sql = "INSERT INTO commit_batches (id, sequence, committed_at) VALUES ($1, $2, $3)";
        let values = vec![
            self.batch().0.to_string().into(),
            head.sequence.into(),
            micros(head.decided_at).into(),
        ];
        self.execute(sql, values, "note the batch").await?;
        Ok(())
    }
}

impl Store {
    /// Whether a batch of that id was committed; for when the answer to its COMMIT is missing.
    pub(crate) async fn committed(&self, batch: BatchId) -> Result<bool, StoreError> {
        // Waits for the head: as long as the batch may still commit, the database keeps it locked.
        let write = self.write().await?;
        let sql = "SELECT 1 AS found FROM commit_batches WHERE id = $1";
        let values = vec![batch.0.to_string().into()];
        let rows = write.select(sql, values, "look a batch up").await?;
        Ok(!rows.is_empty())
    }
}
