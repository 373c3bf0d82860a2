//! Everything that is wrong with one request, field by field.
//!
//! Violations made here and `google.rpc.BadRequest` violations raised by a service travel in the same form
//! ([`Violations::to_status`]), so one renderer serves both and a client cannot tell who found the fault.

use std::fmt;

use crate::status::{Code, StatusParts};
use crate::wire;

/// More than this many are not collected: the client has enough to do, and a hostile body stays cheap.
const VIOLATIONS_MAX: usize = 32;

const ERROR_INFO_URL: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const BAD_REQUEST_URL: &str = "type.googleapis.com/google.rpc.BadRequest";

/// Why a field was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViolationKind {
    /// Required and not there.
    Missing,
    /// Of another JSON type than the field.
    Type,
    /// Of the right type and outside of what the field can hold.
    Range,
    /// Text that is not what the field's text must be.
    Format,
    /// It names no field, or no value of an enum.
    Unknown,
    /// Given twice.
    Duplicate,
    /// Two members of one `oneof`.
    Conflict,
    /// The path, the query or the body cannot be read at all.
    Syntax,
}

impl ViolationKind {
    /// The `reason` of the `google.rpc.BadRequest.FieldViolation`.
    pub fn reason(self) -> &'static str {
        match self {
            ViolationKind::Missing => "MISSING",
            ViolationKind::Type => "TYPE",
            ViolationKind::Range => "RANGE",
            ViolationKind::Format => "FORMAT",
            ViolationKind::Unknown => "UNKNOWN",
            ViolationKind::Duplicate => "DUPLICATE",
            ViolationKind::Conflict => "CONFLICT",
            ViolationKind::Syntax => "SYNTAX",
        }
    }
}

/// One refused field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Dotted path in the route's spelling of names, e.g. `guest.email` or `seats_ids[2]`; relative to the body for
    /// what came in the body. Empty: the request as a whole.
    pub field: String,
    pub kind: ViolationKind,
    /// A whole sentence without a full stop, e.g. `name is required`.
    pub description: String,
}

/// At least one [`Violation`], at most 32, in the order in which they were met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    pub(crate) fn push(&mut self, field: String, kind: ViolationKind, predicate: &str) {
        if self.is_full() {
            return;
        }
        let subject = if field.is_empty() {
            "the request body"
        } else {
            &field
        };
        let description = format!("{subject} {predicate}");
        self.0.push(Violation {
            field,
            kind,
            description,
        });
    }

    /// Takes back what turned out otherwise.
    pub(crate) fn forgive(&mut self, field: &str, kind: ViolationKind) {
        self.0
            .retain(|violation| violation.field != field || violation.kind != kind);
    }

    /// The violations in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.0.iter()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= VIOLATIONS_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// INVALID_ARGUMENT with an `ErrorInfo` (AIP-193) and a `BadRequest` in the details, as a service would have raised it.
    pub fn to_status(&self) -> StatusParts {
        let message = self.to_string();
        let mut details = Vec::new();
        wire::put_uint(&mut details, 1, u64::from(Code::InvalidArgument.number()));
        wire::put_bytes(&mut details, 2, message.as_bytes());
        wire::put_nested(&mut details, 3, |any| {
            wire::put_bytes(any, 1, ERROR_INFO_URL.as_bytes());
            wire::put_nested(any, 2, |info| {
                wire::put_bytes(info, 1, b"INVALID_REQUEST");
                wire::put_bytes(info, 2, b"gateway.banyan");
            });
        });
        wire::put_nested(&mut details, 3, |any| {
            wire::put_bytes(any, 1, BAD_REQUEST_URL.as_bytes());
            wire::put_nested(any, 2, |bad_request| {
                for violation in &self.0 {
                    wire::put_nested(bad_request, 1, |out| {
                        wire::put_bytes(out, 1, violation.field.as_bytes());
                        wire::put_bytes(out, 2, violation.description.as_bytes());
                        wire::put_bytes(out, 3, violation.kind.reason().as_bytes());
                    });
                }
            });
        });
        StatusParts {
            code: Code::InvalidArgument,
            message,
            details: details.into(),
        }
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&violation.description)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}
