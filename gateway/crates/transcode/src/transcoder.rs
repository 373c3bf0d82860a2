//! One method behind one HTTP rule: path, query and body -> wire bytes, wire bytes -> JSON.
//!
//! The rule is checked against the descriptors when the transcoder is made; what is left to go wrong with a request is
//! the request's own fault and is reported field by field. Parts are written in the order body, query, path: on the
//! wire a later value of a field replaces an earlier one, so the path always wins.
//!
//! A stream is its items: path, query and headers belong to the first message of a client ([`Transcoder::first`]), the
//! later ones are made of an item each ([`Transcoder::item`]), and every message of a server is converted by itself. Who
//! splits and frames them is the caller; [`crate::Pieces`] splits a body.

mod bind;
mod body;
mod etag;
mod http_body;
mod incoming;
mod mask;
mod query;
mod request_id;
mod text;

use bytes::Bytes;
use prost_reflect::MethodDescriptor;

pub use bind::BindError;
pub use etag::entity_tag;
pub use http_body::HttpBody;
pub use incoming::Incoming;

use bind::Steps;
use body::Body;
use mask::Update;
use query::Bound;
use text::{Text, put_text};

use crate::json::{DecodeError, MessageId, Plans, Spelling, Writer};
use crate::options::Options;
use crate::rule::HttpRule;
use crate::violation::Violations;

/// A method behind an HTTP rule, under the options of a route.
#[derive(Debug)]
pub struct Transcoder {
    plans: Plans,
    options: Options,
    grpc_path: String,
    input: MessageId,
    output: MessageId,
    client_streams: bool,
    server_streams: bool,
    /// The field of every variable of the template, in their order.
    variables: Vec<Steps>,
    body: Body,
    /// The body is bytes of any kind and not JSON.
    takes_raw: bool,
    /// Index of the field of the response message that is the answer.
    response_field: Option<usize>,
    answers_raw: bool,
    /// The variables as numbers from the root of the body.
    provided: Vec<Vec<u32>>,
    /// Index of the field of the request message for the id of a request.
    request_id: Option<usize>,
    etag_in: Option<Steps>,
    etag_out: Option<Steps>,
    update: Option<Update>,
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

    pub fn is_client_streaming(&self) -> bool {
        self.client_streams
    }

    pub fn is_server_streaming(&self) -> bool {
        self.server_streams
    }

    /// The request message on the wire.
    pub fn request(&self, incoming: &Incoming<'_>) -> Result<Bytes, Violations> {
        let mut bound = Bound::new(self);
        let (mut out, mut violations) =
            self.read_body(incoming.body, incoming.content_type, &mut bound);
        bound.query(
            &mut out,
            &mut violations,
            incoming.query.unwrap_or_default(),
        );
        for (steps, value) in self.variables.iter().zip(incoming.captures.values()) {
            if let Err(fault) = put_text(&self.plans, &mut out, steps, Text::explicit(value)) {
                violations.push(self.show(steps), fault.kind, fault.predicate);
            }
        }
        if self.options.required && self.body != Body::Whole {
            bound.require(&mut violations);
        }
        if let Some(id) = incoming.request_id {
            self.identify(&mut out, &mut violations, id);
        }
        if let Some(header) = incoming.if_match {
            self.guard(&mut out, &mut violations, header);
        }
        self.mask(&mut out, &mut violations, incoming.body);
        finish(out, violations)
    }

    /// The first message of a client's stream: its first item, with what path, query and headers bind.
    pub fn first(&self, incoming: &Incoming<'_>) -> Result<Bytes, Violations> {
        self.request(incoming)
    }

    /// A later message of a client's stream. What the path binds is in the first one and not missed in this.
    pub fn item(&self, body: &[u8]) -> Result<Bytes, Violations> {
        let mut bound = Bound::new(self);
        let (out, violations) = self.read_body(body, None, &mut bound);
        finish(out, violations)
    }

    /// The answer, or one message of a streamed one, as JSON.
    pub fn response(&self, wire: &[u8]) -> Result<Bytes, DecodeError> {
        let mut writer = Writer::new(&self.plans, &self.options);
        match self.response_field {
            None => writer.document(self.output, wire)?,
            Some(index) => writer.field_of(self.output, index, wire)?,
        }
        Ok(writer.finish().into())
    }

    /// The dotted name of a field in the spelling of the route.
    fn show(&self, steps: &[(MessageId, usize)]) -> String {
        let names = steps.iter().map(|&(message, field)| {
            Spelling(&self.options).show(&self.plans.message(message).fields[field])
        });
        names.collect::<Vec<_>>().join(".")
    }

    /// The same as it stands in the body, where that is one field of the message.
    fn show_in_body(&self, steps: &[(MessageId, usize)]) -> String {
        match steps {
            [(_, first), rest @ ..] if self.body == Body::Field(*first) => self.show(rest),
            steps => self.show(steps),
        }
    }
}

fn finish(out: Vec<u8>, violations: Violations) -> Result<Bytes, Violations> {
    if violations.is_empty() {
        Ok(out.into())
    } else {
        Err(violations)
    }
}
