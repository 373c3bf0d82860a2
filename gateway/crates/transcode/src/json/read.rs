//! JSON -> wire.
//!
//! One pass, writing as it reads. Lengths are filled in when a message closes. A value that does not fit its field is
//! noted as a violation and stepped over; only text that is not JSON ends the reading.

use std::borrow::Cow;
use std::collections::HashSet;

use super::lexer::{Lexer, Syntax};
use super::plan::{FieldPlan, Kind, MessageId, MessagePlan, Named, Plans, Scalar, Shape, Special};
use super::scalar::{self, Fault, Raw};
use super::{names, time};
use crate::options::{NameForm, Options, Unknown};
use crate::violation::{ViolationKind, Violations};
use crate::wire::{self, WireType};

/// One step from the root of the body to a value.
#[derive(Debug, Clone)]
enum Part<'p, 'j> {
    Field(&'p FieldPlan),
    Index(usize),
    Key(Cow<'j, str>),
    Member(&'static str),
}

/// Which names of fields are read and shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spelling<'o>(pub(crate) &'o Options);

impl Spelling<'_> {
    pub(crate) fn accepts(self, named: &Named) -> bool {
        !self.0.strict
            || match self.0.names {
                NameForm::Json => named.is_json,
                NameForm::Proto => named.is_proto,
            }
    }

    pub(crate) fn show(self, field: &FieldPlan) -> &str {
        match self.0.names {
            NameForm::Json => &field.json_name,
            NameForm::Proto => &field.name,
        }
    }
}

pub(crate) struct Reader<'p, 'j> {
    plans: &'p Plans,
    options: &'p Options,
    pub(super) lexer: Lexer<'j>,
    pub(super) out: Vec<u8>,
    path: Vec<Part<'p, 'j>>,
    violations: Violations,
    /// Fields that the path provides, as field numbers from the root of the body: required ones are not missed.
    provided: &'p [Vec<u32>],
}

/// What has been seen of an object so far.
#[derive(Default)]
struct Seen {
    fields: Bits,
    present: Bits,
    oneofs: Bits,
}

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
            path: Vec::new(),
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

    /// The messages that are JSON strings.
    fn text_content(&mut self, special: Special, depth: usize) -> Result<(), Syntax> {
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
        while self.lexer.more(b'}', &mut first)? {
            let key = self.lexer.key()?;
            match plan
                .by_name(&key)
                .filter(|named| Spelling(self.options).accepts(named))
            {
                Some(named) => self.member(plan, named.field, &mut seen, depth + 1)?,
                None if in_any && key == "@type" => self.lexer.skip(depth + 1)?,
                None => self.unknown(key, depth + 1)?,
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
        seen: &mut Seen,
        depth: usize,
    ) -> Result<(), Syntax> {
        let field = &plan.fields[index];
        self.path.push(Part::Field(field));
        if !seen.fields.insert(index) {
            self.fault(&Fault::new(ViolationKind::Duplicate, "is given twice"));
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
        self.path.pop();
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
            self.path.push(Part::Index(index));
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
            self.path.pop();
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
            self.path.push(Part::Key(text.clone()));
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
            self.path.pop();
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

    fn any(&mut self, depth: usize) -> Result<(), Syntax> {
        if self.lexer.peek()? != b'{' {
            return self.opens(b'{', "must be an object", depth).map(drop);
        }
        let url = match self.type_url(depth)? {
            TypeUrl::Is(url) => url,
            TypeUrl::Empty => return self.lexer.skip(depth),
            TypeUrl::Missing => {
                self.member_fault("@type", &Fault::new(ViolationKind::Missing, "is required"));
                return self.lexer.skip(depth);
            }
        };
        let name = url.rsplit_once('/').map_or("", |(_, name)| name);
        let Some(id) = self.plans.id(name) else {
            self.member_fault(
                "@type",
                &Fault::new(ViolationKind::Unknown, "is not a known type"),
            );
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
        let (mut first, mut has_value) = (true, false);
        while self.lexer.more(b'}', &mut first)? {
            let key = self.lexer.key()?;
            match key.as_ref() {
                "@type" => self.lexer.skip(depth + 1)?,
                "value" if !has_value => {
                    has_value = true;
                    self.path.push(Part::Member("value"));
                    self.content(id, depth + 1)?;
                    self.path.pop();
                }
                "value" => {
                    self.member_fault(
                        "value",
                        &Fault::new(ViolationKind::Duplicate, "is given twice"),
                    );
                    self.lexer.skip(depth + 1)?;
                }
                _ => self.unknown(key, depth + 1)?,
            }
        }
        if !has_value {
            self.member_fault("value", &Fault::new(ViolationKind::Missing, "is required"));
        }
        Ok(())
    }

    fn unknown(&mut self, key: Cow<'j, str>, depth: usize) -> Result<(), Syntax> {
        if self.options.unknown_fields == Unknown::Reject {
            let mut field = self.shown_path();
            if !field.is_empty() {
                field.push('.');
            }
            field.push_str(&key);
            self.violations
                .push(field, ViolationKind::Unknown, "is not a known field");
        }
        self.lexer.skip(depth)
    }

    fn require(&mut self, plan: &'p MessagePlan, seen: &Seen) {
        for &index in &plan.required {
            let field = &plan.fields[index];
            if seen.present.has(index) || self.is_provided(field) {
                continue;
            }
            self.path.push(Part::Field(field));
            self.fault(&Fault::new(ViolationKind::Missing, "is required"));
            self.path.pop();
        }
    }

    fn is_provided(&self, field: &FieldPlan) -> bool {
        let here = self.path.iter().map(|part| match part {
            Part::Field(field) => field.number,
            Part::Index(_) | Part::Key(_) | Part::Member(_) => 0,
        });
        let path: Vec<_> = here.chain([field.number]).collect();
        self.provided
            .iter()
            .any(|provided| provided.starts_with(&path))
    }

    /// Notes a violation of the value at hand.
    pub(super) fn fault(&mut self, fault: &Fault) {
        self.violations
            .push(self.shown_path(), fault.kind, fault.predicate);
    }

    fn member_fault(&mut self, member: &'static str, fault: &Fault) {
        self.path.push(Part::Member(member));
        self.fault(fault);
        self.path.pop();
    }

    /// Runs `read` one level further down, under a key of a map or struct.
    pub(super) fn at_key<T>(&mut self, key: Cow<'j, str>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(Part::Key(key));
        let result = read(self);
        self.path.pop();
        result
    }

    fn shown_path(&self) -> String {
        let mut shown = String::new();
        for part in &self.path {
            let name = match part {
                Part::Index(index) => {
                    shown.push_str(&format!("[{index}]"));
                    continue;
                }
                Part::Key(key) => {
                    shown.push_str(&format!("[{key:?}]"));
                    continue;
                }
                Part::Field(field) => Spelling(self.options).show(field),
                Part::Member(name) => name,
            };
            if !shown.is_empty() {
                shown.push('.');
            }
            shown.push_str(name);
        }
        shown
    }
}

enum TypeUrl<'j> {
    Is(Cow<'j, str>),
    Empty,
    Missing,
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

/// A set of small numbers: one word for the messages that exist, more for the others.
#[derive(Debug, Default)]
struct Bits {
    low: u64,
    high: Vec<u64>,
}

impl Bits {
    /// Adds a number; `false` when it was there.
    fn insert(&mut self, index: usize) -> bool {
        let word = match index / 64 {
            0 => &mut self.low,
            word => {
                if self.high.len() < word {
                    self.high.resize(word, 0);
                }
                &mut self.high[word - 1]
            }
        };
        let bit = 1 << (index % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn has(&self, index: usize) -> bool {
        let word = match index / 64 {
            0 => self.low,
            word => self.high.get(word - 1).copied().unwrap_or_default(),
        };
        word & (1 << (index % 64)) != 0
    }
}
