//! The gateway's own errors: what it says when no service has said anything.
//!
//! A refusal knows its HTTP status and its words; how it looks is the matter of the route's or surface's profile.

mod grpc;

use std::collections::HashMap;

use banyan_rollout::Failure;
use banyan_transcode::{Code, ErrorShape, StatusParts};
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{ACCEPT_ENCODING, ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::compression;

const DOMAIN: &str = "gateway.banyan";

/// Why the gateway itself does not serve a request.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    code: Code,
    /// `UPPER_SNAKE`, for machines.
    reason: &'static str,
    /// A few words, for shapes that have a title.
    title: &'static str,
    pub(crate) message: String,
    pub(crate) header: Option<Box<(HeaderName, HeaderValue)>>,
    /// For the access log only: addresses and error chains are not for clients.
    pub(crate) trouble: Option<String>,
    /// How an upstream failed, where one did.
    pub(crate) failure: Option<Failure>,
}

impl Refusal {
    fn new(
        status: StatusCode,
        code: Code,
        reason: &'static str,
        title: &'static str,
        message: String,
    ) -> Refusal {
        Refusal {
            status,
            code,
            reason,
            title,
            message,
            header: None,
            trouble: None,
            failure: None,
        }
    }

    /// The same with how the upstream failed, for whoever may answer instead.
    pub(crate) fn after(self, failure: Failure) -> Refusal {
        Refusal {
            failure: Some(failure),
            ..self
        }
    }

    pub(crate) fn no_route() -> Refusal {
        let message = "no such path".to_owned();
        Refusal::new(
            StatusCode::NOT_FOUND,
            Code::NotFound,
            "NO_ROUTE",
            "Not found",
            message,
        )
    }

    /// A backend that is asked for its contracts is away.
    pub(crate) fn no_contract(message: String) -> Refusal {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let (code, title) = (Code::Unavailable, "Service unavailable");
        Refusal::new(status, code, "NO_CONTRACT", title, message)
    }

    pub(crate) fn unknown_cell(message: String) -> Refusal {
        Refusal::new(
            StatusCode::NOT_FOUND,
            Code::NotFound,
            "UNKNOWN_CELL",
            "Not found",
            message,
        )
    }

    pub(crate) fn method_not_allowed(allow: &[Method]) -> Refusal {
        let allow = allow
            .iter()
            .map(Method::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let message = format!("method not allowed, allowed: {allow}");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let refusal = Refusal::new(
            status,
            Code::Unimplemented,
            "METHOD_NOT_ALLOWED",
            "Method not allowed",
            message,
        );
        Refusal {
            header: HeaderValue::try_from(allow)
                .ok()
                .map(|allow| Box::new((ALLOW, allow))),
            ..refusal
        }
    }

    pub(crate) fn bad_path(message: impl Into<String>) -> Refusal {
        let (status, code) = (StatusCode::BAD_REQUEST, Code::InvalidArgument);
        Refusal::new(
            status,
            code,
            "BAD_PATH",
            "Validation failed",
            message.into(),
        )
    }

    /// `predicate`: what is wrong with the header.
    pub(crate) fn bad_idempotency_key(predicate: &str) -> Refusal {
        let (status, code) = (StatusCode::BAD_REQUEST, Code::InvalidArgument);
        let message = format!("the header Idempotency-Key {predicate}");
        let title = "Validation failed";
        Refusal::new(status, code, "BAD_IDEMPOTENCY_KEY", title, message)
    }

    /// `predicate`: what is wrong with the header.
    pub(crate) fn bad_header(name: &HeaderName, predicate: &str) -> Refusal {
        let (status, code) = (StatusCode::BAD_REQUEST, Code::InvalidArgument);
        let message = format!("the header {name} {predicate}");
        Refusal::new(status, code, "BAD_HEADER", "Validation failed", message)
    }

    pub(crate) fn unsupported_coding() -> Refusal {
        let message =
            "the header content-encoding must be one of zstd, br, gzip and identity".to_owned();
        let refusal = Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::InvalidArgument,
            "UNSUPPORTED_CODING",
            "Unsupported media type",
            message,
        );
        Refusal {
            header: Some(Box::new((ACCEPT_ENCODING, compression::READ))),
            ..refusal
        }
    }

    pub(crate) fn corrupt_body() -> Refusal {
        let message = "the request body is not what the header content-encoding says".to_owned();
        let (status, code) = (StatusCode::BAD_REQUEST, Code::InvalidArgument);
        Refusal::new(status, code, "BODY_CORRUPT", "Bad request", message)
    }

    /// The client's own deadline passed before anything could be asked.
    pub(crate) fn out_of_time() -> Refusal {
        let message = "the time that the request allows has run out".to_owned();
        let (status, code) = (StatusCode::GATEWAY_TIMEOUT, Code::DeadlineExceeded);
        Refusal::new(status, code, "OUT_OF_TIME", "Gateway timeout", message)
    }

    pub(crate) fn too_large() -> Refusal {
        let message = "the request body is too large".to_owned();
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Refusal::new(
            status,
            Code::InvalidArgument,
            "BODY_TOO_LARGE",
            "Body too large",
            message,
        )
    }

    /// One item of a stream.
    pub(crate) fn item_too_large(bytes_max: usize) -> Refusal {
        let message = format!("an item of the stream is longer than {bytes_max} bytes");
        let (status, code) = (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidArgument);
        Refusal::new(status, code, "ITEM_TOO_LARGE", "Body too large", message)
    }

