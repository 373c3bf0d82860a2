//! JSON -> wire.
//!
//! One pass, writing as it reads. Lengths are filled in when a message closes. A value that does not fit its field is
//! noted as a violation and stepped over; only text that is not JSON ends the reading.

use std::borrow::Cow;
use std::collections::HashSet;

use super::lexer::{Lexer, Syntax};
use super::place::{Part, Place, Spelling};
use super::plan::{FieldPlan, Kind, MessageId, MessagePlan, Plans, Scalar, Shape, Special};
use super::scalar::{self, Fault, Raw};
use super::seen::Seen;
use crate::options::{Options, Unknown};
use crate::violation::{ViolationKind, Violations};
use crate::wire::{self, WireType};

pub(crate) struct Reader<'p, 'j> {
    pub(super) plans: &'p Plans,
    options: &'p Options,
    pub(super) lexer: Lexer<'j>,
    pub(super) out: Vec<u8>,
    place: Place<'p, 'j>,
    violations: Violations,
    /// Fields that the path provides, as field numbers from the root of the body: required ones are not missed, and
    /// strict reading refuses them.
    provided: &'p [Vec<u32>],
}

const UNKNOWN: Fault = Fault {
    kind: ViolationKind::Unknown,
    predicate: "is not a known field",
};

impl<'p, 'j> Reader<'p, 'j> {
    pub(crate) fn new(
        plans: &'p Plans,
        options: &'p Options,
        json: &'j [u8],
        provided: &'p [Vec<u32>],
    ) -> Self {
        Reader {
            plans,
            options,
            lexer: Lexer::new(json),
            out: Vec::with_capacity(json.len()),
            place: Place::default(),
            violations: Violations::default(),
            provided,
        }
    }

    /// Reads the whole text with `read` and notes where it stops being JSON.
    pub(crate) fn document(&mut self, read: impl FnOnce(&mut Self) -> Result<(), Syntax>) {
        if let Err(Syntax { at, problem }) = read(self).and_then(|()| self.lexer.end()) {
            let predicate = format!("is not valid JSON: {problem} at byte {at}");
            self.violations
                .push(String::new(), ViolationKind::Syntax, &predicate);
        }
    }

