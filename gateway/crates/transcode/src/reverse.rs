//! The other direction: a message of a method as the REST call that its HTTP rule describes, and the JSON answer as the
//! method's message.
//!
//! A system that only speaks REST can so answer gRPC clients before a service exists. What a rule says forward is read
//! backward: variables of the template are filled and escaped, a body takes what the rule gives it, everything else
//! becomes query parameters. Whatever a rule cannot carry is refused with the field named; nothing is lost in silence but
//! a plain message that is set and empty, for which a query has no form.
//!
//! Law: what [`Transcoder::request`](crate::Transcoder::request) makes of the call is the message that it was made from.
//! A path is therefore matched against its own template before it is believed.
//!
//! Unary methods only.

mod answer;
mod body;
mod fields;
mod path;
mod query;
mod text;

use bytes::Bytes;
use http::Method;
use prost_reflect::{MessageDescriptor, MethodDescriptor};

use crate::json::{DecodeError, MessageId, Plans, Reader};
use crate::options::{Options, Unknown};
use crate::rule::HttpRule;
use crate::template::{PathTemplate, Segment, Variable};
use crate::violation::{ViolationKind, Violations};
use crate::wire;

use fields::Fields;

pub use answer::status_of;
pub(crate) use fields::{Steps, nested, resolve};
pub(crate) use text::one as single_text;

/// What stands for any bytes with a content type of their own.
const HTTP_BODY: &str = "google.api.HttpBody";

/// One REST request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestCall {
    pub method: Method,
    /// Escaped, with the query: what stands in the first line of a request.
    pub target: String,
    /// `application/json` where there is a body, unless the body is a `google.api.HttpBody`.
    pub content_type: Option<String>,
    pub body: Bytes,
}

/// Why a rule cannot be read backward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReverseError {
    #[error("{method} streams; only unary methods can be called over REST")]
    Streaming { method: String },
    #[error("{method}: {template} has a wildcard that no field fills")]
    Wildcard { method: String, template: String },
    #[error("{method}: the rule names `{field}`, which {message} does not have")]
    UnknownField {
        method: String,
        field: String,
        message: String,
    },
}

/// A unary method and one HTTP rule of it, read backward under the options of a route.
#[derive(Debug)]
pub struct Reverse {
    plans: Plans,
    options: Options,
    lenient: Options,
    method: Method,
    template: PathTemplate,
    input: MessageId,
    output: MessageId,
    /// The field of every variable of the template, in their order.
    variables: Vec<Steps>,
    body: Body,
    /// Index of the field of the response message that the answer is.
    response_field: Option<usize>,
    /// Whether the answer is the content of a `google.api.HttpBody`.
    answers_bytes: bool,
    required: Vec<Required>,
}

/// Where the JSON body comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Whole,
    /// Index of a field of the request message.
    Field(usize),
}

/// A query key without which the route is not found.
#[derive(Debug)]
struct Required {
    key: String,
    /// The field that it names; it may name none.
    steps: Option<Steps>,
}

impl Reverse {
    /// Compiles the messages of a method and resolves what the rule names. `query_required` are the query keys that the
    /// route asks for.
    pub fn new(
        method: &MethodDescriptor,
        rule: &HttpRule,
        query_required: &[String],
        options: &Options,
    ) -> Result<Self, ReverseError> {
        let name = || method.full_name().to_owned();
        if method.is_client_streaming() || method.is_server_streaming() {
            return Err(ReverseError::Streaming { method: name() });
        }
        if has_wildcard(&rule.template) {
            return Err(ReverseError::Wildcard {
                method: name(),
                template: rule.template.to_string(),
            });
        }
        let plans = Plans::of([method.input(), method.output()]);
        let id = |message: &MessageDescriptor| plans.id(message.full_name()).unwrap_or_default();
        let (input, output) = (id(&method.input()), id(&method.output()));
        let way = |message: MessageId, path: &[String]| {
            let names = path.iter().map(String::as_str);
            fields::resolve(&plans, message, names).ok_or_else(|| ReverseError::UnknownField {
                method: name(),
                field: path.join("."),
                message: plans.message(message).name.clone(),
            })
        };
        let single = |message: MessageId, field: &str| {
            way(message, &[field.to_owned()])
                .map(|steps| steps.first().map_or(0, |&(_, index)| index))
        };
        let body = match rule.body.as_str() {
            "" => Body::None,
            "*" => Body::Whole,
            field => Body::Field(single(input, field)?),
        };
        let response_field = match rule.response_body.as_str() {
            "" => None,
            field => Some(single(output, field)?),
        };
        let variables = rule.template.variables().iter();
        let variables = variables
            .map(|variable| way(input, &variable.field))
            .collect::<Result<Vec<_>, _>>()?;
        let required = query_required.iter().map(|key| Required {
            key: key.clone(),
            steps: fields::resolve(&plans, input, key.split('.')),
        });
        let required = required.collect();
        let answers_bytes = fields::target(&plans, output, response_field)
            .is_some_and(|message| plans.message(message).name == HTTP_BODY);
        Ok(Reverse {
            lenient: Options {
                strict: false,
                required: false,
                unknown_fields: Unknown::Ignore,
                ..options.clone()
            },
            options: options.clone(),
            method: rule.method.clone().unwrap_or_else(|| any_method(rule)),
            template: rule.template.clone(),
            plans,
            input,
            output,
            variables,
            body,
            response_field,
            answers_bytes,
            required,
        })
    }

