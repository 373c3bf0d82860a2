//! Request ids and the answers given to them, in the same transaction as what they changed.

use jiff::Timestamp;
use sea_orm::{ActiveValue::Set, DbBackend, EntityTrait};

use super::{
    AnswerKey, Session, StoreError, Write, entity::request_id, error::During, rows::micros,
};
use crate::domain::{
    name::BookingId,
    request::{Principal, RequestKey},
};

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
    /// The answer given to that request id, if any.
    pub async fn answer(
        &self,
        principal: &Principal,
        key: &RequestKey,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        let key = AnswerKey {
            principal: principal.as_str().to_owned(),
            method: key.method.to_owned(),
            id: key.id.clone(),
        };
        let found = self.answers_to(std::slice::from_ref(&key)).await?;
        Ok(found.into_values().next())
    }

    /// Whether there are answers given before that time.
    pub async fn has_answers_before(&self, time: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS found FROM request_ids WHERE created_at < $1 LIMIT 1";
        let rows = self
            .select(sql, vec![micros(time).into()], "look for old request ids")
            .await?;
        Ok(!rows.is_empty())
    }
}

impl Write {
    /// Keeps the answer given to a request id.
    pub async fn insert_answer(
        &self,
        principal: &Principal,
        key: &RequestKey,
        booking: Option<BookingId>,
        answer: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = request_id::ActiveModel {
            principal: Set(principal.as_str().to_owned()),
            method: Set(key.method.to_owned()),
            request_id: Set(key.id.clone()),
            fingerprint: Set(key.fingerprint.to_vec()),
            booking: Set(booking.map(|booking| booking.0.to_string())),
            answer: Set(answer),
            created_at: Set(micros(now)),
        };
        let done = request_id::Entity::insert(row)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("keep a request id").map(drop)
    }

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
