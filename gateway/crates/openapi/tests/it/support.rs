//! Operations out of descriptors, and what every document has to be.

use std::{collections::HashSet, path::Path};

use banyan_openapi::{Access, ErrorShape, Info, Operation, document};
use banyan_transcode::{Options, rules_of};
use http::StatusCode;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use serde_json::Value;

pub(crate) fn own() -> DescriptorPool {
    DescriptorPool::decode(banyan_proto::DESCRIPTORS).unwrap()
}

pub(crate) fn depot() -> DescriptorPool {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler =
        protox::Compiler::new([here.join("tests/protos"), here.join("../../../proto")]).unwrap();
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(["depot.proto"])
        .unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

/// Every annotated method of a service, in canonical JSON.
pub(crate) fn operations(pool: &DescriptorPool, service: &str) -> Vec<Operation> {
    let service = pool.get_service_by_name(service).unwrap();
    service.methods().flat_map(|method| of(&method)).collect()
}

fn of(method: &MethodDescriptor) -> Vec<Operation> {
    let rules = rules_of(method).unwrap().into_iter();
    rules
        .map(|rule| Operation {
            method: method.clone(),
            rule,
            mount: None,
            query: Vec::new(),
            profile: "canonical".to_owned(),
            json: Options::default(),
            errors: ErrorShape::Google,
            success: StatusCode::OK,
            error_bodies: Vec::new(),
            access: Access::Anyone,
        })
        .collect()
}

/// A document that holds together.
#[track_caller]
pub(crate) fn sound(operations: &[Operation]) -> Value {
    let info = Info {
        title: "Test".to_owned(),
        version: "1".to_owned(),
        description: String::new(),
        guest_cookie: "guest".to_owned(),
    };
    let made = document(&info, operations);
    assert_eq!(made, document(&info, operations));
    references(&made, &made);
    let mut ids = HashSet::new();
    for (path, item) in made["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            path_parameters(path, operation);
        }
    }
    made
}

/// Every `$ref` leads somewhere.
fn references(document: &Value, value: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                let found = document.pointer(target.trim_start_matches('#'));
                assert!(found.is_some_and(Value::is_object), "{target}");
            }
            for member in members.values() {
                references(document, member);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(document, item)),
        _ => {}
    }
}

/// The variables of a path are its parameters, in their order.
fn path_parameters(path: &str, operation: &Value) {
    let named: Vec<_> = path
        .split('{')
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap())
        .collect();
    let declared = operation["parameters"].as_array().unwrap().iter();
    let declared: Vec<_> = declared
        .filter(|parameter| parameter["in"] == "path")
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, declared, "{path}");
}
