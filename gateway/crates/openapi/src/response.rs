//! What an operation answers: a success in the shape of its message, and errors in the shape of its route.

use http::StatusCode;
use prost_reflect::{Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::{
    errors, headers,
    operation::{Access, Operation},
    schema::{Look, Schemas},
    stream,
};

pub(crate) fn responses(
    schemas: &mut Schemas,
    operation: &Operation,
    look: Look<'_>,
) -> Map<String, Value> {
    let mut responses = Map::new();
    let success = success(schemas, operation, look);
    responses.insert(operation.success.as_str().to_owned(), success);
    for (status, body) in &operation.error_bodies {
        responses.insert(status.as_str().to_owned(), fixed(*status, body));
    }
    for range in ["4XX", "5XX"] {
        responses.insert(range.to_owned(), errors::response(operation.errors));
    }
    responses
}

fn success(schemas: &mut Schemas, operation: &Operation, look: Look<'_>) -> Value {
    let output = operation.method.output();
    let (schema, answer) = answer(schemas, operation, &output, look);
    let is_bytes = answer.is_some_and(|message| message.full_name() == stream::HTTP_BODY);
    let is_stream = operation.method.is_server_streaming();
    let content = match is_stream {
        _ if is_bytes => stream::bytes(),
        true => stream::received(&schema),
        false => stream::one(&schema),
    };
    let mut headers = Map::new();
    headers.insert("x-request-id".to_owned(), headers::reference("RequestId"));
    if headers::has_etag(operation) && !is_stream {
        headers.insert("ETag".to_owned(), headers::reference("ETag"));
    }
    let mut description = match is_stream {
        true => "A stream of messages; the form is chosen by `Accept`.".to_owned(),
        false => reason(operation.success),
    };
    if operation.access == Access::Guest {
        description.push_str(" Whoever came without the guest's cookie is given one.");
    }
    json!({"description": description, "headers": headers, "content": content})
}

/// The schema of one answer, and the message that it is, if it is one.
fn answer(
    schemas: &mut Schemas,
    operation: &Operation,
    output: &MessageDescriptor,
    look: Look<'_>,
) -> (Value, Option<MessageDescriptor>) {
    let field = output.get_field_by_name(&operation.rule.response_body);
    match field {
        None => (schemas.message(output, look), Some(output.clone())),
        Some(field) => {
            let schema = schemas.shaped(&field, look);
            match field.kind() {
                Kind::Message(message) if !field.is_list() && !field.is_map() => {
                    (schema, Some(message))
                }
                _ => (schema, None),
            }
        }
    }
}

/// An error whose body is always the same.
fn fixed(status: StatusCode, body: &str) -> Value {
    let example = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
    json!({
        "description": reason(status),
        "headers": {"x-request-id": headers::reference("RequestId")},
        "content": {"application/json": {"schema": {"const": example}}},
    })
}

fn reason(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{reason}."),
        None => format!("Status {status}."),
    }
}
