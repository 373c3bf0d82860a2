//! `google.protobuf.Struct`, `Value` and `ListValue`, both ways: JSON inside JSON.

use std::collections::HashSet;

use super::lexer::Syntax;
use super::number;
use super::place::Part;
use super::print::text;
use super::read::Reader;
use super::scalar::Fault;
use super::write::{DecodeError, Writer};
use crate::violation::ViolationKind;
use crate::wire::{self, Cursor, DEPTH_MAX, WireError, WireType};

const NULL: u32 = 1;
const NUMBER: u32 = 2;
const STRING: u32 = 3;
const BOOL: u32 = 4;
const STRUCT: u32 = 5;
const LIST: u32 = 6;

impl Reader<'_, '_> {
    /// The entries of a Struct.
    pub(super) fn struct_content(&mut self, depth: usize) -> Result<(), Syntax> {
        if !self.opens(b'{', "must be an object", depth)? {
            return Ok(());
        }
        let mut keys = HashSet::new();
        let mut first = true;
        while self.lexer.more(b'}', &mut first)? {
            let key = self.lexer.key()?;
            wire::put_tag(&mut self.out, 1, WireType::Bytes);
            let entry = wire::open_len(&mut self.out);
            wire::put_bytes(&mut self.out, 1, key.as_bytes());
            let is_new = keys.insert(key.clone());
            self.at(Part::Key(key), |reader| {
                if !is_new {
                    reader.fault(&Fault::new(ViolationKind::Duplicate, "is given twice"));
                }
                reader.value_field(2, depth + 1)
            })?;
            wire::close_len(&mut self.out, entry);
        }
        Ok(())
    }

    /// The values of a ListValue.
    pub(super) fn list_content(&mut self, depth: usize) -> Result<(), Syntax> {
        if !self.opens(b'[', "must be an array", depth)? {
            return Ok(());
        }
        let mut first = true;
        while self.lexer.more(b']', &mut first)? {
            self.value_field(1, depth + 1)?;
        }
        Ok(())
    }

    fn value_field(&mut self, number: u32, depth: usize) -> Result<(), Syntax> {
        wire::put_tag(&mut self.out, number, WireType::Bytes);
        let start = wire::open_len(&mut self.out);
        self.value_content(depth)?;
        wire::close_len(&mut self.out, start);
        Ok(())
    }

    /// The one field of a Value.
    pub(super) fn value_content(&mut self, depth: usize) -> Result<(), Syntax> {
        match self.lexer.peek()? {
            b'"' => {
                let text = self.lexer.string()?;
                wire::put_bytes(&mut self.out, STRING, text.as_bytes());
            }
            b'-' | b'0'..=b'9' => match self.lexer.number()?.parse::<f64>() {
                Ok(value) if value.is_finite() => {
                    wire::put_tag(&mut self.out, NUMBER, WireType::Fixed64);
                    self.out.extend_from_slice(&value.to_le_bytes());
                }
                _ => self.fault(&Fault::new(ViolationKind::Range, "is out of range")),
            },
            b't' => {
                self.lexer.literal("true")?;
                wire::put_uint(&mut self.out, BOOL, 1);
            }
            b'f' => {
                self.lexer.literal("false")?;
                wire::put_uint(&mut self.out, BOOL, 0);
            }
            b'n' => {
                self.lexer.literal("null")?;
                wire::put_uint(&mut self.out, NULL, 0);
            }
            b'{' => {
                wire::put_tag(&mut self.out, STRUCT, WireType::Bytes);
                let start = wire::open_len(&mut self.out);
                self.struct_content(depth)?;
                wire::close_len(&mut self.out, start);
            }
            b'[' => {
                wire::put_tag(&mut self.out, LIST, WireType::Bytes);
                let start = wire::open_len(&mut self.out);
                self.list_content(depth)?;
                wire::close_len(&mut self.out, start);
            }
            _ => self.lexer.skip(depth)?,
        }
        Ok(())
    }
}

