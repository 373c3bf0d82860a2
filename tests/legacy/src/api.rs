//! The HTTP contract: four resources under `/api`, each with one path that is listed (`GET`), read
//! (`GET ?id=N`, and `?user_id=N` where rows belong to users) and added to (`POST`), and `/health`.
//!
//! The resources differ in their fields only, so each is a [`Resource`] and the calls are written
//! once. What can be offered for movies beyond that is in [`movies`]. Every answer is JSON, refusals included: `{"error": "..."}`.
//!
//! Limits: bodies of 64 KiB; the health check waits two seconds for the database.

mod error;
mod fields;
mod movies;
mod payments;
mod subscriptions;
mod users;

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::info;

use crate::store::{Store, Table};
use crate::store::{payment, subscription, user};
use error::ApiError;
use fields::Fields;

const BODY_BYTES_MAX: usize = 64 * 1024;
const HEALTH_WAIT_MAX: Duration = Duration::from_secs(2);

type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// What one of the resources looks like from outside.
trait Resource: Table {
    /// One of them, for messages.
    const ONE: &'static str;
    /// Reads a new one out of a request; `now` is the server's time.
    fn read(fields: &Fields, now: Timestamp) -> Result<Self::ActiveModel, ApiError>;
    /// As it is answered.
    fn view(row: Self::Model) -> Value;
}

pub(crate) fn router(store: Store) -> Router {
    let router = if store.capabilities().change_feed {
        Router::new().route("/api/movies/changes", get(movies::changes))
    } else {
        Router::new()
    };
    router
        .route("/health", get(health))
        .route("/api/users", resource::<user::Entity>())
        .route("/api/movies", movies::routes(store.capabilities()))
        .route("/api/payments", resource::<payment::Entity>())
        .route("/api/subscriptions", resource::<subscription::Entity>())
        .fallback(async |uri: Uri| ApiError::NotFound(format!("there is no {}", uri.path())))
        .method_not_allowed_fallback(async |method: Method| ApiError::Method(method))
        // Refuse a large body before it is read into memory.
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(log))
        .with_state(store)
}

fn resource<R: Resource>() -> MethodRouter<Store> {
    get(list_or_read::<R>).post(create::<R>)
}

async fn list_or_read<R: Resource>(
    State(store): State<Store>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let Query(parameters) = parameters.map_err(|_| ApiError::bad("the query is malformed"))?;
    if let Some(id) = integer(&parameters, "id")? {
        let row = store.find::<R>(id).await?;
        let missing = || ApiError::NotFound(format!("{} {id} not found", R::ONE));
        return row.map(|row| Json(R::view(row))).ok_or_else(missing);
    }
    let rows = match R::USER {
        Some(column) => match integer(&parameters, "user_id")? {
            Some(user_id) => store.list_of_user::<R>(column, user_id).await?,
            None => store.list::<R>().await?,
        },
        None => store.list::<R>().await?,
    };
    Ok(Json(rows.into_iter().map(R::view).collect()))
}

async fn create<R: Resource>(
    State(store): State<Store>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let fields = Fields::parse(&body?)?;
    let row = R::read(&fields, Timestamp::now())?;
    let row = store.insert::<R>(row).await?;
    Ok((StatusCode::CREATED, Json(R::view(row))))
}

/// The first value of a query parameter, which has to be an integer.
fn integer(parameters: &[(String, String)], name: &str) -> Result<Option<i64>, ApiError> {
    let Some((_, value)) = parameters.iter().find(|(key, _)| key == name) else {
        return Ok(None);
    };
    let number = value.parse();
    number
        .map(Some)
        .map_err(|_| ApiError::BadRequest(format!("{name} must be an integer")))
}

/// Whether the database answers; without it the monolith can do nothing.
async fn health(State(store): State<Store>) -> (StatusCode, Json<Value>) {
    match tokio::time::timeout(HEALTH_WAIT_MAX, store.ping()).await {
        Ok(Ok(())) => (StatusCode::OK, Json(json!({"status": true}))),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({"status": false})),
        ),
    }
}

async fn log(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let latency_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    info!(%method, path, status, latency_us, "Answered");
    response
}
