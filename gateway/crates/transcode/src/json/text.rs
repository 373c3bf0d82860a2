//! The messages that are JSON strings, both ways: Timestamp, Duration and FieldMask.

use super::lexer::Syntax;
use super::plan::{MessagePlan, Special};
use super::print::text;
use super::read::Reader;
use super::scalar::Fault;
use super::write::{DecodeError, Writer};
use super::{names, number, time};
use crate::violation::ViolationKind;
use crate::wire::{self, Cursor, WireType};

impl Reader<'_, '_> {
    /// The messages that are JSON strings.
    pub(super) fn text_content(&mut self, special: Special, depth: usize) -> Result<(), Syntax> {
        let text = if self.lexer.peek()? == b'"' {
            self.lexer.string()?
        } else {
            self.lexer.skip(depth)?;
            self.fault(&Fault::new(ViolationKind::Type, "must be a string"));
            return Ok(());
        };
        if let Err(fault) = put_text_content(&mut self.out, special, &text, false) {
            self.fault(&fault);
        }
        Ok(())
    }
}

/// Appends the content of a Timestamp, Duration or FieldMask from its text. `lenient` also takes the field names of a
/// mask in snake case, as query strings have them.
pub(crate) fn put_text_content(
    out: &mut Vec<u8>,
    special: Special,
    text: &str,
    lenient: bool,
) -> Result<(), Fault> {
    let format = |predicate| Fault::new(ViolationKind::Format, predicate);
    let (seconds, nanos) = match special {
        Special::Timestamp => {
            time::parse_timestamp(text).ok_or_else(|| format("must be a time by RFC 3339"))?
        }
        Special::Duration => {
            time::parse_duration(text).ok_or_else(|| format("must be a duration like 1.5s"))?
        }
        Special::FieldMask => {
            for path in text.split(',').filter(|_| !text.is_empty()) {
                let snake = if lenient && path.contains('_') {
                    Some(path.to_owned())
                } else {
                    names::to_snake(path)
                };
                let snake =
                    snake.ok_or_else(|| format("must be a list of field paths in camel case"))?;
                wire::put_bytes(out, 1, snake.as_bytes());
            }
            return Ok(());
        }
        _ => return Err(Fault::new(ViolationKind::Type, "cannot be given as text")),
    };
    for (number, value) in [(1, seconds), (2, i64::from(nanos))] {
        if value != 0 {
            wire::put_uint(out, number, value as u64);
        }
    }
    Ok(())
}

impl Writer<'_> {
    pub(super) fn time(&mut self, plan: &MessagePlan, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut parts = [0; 2];
        for (part, number) in parts.iter_mut().zip([1, 2]) {
            let content = plan.last_of(bytes, number, WireType::Varint)?;
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

    pub(super) fn mask(&mut self, plan: &MessagePlan, bytes: &[u8]) -> Result<(), DecodeError> {
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
}
