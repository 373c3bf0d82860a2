//! What a contract says in annotations: how fields behave (AIP-203) and what resources are called (AIP-122, AIP-123).
//!
//! They are read through the pool's own declarations by their public numbers, as far as the pool declares them.

use std::collections::BTreeMap;

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MessageDescriptor, Value};

const REQUIRED: i32 = 2;
const OUTPUT_ONLY: i32 = 3;
const INPUT_ONLY: i32 = 4;
const IMMUTABLE: i32 = 5;
const IDENTIFIER: i32 = 8;

/// `google.api.field_behavior` of a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Behavior {
    pub(crate) required: bool,
    pub(crate) output_only: bool,
    pub(crate) input_only: bool,
    pub(crate) immutable: bool,
    pub(crate) identifier: bool,
}

pub(crate) fn behavior(field: &FieldDescriptor) -> Behavior {
    let declared = field
        .parent_pool()
        .get_extension_by_name("google.api.field_behavior");
    let Some(declared) = declared else {
        return Behavior::default();
    };
    let options = field.options();
    let value = options.get_extension(&declared);
    let values = value.as_list().unwrap_or_default();
    let has = |number| {
        values
            .iter()
            .any(|value| value.as_enum_number() == Some(number))
    };
    Behavior {
        required: has(REQUIRED),
        output_only: has(OUTPUT_ONLY),
        input_only: has(INPUT_ONLY),
        immutable: has(IMMUTABLE),
        identifier: has(IDENTIFIER),
    }
}

/// Whether a field is `deprecated`.
pub(crate) fn is_deprecated(field: &FieldDescriptor) -> bool {
    let options = field.field_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.deprecated())
}

/// Resources and the patterns of their names. Of one type in several pools the first counts.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    by_type: BTreeMap<String, Vec<String>>,
}

impl Resources {
    pub(crate) fn read(pools: &[DescriptorPool]) -> Resources {
        let mut by_type = BTreeMap::new();
        for pool in pools {
            let Some(declared) = pool.get_extension_by_name("google.api.resource") else {
                continue;
            };
            for message in pool.all_messages() {
                let options = message.options();
                if !options.has_extension(&declared) {
                    continue;
                }
                if let Some(resource) = options.get_extension(&declared).as_message() {
                    by_type
                        .entry(text(resource, "type"))
                        .or_insert_with(|| texts(resource, "pattern"));
                }
            }
        }
        Resources { by_type }
    }

    /// The names of the variables in a pattern of this shape (`hotels/*/roomTypes/*`), if a resource has it.
    pub(crate) fn variables(&self, shape: &str) -> Option<Vec<String>> {
        let patterns = self.by_type.values().flatten();
        let mut found = patterns.filter(|pattern| shape_of(pattern) == shape);
        found.next().map(|pattern| variables(pattern))
    }

    /// The regular expression for a field that holds the name of a resource.
    pub(crate) fn expression(&self, field: &FieldDescriptor) -> Option<String> {
        let patterns = self.patterns(field)?;
        let expressions: Vec<_> = patterns.iter().map(|pattern| expression(pattern)).collect();
        match expressions.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(format!("(?:{})", several.join("|"))),
        }
    }

    fn patterns(&self, field: &FieldDescriptor) -> Option<Vec<String>> {
        if let Some(own) = own_patterns(field) {
            return Some(own);
        }
        let reference = reference(field)?;
        let named = self.by_type.get(&text(&reference, "type"));
        let child = self.by_type.get(&text(&reference, "child_type"));
        named.cloned().or_else(|| {
            Some(
                child?
                    .iter()
                    .filter_map(|pattern| parent(pattern))
                    .collect(),
            )
        })
    }
}

/// Those of the message, where the field is the resource's own name.
fn own_patterns(field: &FieldDescriptor) -> Option<Vec<String>> {
    let message: &MessageDescriptor = field.parent_message();
    let declared = field
        .parent_pool()
        .get_extension_by_name("google.api.resource")?;
    let options = message.options();
    if !options.has_extension(&declared) {
        return None;
    }
    let resource = options.get_extension(&declared);
    let resource = resource.as_message()?;
    let name_field = Some(text(resource, "name_field")).filter(|name| !name.is_empty());
    let is_name = name_field.as_deref().unwrap_or("name") == field.name();
    is_name.then(|| texts(resource, "pattern"))
}

fn reference(field: &FieldDescriptor) -> Option<DynamicMessage> {
    let declared = field
        .parent_pool()
        .get_extension_by_name("google.api.resource_reference")?;
    let options = field.options();
    if !options.has_extension(&declared) {
        return None;
    }
    options.get_extension(&declared).as_message().cloned()
}

/// `hotels/{hotel}` of `hotels/{hotel}/rooms/{room}`.
fn parent(pattern: &str) -> Option<String> {
    let (without_id, _) = pattern.rsplit_once('/')?;
    let (parent, _) = without_id.rsplit_once('/')?;
    Some(parent.to_owned())
}

/// `hotels/*` of `hotels/{hotel}`.
fn shape_of(pattern: &str) -> String {
    let steps = pattern.split('/').map(|step| match variable(step) {
        Some(_) => "*",
        None => step,
    });
    steps.collect::<Vec<_>>().join("/")
}

fn variables(pattern: &str) -> Vec<String> {
    let steps = pattern.split('/').filter_map(variable);
    steps.map(str::to_owned).collect()
}

fn expression(pattern: &str) -> String {
    let steps = pattern.split('/').map(|step| match variable(step) {
        Some(_) => "[^/]+".to_owned(),
        None => escaped(step),
    });
    steps.collect::<Vec<_>>().join("/")
}

fn variable(step: &str) -> Option<&str> {
    let inside = step.strip_prefix('{')?.strip_suffix('}')?;
    Some(inside.split('=').next().unwrap_or(inside))
}

fn escaped(literal: &str) -> String {
    let mut out = String::with_capacity(literal.len());
    for letter in literal.chars() {
        if r"\.+*?()|[]{}^$/".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    let value = value.as_deref().and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

fn texts(message: &DynamicMessage, field: &str) -> Vec<String> {
    let value = message.get_field_by_name(field);
    let list = value
        .as_deref()
        .and_then(Value::as_list)
        .unwrap_or_default();
    list.iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_shapes_and_expressions() {
        let pattern = "hotels/{hotel}/roomTypes/{room_type}";
        assert_eq!(shape_of(pattern), "hotels/*/roomTypes/*");
        assert_eq!(variables(pattern), ["hotel", "room_type"]);
        assert_eq!(expression(pattern), "hotels/[^/]+/roomTypes/[^/]+");
        assert_eq!(parent(pattern).as_deref(), Some("hotels/{hotel}"));
        assert_eq!(parent("hotels/{hotel}"), None);
        assert_eq!(expression("a.b/{c=**}"), r"a\.b/[^/]+");
    }
}