    pub(crate) fn client_slow() -> Refusal {
        let message = "the request body did not come in time".to_owned();
        let status = StatusCode::REQUEST_TIMEOUT;
        Refusal::new(
            status,
            Code::DeadlineExceeded,
            "BODY_TOO_SLOW",
            "Request timeout",
            message,
        )
    }

    pub(crate) fn client_gone() -> Refusal {
        let message = "the request body could not be read".to_owned();
        Refusal::new(
            StatusCode::BAD_REQUEST,
            Code::Cancelled,
            "BODY_BROKEN",
            "Bad request",
            message,
        )
    }

    pub(crate) fn overloaded() -> Refusal {
        let message = "too many requests in work, try again".to_owned();
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let refusal = Refusal::new(
            status,
            Code::Unavailable,
            "OVERLOADED",
            "Service unavailable",
            message,
        );
        Refusal {
            header: Some(Box::new((RETRY_AFTER, HeaderValue::from_static("1")))),
            ..refusal
        }
    }

    pub(crate) fn upgrade() -> Refusal {
        let message = "this path cannot be upgraded to another protocol".to_owned();
        Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            Code::Unimplemented,
            "NO_UPGRADE",
            "Not implemented",
            message,
        )
    }

    pub(crate) fn upstream_unreachable(upstream: &str, trouble: String) -> Refusal {
        let message = format!("{upstream} cannot be reached");
        let status = StatusCode::BAD_GATEWAY;
        let refusal = Refusal::new(
            status,
            Code::Unavailable,
            "UPSTREAM_UNREACHABLE",
            "Bad gateway",
            message,
        );
        Refusal {
            trouble: Some(trouble),
            ..refusal
        }
    }

    /// As many calls wait for the service as may.
    pub(crate) fn upstream_full(upstream: &str) -> Refusal {
        let message = format!("too many calls wait for {upstream}, try again");
        let refusal = Refusal {
            code: Code::ResourceExhausted,
            reason: "UPSTREAM_FULL",
            message,
            ..Refusal::overloaded()
        };
        refusal.after(Failure::NotSent)
    }

    pub(crate) fn upstream_slow(upstream: &str) -> Refusal {
        let message = format!("{upstream} did not answer in time");
        let status = StatusCode::GATEWAY_TIMEOUT;
        Refusal::new(
            status,
            Code::DeadlineExceeded,
            "UPSTREAM_TOO_SLOW",
            "Gateway timeout",
            message,
        )
    }

    /// The service answered something that its contract does not have.
    pub(crate) fn bad_answer(upstream: &str, trouble: String) -> Refusal {
        let message = format!("{upstream} gave an answer that cannot be read");
        let refusal = Refusal::new(
            StatusCode::BAD_GATEWAY,
            Code::Internal,
            "UPSTREAM_ANSWER_BROKEN",
            "Bad gateway",
            message,
        );
        Refusal {
            trouble: Some(trouble),
            ..refusal
        }
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Refusal {
        let (status, code) = (StatusCode::FORBIDDEN, Code::PermissionDenied);
        Refusal::new(status, code, "FORBIDDEN", "Forbidden", message.into())
    }

    pub(crate) fn unauthenticated() -> Refusal {
        let message = "a valid `Authorization: Bearer` token is required".to_owned();
        let (status, code) = (StatusCode::UNAUTHORIZED, Code::Unauthenticated);
        let refusal = Refusal::new(status, code, "UNAUTHENTICATED", "Unauthorized", message);
        Refusal {
            header: Some(Box::new((
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer"),
            ))),
            ..refusal
        }
    }

    /// `predicate`: what is wrong with the token. Whoever brings none is told [`Refusal::unauthenticated`] instead, for RFC
    /// 6750 section 3.1 wants no error code there.
    pub(crate) fn bad_token(predicate: &str) -> Refusal {
        let header = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
        Refusal {
            reason: "INVALID_TOKEN",
            message: format!("the bearer token {predicate}"),
            header: Some(Box::new((WWW_AUTHENTICATE, header))),
            ..Refusal::unauthenticated()
        }
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The limit of the gateway that was hit, for metrics.
    pub(crate) fn limit(&self) -> Option<&'static str> {
        match self.reason {
            "OVERLOADED" => Some("concurrency"),
            "BODY_TOO_LARGE" => Some("body_bytes"),
            "ITEM_TOO_LARGE" => Some("item_bytes"),
            "BODY_TOO_SLOW" => Some("body_idle"),
            "UPSTREAM_FULL" => Some("upstream_waiting"),
            "UPSTREAM_TOO_SLOW" | "OUT_OF_TIME" => Some("upstream_time"),
            _ => None,
        }
    }

    /// The same as a service would have said it.
    pub(crate) fn to_grpc(&self) -> tonic::Status {
        self.with_info(HashMap::new())
    }

    /// The same for a shape that shows details; `provider` takes its words from the metadata.
    pub(crate) fn to_status(&self, shape: ErrorShape) -> StatusParts {
        let words = match shape {
            ErrorShape::Provider => HashMap::from([
                ("title".to_owned(), self.title.to_owned()),
                ("detail".to_owned(), self.message.clone()),
            ]),
            ErrorShape::Google | ErrorShape::Simple | ErrorShape::Problem => HashMap::new(),
        };
        StatusParts {
            code: self.code,
            message: self.message.clone(),
            details: bytes::Bytes::copy_from_slice(self.with_info(words).details()),
        }
    }

    fn with_info(&self, metadata: HashMap<String, String>) -> tonic::Status {
        let details = ErrorDetails::with_error_info(self.reason, DOMAIN, metadata);
        let code = tonic::Code::from(i32::from(self.code.number()));
        tonic::Status::with_error_details(code, self.message.clone(), details)
    }
}
