//! `{id, user_id, amount, timestamp}`; the server says when.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ApiError, Fields, Resource};
use crate::store::payment::{ActiveModel, Entity, Model, row};

impl Resource for Entity {
    const ONE: &'static str = "payment";

    fn read(fields: &Fields, now: Timestamp) -> Result<ActiveModel, ApiError> {
        Ok(row(
            fields.integer("user_id")?,
            fields.number("amount")?,
            format!("{now:.3}"),
        ))
    }

    fn view(row: Model) -> Value {
        json!({
            "id": row.id,
            "user_id": row.user_id,
            "amount": row.amount.0,
            "timestamp": row.timestamp,
        })
    }
}
