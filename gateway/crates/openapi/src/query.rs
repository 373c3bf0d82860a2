//! The parameters of an operation: its path's, and in its query whatever neither path nor body holds.
//!
//! Fields of nested messages are named by dots, lists are repeated, and what has no text cannot come in a query. A
//! message that contains itself is followed once.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::{
    annotations,
    operation::Operation,
    path::{Holds, Parameter, Path},
    scalar::{has_text, well_known},
    schema::{Look, Schemas},
};

/// How deep a query may reach into messages; more would be no parameters for people.
const DEPTH_MAX: usize = 4;

/// Parameters of the path, from left to right.
pub(crate) fn of_path(
    schemas: &mut Schemas,
    operation: &Operation,
    look: Look<'_>,
    path: &Path,
) -> Vec<Value> {
    let input = operation.method.input();
    let parameters = path.parameters.iter().map(|parameter| {
        let (schema, description) = path_parameter(schemas, &input, look, parameter);
        let mut made = json!({
            "name": parameter.name,
            "in": "path",
            "required": true,
            "schema": schema,
        });
        if !description.is_empty() {
            made["description"] = json!(description);
        }
        made
    });
    parameters.collect()
}

fn path_parameter(
    schemas: &mut Schemas,
    input: &MessageDescriptor,
    look: Look<'_>,
    parameter: &Parameter,
) -> (Value, String) {
    let text = || json!({"type": "string", "minLength": 1});
    match &parameter.holds {
        Holds::Field(way) => match find(input, way) {
            None => (text(), String::new()),
            Some(field) => {
                let schema = schemas.shaped(&field, look);
                let words = schemas.words(&field.parent_file(), field.path());
                (schema, words.trim_end().to_owned())
            }
        },
        Holds::Part { field, pattern } => {
            let name = field.join(".");
            let words = format!("The `{{{}}}` of `{name}`: `{pattern}`.", parameter.name);
            (text(), words)
        }
        Holds::Rest(way) => {
            let words = way
                .as_ref()
                .and_then(|way| find(input, way))
                .map(|field| schemas.words(&field.parent_file(), field.path()))
                .unwrap_or_default();
            let rest = "Any number of path segments; the slashes between them stay as they are.";
            (json!({"type": "string"}), format!("{words}{rest}"))
        }
        Holds::Anything => (text(), "Any one path segment.".to_owned()),
        Holds::Member(members) => (
            json!({"type": "string", "enum": members}),
            "Where it is served.".to_owned(),
        ),
    }
}

/// Parameters of the query, in order of field number.
pub(crate) fn of_query(schemas: &mut Schemas, operation: &Operation, look: Look<'_>) -> Vec<Value> {
    if operation.rule.body == "*" {
        return Vec::new();
    }
    let variables = operation.rule.template.variables();
    let mut walk = Walk {
        schemas,
        look,
        bound: variables.iter().map(|it| it.field.as_slice()).collect(),
        always: &operation.query,
        way: Vec::new(),
        shown: Vec::new(),
        met: Vec::new(),
        found: Vec::new(),
    };
    walk.message(&operation.method.input(), &operation.rule.body, true);
    walk.found
}

/// A walk through a request message.
struct Walk<'a> {
    schemas: &'a mut Schemas,
    look: Look<'a>,
    /// What the path binds.
    bound: Vec<&'a [String]>,
    /// Keys that are always there.
    always: &'a [String],
    /// Where the walk is, in the contract's spelling and in the profile's.
    way: Vec<String>,
    shown: Vec<String>,
    /// The messages that it is in.
    met: Vec<String>,
    found: Vec<Value>,
}

