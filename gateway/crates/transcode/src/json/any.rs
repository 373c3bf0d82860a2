//! `google.protobuf.Any`, both ways: `{"@type": .., fields ..}`, or `{"@type": .., "value": ..}` for a message whose JSON
//! form is no object of its fields.
//!
//! Its types are those of the plans; another one has no JSON form.

use std::borrow::Cow;

use super::lexer::Syntax;
use super::number;
use super::place::Part;
use super::plan::{MessageId, MessagePlan, Special};
use super::print::text;
use super::read::Reader;
use super::scalar::Fault;
use super::write::{DecodeError, Writer};
use crate::violation::ViolationKind;
use crate::wire::{self, WireType};

enum TypeUrl<'j> {
    Is(Cow<'j, str>),
    Empty,
    Missing,
}

impl<'j> Reader<'_, 'j> {
    pub(super) fn any(&mut self, depth: usize) -> Result<(), Syntax> {
        if self.lexer.peek()? != b'{' {
            return self.opens(b'{', "must be an object", depth).map(drop);
        }
        let url = match self.type_url(depth)? {
            TypeUrl::Is(url) => url,
            TypeUrl::Empty => return self.lexer.skip(depth),
            TypeUrl::Missing => {
                self.at(Part::Member("@type"), |reader| {
                    reader.fault(&Fault::new(ViolationKind::Missing, "is required"))
                });
                return self.lexer.skip(depth);
            }
        };
        let name = url.rsplit_once('/').map_or("", |(_, name)| name);
        let Some(id) = self.plans.id(name) else {
            self.at(Part::Member("@type"), |reader| {
                reader.fault(&Fault::new(ViolationKind::Unknown, "is not a known type"))
            });
            return self.lexer.skip(depth);
        };
        wire::put_bytes(&mut self.out, 1, url.as_bytes());
        let before = self.out.len();
        wire::put_tag(&mut self.out, 2, WireType::Bytes);
        let start = wire::open_len(&mut self.out);
        if self.plans.message(id).special == Special::None {
            self.object(id, depth, true)?;
        } else {
            self.any_value(id, depth)?;
        }
        if self.out.len() == start {
            self.out.truncate(before);
        } else {
            wire::close_len(&mut self.out, start);
        }
        Ok(())
    }

    /// The `@type` of the object ahead, wherever it stands in it.
    fn type_url(&self, depth: usize) -> Result<TypeUrl<'j>, Syntax> {
        let mut ahead = self.lexer.clone();
        ahead.open(b'{', depth)?;
        let mut first = true;
        let mut answer = TypeUrl::Empty;
        while ahead.more(b'}', &mut first)? {
            if ahead.key()? == "@type" && ahead.peek()? == b'"' {
                return ahead.string().map(TypeUrl::Is);
            }
            answer = TypeUrl::Missing;
            ahead.skip(depth + 1)?;
        }
        Ok(answer)
    }

    /// `{"@type": .., "value": ..}` of a message whose JSON form is no object of fields.
    fn any_value(&mut self, id: MessageId, depth: usize) -> Result<(), Syntax> {
        self.lexer.open(b'{', depth)?;
        let (mut first, mut has_type, mut has_value) = (true, false, false);
        while self.lexer.more(b'}', &mut first)? {
            let key = self.lexer.key()?;
            match key.as_ref() {
                "@type" if !has_type => {
                    has_type = true;
                    self.lexer.skip(depth + 1)?;
                }
                "value" if !has_value => {
                    has_value = true;
                    self.at(Part::Member("value"), |reader| {
                        reader.content(id, depth + 1)
                    })?;
                }
                "value" => {
                    self.at(Part::Member("value"), |reader| {
                        reader.fault(&Fault::new(ViolationKind::Duplicate, "is given twice"))
                    });
                    self.lexer.skip(depth + 1)?;
                }
                _ => self.unknown(key, depth + 1)?,
            }
        }
        if !has_value {
            self.at(Part::Member("value"), |reader| {
                reader.fault(&Fault::new(ViolationKind::Missing, "is required"))
            });
        }
        Ok(())
    }
}

impl Writer<'_> {
    pub(super) fn any(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        depth: usize,
    ) -> Result<(), DecodeError> {
        let url = text(
            plan.last_of(bytes, 1, WireType::Bytes)?,
            &plan.name,
            "type_url",
        )?;
        let value = plan.last_of(bytes, 2, WireType::Bytes)?;
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
        if inner.special == Special::None {
            // The fields stand in the braces of the Any, so this is no level of its own.
            self.fields(inner, value, depth, false)?;
        } else {
            self.out.extend_from_slice(b",\"value\":");
            self.message(id, value, depth + 1)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}
