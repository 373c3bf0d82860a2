//! A message on the wire, taken apart field by field.

use crate::json::{DecodeError, Kind, MessageId, Plans, Shape, Special};
use crate::wire::{Cursor, WireType};

/// The way from a message to a field: message and index of the field in it, step by step.
pub(crate) type Steps = Vec<(MessageId, usize)>;

/// The records of every field of a message, tags included, in the order of the fields. Unknown fields are left out, and
/// of a oneof only the last member is there.
#[derive(Debug)]
pub(super) struct Fields {
    records: Vec<Vec<u8>>,
}

impl Fields {
    pub(super) fn split(plans: &Plans, id: MessageId, bytes: &[u8]) -> Result<Self, DecodeError> {
        let plan = plans.message(id);
        let mut records = vec![Vec::new(); plan.fields.len()];
        let mut cursor = Cursor::new(bytes);
        while !cursor.is_done() {
            let start = cursor.at;
            let (number, wire) = cursor.tag().map_err(|source| plan.broken(source))?;
            cursor
                .skip(number, wire, 0)
                .map_err(|source| plan.broken(source))?;
            let takes = |&index: &usize| plan.fields[index].takes(wire);
            let Some(index) = plan.by_number(number).filter(takes) else {
                continue;
            };
            if let Some(oneof) = plan.fields[index].oneof {
                for (rival, field) in plan.fields.iter().enumerate() {
                    if rival != index && field.oneof == Some(oneof) {
                        records[rival].clear();
                    }
                }
            }
            records[index].extend_from_slice(&bytes[start..cursor.at]);
        }
        Ok(Fields { records })
    }

    /// All records of one field.
    pub(super) fn of(&self, index: usize) -> &[u8] {
        self.records.get(index).map_or(&[], Vec::as_slice)
    }

    pub(super) fn has(&self, index: usize) -> bool {
        !self.of(index).is_empty()
    }

    /// The content of a single message, its parts joined as the wire format demands; `None` where it is absent.
    pub(super) fn message(&self, index: usize) -> Option<Vec<u8>> {
        let records = self.of(index);
        let mut cursor = Cursor::new(records);
        let mut content = None;
        while !cursor.is_done() {
            let (number, wire) = cursor.tag().ok()?;
            let (start, end) = cursor.skip(number, wire, 0).ok()?;
            if matches!(wire, WireType::Bytes | WireType::StartGroup) {
                let content = content.get_or_insert_with(Vec::new);
                content.extend_from_slice(&records[start..end]);
            }
        }
        content
    }
}

/// Walks proto names, or JSON names where those are none, from a message down through single messages.
pub(crate) fn resolve<'n>(
    plans: &Plans,
    root: MessageId,
    names: impl Iterator<Item = &'n str>,
) -> Option<Steps> {
    let mut message = Some(root);
    let mut steps = Steps::new();
    for name in names {
        let plan = plans.message(message?);
        let index = plan.by_name(name)?.field;
        steps.push((message?, index));
        message = nested(plans, message?, index);
    }
    Some(steps)
}

/// The message that a single field holds, where its JSON form is an object of its fields.
pub(crate) fn nested(plans: &Plans, message: MessageId, index: usize) -> Option<MessageId> {
    let field = &plans.message(message).fields[index];
    match (field.shape, field.kind) {
        (Shape::Single, Kind::Message(id)) if plans.message(id).special == Special::None => {
            Some(id)
        }
        _ => None,
    }
}

/// The message itself, or the one that a single field of it holds.
pub(super) fn target(plans: &Plans, root: MessageId, field: Option<usize>) -> Option<MessageId> {
    match field {
        None => Some(root),
        Some(index) => nested(plans, root, index),
    }
}

/// Whether the field at the end of a way holds a value: for a field without presence, another than its default.
pub(super) fn is_set(plans: &Plans, bytes: &[u8], steps: &[(MessageId, usize)]) -> bool {
    let Some((&(message, index), rest)) = steps.split_first() else {
        return true;
    };
    let Ok(fields) = Fields::split(plans, message, bytes) else {
        return false;
    };
    if !rest.is_empty() {
        let content = fields.message(index);
        return content.is_some_and(|content| is_set(plans, &content, rest));
    }
    let field = &plans.message(message).fields[index];
    fields.has(index)
        && (field.presence || super::text::is_other_than_default(plans, message, index, &fields))
}
