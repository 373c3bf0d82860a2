//! Descriptors -> plans, once, when a route is loaded.

use std::collections::HashMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind as Described, MessageDescriptor, Value};

use super::hash::Table;
use super::number;
use super::plan::{
    DENSE_MAX, ENUM_DENSE_MAX, EnumId, EnumPlan, FieldPlan, Kind, MessageId, MessagePlan, NO_FIELD,
    Named, Plans, Scalar, Shape, Special,
};

/// Messages and enums get their index when they are first met and their plan when their turn comes.
#[derive(Default)]
pub(super) struct Compiler {
    queue: Vec<MessageDescriptor>,
    ids: HashMap<String, MessageId>,
    enums: Vec<EnumPlan>,
    enum_ids: HashMap<String, EnumId>,
}

impl Compiler {
    pub(super) fn run(mut self) -> Plans {
        let mut messages = Vec::new();
        while let Some(descriptor) = self.queue.get(messages.len()).cloned() {
            messages.push(self.plan(&descriptor));
        }
        Plans {
            messages,
            enums: self.enums,
            by_name: self.ids,
        }
    }

    pub(super) fn message(&mut self, descriptor: &MessageDescriptor) -> MessageId {
        if let Some(&id) = self.ids.get(descriptor.full_name()) {
            return id;
        }
        let id = self.queue.len();
        self.ids.insert(descriptor.full_name().to_owned(), id);
        self.queue.push(descriptor.clone());
        id
    }

    fn enumeration(&mut self, descriptor: &EnumDescriptor) -> EnumId {
        if let Some(&id) = self.enum_ids.get(descriptor.full_name()) {
            return id;
        }
        let mut plan = EnumPlan {
            is_null: descriptor.full_name() == "google.protobuf.NullValue",
            numbers: Table::default(),
            names: Table::default(),
            printed: Vec::new(),
        };
        for value in descriptor.values() {
            plan.numbers.insert(value.name().to_owned(), value.number());
            // Of aliases the first declared is printed.
            plan.names
                .entry(value.number())
                .or_insert_with(|| value.name().to_owned());
        }
        plan.index();
        let id = self.enums.len();
        self.enums.push(plan);
        self.enum_ids.insert(descriptor.full_name().to_owned(), id);
        id
    }

    fn plan(&mut self, descriptor: &MessageDescriptor) -> MessagePlan {
        let special = self.special(descriptor);
        if special == Special::Any {
            let all: Vec<_> = descriptor.parent_pool().all_messages().collect();
            for message in all.iter().filter(|message| !message.is_map_entry()) {
                self.message(message);
            }
        }
        let mut described: Vec<_> = descriptor.fields().collect();
        described.sort_by_key(FieldDescriptor::number);
        let mut oneofs = Vec::new();
        let fields: Vec<_> = described
            .iter()
            .map(|field| self.field(field, &mut oneofs))
            .collect();
        let required = (0..fields.len())
            .filter(|&index| is_required(&described[index]))
            .collect();
        let mut plan = MessagePlan {
            name: descriptor.full_name().to_owned(),
            special,
            fields,
            required,
            dense: Vec::new(),
            names: Table::default(),
        };
        plan.index();
        plan
    }

    fn special(&mut self, descriptor: &MessageDescriptor) -> Special {
        match descriptor.full_name() {
            "google.protobuf.Any" => Special::Any,
            "google.protobuf.Timestamp" => Special::Timestamp,
            "google.protobuf.Duration" => Special::Duration,
            "google.protobuf.FieldMask" => Special::FieldMask,
            "google.protobuf.Struct" => Special::Struct,
            "google.protobuf.Value" => Special::Value,
            "google.protobuf.ListValue" => Special::ListValue,
            "google.protobuf.DoubleValue" => Special::Wrapper(Scalar::Double),
            "google.protobuf.FloatValue" => Special::Wrapper(Scalar::Float),
            "google.protobuf.Int64Value" => Special::Wrapper(Scalar::Int64),
            "google.protobuf.UInt64Value" => Special::Wrapper(Scalar::Uint64),
            "google.protobuf.Int32Value" => Special::Wrapper(Scalar::Int32),
            "google.protobuf.UInt32Value" => Special::Wrapper(Scalar::Uint32),
            "google.protobuf.BoolValue" => Special::Wrapper(Scalar::Bool),
            "google.protobuf.StringValue" => Special::Wrapper(Scalar::String),
            "google.protobuf.BytesValue" => Special::Wrapper(Scalar::Bytes),
            _ => Special::None,
        }
    }

