//! Codes, their HTTP statuses, and what a route may say about them.

use std::collections::BTreeMap;

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The codes of gRPC, spelled in configuration as `NOT_FOUND`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

/// Number, name and HTTP status of every code (`google/rpc/code.proto`), in order of number.
const CODES: [(Code, &str, StatusCode); 17] = [
    (Code::Ok, "OK", StatusCode::OK),
    (Code::Cancelled, "CANCELLED", CLIENT_CLOSED_REQUEST),
    (Code::Unknown, "UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR),
    (
        Code::InvalidArgument,
        "INVALID_ARGUMENT",
        StatusCode::BAD_REQUEST,
    ),
    (
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        StatusCode::GATEWAY_TIMEOUT,
    ),
    (Code::NotFound, "NOT_FOUND", StatusCode::NOT_FOUND),
    (Code::AlreadyExists, "ALREADY_EXISTS", StatusCode::CONFLICT),
    (
        Code::PermissionDenied,
        "PERMISSION_DENIED",
        StatusCode::FORBIDDEN,
    ),
    (
        Code::ResourceExhausted,
        "RESOURCE_EXHAUSTED",
        StatusCode::TOO_MANY_REQUESTS,
    ),
    (
        Code::FailedPrecondition,
        "FAILED_PRECONDITION",
        StatusCode::BAD_REQUEST,
    ),
    (Code::Aborted, "ABORTED", StatusCode::CONFLICT),
    (Code::OutOfRange, "OUT_OF_RANGE", StatusCode::BAD_REQUEST),
    (
        Code::Unimplemented,
        "UNIMPLEMENTED",
        StatusCode::NOT_IMPLEMENTED,
    ),
    (
        Code::Internal,
        "INTERNAL",
        StatusCode::INTERNAL_SERVER_ERROR,
    ),
    (
        Code::Unavailable,
        "UNAVAILABLE",
        StatusCode::SERVICE_UNAVAILABLE,
    ),
    (
        Code::DataLoss,
        "DATA_LOSS",
        StatusCode::INTERNAL_SERVER_ERROR,
    ),
    (
        Code::Unauthenticated,
        "UNAUTHENTICATED",
        StatusCode::UNAUTHORIZED,
    ),
];

/// 499, which has no name in the registry of HTTP.
const CLIENT_CLOSED_REQUEST: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_REQUEST,
};

impl Code {
    /// The code of a number; a number that is none is UNKNOWN, as gRPC clients take it.
    pub fn from_number(number: i32) -> Self {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        CODES.get(index).map_or(Code::Unknown, |(code, _, _)| *code)
    }

    /// The code of a name such as `NOT_FOUND`.
    pub fn from_name(name: &str) -> Option<Self> {
        let found = CODES.iter().find(|(_, known, _)| *known == name);
        found.map(|(code, _, _)| *code)
    }

    pub fn number(self) -> u8 {
        self as u8
    }

    /// `NOT_FOUND`.
    pub fn name(self) -> &'static str {
        CODES[self as usize].1
    }

    /// The canonical HTTP status.
    pub fn http(self) -> StatusCode {
        CODES[self as usize].2
    }

    /// The code that an HTTP status without one stands for.
    pub(crate) fn of_http(http: StatusCode) -> Self {
        match http.as_u16() {
            200..=299 => Code::Ok,
            400 | 406 | 411 | 414 | 415 | 422 | 431 => Code::InvalidArgument,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 | 410 => Code::NotFound,
            405 | 501 => Code::Unimplemented,
            408 | 504 => Code::DeadlineExceeded,
            409 => Code::Aborted,
            413 | 429 => Code::ResourceExhausted,
            499 => Code::Cancelled,
            502 | 503 => Code::Unavailable,
            400..=499 => Code::FailedPrecondition,
            _ => Code::Internal,
        }
    }
}

/// The body of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErrorShape {
    /// `{"error":{"code":404,"status":"NOT_FOUND","message":"..","details":[..]}}`
    #[default]
    Google,
    /// `{"error":".."}`
    Simple,
    /// `{"errors":[{"title":"..","detail":".."}]}`: `title` and `detail` from the metadata of a
    /// `google.rpc.ErrorInfo`, or one entry for each field violation.
    Provider,
    /// RFC 9457, as `application/problem+json`: `{"type":"about:blank","title":"Not Found","status":404,"detail":"..",
    /// "code":"NOT_FOUND","reason":"..","domain":"..","metadata":{..},"violations":[{"field":"..","detail":"..",
    /// "reason":".."}]}`. `reason` to `metadata` are those of a `google.rpc.ErrorInfo`, `violations` those of every
    /// `google.rpc.BadRequest`; what there is none of is left out.
    Problem,
}

impl ErrorShape {
    /// The media type of a body of this shape.
    pub fn content_type(self) -> &'static str {
        match self {
            ErrorShape::Problem => "application/problem+json",
            ErrorShape::Google | ErrorShape::Simple | ErrorShape::Provider => "application/json",
        }
    }
}

/// An HTTP status of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u16", into = "u16")]
pub struct HttpStatus(StatusCode);

impl TryFrom<u16> for HttpStatus {
    type Error = String;

    fn try_from(status: u16) -> Result<Self, String> {
        let status = StatusCode::from_u16(status)
            .ok()
            .filter(|_| (400..600).contains(&status));
        status
            .map(HttpStatus)
            .ok_or_else(|| "expected an HTTP status from 400 to 599".to_owned())
    }
}

impl From<HttpStatus> for u16 {
    fn from(status: HttpStatus) -> u16 {
        status.0.as_u16()
    }
}

/// How errors look on a route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorOptions {
    pub shape: ErrorShape,
    /// For a field that is missing, or a body that is no JSON. By default 400.
    pub missing_status: Option<HttpStatus>,
    /// For a field that is wrong, when none is missing. By default 422 in the shape `provider` and 400 otherwise.
    pub invalid_status: Option<HttpStatus>,
    /// Statuses of codes that differ from the canonical ones, e.g. `{ FAILED_PRECONDITION = 409 }`.
    pub status: BTreeMap<Code, HttpStatus>,
}

impl ErrorOptions {
    /// `violations` says of each field violation whether the field is missing.
    pub(super) fn http_status(
        &self,
        code: Code,
        violations: impl Iterator<Item = bool>,
    ) -> StatusCode {
        let missing = violations.reduce(|one, other| one || other);
        let by_violation = match missing {
            Some(true) => self.missing_status,
            Some(false) => self.invalid_status.or(match self.shape {
                ErrorShape::Provider => Some(HttpStatus(StatusCode::UNPROCESSABLE_ENTITY)),
                ErrorShape::Google | ErrorShape::Simple | ErrorShape::Problem => None,
            }),
            None => None,
        };
        let by_code = || self.status.get(&code).copied();
        let by_violation = by_violation.filter(|_| code == Code::InvalidArgument);
        match by_violation.or_else(by_code) {
            Some(HttpStatus(status)) => status,
            // A service that fails with OK has broken the protocol.
            None if code == Code::Ok => StatusCode::INTERNAL_SERVER_ERROR,
            None => code.http(),
        }
    }
}
