//! Messages as JSON objects.
//!
//! What is required: fields that the contract calls so; and in answers the name of a resource, and under a profile that
//! prints defaults every field that cannot be absent. Members of a oneof exclude
//! each other by `not`, which leaves the schema one plain object to readers and generators.

use banyan_transcode::Options;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::{
    annotations::{self, Behavior},
    schema::{Look, Schemas},
};

/// Fields that are not in an object, as ways from it: what the path of a request gives need not be in its body.
pub(crate) type Without<'a> = &'a [&'a [String]];

impl Schemas {
    /// An object of the message's fields, some left out.
    pub(crate) fn object(
        &mut self,
        message: &MessageDescriptor,
        look: Look<'_>,
        without: Without<'_>,
    ) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in message.fields() {
            let ways = || without.iter().filter(|way| way[0] == field.name());
            if ways().any(|way| way.len() == 1) {
                continue;
            }
            let inner: Vec<&[String]> = ways().map(|way| &way[1..]).collect();
            let name = look.name(&field);
            let behavior = annotations::behavior(&field);
            if is_required(&field, behavior, look.is_request, look.json) {
                required.push(json!(name));
            }
            let schema = self.property(&field, behavior, look, &inner);
            properties.insert(name, schema);
        }
        let mut schema = Map::new();
        schema.insert("title".to_owned(), json!(title(message)));
        schema.insert("type".to_owned(), json!("object"));
        let words = self.words(&message.parent_file(), message.path());
        let description = format!("{words}{}", exclusions(message, look));
        if !description.trim().is_empty() {
            schema.insert("description".to_owned(), json!(description.trim()));
        }
        schema.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            schema.insert("required".to_owned(), Value::Array(required));
        }
        if let Some(not) = excluded(message, look) {
            schema.insert("not".to_owned(), not);
        }
        Value::Object(schema)
    }

    /// A field with all that is known of it.
    fn property(
        &mut self,
        field: &FieldDescriptor,
        behavior: Behavior,
        look: Look<'_>,
        without: Without<'_>,
    ) -> Value {
        let schema = match field.kind() {
            Kind::Message(message) if !without.is_empty() => self.object(&message, look, without),
            _ => self.shaped(field, look),
        };
        let Value::Object(mut schema) = schema else {
            return schema;
        };
        self.describe(field, behavior, &mut schema);
        if let Some(pattern) = self.pattern(field, behavior, look) {
            match schema.get_mut("items").and_then(Value::as_object_mut) {
                Some(items) => items.insert("pattern".to_owned(), pattern),
                None => schema.insert("pattern".to_owned(), pattern),
            };
        }
        if behavior.output_only {
            schema.insert("readOnly".to_owned(), json!(true));
        }
        if behavior.input_only {
            schema.insert("writeOnly".to_owned(), json!(true));
        }
        if annotations::is_deprecated(field) {
            schema.insert("deprecated".to_owned(), json!(true));
        }
        Value::Object(schema)
    }

    /// A field's schema as a list, a map or a single value.
    pub(crate) fn shaped(&mut self, field: &FieldDescriptor, look: Look<'_>) -> Value {
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else {
                return json!({"type": "object"});
            };
            let values = self.kind(&entry.map_entry_value_field().kind(), look);
            return json!({"type": "object", "additionalProperties": values});
        }
        let one = self.kind(&field.kind(), look);
        match field.is_list() {
            true => json!({"type": "array", "items": one}),
            false => one,
        }
    }

    /// The field's comment before what its type says of itself.
    pub(crate) fn describe(
        &self,
        field: &FieldDescriptor,
        behavior: Behavior,
        schema: &mut Map<String, Value>,
    ) {
        let mut words = self.words(&field.parent_file(), field.path());
        if behavior.immutable {
            words.push_str("Cannot change after creation.\n");
        }
        if words.is_empty() {
            return;
        }
        if let Some(own) = schema.get("description").and_then(Value::as_str) {
            words.push_str(own);
        }
        schema.insert("description".to_owned(), json!(words.trim_end()));
    }

    /// The form of the resource name that a field holds; it may be empty where a default is printed.
    pub(crate) fn pattern(
        &self,
        field: &FieldDescriptor,
        behavior: Behavior,
        look: Look<'_>,
    ) -> Option<Value> {
        if field.kind() != Kind::String || field.is_map() {
            return None;
        }
        let expression = self.resources.expression(field)?;
        let never_empty = behavior.required || behavior.identifier || !look.json.defaults;
        Some(match never_empty {
            true => json!(format!("^{expression}$")),
            false => json!(format!("^({expression})?$")),
        })
    }
}

/// `Booking.State` of `banyan.reservation.v1.Booking.State`.
fn title(message: &MessageDescriptor) -> &str {
    let package = message.package_name();
    let name = message.full_name().strip_prefix(package);
    name.map_or(message.name(), |name| name.trim_start_matches('.'))
}

/// Whether a field is always there, in requests or in answers.
pub(crate) fn is_required(
    field: &FieldDescriptor,
    behavior: Behavior,
    is_request: bool,
    json: &Options,
) -> bool {
    let is_printed = || json.defaults && !field.supports_presence();
    match is_request {
        true => behavior.required && !behavior.output_only,
        false => !behavior.input_only && (behavior.required || behavior.identifier || is_printed()),
    }
}

/// The names of the members of each oneof, those of one member aside.
fn choices(message: &MessageDescriptor, look: Look<'_>) -> Vec<Vec<String>> {
    let oneofs = message.oneofs().filter(|oneof| !oneof.is_synthetic());
    let names = oneofs.map(|oneof| {
        oneof
            .fields()
            .map(|field| look.name(&field))
            .collect::<Vec<_>>()
    });
    names.filter(|names| names.len() > 1).collect()
}

fn exclusions(message: &MessageDescriptor, look: Look<'_>) -> String {
    let lines = choices(message, look).into_iter().map(|names| {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("\nAt most one of {} is set.\n", names.join(", "))
    });
    lines.collect()
}

/// Every pair of members of one oneof.
fn excluded(message: &MessageDescriptor, look: Look<'_>) -> Option<Value> {
    let mut pairs = Vec::new();
    for names in choices(message, look) {
        for (index, one) in names.iter().enumerate() {
            for other in &names[index + 1..] {
                pairs.push(json!({"required": [one, other]}));
            }
        }
    }
    match pairs.len() {
        0 => None,
        1 => pairs.pop(),
        _ => Some(json!({"anyOf": pairs})),
    }
}
