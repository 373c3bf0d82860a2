//! The schemas of a document: one for each message and enum under each profile that it is met under.
//!
//! A schema is made when it is first referred to; referring before making is what lets messages contain themselves.

use std::collections::{BTreeMap, BTreeSet};

use banyan_transcode::{EnumForm, Int64Form, NameForm, Options};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::{
    annotations::{self, Resources},
    comments::Comments,
    names::last,
    scalar::{scalar, well_known},
};

/// How JSON looks, and what that is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) profile: &'a str,
    pub(crate) json: &'a Options,
}

impl<'a> Look<'a> {
    pub(crate) fn new(profile: &'a str, json: &'a Options) -> Look<'a> {
        Look { profile, json }
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
    /// Names of schemas that requests contain.
    asked: BTreeSet<String>,
}

impl Schemas {
    pub(crate) fn new(comments: Comments, resources: Resources) -> Schemas {
        Schemas {
            comments,
            resources,
            made: BTreeMap::new(),
            asked: BTreeSet::new(),
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

    /// Notes that a request contains a message, and so all that it contains: what is always there in an answer need not
    /// be there in a request.
    pub(crate) fn ask(&mut self, message: &MessageDescriptor, look: Look<'_>) {
        if !self.asked.insert(name(message.full_name(), look)) {
            return;
        }
        for field in message.fields() {
            if let Kind::Message(inner) = field.kind()
                && !annotations::behavior(&field).output_only
            {
                self.ask(&inner, look);
            }
        }
    }

    pub(crate) fn is_asked(&self, message: &MessageDescriptor, look: Look<'_>) -> bool {
        self.asked.contains(&name(message.full_name(), look))
    }

    /// The schema of a message, by reference where it has fields.
    pub(crate) fn message(&mut self, message: &MessageDescriptor, look: Look<'_>) -> Value {
        if let Some(schema) = well_known(message.full_name(), look.json) {
            return schema;
        }
        let schema = name(message.full_name(), look);
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

pub(crate) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn name(full_name: &str, look: Look<'_>) -> String {
    format!("{full_name}{}", look.suffix())
}
