//! `{id, title, description, genres, rating}`; a rating is a number from 0 to 10.
//!
//! What may be offered beyond listing, reading and adding:
//! - `PUT ?id=N` with the fields of a new one changes a movie (200), or adds it under that id (201), as far
//!   as either is offered: 404 for one that is not there, 409 for one that may not be changed. To put what
//!   is there already changes nothing, so that it can be repeated.
//! - `DELETE ?id=N` answers 200 `{"id": N}`, and 404 where there is none.
//! - `GET changes?since=CURSOR&limit=N` answers `{"changes": [{"cursor", "id", "kind", "movie"}], "next",
//!   "more"}` in the order of commits, `kind` being `upsert` or `delete` (which has no `movie`). Without
//!   `since` it tells no changes but where to begin. A cursor that is not known (any more): 410.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ApiError, Fields, Parameters, Resource, integer, list_or_read};
use crate::Capabilities;
use crate::store::Store;
use crate::store::feed::Put;
use crate::store::movie::{ActiveModel, Entity, Model, row};

const CHANGES_USUAL: i64 = 100;
const CHANGES_MAX: i64 = 1_000;

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

pub(super) fn routes(offered: Capabilities) -> MethodRouter<Store> {
    let mut routes = get(list_or_read::<Entity>).post(create);
    if offered.update || offered.keeps_ids {
        routes = routes.put(put);
    }
    if offered.delete {
        routes = routes.delete(delete);
    }
    routes
}

async fn create(
    State(store): State<Store>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let row = store.add_movie(read(&body?)?).await?;
    Ok((StatusCode::CREATED, Json(Entity::view(row))))
}

async fn put(
    State(store): State<Store>,
    parameters: Parameters,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let id = id(parameters)?;
    match store.put_movie(id, read(&body?)?).await? {
        Put::Created(row) => Ok((StatusCode::CREATED, Json(Entity::view(row)))),
        Put::Updated(row) => Ok((StatusCode::OK, Json(Entity::view(row)))),
        Put::Missing => Err(missing(id)),
        Put::Taken => Err(ApiError::Taken("id")),
    }
}

async fn delete(
    State(store): State<Store>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let id = id(parameters)?;
    if store.delete_movie(id).await? {
        Ok(Json(json!({ "id": id })))
    } else {
        Err(missing(id))
    }
}

pub(super) async fn changes(
    State(store): State<Store>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let parameters = parameters.map_err(|_| ApiError::bad("the query is malformed"))?;
    let limit = integer(&parameters, "limit")?.unwrap_or(CHANGES_USUAL);
    let limit = u64::try_from(limit.min(CHANGES_MAX)).unwrap_or_default();
    if limit == 0 {
        return Err(ApiError::bad("limit must be at least 1"));
    }
    let since = parameters.iter().find(|(name, _)| name == "since");
    let since = since.map(|(_, cursor)| cursor.as_str());
    let found = store.movie_changes(since, limit).await?;
    let found = found.ok_or(ApiError::Gone)?;
    let changes = found.changes.into_iter().map(|it| match it.movie {
        Some(movie) => json!({
            "cursor": it.cursor,
            "id": it.id,
            "kind": "upsert",
            "movie": Entity::view(movie),
        }),
        None => json!({ "cursor": it.cursor, "id": it.id, "kind": "delete" }),
    });
    let changes: Vec<_> = changes.collect();
    Ok(Json(
        json!({ "changes": changes, "next": found.next, "more": found.more }),
    ))
}

fn read(body: &[u8]) -> Result<ActiveModel, ApiError> {
    Entity::read(&Fields::parse(body)?, Timestamp::now())
}

fn id(parameters: Parameters) -> Result<i64, ApiError> {
    let parameters = parameters.map_err(|_| ApiError::bad("the query is malformed"))?;
    match integer(&parameters, "id")? {
        Some(id) if id > 0 => Ok(id),
        Some(_) => Err(ApiError::bad("id must be at least 1")),
        None => Err(ApiError::bad("id is required")),
    }
}

fn missing(id: i64) -> ApiError {
    ApiError::NotFound(format!("movie {id} not found"))
}
