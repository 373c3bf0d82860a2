//! How errors look: one response for each shape that a document's operations have.

use std::collections::BTreeSet;

use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};

use crate::{
    headers,
    operation::ErrorShape,
    schema::{Look, Schemas},
};

/// Details that the errors of the shape `google` may have, as far as the pool declares them.
const DETAILS: [&str; 9] = [
    "google.rpc.ErrorInfo",
    "google.rpc.BadRequest",
    "google.rpc.PreconditionFailure",
    "google.rpc.ResourceInfo",
    "google.rpc.RetryInfo",
    "google.rpc.QuotaFailure",
    "google.rpc.RequestInfo",
    "google.rpc.Help",
    "google.rpc.LocalizedMessage",
];

const ANY: &str = "google.protobuf.Any";

/// The name of the response, and of its schema.
pub(crate) fn name(shape: ErrorShape) -> &'static str {
    match shape {
        ErrorShape::Google => "Error",
        ErrorShape::Simple => "Error-simple",
        ErrorShape::Provider => "Error-provider",
        ErrorShape::Problem => "Error-problem",
    }
}

/// The responses of all shapes that are used.
pub(crate) fn responses(
    schemas: &mut Schemas,
    pools: &[DescriptorPool],
    shapes: &BTreeSet<ErrorShape>,
) -> Map<String, Value> {
    let responses = shapes.iter().map(|&shape| {
        let schema = schemas.add(name(shape), |schemas| match shape {
            ErrorShape::Google => google(schemas, pools),
            ErrorShape::Simple => simple(),
            ErrorShape::Provider => provider(),
            ErrorShape::Problem => problem(),
        });
        let media = match shape {
            ErrorShape::Problem => "application/problem+json",
            _ => "application/json",
        };
        let response = json!({
            "description": "It was refused, or it failed.",
            "headers": {
                "x-request-id": headers::reference("RequestId"),
                "Retry-After": headers::reference("RetryAfter"),
            },
            "content": {media: {"schema": schema}},
        });
        (name(shape).to_owned(), response)
    });
    responses.collect()
}

fn google(schemas: &mut Schemas, pools: &[DescriptorPool]) -> Value {
    let details = details(schemas, pools);
    json!({
        "title": "Error",
        "type": "object",
        "description": "A `google.rpc.Status`.",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "integer", "description": "The HTTP status.", "examples": [404]},
                    "status": {
                        "type": "string",
                        "description": "The `google.rpc.Code`.",
                        "examples": ["NOT_FOUND"],
                    },
                    "message": {
                        "type": "string",
                        "description": "What went wrong, for developers, in English.",
                    },
                    "details": details,
                },
                "required": ["code", "status", "message"],
            },
        },
        "required": ["error"],
    })
}

/// Details with their types; others are met too, by whoever is newer than the document.
fn details(schemas: &mut Schemas, pools: &[DescriptorPool]) -> Value {
    let options = Default::default();
    let look = Look::answer("", &options);
    let mut known = Vec::new();
    for name in DETAILS {
        let mut found = pools
            .iter()
            .filter_map(|pool| pool.get_message_by_name(name));
        if let Some(message) = found.next() {
            let schema = schemas.message(&message, look);
            known.push(json!({"allOf": [schema, {
                "type": "object",
                "properties": {"@type": {"const": format!("type.googleapis.com/{name}")}},
                "required": ["@type"],
            }]}));
        }
    }
    let any = crate::scalar::well_known(ANY, &options).unwrap_or_default();
    let any = schemas.add(ANY, |_| any);
    known.push(any);
    json!({"type": "array", "items": {"anyOf": known}})
}

fn simple() -> Value {
    json!({
        "title": "Error",
        "type": "object",
        "properties": {"error": {"type": "string", "description": "What went wrong."}},
        "required": ["error"],
    })
}

fn provider() -> Value {
    json!({
        "title": "Errors",
        "type": "object",
        "properties": {
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "title": {"type": "string", "examples": ["Not found"]},
                        "detail": {"type": "string", "examples": ["movie_id 7 not found"]},
                    },
                    "required": ["title", "detail"],
                },
            },
        },
        "required": ["errors"],
    })
}

fn problem() -> Value {
    let text = |words: &str| json!({"type": "string", "description": words});
    json!({
        "title": "Problem",
        "type": "object",
        "description": "A problem (RFC 9457).",
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "examples": ["about:blank"]},
            "title": text("What the HTTP status is called."),
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": text("What went wrong, for developers, in English."),
            "code": text("The `google.rpc.Code`."),
            "reason": text("Why, in a form that programs decide on."),
            "domain": text("Who gives the reason."),
            "metadata": {
                "type": "object",
                "description": "Further facts.",
                "additionalProperties": {"type": "string"},
            },
            "violations": {
                "type": "array",
                "description": "What is wrong with the request.",
                "items": {
                    "type": "object",
                    "properties": {
                        "field": {"type": "string"},
                        "detail": {"type": "string"},
                        "reason": {"type": "string"},
                    },
                },
            },
        },
        "required": ["type", "title", "status", "detail", "code"],
    })
}

/// A reference to the response of a shape.
pub(crate) fn response(shape: ErrorShape) -> Value {
    json!({"$ref": format!("#/components/responses/{}", name(shape))})
}
