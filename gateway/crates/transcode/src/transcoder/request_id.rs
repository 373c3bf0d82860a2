//! The id of a request (AIP-155) that came beside its message, in a header.
//!
//! It belongs into the top-level string field `request_id`, where a method has one. A message that names an id itself
//! keeps it; two ids that differ are a contradiction, since only one of them can make a repetition safe. Looked for in
//! the finished message: body, query and path may all have filled the field, and the last one counts.

use super::Transcoder;
use crate::json::{Kind, MessagePlan, Scalar, Shape};
use crate::violation::{ViolationKind, Violations};
use crate::wire;

const FIELD: &str = "request_id";

/// The index of the field for ids of requests. A member of a oneof is none: to fill it would take away another.
pub(super) fn field(message: &MessagePlan) -> Option<usize> {
    let index = message.by_name(FIELD).filter(|named| named.is_proto)?.field;
    let field = &message.fields[index];
    let is_fit = field.shape == Shape::Single
        && field.kind == Kind::Scalar(Scalar::String)
        && field.oneof.is_none();
    is_fit.then_some(index)
}

impl Transcoder {
    /// Whether the method has a place for the id of a request.
    pub fn takes_request_id(&self) -> bool {
        self.request_id.is_some()
    }

    /// Appends the id, unless the message has one; nothing happens on a method without the field.
    pub(super) fn identify(&self, out: &mut Vec<u8>, violations: &mut Violations, id: &str) {
        let Some(index) = self.request_id else {
            return;
        };
        let field = &self.plans.message(self.input).fields[index];
        let name = self.show(&[(self.input, index)]);
        violations.forgive(&name, ViolationKind::Missing);
        let given = wire::last_at(out, &[field.number]);
        match given.map(|at| at.map_or(&[][..], |at| &out[at])) {
            // What is not a message has its violations already.
            Err(_) => {}
            Ok([]) => wire::put_bytes(out, field.number, id.as_bytes()),
            Ok(given) if given == id.as_bytes() => {}
            Ok(_) => {
                let predicate = "differs from the id in the header Idempotency-Key";
                violations.push(name, ViolationKind::Conflict, predicate);
            }
        }
    }
}
