//! What a client is told when it cannot have what it asked for. A failure of the database is logged
//! here, once, with its causes; the client learns no more than whether to try again.

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::{error, warn};

use super::BODY_BYTES_MAX;
use crate::store::StoreError;

#[derive(Debug)]
pub(super) enum ApiError {
    BadRequest(String),
    NotFound(String),
    /// The router adds the `Allow` header.
    Method(Method),
    Taken(&'static str),
    Gone,
    TooLarge,
    Away,
    Fault,
}

impl ApiError {
    pub(super) fn bad(message: &str) -> Self {
        Self::BadRequest(message.to_owned())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let Some(column) = error.taken() {
            return Self::Taken(column);
        }
        let cause = &error as &dyn std::error::Error;
        if error.is_away() {
            warn!(error = cause, "The database is away");
            return Self::Away;
        }
        error!(error = cause, "The database failed a request");
        Self::Fault
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => Self::bad("the body could not be read"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, message),
            Self::NotFound(message) => (StatusCode::NOT_FOUND, message),
            Self::Method(method) => (
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{method} is not allowed here"),
            ),
            Self::Taken(column) => (StatusCode::CONFLICT, format!("{column} is already taken")),
            Self::Gone => (
                StatusCode::GONE,
                "the changes since then are not known any more; read everything anew".to_owned(),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {BODY_BYTES_MAX} bytes"),
            ),
            Self::Away => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database is away; try again later".to_owned(),
            ),
            Self::Fault => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "something went wrong on the server".to_owned(),
            ),
        };
        (status, Json(json!({ "error": message }))).into_response()
    }
}
