//! Wire -> JSON.
//!
//! The fields of a message are listed once, without their content. Where encoders have not written them in order of
//! number (where they have, nothing is listed: `stream.rs`), the list is sorted, so that the elements of a repeated field
//! come together; later values of a field replace earlier ones, parts of one message are joined, and of a oneof the last
//! member counts, as the wire format demands. Unknown fields, and fields whose wire type is not their own, are left
//! out.

use std::collections::HashMap;

use super::entries::{Entry, map_entry};
use super::plan::{FieldPlan, Kind, MessageId, MessagePlan, Plans, Scalar, Shape, Special};
use super::print::{is_default, map_key};
use crate::options::{NameForm, Options};
use crate::wire::{Cursor, DEPTH_MAX, WireError};

/// Why a message cannot be shown as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("a {message} cannot be read from the wire")]
    Wire {
        message: String,
        #[source]
        source: WireError,
    },
    #[error("the text in {message}.{field} is not UTF-8")]
    Utf8 { message: String, field: String },
    #[error("a {message} holds {what}, which has no JSON form")]
    Value { message: String, what: &'static str },
    #[error("an Any holds the unknown type `{type_url}`")]
    UnknownAny { type_url: String },
}

impl DecodeError {
    pub(super) fn value(message: &str, what: &'static str) -> Self {
        DecodeError::Value {
            message: message.to_owned(),
            what,
        }
    }
}

pub(crate) struct Writer<'p> {
    pub(super) plans: &'p Plans,
    pub(super) options: &'p Options,
    pub(super) out: Vec<u8>,
    /// The lists of the messages that are being printed, one above the other.
    pub(super) entries: Vec<Entry>,
    /// Fields are printed as they come, not from lists.
    pub(super) streams: bool,
}

