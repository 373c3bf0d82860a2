//! Media types of single messages, of streams of them, and of bodies that are no JSON.

use serde_json::{Value, json};

/// The message whose content is the HTTP body itself.
pub(crate) const HTTP_BODY: &str = "google.api.HttpBody";

/// One JSON value.
pub(crate) fn one(schema: &Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

/// Bytes of any type.
pub(crate) fn bytes() -> Value {
    json!({"*/*": {"schema": {"description": "Bytes, of the type that `Content-Type` names."}}})
}

/// What a client streams.
pub(crate) fn sent(schema: &Value) -> Value {
    json!({
        "application/x-ndjson": {"schema": schema},
        "application/json": {"schema": {"type": "array", "items": schema}},
    })
}

/// What a server streams: the client chooses by `Accept`.
pub(crate) fn received(schema: &Value) -> Value {
    json!({
        "application/json": {"schema": {"type": "array", "items": schema}},
        "application/x-ndjson": {"schema": schema},
        "text/event-stream": {"schema": {
            "type": "string",
            "description": "Each event's `data` is one item of the array that `application/json` is.",
        }},
    })
}