impl Walk<'_> {
    fn message(&mut self, message: &MessageDescriptor, body: &str, is_needed: bool) {
        self.met.push(message.full_name().to_owned());
        for field in message.fields() {
            if self.way.is_empty() && field.name() == body {
                continue;
            }
            self.way.push(field.name().to_owned());
            self.shown.push(self.look.name(&field));
            if !self.bound.contains(&self.way.as_slice()) {
                self.field(&field, is_needed);
            }
            self.way.pop();
            self.shown.pop();
        }
        self.met.pop();
    }

    fn field(&mut self, field: &FieldDescriptor, is_needed: bool) {
        let behavior = annotations::behavior(field);
        if behavior.output_only {
            return;
        }
        let is_needed = is_needed && behavior.required;
        match field.kind() {
            _ if field.is_map() => self.map(field, is_needed),
            Kind::Message(message) if !has_text(message.full_name()) => {
                let is_object = well_known(message.full_name(), self.look.json).is_none();
                let is_met = self.met.iter().any(|met| met == message.full_name());
                if is_json(message.full_name()) && !field.is_list() {
                    let schema = self.schemas.shaped(field, self.look);
                    let content = json!({"application/json": {"schema": schema}});
                    self.push(field, &[("content", content)], is_needed);
                } else if is_object && !field.is_list() && !is_met && self.met.len() < DEPTH_MAX {
                    self.message(&message, "", is_needed);
                }
            }
            _ => {
                let schema = self.constrained(field);
                self.push(field, &[("schema", schema)], is_needed);
            }
        }
    }

    /// `labels[colour]=red`
    fn map(&mut self, field: &FieldDescriptor, is_needed: bool) {
        let Kind::Message(entry) = field.kind() else {
            return;
        };
        let has_text = match entry.map_entry_value_field().kind() {
            Kind::Message(message) => has_text(message.full_name()),
            _ => true,
        };
        if has_text {
            let schema = self.schemas.shaped(field, self.look);
            let form = [
                ("style", json!("deepObject")),
                ("explode", json!(true)),
                ("schema", schema),
            ];
            self.push(field, &form, is_needed);
        }
    }

    /// The schema with the form that resource names have.
    fn constrained(&mut self, field: &FieldDescriptor) -> Value {
        let mut schema = self.schemas.shaped(field, self.look);
        let behavior = annotations::behavior(field);
        if let (Some(pattern), Value::Object(schema)) = (
            self.schemas.pattern(field, behavior, self.look),
            &mut schema,
        ) {
            match schema.get_mut("items").and_then(Value::as_object_mut) {
                Some(items) => items.insert("pattern".to_owned(), pattern),
                None => schema.insert("pattern".to_owned(), pattern),
            };
        }
        schema
    }

    fn push(&mut self, field: &FieldDescriptor, form: &[(&str, Value)], is_needed: bool) {
        let name = self.shown.join(".");
        let is_needed = is_needed || self.always.contains(&name);
        let mut made = Map::new();
        made.insert("name".to_owned(), json!(name));
        made.insert("in".to_owned(), json!("query"));
        let words = self.schemas.words(&field.parent_file(), field.path());
        if !words.is_empty() {
            made.insert("description".to_owned(), json!(words.trim_end()));
        }
        if is_needed {
            made.insert("required".to_owned(), json!(true));
        }
        if annotations::is_deprecated(field) {
            made.insert("deprecated".to_owned(), json!(true));
        }
        for (key, value) in form {
            made.insert((*key).to_owned(), value.clone());
        }
        self.found.push(Value::Object(made));
    }
}

/// Messages that come in a query as JSON.
fn is_json(full_name: &str) -> bool {
    ["Struct", "Value", "ListValue"]
        .iter()
        .any(|name| full_name.strip_prefix("google.protobuf.") == Some(*name))
}

/// The field at the end of a way.
fn find(message: &MessageDescriptor, way: &[String]) -> Option<FieldDescriptor> {
    let (first, rest) = way.split_first()?;
    let field = message.get_field_by_name(first)?;
    match (rest, field.kind()) {
        ([], _) => Some(field),
        (rest, Kind::Message(inner)) => find(&inner, rest),
        _ => None,
    }
}
