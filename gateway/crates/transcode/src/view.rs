//! A request message, looked at as the REST request that a rule would have made of it.
//!
//! Who decides by what stands in a path, a query or a body can so decide about gRPC calls alike: the field that a
//! variable binds is what the variable would have caught, and so on. Single fields are read straight from the wire, under
//! the compiled descriptor; nothing is decoded that is not asked for.
//!
//! A variable of the path always has a text, as it has in a path; a query key and a field of the body have one where the
//! message holds them, which for a field without presence is where it holds another value than its default. Lists,
//! maps and messages with fields have none, but for the first element of a list in a query, as `?tag=a&tag=b` has it. What
//! is no message has nothing.

use std::borrow::Cow;

use prost_reflect::MethodDescriptor;

use crate::json::{Kind, Lexer, MessageId, Plans, Scalar, Shape, Writer};
use crate::options::{Int64Form, Options};
use crate::reverse::{Steps, nested, resolve, single_text};
use crate::rule::HttpRule;
use crate::wire::{self, Cursor, WireType};

const REQUEST_ID: &str = "request_id";
const VALIDATE_ONLY: &str = "validate_only";

/// The request message of a method under one HTTP rule.
#[derive(Debug)]
pub struct RequestView {
    plans: Plans,
    options: Options,
    root: MessageId,
    /// Names as the template has them, with the fields that they bind.
    variables: Vec<(String, Steps)>,
    /// Without these the route is not taken.
    required: Vec<Steps>,
    /// Index of the field that is the body, where one is; `Some(None)` where the whole message is.
    body: Option<Option<usize>>,
    /// Number of the field for the id of a request.
    request_id: Option<u32>,
    /// Number of the field that says that nothing is to be done.
    validate_only: Option<u32>,
}

impl RequestView {
    /// Compiles the request message and resolves what the rule names; a name that leads nowhere has no text.
    /// `query_required` are the query keys that the route asks for.
    #[must_use]
    pub fn new(
        method: &MethodDescriptor,
        rule: &HttpRule,
        query_required: &[String],
        options: &Options,
    ) -> Self {
        let plans = Plans::of([method.input()]);
        let root = plans.id(method.input().full_name()).unwrap_or_default();
        let variables = rule.template.variables().iter().filter_map(|variable| {
            let names = variable.field.iter().map(String::as_str);
            let steps = resolve(&plans, root, names)?;
            Some((variable.field.join("."), steps))
        });
        let variables = variables.collect();
        let required = query_required.iter();
        let required = required.filter_map(|key| resolve(&plans, root, key.split('.')));
        let required = required.collect();
        let body = match rule.body.as_str() {
            "" => None,
            "*" => Some(None),
            name => plans.message(root).by_name(name).map(|it| Some(it.field)),
        };
        let single = |name: &str, scalar: Scalar| {
            let plan = plans.message(root);
            let index = plan.by_name(name).filter(|named| named.is_proto)?.field;
            let field = &plan.fields[index];
            let is_fit = field.shape == Shape::Single && field.kind == Kind::Scalar(scalar);
            (is_fit && field.oneof.is_none()).then_some(field.number)
        };
        Self {
            request_id: single(REQUEST_ID, Scalar::String),
            validate_only: single(VALIDATE_ONLY, Scalar::Bool),
            options: Options {
                int64: Int64Form::Number,
                ..options.clone()
            },
            plans,
            root,
            variables,
            required,
            body,
        }
    }

