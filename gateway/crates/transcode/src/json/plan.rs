//! Descriptors compiled into the tables that both codecs run on.
//!
//! A plan holds what the descriptors of the reachable messages say, flattened: names ready to print, numbers ready to
//! find, and for each field what it is on the wire. Messages refer to each other by index, so recursion costs
//! nothing. Where `google.protobuf.Any` is reachable every message of the pool is, and all are compiled.

use std::collections::HashMap;

use prost_reflect::MessageDescriptor;

use super::hash::Table;

use super::compile::Compiler;
use crate::wire::WireType;

pub(crate) type MessageId = usize;
pub(crate) type EnumId = usize;

/// Fields with smaller numbers than this are found by index.
pub(super) const DENSE_MAX: u32 = 128;
/// Names of values with smaller numbers than this are found by index.
pub(super) const ENUM_DENSE_MAX: usize = 128;
pub(super) const NO_FIELD: u16 = u16::MAX;

/// The compiled codec of some messages and everything they contain.
#[derive(Debug)]
pub struct Plans {
    pub(super) messages: Vec<MessagePlan>,
    pub(super) enums: Vec<EnumPlan>,
    pub(super) by_name: HashMap<String, MessageId>,
}

#[derive(Debug)]
pub(crate) struct MessagePlan {
    pub(crate) name: String,
    pub(crate) special: Special,
    /// In order of field number.
    pub(crate) fields: Vec<FieldPlan>,
    /// Fields annotated as required.
    pub(crate) required: Vec<usize>,
    pub(super) dense: Vec<u16>,
    pub(super) names: Table<Box<str>, Named>,
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
    /// Of a value; of a list of numbers each by itself.
    pub(crate) wire: WireType,
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
    pub(super) numbers: Table<String, i32>,
    pub(super) names: Table<i32, String>,
    /// The names of small numbers in quotes, ready to print.
    pub(super) printed: Vec<Option<Box<[u8]>>>,
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

    /// Makes a message unknown wherever it would be looked up by name, in an `Any` above all.
    pub(crate) fn hide(&mut self, full_name: &str) {
        self.by_name.remove(full_name);
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

    /// The name in quotes, where the number is a small one.
    pub(super) fn printed(&self, number: i32) -> Option<&[u8]> {
        let place = usize::try_from(number).ok()?;
        self.printed.get(place)?.as_deref()
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