    /// Whether every variable and every required query key has a value in the message.
    pub fn is_met(&self, wire: &[u8]) -> bool {
        let required = self.required.iter().filter_map(|key| key.steps.as_ref());
        self.variables
            .iter()
            .chain(required)
            .all(|steps| fields::is_set(&self.plans, wire, steps))
    }

    /// The REST call of a message.
    ///
    /// # Errors
    /// If the bytes are not the method's message, or it holds what the rule has no place for.
    pub fn request(&self, wire: &[u8]) -> Result<RestCall, Violations> {
        let fields =
            Fields::split(&self.plans, self.input, wire).map_err(|error| broken(&error))?;
        let mut target = self.path(wire)?;
        let query = self.query(&fields)?;
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query);
        }
        let (content_type, body) = self.content(&fields)?;
        Ok(RestCall {
            method: self.method.clone(),
            target,
            content_type,
            body,
        })
    }

    /// The method's message from the answer to the call. The answer is read leniently: it was not written for this
    /// contract. No body at all is an empty message.
    ///
    /// # Errors
    /// If the answer is not JSON, or a value does not fit its field.
    pub fn response(&self, content_type: &str, body: &[u8]) -> Result<Bytes, Violations> {
        if self.answers_bytes {
            return Ok(self.bytes(content_type, body));
        }
        if body.is_empty() {
            return Ok(Bytes::new());
        }
        let mut reader = Reader::new(&self.plans, &self.lenient, body, &[]);
        match self.response_field {
            None => reader.document(|reader| reader.content(self.output, 0)),
            Some(index) => {
                let field = &self.plans.message(self.output).fields[index];
                reader.document(|reader| reader.root_field(field).map(drop));
            }
        }
        reader.finish().map(Bytes::from)
    }

    /// A `google.api.HttpBody`, or a message with one in it.
    fn bytes(&self, content_type: &str, body: &[u8]) -> Bytes {
        let put = |out: &mut Vec<u8>| {
            wire::put_bytes(out, 1, content_type.as_bytes());
            wire::put_bytes(out, 2, body);
        };
        let mut out = Vec::with_capacity(body.len() + content_type.len() + 16);
        match self.response_field {
            None => put(&mut out),
            Some(index) => {
                let number = self.plans.message(self.output).fields[index].number;
                wire::put_nested(&mut out, number, put);
            }
        }
        out.into()
    }
}

/// The REST call of a message by the best of several rules of its method: the first whose variables and required query
/// keys are all set and that can carry the message, else the first that can carry it.
///
/// # Errors
/// What the first rule says, if no rule can carry the message.
pub fn call(rules: &[Reverse], wire: &[u8]) -> Result<(usize, RestCall), Violations> {
    let mut first = None;
    let mut try_all = |met: bool| {
        for (index, rule) in rules.iter().enumerate() {
            if rule.is_met(wire) == met {
                match rule.request(wire) {
                    Ok(call) => return Some((index, call)),
                    Err(violations) => {
                        first.get_or_insert(violations);
                    }
                }
            }
        }
        None
    };
    match try_all(true).or_else(|| try_all(false)) {
        Some(found) => Ok(found),
        None => Err(first.unwrap_or_default()),
    }
}

/// For a rule of any method: what a request with or without a body usually is.
fn any_method(rule: &HttpRule) -> Method {
    match rule.body.as_str() {
        "" => Method::GET,
        _ => Method::POST,
    }
}

/// Whether a `*` or `**` stands outside of every variable.
fn has_wildcard(template: &PathTemplate) -> bool {
    let is_bound = |at: usize| {
        let covers = |variable: &Variable| variable.segments.contains(&at);
        template.variables().iter().any(covers)
    };
    let segments = template.segments().iter().enumerate();
    segments
        .filter(|(_, segment)| !matches!(segment, Segment::Literal(_)))
        .any(|(at, _)| !is_bound(at))
}

/// Bytes that are no message.
fn broken(error: &DecodeError) -> Violations {
    let mut violations = Violations::default();
    let predicate = format!("cannot be read: {error}");
    violations.push(String::new(), ViolationKind::Syntax, &predicate);
    violations
}

/// One field that a rule has no place for.
fn unfit(field: String, predicate: &str) -> Violations {
    let mut violations = Violations::default();
    violations.push(field, ViolationKind::Type, predicate);
    violations
}