    /// The wire bytes, or everything that was wrong.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Violations> {
        if self.violations.is_empty() {
            Ok(self.out)
        } else {
            Err(self.violations)
        }
    }

    pub(crate) fn into_parts(self) -> (Vec<u8>, Violations) {
        (self.out, self.violations)
    }

    /// The content of a message, without its tag and length. `depth` counts the brackets that are open.
    pub(crate) fn content(&mut self, id: MessageId, depth: usize) -> Result<(), Syntax> {
        match self.plans.message(id).special {
            Special::None => self.object(id, depth, false),
            Special::Any => self.any(depth),
            Special::Struct => self.struct_content(depth),
            Special::Value => self.value_content(depth),
            Special::ListValue => self.list_content(depth),
            Special::Wrapper(scalar) => {
                if let Some(raw) = self.scalar(scalar, depth)?
                    && !raw.is_default()
                {
                    raw.put_field(&mut self.out, 1);
                }
                Ok(())
            }
            special => self.text_content(special, depth),
        }
    }

    pub(super) fn object(
        &mut self,
        id: MessageId,
        depth: usize,
        in_any: bool,
    ) -> Result<(), Syntax> {
        if !self.opens(b'{', "must be an object", depth)? {
            return Ok(());
        }
        let plan = self.plans.message(id);
        let mut seen = Seen::default();
        let mut first = true;
        // An Any has one `@type` among the fields of what it holds; elsewhere it is an unknown member.
        let mut awaits_type = in_any;
        while self.lexer.more(b'}', &mut first)? {
            let key = self.lexer.key()?;
            match plan
                .by_name(&key)
                .filter(|named| Spelling(self.options).accepts(named))
            {
                Some(named) => self.member(plan, named.field, &mut seen, depth + 1)?,
                None if key == "@type" && std::mem::take(&mut awaits_type) => {
                    self.lexer.skip(depth + 1)?;
                }
                None => {
                    if self.options.unknown_fields == Unknown::Ignore && !seen.is_new(key.clone()) {
                        self.twice(&key);
                    }
                    self.unknown(key, depth + 1)?;
                }
            }
        }
        if self.options.required {
            self.require(plan, &seen);
        }
        Ok(())
    }

    /// Opens an object or array, or notes that the value is none and steps over it.
    pub(super) fn opens(
        &mut self,
        bracket: u8,
        predicate: &'static str,
        depth: usize,
    ) -> Result<bool, Syntax> {
        if self.lexer.peek()? == bracket {
            return self.lexer.open(bracket, depth).map(|()| true);
        }
        self.lexer.skip(depth)?;
        self.fault(&Fault::new(ViolationKind::Type, predicate));
        Ok(false)
    }

    fn member(
        &mut self,
        plan: &'p MessagePlan,
        index: usize,
        seen: &mut Seen<'_>,
        depth: usize,
    ) -> Result<(), Syntax> {
        let field = &plan.fields[index];
        self.place.push(Part::Field(field));
        if !seen.fields.insert(index) {
            self.fault(&Fault::new(ViolationKind::Duplicate, "is given twice"));
            self.lexer.skip(depth)?;
        } else if self.options.strict && self.place.is_end_of(self.provided) {
            self.fault(&UNKNOWN);
            self.lexer.skip(depth)?;
        } else if self.is_absent(field)? {
            self.lexer.literal("null")?;
        } else if field.oneof.is_some_and(|oneof| !seen.oneofs.insert(oneof)) {
            self.fault(&Fault::new(
                ViolationKind::Conflict,
                "excludes another field that is set",
            ));
            self.lexer.skip(depth)?;
        } else {
            seen.present.insert(index);
            self.field(field, depth)?;
        }
        self.place.pop();
        Ok(())
    }

    /// Whether the value is a `null` that stands for no value.
    fn is_absent(&mut self, field: &FieldPlan) -> Result<bool, Syntax> {
        let is_null = self.lexer.peek()? == b'n';
        if !is_null || (field.shape == Shape::Single && self.plans.takes_null(field.kind)) {
            return Ok(false);
        }
        if self.options.strict {
            self.fault(&Fault::new(ViolationKind::Type, "must not be null"));
        }
        Ok(true)
    }

    /// A whole field, with its tags, at the root of the body; returns whether it has a value.
    pub(crate) fn root_field(&mut self, field: &'p FieldPlan) -> Result<bool, Syntax> {
        if self.is_absent(field)? {
            return self.lexer.literal("null").map(|()| false);
        }
        self.field(field, 0).map(|()| true)
    }

    fn field(&mut self, field: &'p FieldPlan, depth: usize) -> Result<(), Syntax> {
        match field.shape {
            Shape::Single => self
                .single(field.number, field.kind, field.presence, depth)
                .map(drop),
            Shape::List { packed } => self.list(field, packed, depth),
            Shape::Map { key } => self.map(field, key, depth),
        }
    }

    /// One value with its tag. A default is left out unless it is `explicit`. Returns whether there was a value.
    fn single(
        &mut self,
        number: u32,
        kind: Kind,
        explicit: bool,
        depth: usize,
    ) -> Result<bool, Syntax> {
        match kind {
            Kind::Scalar(scalar) => {
                let Some(raw) = self.scalar(scalar, depth)? else {
                    return Ok(false);
                };
                if explicit || !raw.is_default() {
                    raw.put_field(&mut self.out, number);
                }
            }
            Kind::Message(id) => {
                wire::put_tag(&mut self.out, number, WireType::Bytes);
                let start = wire::open_len(&mut self.out);
                self.content(id, depth)?;
                wire::close_len(&mut self.out, start);
            }
            Kind::Group(id) => {
                wire::put_tag(&mut self.out, number, WireType::StartGroup);
                self.content(id, depth)?;
                wire::put_tag(&mut self.out, number, WireType::EndGroup);
            }
        }
        Ok(true)
    }

    fn list(&mut self, field: &'p FieldPlan, packed: bool, depth: usize) -> Result<(), Syntax> {
        if !self.opens(b'[', "must be an array", depth)? {
            return Ok(());
        }
        let before = self.out.len();
        let mut start = before;
        if packed {
            wire::put_tag(&mut self.out, field.number, WireType::Bytes);
            start = wire::open_len(&mut self.out);
        }
        let (mut first, mut index) = (true, 0);
        while self.lexer.more(b']', &mut first)? {
            self.place.push(Part::Index(index));
            match field.kind {
                Kind::Scalar(scalar) if packed => {
                    if let Some(raw) = self.scalar(scalar, depth + 1)? {
                        raw.put(&mut self.out);
                    }
                }
                kind => {
                    self.single(field.number, kind, true, depth + 1)?;
                }
            }
            self.place.pop();
            index += 1;
        }
        if packed && self.out.len() == start {
            self.out.truncate(before);
        } else if packed {
            wire::close_len(&mut self.out, start);
        }
        Ok(())
    }

    fn map(&mut self, field: &'p FieldPlan, key: Scalar, depth: usize) -> Result<(), Syntax> {
        if !self.opens(b'{', "must be an object", depth)? {
            return Ok(());
        }
        let mut keys = HashSet::new();
        let mut first = true;
        while self.lexer.more(b'}', &mut first)? {
            let text = self.lexer.key()?;
            self.place.push(Part::Key(text.clone()));
            let before = self.out.len();
            wire::put_tag(&mut self.out, field.number, WireType::Bytes);
            let start = wire::open_len(&mut self.out);
            let entry = scalar::from_key(key, text).and_then(|raw| {
                raw.put_field(&mut self.out, 1);
                let is_new = keys.insert(self.out[start..].to_vec());
                if is_new {
                    Ok(())
                } else {
                    Err(Fault::new(ViolationKind::Duplicate, "is given twice"))
                }
            });
            let kept = match entry {
                Ok(()) => self.single(2, field.kind, true, depth + 1)?,
                Err(fault) => {
                    self.fault(&fault);
                    self.lexer.skip(depth + 1)?;
                    false
                }
            };
            if kept {
                wire::close_len(&mut self.out, start);
            } else {
                self.out.truncate(before);
            }
            self.place.pop();
        }
        Ok(())
    }

    /// A scalar; `None` when it did not fit, which is noted, or names an enum value that is ignored.
    fn scalar(&mut self, scalar: Scalar, depth: usize) -> Result<Option<Raw<'j>>, Syntax> {
        let result = match self.lexer.peek()? {
            b'"' => {
                let text = self.lexer.string()?;
                scalar::from_string(self.plans, scalar, text, self.options)
            }
            b'-' | b'0'..=b'9' => scalar::from_number(scalar, self.lexer.number()?, self.options),
            b't' if scalar == Scalar::Bool => {
                self.lexer.literal("true").map(|()| Ok(Raw::Varint(1)))?
            }
            b'f' if scalar == Scalar::Bool => {
                self.lexer.literal("false").map(|()| Ok(Raw::Varint(0)))?
            }
            b'n' if self.plans.takes_null(Kind::Scalar(scalar)) => {
                self.lexer.literal("null").map(|()| Ok(Raw::Varint(0)))?
            }
            _ => self
                .lexer
                .skip(depth)
                .map(|()| Err(Fault::of_type(scalar)))?,
        };
        match result {
            Ok(raw) => Ok(Some(raw)),
            Err(fault) => {
                let ignored = fault.kind == ViolationKind::Unknown;
                if !ignored || self.options.unknown_fields == Unknown::Reject {
                    self.fault(&fault);
                }
                Ok(None)
            }
        }
    }

    /// A name that is there twice is refused even if nobody wants to know what it says.
    fn twice(&mut self, key: &str) {
        if !self.violations.is_full() {
            let field = self.place.show_under(Spelling(self.options), key);
            self.violations
                .push(field, ViolationKind::Duplicate, "is given twice");
        }
    }

    pub(super) fn unknown(&mut self, key: Cow<'j, str>, depth: usize) -> Result<(), Syntax> {
        if self.options.unknown_fields == Unknown::Reject && !self.violations.is_full() {
            let field = self.place.show_under(Spelling(self.options), &key);
            self.violations.push(field, UNKNOWN.kind, UNKNOWN.predicate);
        }
        self.lexer.skip(depth)
    }

    fn require(&mut self, plan: &'p MessagePlan, seen: &Seen<'_>) {
        for &index in &plan.required {
            let field = &plan.fields[index];
            if seen.present.has(index) || self.place.is_on(self.provided, field) {
                continue;
            }
            self.place.push(Part::Field(field));
            self.fault(&Fault::new(ViolationKind::Missing, "is required"));
            self.place.pop();
        }
    }

    /// Notes a violation of the value at hand.
    pub(super) fn fault(&mut self, fault: &Fault) {
        // A hostile body can hold many faults; naming those that are not kept would be the costly part.
        if !self.violations.is_full() {
            let field = self.place.show(Spelling(self.options));
            self.violations.push(field, fault.kind, fault.predicate);
        }
    }

    /// Runs `read` one step further from the root.
    pub(super) fn at<T>(&mut self, part: Part<'p, 'j>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.place.push(part);
        let result = read(self);
        self.place.pop();
        result
    }
}
