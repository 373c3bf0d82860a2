//! Refusals of the legacy contracts. What is wrong with a field comes with its kind, because the old APIs answer a
//! missing field with another status than a wrong one.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::{inventory::Rejection, store::StoreError};

const DOMAIN: &str = "reservation.banyan";

/// The kinds of wrong that a service finds. Missing, ill-typed and unknown fields are found at the edge, where they
/// still can be seen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Violation {
    /// Too small, too large, too short, too long, too many.
    Range,
    /// Not of the form that is asked for.
    Format,
}

/// Collects what is wrong with a request, so that all of it is told at once.
#[derive(Debug, Default)]
pub(super) struct Violations {
    found: Vec<FieldViolation>,
}

impl Violations {
    /// `rule` is to be read after the field's name.
    pub(super) fn add(&mut self, field: &str, kind: Violation, rule: &str) {
        let mut violation = FieldViolation::new(field, format!("{field} {rule}"));
        violation.reason = match kind {
            Violation::Range => "RANGE",
            Violation::Format => "FORMAT",
        }
        .to_owned();
        self.found.push(violation);
    }

    /// INVALID_ARGUMENT with all violations, if there are any.
    pub(super) fn check(self) -> Result<(), Status> {
        if self.found.is_empty() {
            return Ok(());
        }
        let message: Vec<_> = self
            .found
            .iter()
            .map(|violation| violation.description.as_str())
            .collect();
        let message = message.join("; ");
        let mut details = ErrorDetails::new();
        details.set_error_info("INVALID_FIELD", DOMAIN, HashMap::new());
        details.set_bad_request(self.found);
        Err(Status::with_error_details(
            Code::InvalidArgument,
            message,
            details,
        ))
    }
}

/// A refusal with a machine-readable reason.
pub(super) fn refusal(code: Code, message: impl Into<String>, reason: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, message, details)
}

/// A refusal in the words that partners of the provider API match on.
pub(super) fn titled(code: Code, title: &str, detail: String, reason: &str) -> Status {
    let words = [
        ("title".to_owned(), title.to_owned()),
        ("detail".to_owned(), detail.clone()),
    ];
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::from(words));
    Status::with_error_details(code, detail, details)
}

/// What a client learns of trouble with the database: no more than whether to try again. Logged here, once.
pub(super) fn store_failed(error: StoreError) -> Status {
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "The database failed a request"
    );
    if error.is_transient() {
        let message = "the database is away, try again later";
        refusal(Code::Unavailable, message, "DATABASE_UNAVAILABLE")
    } else {
        refusal(
            Code::Internal,
            "something went wrong on the server",
            "DATABASE_FAILED",
        )
    }
}

/// What a client learns of a decision that was not made as asked, where the contract has no words of its own for it.
pub(super) fn rejected(rejection: Rejection) -> Status {
    match rejection {
        Rejection::Store(error) => store_failed(error),
        Rejection::Refused(denied) => refusal(
            Code::FailedPrecondition,
            denied.message,
            denied.reason.as_str(),
        ),
        other @ Rejection::NotFound { .. } => {
            refusal(Code::NotFound, other.to_string(), "NOT_FOUND")
        }
        other @ (Rejection::Invalid(_) | Rejection::Aborted(_)) => {
            let error = &other as &dyn std::error::Error;
            tracing::error!(error, "A decision was not made");
            refusal(
                Code::Internal,
                "something went wrong on the server",
                "DECISION_FAILED",
            )
        }
    }
}
