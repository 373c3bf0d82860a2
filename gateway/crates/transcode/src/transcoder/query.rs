//! Query parameters and path variables: text into fields, nested by dots.
//!
//! A query may fill every field that neither the path nor the body does. Repeated fields come as repeated parameters, the
//! entries of a map as `labels[key]=value` or `labels.key=value`: grpc-gateway takes the first, Envoy takes neither, and a
//! key may hold dots itself. Timestamps, durations, masks and wrappers come as their JSON strings without the quotes;
//! `Struct`, `Value` and `ListValue` as JSON. Other messages, lists of lists and maps of messages have no form in a query.

use std::borrow::Cow;
use std::collections::HashSet;

use super::Transcoder;
use super::bind::{self, Steps};
use super::body::Body;
use super::etag::resource;
use super::text::{Text, put_text};
use crate::json::{Fault, Kind, MessageId, Named, Plans, Shape, Spelling, from_key};
use crate::options::Unknown;
use crate::percent::{self, Undecodable};
use crate::violation::{ViolationKind, Violations};

/// More parameters than this are refused: each is cheap, and a URL has no business with so many.
const PARAMETERS_MAX: usize = 1_000;

/// What has been bound so far, as numbers from the request message.
pub(super) struct Bound<'t> {
    transcoder: &'t Transcoder,
    fields: Vec<Vec<u32>>,
    oneofs: Vec<Choice>,
    /// Keys of maps, as they stand on the wire.
    keys: HashSet<(Vec<u32>, Vec<u8>)>,
}

/// A oneof of which a member is set.
struct Choice {
    message: Vec<u32>,
    oneof: usize,
    member: u32,
}

impl<'t> Bound<'t> {
    pub(super) fn new(transcoder: &'t Transcoder) -> Self {
        let variables = transcoder
            .variables
            .iter()
            .map(|steps| numbers(&transcoder.plans, steps));
        Bound {
            transcoder,
            fields: variables.collect(),
            oneofs: Vec::new(),
            keys: HashSet::new(),
        }
    }

    pub(super) fn note(&mut self, field: Vec<u32>) {
        self.fields.push(field);
    }

    /// Appends every parameter of a query to the message.
    pub(super) fn query(&mut self, out: &mut Vec<u8>, violations: &mut Violations, raw: &str) {
        for (index, pair) in raw.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if index == PARAMETERS_MAX {
                let predicate = "has more than 1000 parameters";
                violations.push("query".to_owned(), ViolationKind::Range, predicate);
                return;
            }
            let (raw_key, raw_value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = percent::decode_query(raw_key)
                .and_then(|key| percent::decode_query(raw_value).map(|value| (key, value)));
            let predicate = match decoded {
                Ok((key, value)) => {
                    self.parameter(out, violations, &key, &value);
                    continue;
                }
                Err(Undecodable::Escape(_)) => "has an invalid percent escape",
                Err(Undecodable::Utf8) => "is not UTF-8",
            };
            violations.push(raw_key.to_owned(), ViolationKind::Syntax, predicate);
        }
    }

    fn parameter(
        &mut self,
        out: &mut Vec<u8>,
        violations: &mut Violations,
        key: &str,
        value: &str,
    ) {
        let transcoder = self.transcoder;
        let Some((steps, map_key)) = self.place(key) else {
            if transcoder.options.unknown_query == Unknown::Reject {
                let predicate = "is not a known query parameter";
                violations.push(key.to_owned(), ViolationKind::Unknown, predicate);
            }
            return;
        };
        if let Err(fault) = self.set(out, &steps, map_key, value) {
            let name = transcoder.show(&steps);
            let name = match map_key {
                Some(key) => format!("{name}[{key:?}]"),
                None => name,
            };
            violations.push(name, fault.kind, fault.predicate);
        }
    }

    fn set(
        &mut self,
        out: &mut Vec<u8>,
        steps: &Steps,
        map_key: Option<&str>,
        value: &str,
    ) -> Result<(), Fault> {
        let explicit = self.claim(steps)?;
        let plans = &self.transcoder.plans;
        let shape = bind::leaf(plans, steps).map(|field| field.shape);
        let entry = match (shape, map_key) {
            (Some(Shape::Map { key: scalar }), Some(key)) => {
                let mut entry = Vec::new();
                from_key(scalar, Cow::Borrowed(key))?.put_field(&mut entry, 1);
                if !self.keys.insert((numbers(plans, steps), entry.clone())) {
                    return Err(Fault::new(ViolationKind::Duplicate, "is given twice"));
                }
                Some(entry)
            }
            _ => None,
        };
        let text = Text {
            value,
            entry: entry.as_deref(),
            explicit,
        };
        put_text(plans, out, steps, text)
    }

