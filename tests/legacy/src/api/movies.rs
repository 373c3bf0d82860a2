//! `{id, title, description, genres, rating}`; a rating is a number from 0 to 10.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ApiError, Fields, Resource};
use crate::store::movie::{ActiveModel, Entity, Model, row};

impl Resource for Entity {
    const ONE: &'static str = "movie";

    fn read(fields: &Fields, _now: Timestamp) -> Result<ActiveModel, ApiError> {
        Ok(row(
            fields.text("title")?,
            fields.text("description")?,
            fields.texts("genres")?,
            fields.number_within("rating", 0.0, 10.0)?,
        ))
    }

    fn view(row: Model) -> Value {
        json!({
            "id": row.id,
            "title": row.title,
            "description": row.description,
            "genres": row.genres.0,
            "rating": shortest(row.rating),
        })
    }
}

/// A rating sent as `8` is answered as `8`, not as `8.0`.
fn shortest(rating: f64) -> Value {
    if rating.fract() == 0.0 {
        json!(rating as i64)
    } else {
        json!(rating)
    }
}
