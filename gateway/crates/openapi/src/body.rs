//! What the body of a request holds: every field that the path does not, one field, or nothing.

use prost_reflect::{Kind, MessageDescriptor};
use serde_json::{Value, json};

use crate::{
    annotations,
    operation::Operation,
    schema::{Look, Schemas},
    stream,
};

/// `None` where no body is read.
pub(crate) fn request_body(
    schemas: &mut Schemas,
    operation: &Operation,
    look: Look<'_>,
) -> Option<Value> {
    let input = operation.method.input();
    let (schema, is_required, holder) = match operation.rule.body.as_str() {
        "" => return None,
        "*" => {
            let schema = whole(schemas, operation, look);
            let is_required = schema.get("required").is_some()
                || (schema.get("$ref").is_some() && has_required(&input));
            (schema, is_required, Some(input.clone()))
        }
        name => {
            let field = input.get_field_by_name(name)?;
            let ways = bound(operation);
            let inner: Vec<&[String]> = ways
                .iter()
                .filter(|way| way.len() > 1 && way[0] == name)
                .map(|way| &way[1..])
                .collect();
            let message = match field.kind() {
                Kind::Message(message) if !field.is_list() && !field.is_map() => Some(message),
                _ => None,
            };
            let schema = match &message {
                Some(message) if !inner.is_empty() => schemas.object(message, look, &inner),
                _ => schemas.shaped(&field, look),
            };
            (schema, annotations::behavior(&field).required, message)
        }
    };
    let is_bytes = holder.is_some_and(|message| message.full_name() == stream::HTTP_BODY);
    let content = match operation.method.is_client_streaming() {
        _ if is_bytes => stream::bytes(),
        true => stream::sent(&schema),
        false => stream::one(&schema),
    };
    let mut body = json!({"required": is_required, "content": content});
    if operation.method.is_client_streaming() {
        body["description"] = json!(
            "A stream of messages: one JSON value a line, or one array. What the path and the query hold goes into the \
             first."
        );
    }
    Some(body)
}

/// The request message without what the path holds.
fn whole(schemas: &mut Schemas, operation: &Operation, look: Look<'_>) -> Value {
    let input = operation.method.input();
    match bound(operation).as_slice() {
        [] => schemas.message(&input, look),
        bound => schemas.object(&input, look, bound),
    }
}

fn bound(operation: &Operation) -> Vec<&[String]> {
    let variables = operation.rule.template.variables();
    variables.iter().map(|it| it.field.as_slice()).collect()
}

fn has_required(message: &MessageDescriptor) -> bool {
    message
        .fields()
        .any(|field| annotations::behavior(&field).required)
}
