//! The fields of a message on the wire, listed without their content.

use std::collections::HashMap;

use super::plan::{FieldPlan, Kind, MessagePlan, Scalar, Shape};
use super::write::{DecodeError, Writer};
use crate::wire::{Cursor, WireError, WireType};

/// Where the content of one field lies in its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) field: usize,
    pub(super) wire: WireType,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Writer<'_> {
    /// Lists the fields of a message above those that are listed already, and returns where its list begins.
    pub(super) fn list(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        depth: usize,
    ) -> Result<usize, DecodeError> {
        let base = self.entries.len();
        let mut cursor = Cursor::new(bytes);
        let (mut sorted, mut contested) = (true, false);
        let mut last_field = 0;
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
            sorted &= last_field <= index;
            last_field = index;
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
}

impl MessagePlan {
    pub(crate) fn broken(&self, source: WireError) -> DecodeError {
        DecodeError::Wire {
            message: self.name.clone(),
            source,
        }
    }

    /// The content of the last field of that number; empty when there is none.
    pub(super) fn last_of<'a>(
        &self,
        bytes: &'a [u8],
        number: u32,
        wire: WireType,
    ) -> Result<&'a [u8], DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let mut last: &[u8] = &[];
        while !cursor.is_done() {
            let tag = cursor.tag().map_err(|source| self.broken(source))?;
            let (start, end) = cursor
                .skip(tag.0, tag.1, 0)
                .map_err(|source| self.broken(source))?;
            if tag == (number, wire) {
                last = &bytes[start..end];
            }
        }
        Ok(last)
    }
}

impl FieldPlan {
    /// Whether a value of that wire type belongs to this field; a repeated scalar comes packed or not.
    pub(crate) fn takes(&self, wire: WireType) -> bool {
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
pub(super) fn map_entry<'a>(
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
