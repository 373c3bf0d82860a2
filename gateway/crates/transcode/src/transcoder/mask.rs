//! The update mask of a PATCH from its body (AIP-134): what the caller names is what changes.
//!
//! Only for the method PATCH, where the request message has a `google.protobuf.FieldMask` named `update_mask` and nobody
//! gave one. A PUT replaces a resource, so there the service's own reading of "no mask" has to stand.
//!
//! The paths are those of the resource: of the field that the rule names as the body; with `*` of the only message in the
//! request, as AIP-134 has it, or of the request itself where there is none or are several. What says which resource is
//! meant and under which conditions is no change of it: what the path binds, `etag`, and in a request that is its own
//! resource the other fields that AIPs give a meaning to. `null` names a field that is cleared; an empty object names the
//! whole of it.

use super::Transcoder;
use super::body::Body;
use super::etag::{only_message, resource};
use crate::json::{self, Kind, MessageId, Plans, Shape, Special};
use crate::violation::{ViolationKind, Violations};
use crate::wire;

const FIELD: &str = "update_mask";
/// Fields that are about a request and not about a resource: AIP-134, 154, 155 and 163.
const ABOUT_THE_REQUEST: [&str; 5] = [
    FIELD,
    "allow_missing",
    "etag",
    "request_id",
    "validate_only",
];

/// How to make the mask of a request from its body.
#[derive(Debug)]
pub(super) struct Update {
    /// Index of the mask in the request message.
    field: usize,
    resource: json::Resource,
    /// What is no change, as field numbers from the root of the body.
    except: Vec<Vec<u32>>,
}

impl Update {
    pub(super) fn of(
        plans: &Plans,
        input: MessageId,
        body: Body,
        provided: &[Vec<u32>],
    ) -> Option<Self> {
        let plan = plans.message(input);
        let field = plan.by_name(FIELD).filter(|named| named.is_proto)?.field;
        let is_mask = match (plan.fields[field].shape, plan.fields[field].kind) {
            (Shape::Single, Kind::Message(id)) => plans.message(id).special == Special::FieldMask,
            _ => false,
        };
        if !is_mask {
            return None;
        }
        let (root, within) = match body {
            Body::None => return None,
            Body::Field(index) => (resource(plans, &plan.fields[index])?, None),
            Body::Whole => (input, only_message(plans, input)),
        };
        let about = |message: MessageId, names: &[&str]| -> Vec<u32> {
            let plan = plans.message(message);
            let found = names.iter().filter_map(|name| plan.by_name(name));
            found.map(|named| plan.fields[named.field].number).collect()
        };
        let mut except = provided.to_vec();
        match within {
            Some((index, inner)) => {
                let outer = plan.fields[index].number;
                except.extend(about(inner, &["etag"]).into_iter().map(|n| vec![outer, n]));
            }
            None if body == Body::Whole => {
                except.extend(
                    about(input, &ABOUT_THE_REQUEST)
                        .into_iter()
                        .map(|n| vec![n]),
                );
            }
            None => except.extend(about(root, &["etag"]).into_iter().map(|n| vec![n])),
        }
        Some(Update {
            field,
            resource: json::Resource {
                root,
                within: within.map(|(index, _)| index),
            },
            except,
        })
    }
}

impl Transcoder {
    /// Appends the mask, unless the message has one or the body names nothing.
    pub(super) fn mask(&self, out: &mut Vec<u8>, violations: &mut Violations, body: &[u8]) {
        let Some(update) = &self.update else {
            return;
        };
        let number = self.plans.message(self.input).fields[update.field].number;
        let given = wire::last_at(out, &[number]);
        if !matches!(given.map(|at| at.is_none_or(|at| at.is_empty())), Ok(true)) {
            return;
        }
        let paths = json::present(
            &self.plans,
            &self.options,
            body,
            update.resource,
            &update.except,
        );
        if paths.is_empty() {
            return;
        }
        violations.forgive(
            &self.show(&[(self.input, update.field)]),
            ViolationKind::Missing,
        );
        wire::put_nested(out, number, |mask| {
            for path in &paths {
                wire::put_bytes(mask, 1, path.as_bytes());
            }
        });
    }
}
