//! A rule against the descriptors, once, when a route is loaded.

use http::Method;
use prost_reflect::{MessageDescriptor, MethodDescriptor};

use super::body::Body;
use super::mask::Update;
use super::{Transcoder, etag, http_body, request_id};
use crate::json::{FieldPlan, Kind, MessageId, Named, Plans, Shape, Special};
use crate::options::Options;
use crate::rule::HttpRule;

/// The way from the request message to a field: message and index of the field in it, step by step.
pub(super) type Steps = Vec<(MessageId, usize)>;

/// Why a rule does not fit its method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    #[error("{method}: {template} binds `{field}`, which {message} does not have")]
    UnknownVariable {
        method: String,
        template: String,
        field: String,
        message: String,
    },
    #[error("{method}: {template} binds `{field}`, which is {what}; a path can hold one scalar")]
    UnfitVariable {
        method: String,
        template: String,
        field: String,
        what: &'static str,
    },
    #[error("{method}: {template} binds `{field}`, which is the body too")]
    BoundTwice {
        method: String,
        template: String,
        field: String,
    },
    #[error("{method}: the {part} is `{field}`, which {message} does not have")]
    UnknownBody {
        method: String,
        part: &'static str,
        field: String,
        message: String,
    },
}

/// A method and its rule, while they are compared.
struct Binder<'a> {
    method: &'a MethodDescriptor,
    rule: &'a HttpRule,
    plans: Plans,
}

pub(super) fn bind(
    method: &MethodDescriptor,
    rule: &HttpRule,
    options: &Options,
) -> Result<Transcoder, BindError> {
    let plans = Plans::of([method.input(), method.output()]);
    let binder = Binder {
        method,
        rule,
        plans,
    };
    let (input, output) = (
        binder.message(&method.input()),
        binder.message(&method.output()),
    );
    let body = match rule.body.as_str() {
        "" => Body::None,
        "*" => Body::Whole,
        name => Body::Field(binder.field(input, "body", name)?),
    };
    let response_field = match rule.response_body.as_str() {
        "" => None,
        name => Some(binder.field(output, "response body", name)?),
    };
    let variables = binder.variables(input, body)?;
    let plans = binder.plans;
    let provided: Vec<_> = variables
        .iter()
        .filter_map(|steps| provided(&plans, steps, body))
        .collect();
    let updates = rule.method == Some(Method::PATCH) && !method.is_client_streaming();
    let update = updates.then(|| Update::of(&plans, input, body, &provided));
    let body_field = match body {
        Body::Field(index) => Some(index),
        Body::None | Body::Whole => None,
    };
    Ok(Transcoder {
        grpc_path: format!("/{}/{}", method.parent_service().full_name(), method.name()),
        options: options.clone(),
        input,
        output,
        client_streams: method.is_client_streaming(),
        server_streams: method.is_server_streaming(),
        takes_raw: body != Body::None && http_body::is_raw(&plans, input, body_field),
        answers_raw: http_body::is_raw(&plans, output, response_field),
        request_id: request_id::field(plans.message(input)),
        etag_in: etag::of_request(&plans, input, body),
        etag_out: etag::of_answer(&plans, output, response_field),
        update: update.flatten(),
        variables,
        body,
        response_field,
        provided,
        plans,
    })
}

impl Binder<'_> {
    /// Both messages of a method are roots of the plans, so they have an index.
    fn message(&self, descriptor: &MessageDescriptor) -> MessageId {
        self.plans.id(descriptor.full_name()).unwrap_or_default()
    }

    /// The index of the field that a rule names as a body.
    fn field(
        &self,
        message: MessageId,
        part: &'static str,
        name: &str,
    ) -> Result<usize, BindError> {
        let plan = self.plans.message(message);
        let named = plan.by_name(name).filter(|named| named.is_proto);
        named
            .map(|named| named.field)
            .ok_or_else(|| BindError::UnknownBody {
                method: self.method.full_name().to_owned(),
                part,
                field: name.to_owned(),
                message: plan.name.clone(),
            })
    }

    fn variables(&self, input: MessageId, body: Body) -> Result<Vec<Steps>, BindError> {
        let variables = self.rule.template.variables();
        variables
            .iter()
            .map(|variable| self.variable(input, body, &variable.field))
            .collect()
    }

    fn variable(&self, input: MessageId, body: Body, names: &[String]) -> Result<Steps, BindError> {
        let method = self.method.full_name().to_owned();
        let template = self.rule.template.to_string();
        let field = names.join(".");
        let names = names.iter().map(String::as_str);
        let Some(steps) = resolve(&self.plans, input, names, |named| named.is_proto) else {
            let message = self.plans.message(input).name.clone();
            return Err(BindError::UnknownVariable {
                method,
                template,
                field,
                message,
            });
        };
        if let Some(what) = leaf(&self.plans, &steps).and_then(unfit) {
            return Err(BindError::UnfitVariable {
                method,
                template,
                field,
                what,
            });
        }
        match (body, steps.as_slice()) {
            (Body::Field(body), [(_, bound)]) if body == *bound => Err(BindError::BoundTwice {
                method,
                template,
                field,
            }),
            _ => Ok(steps),
        }
    }
}

fn unfit(field: &FieldPlan) -> Option<&'static str> {
    match (field.shape, field.kind) {
        (Shape::List { .. }, _) => Some("repeated"),
        (Shape::Map { .. }, _) => Some("a map"),
        (Shape::Single, Kind::Message(_) | Kind::Group(_)) => Some("a message"),
        (Shape::Single, Kind::Scalar(_)) => None,
    }
}

/// Numbers from the root of the body; `None` for a variable that lies outside of it.
fn provided(plans: &Plans, steps: &Steps, body: Body) -> Option<Vec<u32>> {
    let steps = match (body, steps.as_slice()) {
        (Body::Whole, steps) => steps,
        // The path of the reader begins inside of the body field.
        (Body::Field(field), [(_, first), rest @ ..]) if *first == field => rest,
        (Body::None | Body::Field(_), _) => return None,
    };
    Some(
        steps
            .iter()
            .map(|&(message, field)| plans.message(message).fields[field].number)
            .collect(),
    )
}

/// The field that a way ends at.
pub(super) fn leaf<'p>(plans: &'p Plans, steps: &Steps) -> Option<&'p FieldPlan> {
    steps
        .last()
        .map(|&(message, field)| &plans.message(message).fields[field])
}

/// Walks names from a message down through single messages; `accepts` says which spellings count.
pub(super) fn resolve<'n>(
    plans: &Plans,
    root: MessageId,
    names: impl Iterator<Item = &'n str>,
    accepts: impl Fn(&Named) -> bool,
) -> Option<Steps> {
    let mut message = Some(root);
    let mut steps = Steps::new();
    for name in names {
        let plan = plans.message(message?);
        let named = plan.by_name(name).filter(&accepts)?;
        steps.push((message?, named.field));
        let field = &plan.fields[named.field];
        message = match (field.shape, field.kind) {
            (Shape::Single, Kind::Message(id)) if plans.message(id).special == Special::None => {
                Some(id)
            }
            _ => None,
        };
    }
    Some(steps)
}
