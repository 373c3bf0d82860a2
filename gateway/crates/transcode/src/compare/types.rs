//! What the contract says of a value that is compared: which of its members it names, and which are entries.

use serde_json::{Map, Value};

use crate::json::{FieldPlan, Kind, MessageId, MessagePlan, Plans, Shape, Special};

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    One(Kind),
    List(Kind),
    Map(Kind),
    /// Whatever JSON holds: inside of a `google.protobuf.Struct`.
    Free,
}

/// Finds the types of what values contain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Types<'p>(pub(super) &'p Plans);

impl<'p> Types<'p> {
    /// The type of a member that the contract names; `None` if it is an entry of a map or of free JSON. `objects`: those it
    /// may be a member of, of which a `google.protobuf.Any` says its type.
    pub(super) fn member(
        self,
        is: Type,
        objects: &[&Map<String, Value>],
        name: &str,
    ) -> Option<Type> {
        let Type::One(Kind::Message(id) | Kind::Group(id)) = is else {
            return None;
        };
        let plan = self.0.message(id);
        match plan.special {
            Special::None => field(plan, name),
            Special::Any if name == "@type" => Some(Type::Free),
            Special::Any => objects.iter().find_map(|it| self.held(it, name)),
            _ => None,
        }
    }

    /// The type of a member of the message that an `Any` holds.
    fn held(self, any: &Map<String, Value>, name: &str) -> Option<Type> {
        let (_, held) = any.get("@type")?.as_str()?.rsplit_once('/')?;
        let id: MessageId = self.0.id(held)?;
        let plan = self.0.message(id);
        match plan.special {
            Special::None => field(plan, name),
            _ => (name == "value").then_some(Type::One(Kind::Message(id))),
        }
    }

    /// The type of the entries of a map.
    pub(super) fn entry(self, is: Type) -> Type {
        match is {
            Type::Map(kind) => Type::One(kind),
            _ => Type::Free,
        }
    }

    /// The type of the elements of a list.
    pub(super) fn element(self, is: Type) -> Type {
        match is {
            Type::List(kind) => Type::One(kind),
            _ => Type::Free,
        }
    }

    /// Whether text of this type is a number.
    pub(super) fn is_number(self, is: Type) -> bool {
        match is {
            Type::One(Kind::Scalar(scalar)) => scalar.is_64(),
            Type::One(Kind::Message(id)) => {
                matches!(self.0.message(id).special, Special::Wrapper(scalar) if scalar.is_64())
            }
            _ => false,
        }
    }
}

fn field(plan: &MessagePlan, name: &str) -> Option<Type> {
    let field: &FieldPlan = plan.fields.get(plan.by_name(name)?.field)?;
    Some(match field.shape {
        Shape::Single => Type::One(field.kind),
        Shape::List { .. } => Type::List(field.kind),
        Shape::Map { .. } => Type::Map(field.kind),
    })
}