    fn field(&mut self, field: &FieldDescriptor, oneofs: &mut Vec<String>) -> FieldPlan {
        let (shape, kind) = match field.kind() {
            Described::Message(entry) if field.is_map() => {
                let key = match self.kind(&entry.map_entry_key_field()) {
                    Kind::Scalar(scalar) => scalar,
                    Kind::Message(_) | Kind::Group(_) => Scalar::String,
                };
                (
                    Shape::Map { key },
                    self.kind(&entry.map_entry_value_field()),
                )
            }
            _ if field.is_list() => (
                Shape::List {
                    packed: field.is_packed(),
                },
                self.kind(field),
            ),
            _ => (Shape::Single, self.kind(field)),
        };
        let oneof = field
            .containing_oneof()
            .filter(|oneof| !oneof.is_synthetic())
            .map(|oneof| {
                oneofs
                    .iter()
                    .position(|name| name == oneof.name())
                    .unwrap_or_else(|| {
                        oneofs.push(oneof.name().to_owned());
                        oneofs.len() - 1
                    })
            });
        FieldPlan {
            number: field.number(),
            name: field.name().to_owned(),
            json_name: field.json_name().to_owned(),
            key: key(field.name()),
            json_key: key(field.json_name()),
            kind,
            wire: kind.wire(),
            shape,
            presence: field.supports_presence(),
            oneof,
        }
    }

    fn kind(&mut self, field: &FieldDescriptor) -> Kind {
        Kind::Scalar(match field.kind() {
            Described::Message(message) if field.is_group() => {
                return Kind::Group(self.message(&message));
            }
            Described::Message(message) => return Kind::Message(self.message(&message)),
            Described::Enum(enumeration) => Scalar::Enum(self.enumeration(&enumeration)),
            Described::Double => Scalar::Double,
            Described::Float => Scalar::Float,
            Described::Int32 => Scalar::Int32,
            Described::Int64 => Scalar::Int64,
            Described::Uint32 => Scalar::Uint32,
            Described::Uint64 => Scalar::Uint64,
            Described::Sint32 => Scalar::Sint32,
            Described::Sint64 => Scalar::Sint64,
            Described::Fixed32 => Scalar::Fixed32,
            Described::Fixed64 => Scalar::Fixed64,
            Described::Sfixed32 => Scalar::Sfixed32,
            Described::Sfixed64 => Scalar::Sfixed64,
            Described::Bool => Scalar::Bool,
            Described::String => Scalar::String,
            Described::Bytes => Scalar::Bytes,
        })
    }
}

impl MessagePlan {
    fn index(&mut self) {
        let dense = self
            .fields
            .iter()
            .map(|field| field.number)
            .filter(|number| *number < DENSE_MAX)
            .max();
        self.dense = vec![NO_FIELD; dense.map_or(0, |max| max as usize + 1)];
        for (index, field) in self.fields.iter().enumerate() {
            if let Some(slot) = self.dense.get_mut(field.number as usize) {
                *slot = index as u16;
            }
            for name in [&field.json_name, &field.name] {
                self.names.entry(name.as_str().into()).or_insert(Named {
                    field: index,
                    is_json: *name == field.json_name,
                    is_proto: *name == field.name,
                });
            }
        }
    }
}

impl EnumPlan {
    fn index(&mut self) {
        let small = |number: &i32| {
            usize::try_from(*number)
                .ok()
                .filter(|it| *it < ENUM_DENSE_MAX)
        };
        let most = self.names.keys().filter_map(small).max();
        self.printed = vec![None; most.map_or(0, |most| most + 1)];
        for (number, name) in &self.names {
            if let Some(place) = small(number) {
                let mut quoted = Vec::with_capacity(name.len() + 2);
                number::put_string(&mut quoted, name);
                self.printed[place] = Some(quoted.into());
            }
        }
    }
}

fn key(name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 3);
    number::put_string(&mut key, name);
    key.push(b':');
    key
}

/// Annotated `google.api.field_behavior = REQUIRED` (number 2 of the enum).
fn is_required(field: &FieldDescriptor) -> bool {
    const REQUIRED: Value = Value::EnumNumber(2);
    if field.field_descriptor_proto().options.is_none() {
        return false;
    }
    let Some(behavior) = field
        .parent_pool()
        .get_extension_by_name("google.api.field_behavior")
    else {
        return false;
    };
    let options = field.options();
    options
        .get_extension(&behavior)
        .as_list()
        .is_some_and(|list| list.contains(&REQUIRED))
}
