//! What went wrong, as the contracts say it: a code and typed google.rpc details (AIP-193). The one place that turns
//! this service's errors into statuses.

use std::{collections::HashMap, time::Duration};

use banyan_proto::rpc;
use prost::Message;
use tonic::{Code, Status};
use tracing::{error, warn};

use crate::{
    domain::{
        name::NameError,
        refusal::Reason,
        violation::{Fault, Violation},
    },
    inventory::{Position, Refusal, Rejection},
    store::{Session, StoreError},
};

pub(super) const DOMAIN: &str = "reservation.banyan";
/// Cells that a refusal names. Details travel in a header, which clients bound (16 KiB by default): more would make the
/// whole refusal unreadable. Every seat of a booking fits.
const CELLS_MAX: usize = 50;
/// Missing things that a message mentions.
const NAMES_SHOWN: usize = 5;
/// A database that is away, or a queue that is full, is tried again after this long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// INVALID_ARGUMENT with every wrong field.
pub(super) fn invalid(violations: Vec<Violation>) -> Status {
    invalid_at(violations, None)
}

fn invalid_at(violations: Vec<Violation>, position: Option<Position>) -> Status {
    let summary: Vec<_> = violations
        .iter()
        .map(|it| format!("{}: {}", it.field, it.description))
        .collect();
    let field_violations = violations
        .into_iter()
        .map(|it| rpc::bad_request::FieldViolation {
            field: it.field,
            description: it.description,
            reason: it.reason.as_str().to_owned(),
        });
    let bad_request = rpc::BadRequest {
        field_violations: field_violations.collect(),
    };
    let details = vec![
        info("INVALID_REQUEST", decided_at(position)),
        any("BadRequest", &bad_request),
    ];
    status(Code::InvalidArgument, summary.join("; "), details)
}

/// INVALID_ARGUMENT for one wrong field.
pub(super) fn wrong(field: &str, reason: Fault, description: impl Into<String>) -> Status {
    invalid(vec![Violation::new(field, reason, description)])
}

/// The name of a resource that a request is about: INVALID_ARGUMENT if it is malformed, NOT_FOUND if nothing can have
/// it.
pub(super) fn named<T>(
    field: &str,
    name: &str,
    kind: &'static str,
    parse: impl Fn(&str) -> Result<T, NameError>,
) -> Result<T, Status> {
    if name.is_empty() {
        return Err(wrong(field, Fault::Missing, "must be given"));
    }
    parse(name).map_err(|error| match error {
        NameError::Malformed(_) => wrong(field, Fault::Format, error.allowed()),
        NameError::Unknown => not_found(kind, vec![name.to_owned()]),
    })
}

/// NOT_FOUND, naming what is not there.
pub(super) fn not_found(kind: &'static str, names: Vec<String>) -> Status {
    not_found_at(kind, names, None)
}

/// NOT_FOUND in the state that a session reads, and which state that is.
pub(super) async fn missing(session: &Session, kind: &'static str, name: &impl ToString) -> Status {
    match session.head().await {
        Ok(head) => not_found_at(kind, vec![name.to_string()], Some(Position::from(&head))),
        Err(error) => error.into(),
    }
}

fn not_found_at(kind: &'static str, names: Vec<String>, position: Option<Position>) -> Status {
    // Details name all of them; the message stays short, for it travels in a header too.
    let shown = names.len().min(NAMES_SHOWN);
    let more = match names.len() - shown {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("{}{more} not found", names[..shown].join(", "));
    let mut details = vec![info("NOT_FOUND", decided_at(position))];
    details.extend(
        names
            .into_iter()
            .map(|resource_name| resource(kind, resource_name)),
    );
    status(Code::NotFound, message, details)
}

/// ALREADY_EXISTS, naming what is there.
fn exists(kind: &'static str, names: Vec<String>, position: Option<Position>) -> Status {
    let shown = names.len().min(NAMES_SHOWN);
    let message = format!("{} exists already", names[..shown].join(", "));
    let mut details = vec![info("ALREADY_EXISTS", decided_at(position))];
    details.extend(
        names
            .into_iter()
            .take(CELLS_MAX)
            .map(|resource_name| resource(kind, resource_name)),
    );
    status(Code::AlreadyExists, message, details)
}

/// A status with a reason and facts that programs decide on.
pub(super) fn reasoned<const N: usize>(
    code: Code,
    reason: &str,
    message: impl Into<String>,
    metadata: [(&str, String); N],
) -> Status {
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
    status(code, message.into(), vec![info(reason, metadata.into())])
}

impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Refused(refusal) => refused(refusal),
            Rejection::NotFound {
                kind,
                names,
                position,
            } => not_found_at(kind, names, position),
            Rejection::Exists {
                kind,
                names,
                position,
            } => exists(kind, names, position),
            Rejection::Invalid {
                violations,
                position,
            } => invalid_at(violations, position),
            Rejection::Store(error) => error.as_ref().into(),
            Rejection::Crowded => crowded(&rejection.to_string()),
            Rejection::Late => {
                let message = rejection.to_string();
                reasoned(Code::DeadlineExceeded, "DEADLINE_PASSED", message, [])
            }
            Rejection::TimedOut => away("OVERLOADED", &rejection.to_string()),
            Rejection::Unloaded(_) | Rejection::Aborted => failed(&rejection),
        }
    }
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for Status {
    fn from(error: &StoreError) -> Self {
        if let StoreError::Unconfirmed { .. } = error {
            unknown(error)
        } else if let StoreError::ClockAhead { .. } = error {
            away(
                "CLOCK_AHEAD",
                "this replica's clock is ahead of time: nothing was done",
            )
        } else if error.is_transient() {
            away("DATABASE_UNAVAILABLE", "the reservation database is away")
        } else {
            failed(error)
        }
    }
}

