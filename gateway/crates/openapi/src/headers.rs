//! Headers that mean the same on every operation: described once, referred to where they apply.

use banyan_transcode::Options;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::{operation::Operation, scalar::well_known};

/// Request headers of an operation, by the names of their components.
pub(crate) fn of_request(operation: &Operation) -> Vec<&'static str> {
    let input = operation.method.input();
    let mut names = vec!["RequestTimeout"];
    if has_text(&input, "request_id") {
        names.push("IdempotencyKey");
    }
    if takes_etag(operation) {
        names.push("IfMatch");
    }
    names
}

/// Whether a request has a place for the tag in `If-Match`: itself, or the resource in it.
fn takes_etag(operation: &Operation) -> bool {
    let input = operation.method.input();
    let resource = match operation.rule.body.as_str() {
        "" | "*" => only_message(&input),
        field => message_in(&input, field),
    };
    has_text(&input, "etag") || resource.is_some_and(|resource| has_text(&resource, "etag"))
}

/// Whether an answer has an etag: itself, or in the only message that it holds.
pub(crate) fn has_etag(operation: &Operation) -> bool {
    let output = operation.method.output();
    let shown = message_in(&output, &operation.rule.response_body);
    let inner = shown.or_else(|| only_message(&output));
    has_text(&output, "etag") || inner.is_some_and(|inner| has_text(&inner, "etag"))
}

fn message_in(message: &MessageDescriptor, field: &str) -> Option<MessageDescriptor> {
    single(&message.get_field_by_name(field)?)
}

fn only_message(message: &MessageDescriptor) -> Option<MessageDescriptor> {
    let mut messages = message.fields().filter_map(|field| single(&field));
    let only = messages.next()?;
    messages.next().is_none().then_some(only)
}

/// The message of fields that a field holds once.
fn single(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(inner) if !field.is_list() && !field.is_map() => {
            let is_plain = well_known(inner.full_name(), &Options::default()).is_none();
            is_plain.then_some(inner)
        }
        _ => None,
    }
}

fn has_text(message: &MessageDescriptor, name: &str) -> bool {
    let field = message.get_field_by_name(name);
    field.is_some_and(|field| field.kind() == Kind::String && !field.is_list())
}

/// The parameters that are referred to by name.
pub(crate) fn parameters<'n>(names: impl Iterator<Item = &'n str>) -> Map<String, Value> {
    names
        .map(|name| (name.to_owned(), parameter(name)))
        .collect()
}

fn parameter(name: &str) -> Value {
    let (header, description, schema) = match name {
        "IdempotencyKey" => (
            "Idempotency-Key",
            "Makes a repetition safe, as `request_id` in the body does: a request with the same key and the same \
             content gets the same answer again.",
            json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}),
        ),
        "IfMatch" => (
            "If-Match",
            "Only if it still has this etag, as `etag` in the body.",
            json!({"type": "string", "examples": ["\"5\""]}),
        ),
        _ => (
            "x-request-timeout",
            "How long the caller waits at most: seconds, or a number with `h`, `m`, `s`, `ms`, `us` or `ns`. The route's own \
             limit holds too.",
            json!({"type": "string", "examples": ["1.5", "250ms"]}),
        ),
    };
    json!({"name": header, "in": "header", "description": description, "schema": schema})
}

pub(crate) fn parameter_reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

/// The response headers that are referred to by name.
pub(crate) fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "The id of the request, in logs too.",
            "schema": {"type": "string"},
        },
        "RetryAfter": {
            "description": "Seconds to wait before trying again.",
            "schema": {"type": "integer", "minimum": 0},
        },
        "ETag": {
            "description": "The etag of what was answered.",
            "schema": {"type": "string"},
        },
    })
}

pub(crate) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}
