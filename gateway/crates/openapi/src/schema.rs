//! The schemas of a document: one for each message and enum under each profile that it is met under.
//!
//! A schema is made when it is first referred to; referring before making is what lets messages contain themselves. What
//! an answer always has need not be in a request, so a message that has such fields has a second schema for requests,
//! with `-input` behind its name.

use std::collections::{BTreeMap, HashMap, HashSet};

use banyan_transcode::{EnumForm, Int64Form, NameForm, Options};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::{
    annotations::{self, Resources},
    comments::Comments,
    message::is_required,
    names::last,
    scalar::{scalar, well_known},
};

/// How JSON looks, and what that is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) profile: &'a str,
    pub(crate) json: &'a Options,
    /// In a request, not in an answer.
    pub(crate) is_request: bool,
}

impl<'a> Look<'a> {
    pub(crate) fn request(profile: &'a str, json: &'a Options) -> Look<'a> {
        Look {
            profile,
            json,
            is_request: true,
        }
    }

    pub(crate) fn answer(profile: &'a str, json: &'a Options) -> Look<'a> {
        Look {
            profile,
            json,
            is_request: false,
        }
    }

    /// `-cinema`, or nothing where JSON looks as protobuf has it.
    fn suffix(&self) -> String {
        let Options {
            int64,
            names,
            defaults,
            enums,
            ..
        } = self.json;
        let is_canonical = (int64, names, enums, defaults)
            == (&Int64Form::String, &NameForm::Json, &EnumForm::Name, &false);
        match is_canonical {
            true => String::new(),
            false => format!("-{}", self.profile),
        }
    }

    /// A field in the profile's spelling.
    pub(crate) fn name(&self, field: &FieldDescriptor) -> String {
        match self.json.names {
            NameForm::Json => field.json_name().to_owned(),
            NameForm::Proto => field.name().to_owned(),
        }
    }
}

/// Schemas in the making.
pub(crate) struct Schemas {
    pub(crate) comments: Comments,
    pub(crate) resources: Resources,
    made: BTreeMap<String, Value>,
    /// Whether schemas of these names are others in requests.
    differ: HashMap<String, bool>,
}

impl Schemas {
    pub(crate) fn new(comments: Comments, resources: Resources) -> Schemas {
        Schemas {
            comments,
            resources,
            made: BTreeMap::new(),
            differ: HashMap::new(),
        }
    }

    /// All that have been made, by name.
    pub(crate) fn finish(self) -> Map<String, Value> {
        self.made.into_iter().collect()
    }

    /// Adds a schema that no descriptor has.
    pub(crate) fn add(&mut self, name: &str, make: impl FnOnce(&mut Schemas) -> Value) -> Value {
        if !self.made.contains_key(name) {
            self.made.insert(name.to_owned(), Value::Null);
            let schema = make(self);
            self.made.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    /// Whether a message, with all that it contains, is another one in requests.
    fn differs(&mut self, name: &str, message: &MessageDescriptor, look: Look<'_>) -> bool {
        if let Some(known) = self.differ.get(name) {
            return *known;
        }
        let differs = has_difference(message, look.json, &mut HashSet::new());
        self.differ.insert(name.to_owned(), differs);
        differs
    }

    /// The schema of a message, by reference where it has fields.
    pub(crate) fn message(&mut self, message: &MessageDescriptor, look: Look<'_>) -> Value {
        if let Some(schema) = well_known(message.full_name(), look.json) {
            return schema;
        }
        let mut schema = name(message.full_name(), look);
        if look.is_request && self.differs(&schema, message, look) {
            schema.push_str("-input");
        }
        self.add(&schema, |schemas| schemas.object(message, look, &[]))
    }

    /// The schema of what a field holds once.
    pub(crate) fn kind(&mut self, kind: &Kind, look: Look<'_>) -> Value {
        match kind {
            Kind::Message(message) => self.message(message, look),
            Kind::Enum(enumeration) => self.enumeration(enumeration, look),
            other => scalar(other, look.json).unwrap_or_default(),
        }
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptor, look: Look<'_>) -> Value {
        if enumeration.full_name() == "google.protobuf.NullValue" {
            return json!({"type": "null"});
        }
        let schema = name(enumeration.full_name(), look);
        self.add(&schema, |schemas| {
            let mut words = schemas.words(&enumeration.parent_file(), enumeration.path());
            let mut values = Vec::new();
            for value in enumeration.values() {
                let (shown, value_as_json) = match look.json.enums {
                    EnumForm::Name => (value.name().to_owned(), json!(value.name())),
                    EnumForm::Number => (
                        format!("{} ({})", value.number(), value.name()),
                        json!(value.number()),
                    ),
                };
                let comment = schemas
                    .comments
                    .of(&enumeration.parent_file(), value.path());
                let comment = comment.split_whitespace().collect::<Vec<_>>().join(" ");
                words.push_str(&format!("\n- `{shown}`: {comment}"));
                if !values.contains(&value_as_json) {
                    values.push(value_as_json);
                }
            }
            let kind = match look.json.enums {
                EnumForm::Name => "string",
                EnumForm::Number => "integer",
            };
            json!({
                "title": last(enumeration.full_name()),
                "type": kind,
                "description": words.trim(),
                "enum": values,
            })
        })
    }

    /// The comment of an element, and an empty line behind it where something may follow.
    pub(crate) fn words(&self, file: &prost_reflect::FileDescriptor, path: &[i32]) -> String {
        let comment = self.comments.of(file, path);
        match comment.is_empty() {
            true => String::new(),
            false => format!("{comment}\n"),
        }
    }
}

fn has_difference(message: &MessageDescriptor, json: &Options, met: &mut HashSet<String>) -> bool {
    if !met.insert(message.full_name().to_owned()) {
        return false;
    }
    message.fields().any(|field| {
        let behavior = annotations::behavior(&field);
        let in_answers = is_required(&field, behavior, false, json);
        let is_inside = match field.kind() {
            Kind::Message(inner) => has_difference(&inner, json, met),
            _ => false,
        };
        is_inside || is_required(&field, behavior, true, json) != in_answers
    })
}

pub(crate) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn name(full_name: &str, look: Look<'_>) -> String {
    format!("{full_name}{}", look.suffix())
}
