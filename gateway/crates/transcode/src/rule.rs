//! Which HTTP request calls a method: the `google.api.http` annotation, or the same said by hand.
//!
//! The annotation is read through the pool's own declaration of `google.api.http`, so any descriptor set that
//! carries it works. A pool that does not declare it has no annotated methods.

use http::Method;
use prost_reflect::{DynamicMessage, ExtensionDescriptor, MethodDescriptor, Value};

use crate::template::{PathTemplate, TemplateError};

/// One binding of a method to HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRule {
    /// `None`: any method (`custom` with the kind `*`).
    pub method: Option<Method>,
    pub template: PathTemplate,
    /// What the JSON body is read into: empty (no body), `*` (every field that the path does not bind) or the name
    /// of one field of the request message.
    pub body: String,
    /// Which field of the response message is the answer; empty: the whole message.
    pub response_body: String,
}

/// Why an annotation cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    #[error("{method}: the path template is wrong")]
    Template {
        method: String,
        #[source]
        source: TemplateError,
    },
    #[error("{method}: `{verb}` is not an HTTP method")]
    Method { method: String, verb: String },
    #[error("{method}: a binding names no path")]
    NoPath { method: String },
    #[error("{method}: additional bindings cannot have additional bindings")]
    Nested { method: String },
}

/// The bindings of a method in order of declaration, the additional ones last; none when it has no annotation.
pub fn rules_of(method: &MethodDescriptor) -> Result<Vec<HttpRule>, RuleError> {
    let Some(extension) = method
        .parent_pool()
        .get_extension_by_name("google.api.http")
    else {
        return Ok(Vec::new());
    };
    let Some(annotation) = annotation(method, &extension) else {
        return Ok(Vec::new());
    };
    let mut rules = vec![rule(method, &annotation)?];
    for additional in messages(&annotation, "additional_bindings") {
        if !messages(&additional, "additional_bindings").is_empty() {
            return Err(RuleError::Nested {
                method: method.full_name().to_owned(),
            });
        }
        rules.push(rule(method, &additional)?);
    }
    Ok(rules)
}

fn annotation(
    method: &MethodDescriptor,
    extension: &ExtensionDescriptor,
) -> Option<DynamicMessage> {
    let options = method.options();
    match options
        .has_extension(extension)
        .then(|| options.get_extension(extension).into_owned())?
    {
        Value::Message(message) => Some(message),
        _ => None,
    }
}

fn rule(method: &MethodDescriptor, annotation: &DynamicMessage) -> Result<HttpRule, RuleError> {
    let (verb, path) = pattern(annotation).ok_or_else(|| RuleError::NoPath {
        method: method.full_name().to_owned(),
    })?;
    let template = PathTemplate::parse(&path).map_err(|source| RuleError::Template {
        method: method.full_name().to_owned(),
        source,
    })?;
    let http_method = match verb.as_str() {
        "*" => None,
        verb => Some(
            Method::from_bytes(verb.as_bytes()).map_err(|_| RuleError::Method {
                method: method.full_name().to_owned(),
                verb: verb.to_owned(),
            })?,
        ),
    };
    Ok(HttpRule {
        method: http_method,
        template,
        body: text(annotation, "body"),
        response_body: text(annotation, "response_body"),
    })
}

fn pattern(annotation: &DynamicMessage) -> Option<(String, String)> {
    for (field, verb) in [
        ("get", "GET"),
        ("put", "PUT"),
        ("post", "POST"),
        ("delete", "DELETE"),
        ("patch", "PATCH"),
    ] {
        let path = text(annotation, field);
        if !path.is_empty() {
            return Some((verb.to_owned(), path));
        }
    }
    if !annotation.has_field_by_name("custom") {
        return None;
    }
    let custom = annotation.get_field_by_name("custom")?;
    let custom = custom.as_message()?;
    Some((text(custom, "kind"), text(custom, "path")))
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn messages(message: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    let Some(value) = message.get_field_by_name(field) else {
        return Vec::new();
    };
    let list = value.as_list().unwrap_or_default();
    list.iter()
        .filter_map(|item| item.as_message().cloned())
        .collect()
}
