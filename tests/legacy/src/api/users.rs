//! `{id, username, email}`; neither may be another user's.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ApiError, Fields, Resource};
use crate::store::user::{ActiveModel, Entity, Model, row};

impl Resource for Entity {
    const ONE: &'static str = "user";

    fn read(fields: &Fields, _now: Timestamp) -> Result<ActiveModel, ApiError> {
        Ok(row(fields.name("username")?, fields.name("email")?))
    }

    fn view(row: Model) -> Value {
        json!({ "id": row.id, "username": row.username, "email": row.email })
    }
}
