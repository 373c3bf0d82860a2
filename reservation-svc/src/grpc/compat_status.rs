//! Refusals of the legacy contracts. What is wrong with a field comes with its kind, because the old APIs answer a
//! missing field with another status than a wrong one.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::status::{DOMAIN, reasoned};

/// The kinds of wrong that a service finds. Missing, ill-typed and unknown fields are found at the edge, where they
/// still can be seen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Violation {
    /// Too small, too large, too short, too long, too many.
    Range,
    /// Not of the form that is asked for.
    Format,
    /// The same thing twice.
    Duplicate,
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
            Violation::Duplicate => "DUPLICATE",
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
        details.set_error_info("INVALID_REQUEST", DOMAIN, HashMap::new());
        details.set_bad_request(self.found);
        Err(Status::with_error_details(
            Code::InvalidArgument,
            message,
            details,
        ))
    }
}

/// A refusal in the words that partners of the provider API match on.
pub(super) fn titled(code: Code, title: &str, detail: String, reason: &str) -> Status {
    let words = [("title", title.to_owned()), ("detail", detail.clone())];
    reasoned(code, reason, detail, words)
}
