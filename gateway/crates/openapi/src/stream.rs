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

/// What a server streams: the client chooses by `Accept`. How an error in mid-stream is seen differs.
pub(crate) fn received(schema: &Value) -> Value {
    let mut line = schema.clone();
    line["description"] = json!("One message a line. An error is the last line.");
    json!({
        "application/json": {"schema": {
            "type": "array",
            "items": schema,
            "description": "All messages. An error leaves the array without its end.",
        }},
        "application/x-ndjson": {"schema": line},
        "text/event-stream": {"schema": {
            "type": "string",
            "description": "One message an event, as its `data`. An error is an event `error`; `end` is the last event.",
        }},
    })
}