impl Writer<'_> {
    pub(super) fn put_struct(&mut self, bytes: &[u8], depth: usize) -> Result<(), DecodeError> {
        let mut entries: Vec<(&str, &[u8])> = Vec::new();
        for entry in fields(bytes, depth)?
            .into_iter()
            .filter(|field| field.is(1, WireType::Bytes))
        {
            let (mut key, mut value) = ("", None);
            for field in fields(entry.content, depth + 1)? {
                if field.is(1, WireType::Bytes) {
                    key = text(field.content, "google.protobuf.Struct", "fields")?;
                } else if field.is(2, WireType::Bytes) {
                    value = Some(field.content);
                }
            }
            entries.push((key, value.unwrap_or_default()));
        }
        self.out.push(b'{');
        for (index, (key, value)) in last_of_each(entries).into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            number::put_string(&mut self.out, key);
            self.out.push(b':');
            self.put_value(value, depth + 1)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    pub(super) fn put_list_value(&mut self, bytes: &[u8], depth: usize) -> Result<(), DecodeError> {
        self.out.push(b'[');
        let values = fields(bytes, depth)?;
        for (index, value) in values
            .iter()
            .filter(|field| field.is(1, WireType::Bytes))
            .enumerate()
        {
            if index > 0 {
                self.out.push(b',');
            }
            self.put_value(value.content, depth + 1)?;
        }
        self.out.push(b']');
        Ok(())
    }

    pub(super) fn put_value(&mut self, bytes: &[u8], depth: usize) -> Result<(), DecodeError> {
        let unset = || DecodeError::value("google.protobuf.Value", "no value");
        let last = fields(bytes, depth)?
            .into_iter()
            .rfind(Field::is_value)
            .ok_or_else(unset)?;
        match last.number {
            NULL => self.out.extend_from_slice(b"null"),
            NUMBER => {
                let value =
                    f64::from_bits(Cursor::new(last.content).fixed64().map_err(wire_error)?);
                if !value.is_finite() {
                    return Err(DecodeError::value(
                        "google.protobuf.Value",
                        "a number that is not finite",
                    ));
                }
                number::put_f64(&mut self.out, value);
            }
            STRING => number::put_string(
                &mut self.out,
                text(last.content, "google.protobuf.Value", "string_value")?,
            ),
            BOOL => {
                let value = Cursor::new(last.content).varint().map_err(wire_error)?;
                self.out
                    .extend_from_slice(if value == 0 { b"false" } else { b"true" });
            }
            // The brackets of a struct or list are the level; the Value around them is none.
            STRUCT => self.put_struct(last.content, depth)?,
            _ => self.put_list_value(last.content, depth)?,
        }
        Ok(())
    }
}

struct Field<'a> {
    number: u32,
    wire: WireType,
    content: &'a [u8],
}

impl Field<'_> {
    fn is(&self, number: u32, wire: WireType) -> bool {
        self.number == number && self.wire == wire
    }

    fn is_value(&self) -> bool {
        match self.wire {
            WireType::Varint => self.number == NULL || self.number == BOOL,
            WireType::Fixed64 => self.number == NUMBER,
            WireType::Bytes => (STRING..=LIST).contains(&self.number) && self.number != BOOL,
            _ => false,
        }
    }
}

fn fields(bytes: &[u8], depth: usize) -> Result<Vec<Field<'_>>, DecodeError> {
    if depth > DEPTH_MAX {
        return Err(wire_error(WireError::Depth));
    }
    let mut cursor = Cursor::new(bytes);
    let mut fields = Vec::new();
    while !cursor.is_done() {
        let (number, wire) = cursor.tag().map_err(wire_error)?;
        let (start, end) = cursor.skip(number, wire, depth).map_err(wire_error)?;
        fields.push(Field {
            number,
            wire,
            content: &bytes[start..end],
        });
    }
    Ok(fields)
}

fn wire_error(source: WireError) -> DecodeError {
    DecodeError::Wire {
        message: "google.protobuf.Struct".to_owned(),
        source,
    }
}

/// Of entries with one key the last counts, at the place of the first.
fn last_of_each<'a>(entries: Vec<(&'a str, &'a [u8])>) -> Vec<(&'a str, &'a [u8])> {
    let mut at = std::collections::HashMap::new();
    let mut kept: Vec<(&str, &[u8])> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        match at.get(key) {
            Some(&index) => kept[index] = (key, value),
            None => {
                at.insert(key, kept.len());
                kept.push((key, value));
            }
        }
    }
    kept
}
