//! Query parameters and path variables: text into fields, nested by dots.
//!
//! A query may fill every field that neither the path nor the body does. Repeated fields come as repeated parameters;
//! maps, lists and messages without a text form cannot come in a query.

use std::borrow::Cow;

use super::bind::{self, Steps};
use super::{Body, Transcoder};
use crate::json::{
    Fault, FieldPlan, Kind, MessageId, Plans, Shape, Special, Spelling, from_text, put_text_content,
};
use crate::options::Unknown;
use crate::percent::{self, Undecodable};
use crate::violation::{ViolationKind, Violations};
use crate::wire::{self, WireType};

/// More parameters than this are refused: each is cheap, and a URL has no business with so many.
const PARAMETERS_MAX: usize = 1_000;

/// What has been bound so far, as numbers from the request message.
pub(super) struct Bound<'t> {
    transcoder: &'t Transcoder,
    fields: Vec<Vec<u32>>,
    oneofs: Vec<Choice>,
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
        let Some(steps) = self.steps(key) else {
            if transcoder.options.unknown_query == Unknown::Reject {
                let predicate = "is not a known query parameter";
                violations.push(key.to_owned(), ViolationKind::Unknown, predicate);
            }
            return;
        };
        let result = self
            .claim(&steps)
            .and_then(|repeated| put_text(&transcoder.plans, out, &steps, value, repeated));
        if let Err(fault) = result {
            violations.push(transcoder.show(&steps), fault.kind, fault.predicate);
        }
    }

    /// The field that a parameter names, unless the path or the body fills it.
    fn steps(&self, key: &str) -> Option<Steps> {
        let transcoder = self.transcoder;
        let body = match transcoder.body {
            Body::Whole => return None,
            Body::None => None,
            Body::Field(index) => Some(index),
        };
        let spelling = Spelling(&transcoder.options);
        let accepts = |named: &_| spelling.accepts(named);
        let steps = bind::resolve(&transcoder.plans, transcoder.input, key.split('.'), accepts)?;
        let in_body = steps.first().is_some_and(|&(_, first)| Some(first) == body);
        (!in_body && !transcoder.variables.contains(&steps)).then_some(steps)
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

fn numbers(plans: &Plans, steps: &Steps) -> Vec<u32> {
    steps
        .iter()
        .map(|&(message, field)| plans.message(message).fields[field].number)
        .collect()
}

/// Appends one field from its text, inside of the messages on its way. A default is left out unless `explicit`.
pub(super) fn put_text(
    plans: &Plans,
    out: &mut Vec<u8>,
    steps: &[(MessageId, usize)],
    text: &str,
    explicit: bool,
) -> Result<(), Fault> {
    let Some((&(message, index), rest)) = steps.split_first() else {
        return Ok(());
    };
    let field = &plans.message(message).fields[index];
    if rest.is_empty() {
        return put_leaf(plans, out, field, text, explicit);
    }
    wire::put_tag(out, field.number, WireType::Bytes);
    let start = wire::open_len(out);
    put_text(plans, out, rest, text, explicit)?;
    wire::close_len(out, start);
    Ok(())
}

fn put_leaf(
    plans: &Plans,
    out: &mut Vec<u8>,
    field: &FieldPlan,
    text: &str,
    explicit: bool,
) -> Result<(), Fault> {
    let unfit = || Fault::new(ViolationKind::Type, "cannot be given as a query parameter");
    let id = match (field.shape, field.kind) {
        (Shape::Map { .. }, _) | (_, Kind::Group(_)) => return Err(unfit()),
        (_, Kind::Scalar(scalar)) => {
            let raw = from_text(plans, scalar, Cow::Borrowed(text))?;
            if explicit || field.presence || !raw.is_default() {
                raw.put_field(out, field.number);
            }
            return Ok(());
        }
        (_, Kind::Message(id)) => id,
    };
    let mut content = Vec::new();
    match plans.message(id).special {
        Special::Wrapper(scalar) => {
            let raw = from_text(plans, scalar, Cow::Borrowed(text))?;
            if !raw.is_default() {
                raw.put_field(&mut content, 1);
            }
        }
        special @ (Special::Timestamp | Special::Duration | Special::FieldMask) => {
            put_text_content(&mut content, special, text, true)?;
        }
        _ => return Err(unfit()),
    }
    wire::put_bytes(out, field.number, &content);
    Ok(())
}
