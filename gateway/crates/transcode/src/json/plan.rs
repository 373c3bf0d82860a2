//! Descriptors compiled into the tables that both codecs run on.
//!
//! A plan holds what the descriptors of the reachable messages say, flattened: names ready to print, numbers ready to
//! find, and for each field what it is on the wire. Messages refer to each other by index, so recursion costs
//! nothing. Where `google.protobuf.Any` is reachable every message of the pool is, and all are compiled.

use std::collections::HashMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind as Described, MessageDescriptor, Value};

use super::number;
use crate::wire::WireType;

pub(crate) type MessageId = usize;
pub(crate) type EnumId = usize;

/// Fields with smaller numbers than this are found by index.
const DENSE_MAX: u32 = 128;
const NO_FIELD: u16 = u16::MAX;

/// The compiled codec of some messages and everything they contain.
#[derive(Debug)]
pub struct Plans {
    messages: Vec<MessagePlan>,
    enums: Vec<EnumPlan>,
    by_name: HashMap<String, MessageId>,
}

#[derive(Debug)]
pub(crate) struct MessagePlan {
    pub(crate) name: String,
    pub(crate) special: Special,
    /// In order of field number.
    pub(crate) fields: Vec<FieldPlan>,
    /// Fields annotated as required.
    pub(crate) required: Vec<usize>,
    dense: Vec<u16>,
    names: HashMap<Box<str>, Named>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    pub(crate) field: usize,
    pub(crate) is_json: bool,
    pub(crate) is_proto: bool,
}

/// Messages whose JSON form is not an object of their fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    None,
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    Wrapper(Scalar),
}

#[derive(Debug)]
pub(crate) struct FieldPlan {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) json_name: String,
    /// `"name":`, ready to print.
    pub(crate) key: Vec<u8>,
    pub(crate) json_key: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// Being absent differs from holding the default.
    pub(crate) presence: bool,
    /// Which oneof of its message it belongs to; none for the synthetic oneof of a proto3 optional field.
    pub(crate) oneof: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Message(MessageId),
    /// A message between a start and an end tag (proto2).
    Group(MessageId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Single,
    List {
        packed: bool,
    },
    /// Entries have the key in field 1 and the value, of the field's kind, in field 2.
    Map {
        key: Scalar,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(EnumId),
}

#[derive(Debug)]
pub(crate) struct EnumPlan {
    /// `google.protobuf.NullValue`, whose JSON form is `null`.
    pub(crate) is_null: bool,
    numbers: HashMap<String, i32>,
    names: HashMap<i32, String>,
}

impl Plans {
    /// Compiles the messages given and all that they contain. Reads descriptors only; cannot fail on a valid pool.
    pub fn of(roots: impl IntoIterator<Item = MessageDescriptor>) -> Self {
        let mut compiler = Compiler::default();
        for root in roots {
            compiler.message(&root);
        }
        compiler.run()
    }

    pub(crate) fn id(&self, full_name: &str) -> Option<MessageId> {
        self.by_name.get(full_name).copied()
    }

    pub(crate) fn message(&self, id: MessageId) -> &MessagePlan {
        &self.messages[id]
    }

    pub(crate) fn enumeration(&self, id: EnumId) -> &EnumPlan {
        &self.enums[id]
    }

    /// Whether `null` is a value of this kind and not the absence of one.
    pub(crate) fn takes_null(&self, kind: Kind) -> bool {
        match kind {
            Kind::Scalar(Scalar::Enum(id)) => self.enumeration(id).is_null,
            Kind::Scalar(_) => false,
            Kind::Message(id) | Kind::Group(id) => self.message(id).special == Special::Value,
        }
    }
}

impl MessagePlan {
    pub(crate) fn by_number(&self, number: u32) -> Option<usize> {
        if number < DENSE_MAX {
            let index = *self.dense.get(number as usize)?;
            return (index != NO_FIELD).then_some(usize::from(index));
        }
        self.fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Named> {
        self.names.get(name).copied()
    }
}

impl EnumPlan {
    pub(crate) fn number(&self, name: &str) -> Option<i32> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn name(&self, number: i32) -> Option<&str> {
        self.names.get(&number).map(String::as_str)
    }
}

impl Scalar {
    pub(crate) fn wire(self) -> WireType {
        match self {
            Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64 => WireType::Fixed64,
            Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32 => WireType::Fixed32,
            Scalar::String | Scalar::Bytes => WireType::Bytes,
            _ => WireType::Varint,
        }
    }

    pub(crate) fn is_64(self) -> bool {
        matches!(
            self,
            Scalar::Int64 | Scalar::Uint64 | Scalar::Sint64 | Scalar::Fixed64 | Scalar::Sfixed64
        )
    }
}

impl Kind {
    pub(crate) fn wire(self) -> WireType {
        match self {
            Kind::Scalar(scalar) => scalar.wire(),
            Kind::Message(_) => WireType::Bytes,
            Kind::Group(_) => WireType::StartGroup,
        }
    }
}

/// Messages and enums get their index when they are first met and their plan when their turn comes.
#[derive(Default)]
struct Compiler {
    queue: Vec<MessageDescriptor>,
    ids: HashMap<String, MessageId>,
    enums: Vec<EnumPlan>,
    enum_ids: HashMap<String, EnumId>,
}

impl Compiler {
    fn run(mut self) -> Plans {
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

    fn message(&mut self, descriptor: &MessageDescriptor) -> MessageId {
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
            numbers: HashMap::new(),
            names: HashMap::new(),
        };
        for value in descriptor.values() {
            plan.numbers.insert(value.name().to_owned(), value.number());
            // Of aliases the first declared is printed.
            plan.names
                .entry(value.number())
                .or_insert_with(|| value.name().to_owned());
        }
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
            names: HashMap::new(),
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
