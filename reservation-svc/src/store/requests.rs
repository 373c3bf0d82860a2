//! Request ids and the answers given to them, in the same transaction as what they changed.

use jiff::Timestamp;
use sea_orm::DbBackend;

use super::{Session, StoreError, Write, rows::micros};
use crate::domain::name::BookingId;

/// An answer given before.
#[derive(Clone, Debug)]
pub struct StoredAnswer {
    /// Of the request's content.
    pub fingerprint: Vec<u8>,
    /// The booking in the answer, whose contact is kept apart.
    pub booking: Option<BookingId>,
    /// Encoded.
    pub answer: Vec<u8>,
}

impl Session {
    /// Whether there are answers given before that time.
    pub async fn has_answers_before(&self, time: Timestamp) -> Result<bool, StoreError> {
        let sql =
            "SELECT 1 AS found FROM request_ids WHERE created_at < $1 ORDER BY created_at LIMIT 1";
        let rows = self
            .select(sql, vec![micros(time).into()], "look for old request ids")
            .await?;
        Ok(!rows.is_empty())
    }
}

impl Write {
    /// Forgets some of the answers given before that time; how many.
    pub async fn forget_answers(&self, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        let sql = match self.backend() {
            DbBackend::Sqlite => {
                "DELETE FROM request_ids WHERE rowid IN (\
                 SELECT rowid FROM request_ids WHERE created_at < $1 ORDER BY created_at LIMIT $2)"
            }
            _ => {
                "DELETE FROM request_ids WHERE ctid = ANY (ARRAY(\
                 SELECT ctid FROM request_ids WHERE created_at < $1 ORDER BY created_at LIMIT $2))"
            }
        };
        let values = vec![micros(before).into(), limit.into()];
        self.execute(sql, values, "forget request ids").await
    }
}
