//! Wire -> JSON.
//!
//! The fields of a message are listed once, without their content. Encoders write them in order of number, and then
//! they print as they stand. Where they do not, the list is sorted, so that the elements of a repeated field come
//! together; later values of a field replace earlier ones, parts of one message are joined, and of a oneof the last
//! member counts, as the wire format demands. Unknown fields, and fields whose wire type is not their own, are left
//! out.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::number;
use super::plan::{FieldPlan, Kind, MessageId, MessagePlan, Plans, Scalar, Shape, Special};
use super::{names, time};
use crate::options::{EnumForm, Int64Form, NameForm, Options};
use crate::wire::{Cursor, DEPTH_MAX, WireError, WireType, unzigzag};

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

/// Where the content of one field lies in its message.
#[derive(Debug, Clone, Copy)]
struct Entry {
    field: usize,
    wire: WireType,
    start: usize,
    end: usize,
}

pub(crate) struct Writer<'p> {
    plans: &'p Plans,
    options: &'p Options,
    pub(super) out: Vec<u8>,
    /// The lists of the messages that are being printed, one above the other.
    entries: Vec<Entry>,
}

impl<'p> Writer<'p> {
    pub(crate) fn new(plans: &'p Plans, options: &'p Options) -> Self {
        Writer {
            plans,
            options,
            out: Vec::with_capacity(256),
            entries: Vec::new(),
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
                let last = self.last_of(plan, bytes, 1, scalar.wire())?;
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

    fn zero(&mut self, scalar: Scalar) {
        match scalar {
            Scalar::Bool => self.out.extend_from_slice(b"false"),
            Scalar::String | Scalar::Bytes => self.out.extend_from_slice(b"\"\""),
            Scalar::Enum(id) => self.enumeration(id, 0),
            scalar if scalar.is_64() => self.wide(|out| out.push(b'0')),
            _ => self.out.push(b'0'),
        }
    }

    /// The members of an object, without its braces.
    fn fields(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        depth: usize,
        mut first: bool,
    ) -> Result<(), DecodeError> {
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

    fn key(&mut self, field: &FieldPlan, first: bool) {
        if !first {
            self.out.push(b',');
        }
        self.out.extend_from_slice(match self.options.names {
            NameForm::Json => &field.json_key,
            NameForm::Proto => &field.key,
        });
    }

    fn defaults(&mut self, fields: &[FieldPlan], first: &mut bool) {
        for field in fields.iter().filter(|field| !field.presence) {
            self.key(field, *first);
            self.absent(field);
            *first = false;
        }
    }

    /// Lists the fields of a message above those that are listed already, and returns where its list begins.
    fn list(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        depth: usize,
    ) -> Result<usize, DecodeError> {
        let base = self.entries.len();
        let mut cursor = Cursor::new(bytes);
        let (mut sorted, mut contested) = (true, false);
        while !cursor.is_done() {
            let (number, wire) = cursor.tag().map_err(|source| plan.broken(source))?;
            let (start, end) = cursor
                .skip(number, wire, depth)
                .map_err(|source| plan.broken(source))?;
            let Some(index) = plan
                .by_number(number)
                .filter(|&index| plan.fields[index].takes(wire))
            else {
                continue;
            };
            sorted &= self.entries[base..]
                .last()
                .is_none_or(|last| last.field <= index);
            if let Some(oneof) = plan.fields[index].oneof {
                let rival = |entry: &&Entry| plan.fields[entry.field].oneof == Some(oneof);
                let last = self.entries[base..].iter().rev().find(rival);
                contested |= last.is_some_and(|last| last.field != index);
            }
            self.entries.push(Entry {
                field: index,
                wire,
                start,
                end,
            });
        }
        if contested {
            self.settle_oneofs(plan, base);
        }
        if !sorted {
            self.entries[base..].sort_by_key(|entry| entry.field);
        }
        Ok(base)
    }

    /// Drops every member of a oneof before the last change of member.
    fn settle_oneofs(&mut self, plan: &MessagePlan, base: usize) {
        // Per oneof: the member that counts, and whether another was met on the way back.
        let mut winners: HashMap<usize, (usize, bool)> = HashMap::new();
        let mut kept = Vec::new();
        for entry in self.entries.drain(base..).rev() {
            let Some(oneof) = plan.fields[entry.field].oneof else {
                kept.push(entry);
                continue;
            };
            let (winner, over) = winners.entry(oneof).or_insert((entry.field, false));
            *over |= *winner != entry.field;
            if !*over {
                kept.push(entry);
            }
        }
        self.entries.extend(kept.into_iter().rev());
    }

    /// The value of one field from its entries; `false`, with some of it printed, when it should not appear.
    fn value(
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

    /// A scalar from its content; no content is the default.
    fn scalar(
        &mut self,
        plan: &MessagePlan,
        field: usize,
        scalar: Scalar,
        content: &[u8],
    ) -> Result<(), DecodeError> {
        match scalar {
            Scalar::String => {
                let text = text(content, &plan.name, &plan.fields[field].name)?;
                number::put_string(&mut self.out, text);
                return Ok(());
            }
            Scalar::Bytes => {
                self.out.push(b'"');
                self.out
                    .extend_from_slice(STANDARD.encode(content).as_bytes());
                self.out.push(b'"');
                return Ok(());
            }
            _ if content.is_empty() => {
                self.zero(scalar);
                return Ok(());
            }
            _ => {}
        }
        let bits = bits(scalar, content).map_err(|source| plan.broken(source))?;
        match scalar {
            Scalar::Double => number::put_f64(&mut self.out, f64::from_bits(bits)),
            Scalar::Float => number::put_f32(&mut self.out, f32::from_bits(bits as u32)),
            Scalar::Bool => self
                .out
                .extend_from_slice(if bits == 0 { b"false" } else { b"true" }),
            Scalar::Enum(id) => self.enumeration(id, bits as i32),
            Scalar::Int32 | Scalar::Sfixed32 => {
                number::put_i64(&mut self.out, i64::from(bits as i32))
            }
            Scalar::Sint32 => number::put_i64(
                &mut self.out,
                i64::from(unzigzag(bits & 0xffff_ffff) as i32),
            ),
            Scalar::Uint32 | Scalar::Fixed32 => {
                number::put_u64(&mut self.out, u64::from(bits as u32))
            }
            Scalar::Int64 | Scalar::Sfixed64 => self.wide(|out| number::put_i64(out, bits as i64)),
            Scalar::Sint64 => self.wide(|out| number::put_i64(out, unzigzag(bits))),
            _ => self.wide(|out| number::put_u64(out, bits)),
        }
        Ok(())
    }

    /// A 64-bit integer in the form of the route.
    fn wide(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let quoted = self.options.int64 == Int64Form::String;
        if quoted {
            self.out.push(b'"');
        }
        put(&mut self.out);
        if quoted {
            self.out.push(b'"');
        }
    }

    fn enumeration(&mut self, id: usize, value: i32) {
        let plan = self.plans.enumeration(id);
        match plan.name(value) {
            _ if plan.is_null => self.out.extend_from_slice(b"null"),
            Some(name) if self.options.enums == EnumForm::Name => {
                number::put_string(&mut self.out, name)
            }
            _ => number::put_i64(&mut self.out, i64::from(value)),
        }
    }

    fn any(&mut self, plan: &MessagePlan, bytes: &[u8], depth: usize) -> Result<(), DecodeError> {
        let url = text(
            self.last_of(plan, bytes, 1, WireType::Bytes)?,
            &plan.name,
            "type_url",
        )?;
        let value = self.last_of(plan, bytes, 2, WireType::Bytes)?;
        if url.is_empty() && value.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        self.typed(url, value, depth)
    }

    /// The message that an Any holds, with its `@type`.
    pub(crate) fn typed(
        &mut self,
        url: &str,
        value: &[u8],
        depth: usize,
    ) -> Result<(), DecodeError> {
        let name = url.rsplit_once('/').map_or("", |(_, name)| name);
        let unknown = || DecodeError::UnknownAny {
            type_url: url.to_owned(),
        };
        let id = self.plans.id(name).ok_or_else(unknown)?;
        self.out.extend_from_slice(b"{\"@type\":");
        number::put_string(&mut self.out, url);
        let inner = self.plans.message(id);
        if depth >= DEPTH_MAX {
            return Err(inner.broken(WireError::Depth));
        }
        if inner.special == Special::None {
            self.fields(inner, value, depth + 1, false)?;
        } else {
            self.out.extend_from_slice(b",\"value\":");
            self.message(id, value, depth + 1)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn time(&mut self, plan: &MessagePlan, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut parts = [0; 2];
        for (part, number) in parts.iter_mut().zip([1, 2]) {
            let content = self.last_of(plan, bytes, number, WireType::Varint)?;
            if !content.is_empty() {
                *part = Cursor::new(content)
                    .varint()
                    .map_err(|source| plan.broken(source))? as i64;
            }
        }
        let [seconds, nanos] = parts;
        let put = if plan.special == Special::Timestamp {
            time::put_timestamp
        } else {
            time::put_duration
        };
        put(&mut self.out, seconds, nanos)
            .ok_or_else(|| DecodeError::value(&plan.name, "a value out of range"))
    }

    fn mask(&mut self, plan: &MessagePlan, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let mut paths = Vec::new();
        while !cursor.is_done() {
            let (number, wire) = cursor.tag().map_err(|source| plan.broken(source))?;
            let (start, end) = cursor
                .skip(number, wire, 0)
                .map_err(|source| plan.broken(source))?;
            if (number, wire) == (1, WireType::Bytes) {
                let path = names::to_camel(text(&bytes[start..end], &plan.name, "paths")?);
                paths.push(
                    path.ok_or_else(|| DecodeError::value(&plan.name, "a path not in snake case"))?,
                );
            }
        }
        number::put_string(&mut self.out, &paths.join(","));
        Ok(())
    }

    /// The content of the last field of that number; empty when there is none.
    fn last_of<'a>(
        &self,
        plan: &MessagePlan,
        bytes: &'a [u8],
        number: u32,
        wire: WireType,
    ) -> Result<&'a [u8], DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let mut last: &[u8] = &[];
        while !cursor.is_done() {
            let tag = cursor.tag().map_err(|source| plan.broken(source))?;
            let (start, end) = cursor
                .skip(tag.0, tag.1, 0)
                .map_err(|source| plan.broken(source))?;
            if tag == (number, wire) {
                last = &bytes[start..end];
            }
        }
        Ok(last)
    }
}

impl MessagePlan {
    fn broken(&self, source: WireError) -> DecodeError {
        DecodeError::Wire {
            message: self.name.clone(),
            source,
        }
    }
}

impl FieldPlan {
    /// Whether a value of that wire type belongs to this field; a repeated scalar comes packed or not.
    fn takes(&self, wire: WireType) -> bool {
        let packable = matches!(
            (self.shape, self.kind),
            (Shape::List { .. }, Kind::Scalar(_))
        );
        match self.shape {
            Shape::Map { .. } => wire == WireType::Bytes,
            _ => wire == self.kind.wire() || (packable && wire == WireType::Bytes),
        }
    }
}

/// Key and value of an entry of a map; parts of a message are not joined here, the last counts.
fn map_entry<'a>(
    plan: &MessagePlan,
    key: Scalar,
    value: Kind,
    bytes: &'a [u8],
    depth: usize,
) -> Result<(&'a [u8], Option<&'a [u8]>), DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let (mut found_key, mut found_value): (&[u8], Option<&[u8]>) = (&[], None);
    while !cursor.is_done() {
        let tag = cursor.tag().map_err(|source| plan.broken(source))?;
        let (start, end) = cursor
            .skip(tag.0, tag.1, depth)
            .map_err(|source| plan.broken(source))?;
        if tag == (1, key.wire()) {
            found_key = &bytes[start..end];
        } else if tag == (2, value.wire()) {
            found_value = Some(&bytes[start..end]);
        }
    }
    Ok((found_key, found_value))
}

/// A key of a map as a JSON string.
fn map_key(
    plan: &MessagePlan,
    field: usize,
    key: Scalar,
    content: &[u8],
) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::with_capacity(content.len() + 2);
    if key == Scalar::String {
        number::put_string(
            &mut out,
            text(content, &plan.name, &plan.fields[field].name)?,
        );
        return Ok(out);
    }
    let bits = if content.is_empty() {
        0
    } else {
        bits(key, content).map_err(|source| plan.broken(source))?
    };
    out.push(b'"');
    match key {
        Scalar::Bool => out.extend_from_slice(if bits == 0 { b"false" } else { b"true" }),
        Scalar::Int32 | Scalar::Sfixed32 => number::put_i64(&mut out, i64::from(bits as i32)),
        Scalar::Sint32 => number::put_i64(&mut out, i64::from(unzigzag(bits & 0xffff_ffff) as i32)),
        Scalar::Uint32 | Scalar::Fixed32 => number::put_u64(&mut out, u64::from(bits as u32)),
        Scalar::Int64 | Scalar::Sfixed64 => number::put_i64(&mut out, bits as i64),
        Scalar::Sint64 => number::put_i64(&mut out, unzigzag(bits)),
        _ => number::put_u64(&mut out, bits),
    }
    out.push(b'"');
    Ok(out)
}

/// The bits of a scalar that is no text.
fn bits(scalar: Scalar, content: &[u8]) -> Result<u64, WireError> {
    let mut cursor = Cursor::new(content);
    match scalar.wire() {
        WireType::Fixed32 => cursor.fixed32().map(u64::from),
        WireType::Fixed64 => cursor.fixed64(),
        _ => cursor.varint(),
    }
}

fn is_default(scalar: Scalar, content: &[u8]) -> bool {
    match scalar.wire() {
        WireType::Bytes => content.is_empty(),
        _ => bits(scalar, content) == Ok(0),
    }
}

pub(super) fn text<'a>(
    content: &'a [u8],
    message: &str,
    field: &str,
) -> Result<&'a str, DecodeError> {
    std::str::from_utf8(content).map_err(|_| DecodeError::Utf8 {
        message: message.to_owned(),
        field: field.to_owned(),
    })
}
