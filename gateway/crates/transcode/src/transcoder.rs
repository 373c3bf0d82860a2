//! One method behind one HTTP rule: path, query and body -> wire bytes, wire bytes -> JSON.
//!
//! The rule is checked against the descriptors when the transcoder is made; what is left to go wrong with a request is
//! the request's own fault and is reported field by field. Parts are written in the order body, query, path: on the
//! wire a later value of a field replaces an earlier one, so the path always wins.
//!
//! Unary methods only.

mod bind;
mod query;
mod request_id;

use bytes::Bytes;
use prost_reflect::MethodDescriptor;

pub use bind::BindError;

use bind::Steps;
use query::Bound;

use crate::json::{
    DecodeError, FieldPlan, Kind, MessageId, Plans, Reader, Shape, Special, Spelling, Writer,
};
use crate::options::Options;
use crate::rule::HttpRule;
use crate::table::Captures;
use crate::violation::Violations;

/// What the JSON body is read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Whole,
    /// Index of a field of the request message.
    Field(usize),
}

/// A unary method behind an HTTP rule, under the options of a route.
#[derive(Debug)]
pub struct Transcoder {
    plans: Plans,
    options: Options,
    grpc_path: String,
    input: MessageId,
    output: MessageId,
    /// The field of every variable of the template, in their order.
    variables: Vec<Steps>,
    body: Body,
    /// Index of the field of the response message that is the answer.
    response_field: Option<usize>,
    /// The variables as numbers from the root of the body.
    provided: Vec<Vec<u32>>,
    /// Index of the field of the request message for the id of a request.
    request_id: Option<usize>,
}

impl Transcoder {
    /// Compiles the messages of a method and checks the rule against them.
    pub fn new(
        method: &MethodDescriptor,
        rule: &HttpRule,
        options: &Options,
    ) -> Result<Self, BindError> {
        bind::bind(method, rule, options)
    }

    /// `/package.Service/Method`, what a gRPC client sends as the path.
    pub fn grpc_path(&self) -> &str {
        &self.grpc_path
    }

    /// The request message on the wire. `captures` are those of the rule's own template; the query and the body are
    /// as they came. `request_id` came beside them, and fills the message's field of that name if it has one.
    pub fn request(
        &self,
        captures: &Captures,
        raw_query: Option<&str>,
        body: &[u8],
        request_id: Option<&str>,
    ) -> Result<Bytes, Violations> {
        let mut bound = Bound::new(self);
        let (mut out, mut violations) = self.read_body(body, &mut bound);
        bound.query(&mut out, &mut violations, raw_query.unwrap_or_default());
        for (steps, value) in self.variables.iter().zip(captures.values()) {
            if let Err(fault) = query::put_text(&self.plans, &mut out, steps, value, true) {
                let field = self.show(steps);
                violations.push(field, fault.kind, fault.predicate);
            }
        }
        if self.options.required && self.body != Body::Whole {
            bound.require(&mut violations);
        }
        if let Some(id) = request_id {
            self.identify(&mut out, &mut violations, id);
        }
        if violations.is_empty() {
            Ok(out.into())
        } else {
            Err(violations)
        }
    }

    /// The answer as JSON.
    pub fn response(&self, wire: &[u8]) -> Result<Bytes, DecodeError> {
        let mut writer = Writer::new(&self.plans, &self.options);
        match self.response_field {
            None => writer.message(self.output, wire, 0)?,
            Some(index) => writer.field_of(self.output, index, wire)?,
        }
        Ok(writer.finish().into())
    }

    fn read_body<'a>(&'a self, body: &'a [u8], bound: &mut Bound<'a>) -> (Vec<u8>, Violations) {
        let field = match self.body {
            Body::None => return Default::default(),
            Body::Whole => None,
            Body::Field(index) => Some(&self.plans.message(self.input).fields[index]),
        };
        let body = match field {
            _ if !body.is_empty() => body,
            Some(field) if !self.is_object(field) => return Default::default(),
            _ => b"{}",
        };
        let mut reader = Reader::new(&self.plans, &self.options, body, &self.provided);
        match field {
            None => reader.document(|reader| reader.content(self.input, 0)),
            Some(field) => reader.document(|reader| {
                if reader.root_field(field)? {
                    bound.note(vec![field.number]);
                }
                Ok(())
            }),
        }
        reader.into_parts()
    }

    fn is_object(&self, field: &FieldPlan) -> bool {
        match (field.shape, field.kind) {
            (Shape::Single, Kind::Message(id)) => self.plans.message(id).special == Special::None,
            _ => false,
        }
    }

    /// The dotted name of a field in the spelling of the route.
    fn show(&self, steps: &Steps) -> String {
        let names = steps.iter().map(|&(message, field)| {
            Spelling(&self.options).show(&self.plans.message(message).fields[field])
        });
        names.collect::<Vec<_>>().join(".")
    }
}