/// RESOURCE_EXHAUSTED, with when to try again: the service is well, but too many ask at once.
pub(super) fn crowded(message: &str) -> Status {
    later(Code::ResourceExhausted, "OVERLOADED", message)
}

/// UNAVAILABLE, with when to try again.
fn away(reason: &str, message: &str) -> Status {
    later(Code::Unavailable, reason, message)
}

fn later(code: Code, reason: &str, message: &str) -> Status {
    let retry = rpc::RetryInfo {
        retry_delay: prost_types::Duration::try_from(RETRY_AFTER).ok(),
    };
    let details = vec![info(reason, HashMap::new()), any("RetryInfo", &retry)];
    status(code, message.to_owned(), details)
}

/// UNAVAILABLE without when to try again: that is safe under a request id only, which not every method takes.
pub(super) fn unknown(error: &(dyn std::error::Error + 'static)) -> Status {
    warn!(error, "Lost sight of a commit");
    reasoned(
        Code::Unavailable,
        "OUTCOME_UNKNOWN",
        "whether it was done is not known: repeat it under its request id, or, if it has none, look before you repeat it",
        [],
    )
}

/// INTERNAL, without a word about the inside; the log has the whole chain.
fn failed(error: &(dyn std::error::Error + 'static)) -> Status {
    error!(error, "Request failed");
    Status::internal("internal error")
}

fn refused(refusal: Refusal) -> Status {
    let mut metadata = decided_at(Some(refusal.position));
    if !refusal.unmet.is_empty() {
        metadata.insert("cells".to_owned(), refusal.unmet.len().to_string());
    }
    metadata.extend(refusal.details);
    let mut details = vec![info(refusal.reason.as_str(), metadata)];
    if !refusal.unmet.is_empty() {
        let violations = refusal.unmet.into_iter().take(CELLS_MAX).map(|cell| {
            rpc::precondition_failure::Violation {
                r#type: "CELL".to_owned(),
                subject: cell.subject,
                description: cell.description,
            }
        });
        let failure = rpc::PreconditionFailure {
            violations: violations.collect(),
        };
        details.push(any("PreconditionFailure", &failure));
    }
    status(code(refusal.reason), refusal.message, details)
}

/// Where it was decided, as metadata; none of what the request alone tells.
fn decided_at(position: Option<Position>) -> HashMap<String, String> {
    let facts = position.map(|at| {
        [
            ("commit_sequence".to_owned(), at.sequence.to_string()),
            ("incarnation".to_owned(), at.incarnation),
        ]
    });
    facts.map(HashMap::from).unwrap_or_default()
}

fn code(reason: Reason) -> Code {
    match reason {
        // AIP-154: whoever read first and lost the race may read and try again.
        Reason::EtagMismatch => Code::Aborted,
        Reason::RequestIdReused => Code::AlreadyExists,
        _ => Code::FailedPrecondition,
    }
}

fn resource(kind: &str, resource_name: String) -> prost_types::Any {
    let resource = rpc::ResourceInfo {
        resource_type: kind.to_owned(),
        resource_name,
        ..rpc::ResourceInfo::default()
    };
    any("ResourceInfo", &resource)
}

fn info(reason: &str, metadata: HashMap<String, String>) -> prost_types::Any {
    let info = rpc::ErrorInfo {
        reason: reason.to_owned(),
        domain: DOMAIN.to_owned(),
        metadata,
    };
    any("ErrorInfo", &info)
}

fn any(name: &str, detail: &impl Message) -> prost_types::Any {
    prost_types::Any {
        type_url: format!("type.googleapis.com/google.rpc.{name}"),
        value: detail.encode_to_vec(),
    }
}

fn status(code: Code, message: String, details: Vec<prost_types::Any>) -> Status {
    let encoded = rpc::Status {
        code: code.into(),
        message: message.clone(),
        details,
    };
    Status::with_details(code, message, encoded.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn a_full_queue_is_an_exhausted_resource_and_a_slow_decision_is_not() {
        for (rejection, code) in [
            (Rejection::Crowded, Code::ResourceExhausted),
            (Rejection::TimedOut, Code::Unavailable),
        ] {
            let status = Status::from(rejection);
            assert_eq!(status.code(), code);
            let details = status.get_error_details();
            assert_eq!(details.error_info().unwrap().reason, "OVERLOADED");
            let retry = details.retry_info().unwrap();
            assert_eq!(retry.retry_delay, Some(RETRY_AFTER));
        }
    }
}
