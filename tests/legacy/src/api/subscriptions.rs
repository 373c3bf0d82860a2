//! `{id, user_id, plan_type, start_date, end_date}`; it may end when it starts, not before.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ApiError, Fields, Resource};
use crate::store::subscription::{ActiveModel, Entity, Model, row};

impl Resource for Entity {
    const ONE: &'static str = "subscription";

    fn read(fields: &Fields, _now: Timestamp) -> Result<ActiveModel, ApiError> {
        let user_id = fields.integer("user_id")?;
        let plan_type = fields.text("plan_type")?;
        let (start_date, start) = fields.date("start_date")?;
        let (end_date, end) = fields.date("end_date")?;
        if end < start {
            return Err(ApiError::bad("end_date must not be before start_date"));
        }
        Ok(row(user_id, plan_type, start_date, end_date))
    }

    fn view(row: Model) -> Value {
        json!({
            "id": row.id,
            "user_id": row.user_id,
            "plan_type": row.plan_type,
            "start_date": row.start_date,
            "end_date": row.end_date,
        })
    }
}