impl<'p> Writer<'p> {
    pub(crate) fn new(plans: &'p Plans, options: &'p Options) -> Self {
        Writer {
            plans,
            options,
            out: Vec::new(),
            entries: Vec::with_capacity(32),
            streams: false,
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// A whole message as a JSON value.
    pub(crate) fn message(
        &mut self,
        id: MessageId,
        bytes: &[u8],
        depth: usize,
    ) -> Result<(), DecodeError> {
        let plan = self.plans.message(id);
        if depth > DEPTH_MAX {
            return Err(plan.broken(WireError::Depth));
        }
        if self.out.is_empty() {
            // What JSON usually takes: a large answer that grows step by step would be copied again and again.
            self.out.reserve(bytes.len() * 5 / 2 + 128);
        }
        match plan.special {
            Special::None => {
                self.out.push(b'{');
                self.fields(plan, bytes, depth, true)?;
                self.out.push(b'}');
                Ok(())
            }
            Special::Any => self.any(plan, bytes, depth),
            Special::Struct => self.put_struct(bytes, depth),
            Special::Value => self.put_value(bytes, depth),
            Special::ListValue => self.put_list_value(bytes, depth),
            Special::Timestamp | Special::Duration => self.time(plan, bytes),
            Special::FieldMask => self.mask(plan, bytes),
            Special::Wrapper(scalar) => {
                let last = plan.last_of(bytes, 1, scalar.wire())?;
                self.scalar(plan, 0, scalar, last)
            }
        }
    }

    /// One field of a message as a JSON value, its default when it has none.
    pub(crate) fn field_of(
        &mut self,
        id: MessageId,
        index: usize,
        bytes: &[u8],
    ) -> Result<(), DecodeError> {
        let plan = self.plans.message(id);
        let base = self.list(plan, bytes, 0)?;
        let listed = &self.entries[base..];
        let from = base + listed.partition_point(|entry| entry.field < index);
        let to = base + listed.partition_point(|entry| entry.field <= index);
        let before = self.out.len();
        let written = from < to && self.value(plan, bytes, from..to, 0)?;
        self.entries.truncate(base);
        if !written {
            self.out.truncate(before);
            self.absent(&plan.fields[index]);
        }
        Ok(())
    }

    /// What stands for a field that is not there.
    fn absent(&mut self, field: &FieldPlan) {
        match (field.shape, field.kind) {
            (Shape::List { .. }, _) => self.out.extend_from_slice(b"[]"),
            (Shape::Map { .. }, _) => self.out.extend_from_slice(b"{}"),
            (Shape::Single, Kind::Message(_) | Kind::Group(_)) => {
                self.out.extend_from_slice(b"null")
            }
            (Shape::Single, Kind::Scalar(scalar)) => self.zero(scalar),
        }
    }

    /// The members of an object, without its braces.
    pub(super) fn fields(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        depth: usize,
        mut first: bool,
    ) -> Result<(), DecodeError> {
        if self.streams {
            return self.members(plan, bytes, depth, first);
        }
        let base = self.list(plan, bytes, depth)?;
        let end = self.entries.len();
        let mut at = base;
        let mut next = 0;
        while at < end {
            let field = self.entries[at].field;
            if self.options.defaults {
                self.defaults(&plan.fields[next..field], &mut first);
            }
            next = field + 1;
            let until = (at..end)
                .find(|&i| self.entries[i].field != field)
                .unwrap_or(end);
            let before = self.out.len();
            self.key(&plan.fields[field], first);
            if self.value(plan, bytes, at..until, depth)? {
                first = false;
            } else {
                self.out.truncate(before);
                if self.options.defaults {
                    self.defaults(&plan.fields[field..next], &mut first);
                }
            }
            at = until;
        }
        if self.options.defaults {
            self.defaults(&plan.fields[next..], &mut first);
        }
        self.entries.truncate(base);
        Ok(())
    }

    pub(super) fn key(&mut self, field: &FieldPlan, first: bool) {
        if !first {
            self.out.push(b',');
        }
        self.out.extend_from_slice(match self.options.names {
            NameForm::Json => &field.json_key,
            NameForm::Proto => &field.key,
        });
    }

    pub(super) fn defaults(&mut self, fields: &[FieldPlan], first: &mut bool) {
        for field in fields.iter().filter(|field| !field.presence) {
            self.key(field, *first);
            self.absent(field);
            *first = false;
        }
    }

    /// The value of one field from its entries; `false`, with some of it printed, when it should not appear.
    pub(super) fn value(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        entries: std::ops::Range<usize>,
        depth: usize,
    ) -> Result<bool, DecodeError> {
        let last = self.entries[entries.end - 1];
        let field = &plan.fields[last.field];
        match field.shape {
            Shape::List { .. } => self.elements(plan, bytes, entries, depth),
            Shape::Map { key } => self.map(plan, key, bytes, entries, depth).map(|()| true),
            Shape::Single => match field.kind {
                Kind::Scalar(scalar) => {
                    let content = &bytes[last.start..last.end];
                    if !field.presence && !self.options.defaults && is_default(scalar, content) {
                        return Ok(false);
                    }
                    self.scalar(plan, last.field, scalar, content)
                        .map(|()| true)
                }
                Kind::Message(id) | Kind::Group(id) if entries.len() == 1 => self
                    .message(id, &bytes[last.start..last.end], depth + 1)
                    .map(|()| true),
                Kind::Message(id) | Kind::Group(id) => {
                    let parts = self.entries[entries]
                        .iter()
                        .map(|entry| &bytes[entry.start..entry.end]);
                    let joined = parts.collect::<Vec<_>>().concat();
                    self.message(id, &joined, depth + 1).map(|()| true)
                }
            },
        }
    }

    fn elements(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        entries: std::ops::Range<usize>,
        depth: usize,
    ) -> Result<bool, DecodeError> {
        self.out.push(b'[');
        let empty = self.out.len();
        for at in entries {
            let entry = self.entries[at];
            let content = &bytes[entry.start..entry.end];
            match plan.fields[entry.field].kind {
                Kind::Scalar(scalar) if scalar.wire() != entry.wire => {
                    self.packed(plan, entry.field, scalar, content, empty)?;
                    continue;
                }
                _ if self.out.len() > empty => self.out.push(b','),
                _ => {}
            }
            match plan.fields[entry.field].kind {
                Kind::Scalar(scalar) => self.scalar(plan, entry.field, scalar, content)?,
                Kind::Message(id) | Kind::Group(id) => self.message(id, content, depth + 1)?,
            }
        }
        let any = self.out.len() > empty;
        self.out.push(b']');
        Ok(any)
    }

    fn packed(
        &mut self,
        plan: &MessagePlan,
        field: usize,
        scalar: Scalar,
        content: &[u8],
        empty: usize,
    ) -> Result<(), DecodeError> {
        let mut cursor = Cursor::new(content);
        while !cursor.is_done() {
            let number = plan.fields[field].number;
            let (start, end) = cursor
                .skip(number, scalar.wire(), 0)
                .map_err(|source| plan.broken(source))?;
            if self.out.len() > empty {
                self.out.push(b',');
            }
            self.scalar(plan, field, scalar, &content[start..end])?;
        }
        Ok(())
    }

    /// Of entries with one key the last counts, at the place of the first.
    fn map(
        &mut self,
        plan: &MessagePlan,
        key: Scalar,
        bytes: &[u8],
        entries: std::ops::Range<usize>,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let field = self.entries[entries.start].field;
        let kind = plan.fields[field].kind;
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut pairs: Vec<(Vec<u8>, Option<&[u8]>)> = Vec::with_capacity(entries.len());
        for entry in &self.entries[entries] {
            let (raw_key, value) =
                map_entry(plan, key, kind, &bytes[entry.start..entry.end], depth)?;
            let printed = map_key(plan, field, key, raw_key)?;
            match places.get(&printed) {
                Some(&place) => pairs[place].1 = value,
                None => {
                    places.insert(printed.clone(), pairs.len());
                    pairs.push((printed, value));
                }
            }
        }
        self.out.push(b'{');
        for (index, (key, value)) in pairs.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(key);
            self.out.push(b':');
            match (kind, value) {
                (Kind::Scalar(scalar), Some(content)) => {
                    self.scalar(plan, field, scalar, content)?
                }
                (Kind::Scalar(scalar), None) => self.zero(scalar),
                (Kind::Message(id) | Kind::Group(id), content) => {
                    self.message(id, content.unwrap_or_default(), depth + 1)?;
                }
            }
        }
        self.out.push(b'}');
        Ok(())
    }
}
