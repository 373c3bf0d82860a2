//! How one value looks as JSON: scalars, and the messages of `google.protobuf` that have a form of their own.

use banyan_transcode::{Int64Form, Options};
use prost_reflect::Kind;
use serde_json::{Value, json};

/// The schema of a scalar; `None` for messages and enums, which have names.
pub(crate) fn scalar(kind: &Kind, options: &Options) -> Option<Value> {
    let schema = match kind {
        Kind::Double => json!({"type": "number", "format": "double"}),
        Kind::Float => json!({"type": "number", "format": "float"}),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            json!({"type": "integer", "format": "int32"})
        }
        Kind::Uint32 | Kind::Fixed32 => {
            json!({"type": "integer", "format": "uint32", "minimum": 0})
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => match options.int64 {
            Int64Form::String => json!({"type": "string", "format": "int64"}),
            Int64Form::Number => json!({"type": "integer", "format": "int64"}),
        },
        Kind::Uint64 | Kind::Fixed64 => match options.int64 {
            Int64Form::String => json!({"type": "string", "format": "uint64"}),
            Int64Form::Number => json!({"type": "integer", "format": "uint64", "minimum": 0}),
        },
        Kind::Bool => json!({"type": "boolean"}),
        Kind::String => json!({"type": "string"}),
        Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        Kind::Message(_) | Kind::Enum(_) => return None,
    };
    Some(schema)
}

/// The schema of a message of `google.protobuf` that is not an object of its fields.
pub(crate) fn well_known(full_name: &str, options: &Options) -> Option<Value> {
    if let Some(kind) = wrapped(full_name) {
        return scalar(&kind, options).map(nullable);
    }
    let schema = match full_name.strip_prefix("google.protobuf.")? {
        "Timestamp" => json!({
            "type": "string",
            "format": "date-time",
            "examples": ["2026-12-24T15:00:00Z"],
        }),
        "Duration" => json!({
            "type": "string",
            "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$",
            "description": "Seconds with an `s` behind.",
            "examples": ["1.5s"],
        }),
        "FieldMask" => json!({
            "type": "string",
            "description": "Paths of fields, separated by commas.",
            "examples": ["displayName,contact.email"],
        }),
        "Struct" => json!({"type": "object", "additionalProperties": true}),
        "Value" => json!({"description": "Any JSON."}),
        "ListValue" => json!({"type": "array", "items": {}}),
        "Empty" => json!({"type": "object", "maxProperties": 0}),
        "Any" => json!({
            "type": "object",
            "description": "A message of the type that `@type` names.",
            "properties": {
                "@type": {"type": "string", "examples": ["type.googleapis.com/google.rpc.ErrorInfo"]},
            },
            "required": ["@type"],
            "additionalProperties": true,
        }),
        _ => return None,
    };
    Some(schema)
}

/// Whether a message has one text, so that it can stand in a query.
pub(crate) fn has_text(full_name: &str) -> bool {
    wrapped(full_name).is_some()
        || ["Timestamp", "Duration", "FieldMask"]
            .iter()
            .any(|name| full_name.strip_prefix("google.protobuf.") == Some(*name))
}

/// The scalar in a wrapper.
fn wrapped(full_name: &str) -> Option<Kind> {
    let kind = match full_name.strip_prefix("google.protobuf.")? {
        "DoubleValue" => Kind::Double,
        "FloatValue" => Kind::Float,
        "Int64Value" => Kind::Int64,
        "UInt64Value" => Kind::Uint64,
        "Int32Value" => Kind::Int32,
        "UInt32Value" => Kind::Uint32,
        "BoolValue" => Kind::Bool,
        "StringValue" => Kind::String,
        "BytesValue" => Kind::Bytes,
        _ => return None,
    };
    Some(kind)
}

fn nullable(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_64_bits_follow_the_profile() {
        let as_text = Options::default();
        let as_number = Options {
            int64: Int64Form::Number,
            ..Options::default()
        };
        let kind_of =
            |kind: &Kind, options: &Options| scalar(kind, options).unwrap()["type"].clone();
        assert_eq!(kind_of(&Kind::Int64, &as_text), "string");
        assert_eq!(kind_of(&Kind::Int64, &as_number), "integer");
        assert_eq!(kind_of(&Kind::Fixed64, &as_number), "integer");
        let wrapper = well_known("google.protobuf.Int64Value", &as_text).unwrap();
        assert_eq!(wrapper["type"], json!(["string", "null"]));
    }

    #[test]
    fn only_what_has_one_text_can_stand_in_a_query() {
        assert!(has_text("google.protobuf.Timestamp"));
        assert!(has_text("google.protobuf.BoolValue"));
        assert!(!has_text("google.protobuf.Struct"));
        assert!(!has_text("shop.v1.Item"));
    }
}
