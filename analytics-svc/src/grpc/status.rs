//! Refusals with `google.rpc` details of domain `analytics.banyan`.

use banyan_proto::rpc;
use prost::Message;
use tonic::{Code, Status};
use tracing::{error, warn};

const DOMAIN: &str = "analytics.banyan";

/// Some fields of a request are wrong.
pub(super) fn invalid(violations: Vec<rpc::bad_request::FieldViolation>) -> Status {
    let message = violations
        .iter()
        .map(|violation| format!("{} {}", violation.field, violation.description))
        .collect::<Vec<_>>()
        .join("; ");
    let details = vec![
        any("google.rpc.ErrorInfo", &error_info("INVALID_REQUEST")),
        any(
            "google.rpc.BadRequest",
            &rpc::BadRequest {
                field_violations: violations,
            },
        ),
    ];
    status(Code::InvalidArgument, message, details)
}

/// The feed has not spoken of a resource of that kind.
pub(super) fn not_found(kind: &str, name: &str) -> Status {
    let message = format!("{name} has not been seen in the reservation feed");
    let resource = rpc::ResourceInfo {
        resource_type: kind.to_owned(),
        resource_name: name.to_owned(),
        description: message.clone(),
        ..rpc::ResourceInfo::default()
    };
    let details = vec![
        any("google.rpc.ErrorInfo", &error_info("NOT_FOUND")),
        any("google.rpc.ResourceInfo", &resource),
    ];
    status(Code::NotFound, message, details)
}

/// The database or the bus is away. The cause goes to the log, where it is handled, not to the caller.
pub(super) fn away(reason: &'static str, error: &dyn std::error::Error) -> Status {
    warn!(reason, error = crate::chain(error), "Answering UNAVAILABLE");
    let retry = rpc::RetryInfo {
        retry_delay: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
    };
    status(
        Code::Unavailable,
        error.to_string(),
        vec![
            any("google.rpc.ErrorInfo", &error_info(reason)),
            any("google.rpc.RetryInfo", &retry),
        ],
    )
}

/// What is stored makes no sense; waiting will not mend it.
pub(super) fn broken(error: &dyn std::error::Error) -> Status {
    error!(error = crate::chain(error), "Answering INTERNAL");
    status(
        Code::Internal,
        "the stored facts cannot be read".to_owned(),
        vec![any("google.rpc.ErrorInfo", &error_info("FACTS_CORRUPT"))],
    )
}

fn error_info(reason: &str) -> rpc::ErrorInfo {
    rpc::ErrorInfo {
        reason: reason.to_owned(),
        domain: DOMAIN.to_owned(),
        ..rpc::ErrorInfo::default()
    }
}

fn any(name: &str, detail: &impl Message) -> prost_types::Any {
    prost_types::Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: detail.encode_to_vec(),
    }
}

fn status(code: Code, message: String, details: Vec<prost_types::Any>) -> Status {
    let status = rpc::Status {
        code: code as i32,
        message: message.clone(),
        details,
    };
    Status::with_details(code, message, status.encode_to_vec().into())
}