    /// The field that a parameter names, and the key in it if it is a map, unless the path or the body fills it.
    fn place<'k>(&self, parameter: &'k str) -> Option<(Steps, Option<&'k str>)> {
        let transcoder = self.transcoder;
        let body = match transcoder.body {
            Body::Whole => return None,
            Body::None => None,
            Body::Field(index) => Some(index),
        };
        let spelling = Spelling(&transcoder.options);
        let accepts = |named: &Named| spelling.accepts(named);
        let (steps, key) = locate(&transcoder.plans, transcoder.input, parameter, accepts)?;
        let in_body = steps.first().is_some_and(|&(_, first)| Some(first) == body);
        (!in_body && !transcoder.variables.contains(&steps)).then_some((steps, key))
    }

    /// Notes that a field is set, and says whether it is repeated and so may be set again.
    fn claim(&mut self, steps: &Steps) -> Result<bool, Fault> {
        let plans = &self.transcoder.plans;
        let path = numbers(plans, steps);
        for (depth, &(message, index)) in steps.iter().enumerate() {
            let field = &plans.message(message).fields[index];
            let Some(oneof) = field.oneof else { continue };
            let parent = &path[..depth];
            let choice = self
                .oneofs
                .iter()
                .find(|choice| choice.message == parent && choice.oneof == oneof);
            match choice {
                Some(choice) if choice.member != field.number => {
                    let predicate = "excludes another field that is set";
                    return Err(Fault::new(ViolationKind::Conflict, predicate));
                }
                Some(_) => {}
                None => self.oneofs.push(Choice {
                    message: parent.to_vec(),
                    oneof,
                    member: field.number,
                }),
            }
        }
        let repeated = bind::leaf(plans, steps).is_some_and(|field| field.shape != Shape::Single);
        let is_again = self.fields.contains(&path);
        if is_again && !repeated {
            return Err(Fault::new(ViolationKind::Duplicate, "is given twice"));
        }
        if !is_again {
            self.fields.push(path);
        }
        Ok(repeated)
    }

    /// Notes the required fields of the request message, and of the messages that a query or a path reaches into,
    /// that are not bound. What came in the body has been seen to by its reader.
    pub(super) fn require(&self, violations: &mut Violations) {
        self.require_in(violations, self.transcoder.input, &mut Vec::new(), "");
    }

    fn require_in(
        &self,
        violations: &mut Violations,
        message: MessageId,
        at: &mut Vec<u32>,
        prefix: &str,
    ) {
        let transcoder = self.transcoder;
        let plan = transcoder.plans.message(message);
        for (index, field) in plan.fields.iter().enumerate() {
            at.push(field.number);
            let is_body = at.len() == 1 && transcoder.body == Body::Field(index);
            let mut bound = self.fields.iter().filter(|bound| bound.starts_with(at));
            let name = format!("{prefix}{}", Spelling(&transcoder.options).show(field));
            if let Kind::Message(inner) = field.kind
                && !is_body
                && bound.clone().any(|bound| bound.len() > at.len())
            {
                self.require_in(violations, inner, at, &format!("{name}."));
            } else if bound.next().is_none() && plan.required.contains(&index) {
                violations.push(name, ViolationKind::Missing, "is required");
            }
            at.pop();
        }
    }
}

pub(super) fn numbers(plans: &Plans, steps: &[(MessageId, usize)]) -> Vec<u32> {
    steps
        .iter()
        .map(|&(message, field)| plans.message(message).fields[field].number)
        .collect()
}

/// Walks the name of a parameter from a message down. What follows the name of a map is a key of it.
fn locate<'k>(
    plans: &Plans,
    root: MessageId,
    parameter: &'k str,
    accepts: impl Fn(&Named) -> bool,
) -> Option<(Steps, Option<&'k str>)> {
    let (mut message, mut rest) = (root, parameter);
    let mut steps = Steps::new();
    loop {
        let plan = plans.message(message);
        // A JSON name may hold any character.
        let whole = plan.by_name(rest).filter(&accepts);
        let end = match whole {
            Some(_) => rest.len(),
            None => rest.find(['.', '[']).unwrap_or(rest.len()),
        };
        let (name, tail) = rest.split_at(end);
        let index = plan.by_name(name).filter(&accepts)?.field;
        steps.push((message, index));
        let field = &plan.fields[index];
        if tail.is_empty() {
            return Some((steps, None));
        }
        if matches!(field.shape, Shape::Map { .. }) {
            let key = match tail.strip_prefix('.') {
                Some(key) => key,
                None => tail.strip_prefix('[')?.strip_suffix(']')?,
            };
            return Some((steps, Some(key)));
        }
        rest = tail.strip_prefix('.')?;
        message = resource(plans, field)?;
    }
}