    /// Of several routes' views the first whose rule is meant by the message, else the first.
    #[must_use]
    pub fn fitting<'v>(views: &'v [Self], wire: &[u8]) -> Option<&'v Self> {
        let mut all = views.iter();
        all.find(|view| view.is_met(wire)).or_else(|| views.first())
    }

    /// Whether every variable and every required query key has a value in the message, so that the rule is meant.
    #[must_use]
    pub fn is_met(&self, wire: &[u8]) -> bool {
        let variables = self.variables.iter().map(|(_, steps)| steps);
        let mut needed = variables.chain(&self.required);
        needed.all(|steps| self.given(wire, steps).is_some())
    }

    /// What a variable of the path would have caught.
    #[must_use]
    pub fn path(&self, wire: &[u8], variable: &str) -> Option<String> {
        let mut variables = self.variables.iter();
        let (_, steps) = variables.find(|(name, _)| name == variable)?;
        let found = self.find(wire, steps)?;
        text(&found.json)
    }

    /// The first value of a query key.
    #[must_use]
    pub fn query(&self, wire: &[u8], key: &str) -> Option<String> {
        let steps = resolve(&self.plans, self.root, key.split('.'))?;
        let is_bound = self.variables.iter().any(|(_, bound)| *bound == steps);
        let in_body = match self.body {
            None => false,
            Some(None) => true,
            Some(Some(field)) => steps.first() == Some(&(self.root, field)),
        };
        if is_bound || in_body {
            return None;
        }
        let json = self.given(wire, &steps)?;
        let mut lexer = Lexer::new(&json);
        if lexer.peek().ok()? != b'[' {
            return text(&json);
        }
        lexer.open(b'[', 0).ok()?;
        let mut first = true;
        lexer.more(b']', &mut first).ok()?.then_some(())?;
        single_text(&mut lexer, false)
    }

    /// A field of the JSON body, by names joined by dots.
    #[must_use]
    pub fn body(&self, wire: &[u8], path: &str) -> Option<String> {
        let names = path.split('.');
        let steps = match self.body? {
            None => resolve(&self.plans, self.root, names)?,
            Some(field) => {
                let inner = nested(&self.plans, self.root, field)?;
                let mut steps = vec![(self.root, field)];
                steps.extend(resolve(&self.plans, inner, names)?);
                steps
            }
        };
        // What the path carries is not in the body.
        if self.variables.iter().any(|(_, bound)| *bound == steps) {
            return None;
        }
        let json = self.given(wire, &steps)?;
        text(&json)
    }

    /// The id of the request, where the method has a place for one and the message fills it.
    #[must_use]
    pub fn request_id(&self, wire: &[u8]) -> Option<String> {
        let at = wire::last_at(wire, &[self.request_id?]).ok()??;
        let id = std::str::from_utf8(&wire[at]).ok()?;
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// Whether the method has a field `validate_only`, with which it changes nothing (AIP-163).
    #[must_use]
    pub fn can_validate_only(&self) -> bool {
        self.validate_only.is_some()
    }

    /// The same message, to be validated only: the last value of a field is the one that counts. Where it has an id it gets
    /// another one, since it is another request. `None` where the method knows no such thing.
    #[must_use]
    pub fn validate_only(&self, message: &[u8], request_id: &str) -> Option<Vec<u8>> {
        let number = self.validate_only?;
        // What follows a part that cannot be read would not be read either.
        is_whole(message).then_some(())?;
        let mut copy = message.to_vec();
        if let Some(number) = self
            .request_id
            .filter(|_| self.request_id(message).is_some())
        {
            wire::put_bytes(&mut copy, number, request_id.as_bytes());
        }
        wire::put_uint(&mut copy, number, 1);
        Some(copy)
    }

    /// The JSON of a field that holds something.
    fn given(&self, wire: &[u8], steps: &Steps) -> Option<Vec<u8>> {
        let found = self.find(wire, steps)?;
        found.is_given.then_some(found.json)
    }

    fn find(&self, wire: &[u8], steps: &Steps) -> Option<Found> {
        let (&(message, index), way) = steps.split_last()?;
        let mut content = Cow::Borrowed(wire);
        for &(message, index) in way {
            content = self.parts(content, message, index)?;
        }
        let is_there = self.is_there(&content, message, index)?;
        let json = |content: &[u8]| {
            let mut writer = Writer::new(&self.plans, &self.options);
            writer.field_of(message, index, content).ok()?;
            Some(writer.finish())
        };
        let shown = json(&content)?;
        let has_presence = self.plans.message(message).fields[index].presence;
        let is_given = is_there && (has_presence || Some(&shown) != json(&[]).as_ref());
        Some(Found {
            json: shown,
            is_given,
        })
    }

    /// The content of a single message, its parts joined as the wire format demands; empty where it is absent.
    fn parts<'w>(
        &self,
        bytes: Cow<'w, [u8]>,
        message: MessageId,
        index: usize,
    ) -> Option<Cow<'w, [u8]>> {
        let mut ranges = Vec::new();
        self.each(&bytes, message, index, |range| match range {
            Some(range) => ranges.push(range),
            None => ranges.clear(),
        })?;
        let range = match ranges.as_slice() {
            [] => return Some(Cow::Borrowed(&[])),
            [range] => range.clone(),
            _ => {
                let parts = ranges.into_iter().flat_map(|range| &bytes[range]);
                return Some(Cow::Owned(parts.copied().collect()));
            }
        };
        Some(match bytes {
            Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[range]),
            Cow::Owned(bytes) => Cow::Owned(bytes[range].to_vec()),
        })
    }

    fn is_there(&self, bytes: &[u8], message: MessageId, index: usize) -> Option<bool> {
        let mut is_there = false;
        self.each(bytes, message, index, |range| is_there = range.is_some())?;
        Some(is_there)
    }

    /// Tells every place of a field, and with `None` every one of a rival in its oneof, which takes it away.
    fn each(
        &self,
        bytes: &[u8],
        message: MessageId,
        index: usize,
        mut tell: impl FnMut(Option<std::ops::Range<usize>>),
    ) -> Option<()> {
        let plan = self.plans.message(message);
        let field = &plan.fields[index];
        let mut cursor = Cursor::new(bytes);
        while !cursor.is_done() {
            let (number, wire) = cursor.tag().ok()?;
            let (start, end) = cursor.skip(number, wire, 0).ok()?;
            if number == field.number && field.takes(wire) {
                tell(Some(start..end));
            } else if field.oneof.is_some() {
                let rival = plan.by_number(number).map(|index| &plan.fields[index]);
                if rival.is_some_and(|rival| rival.oneof == field.oneof && rival.takes(wire)) {
                    tell(None);
                }
            }
        }
        Some(())
    }
}

/// A field as JSON.
struct Found {
    json: Vec<u8>,
    /// Whether the message holds it.
    is_given: bool,
}

/// The text of a single value.
fn text(json: &[u8]) -> Option<String> {
    single_text(&mut Lexer::new(json), false)
}

fn is_whole(message: &[u8]) -> bool {
    let mut cursor = Cursor::new(message);
    while !cursor.is_done() {
        let Ok((number, wire)) = cursor.tag() else {
            return false;
        };
        if wire == WireType::EndGroup || cursor.skip(number, wire, 0).is_err() {
            return false;
        }
    }
    true
}
