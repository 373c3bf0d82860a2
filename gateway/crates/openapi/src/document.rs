//! A document: operations in the order given, under their paths; everything that they refer to; words at the top.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use banyan_transcode::{EnumForm, Int64Form, NameForm, Options};
use prost_reflect::{DescriptorPool, ServiceDescriptor};
use serde_json::{Map, Value, json};

use crate::{
    annotations::Resources,
    body,
    comments::{Comments, summary},
    errors, headers,
    merge::merge,
    operation::{Access, ErrorShape, Info, Operation},
    path::Spellings,
    query, response,
    schema::{Look, Schemas},
};

/// Describes operations of one descriptor pool. The same input makes the same document, byte for byte.
#[must_use]
pub fn document(info: &Info, operations: &[Operation]) -> Value {
    let mut builder = Builder::new(operations);
    // What is told apart by its query comes into what is not.
    let (plain, by_query): (Vec<_>, Vec<_>) = operations.iter().partition(|it| it.query.is_empty());
    for operation in plain.into_iter().chain(by_query) {
        builder.operation(operation);
    }
    builder.finish(info, operations)
}

struct Builder {
    /// Where the contracts come from; most often one.
    pools: Vec<DescriptorPool>,
    schemas: Schemas,
    spellings: Spellings,
    paths: Map<String, Value>,
    services: Vec<ServiceDescriptor>,
    /// Names of several services.
    ambiguous: HashSet<String>,
    ids: HashSet<String>,
    parameters: BTreeSet<&'static str>,
    shapes: BTreeSet<ErrorShape>,
}

impl Builder {
    fn new(operations: &[Operation]) -> Builder {
        let mut services: Vec<ServiceDescriptor> = Vec::new();
        let mut pools: Vec<DescriptorPool> = Vec::new();
        for operation in operations {
            let service = operation.method.parent_service();
            if !services.contains(service) {
                services.push(service.clone());
            }
            if !pools.contains(service.parent_pool()) {
                pools.push(service.parent_pool().clone());
            }
        }
        let mut met = HashSet::new();
        let names = services.iter().map(|service| service.name().to_owned());
        let ambiguous = names.filter(|name| !met.insert(name.clone())).collect();
        Builder {
            schemas: Schemas::new(Comments::read(&pools), Resources::read(&pools)),
            pools,
            spellings: Spellings::default(),
            paths: Map::new(),
            services,
            ambiguous,
            ids: HashSet::new(),
            parameters: BTreeSet::new(),
            shapes: BTreeSet::new(),
        }
    }

    fn operation(&mut self, operation: &Operation) {
        let path = self.spellings.path(operation, &self.schemas.resources);
        let look = Look::request(&operation.profile, &operation.json);
        let mut parameters = query::of_path(&mut self.schemas, operation, look, &path);
        parameters.extend(query::of_query(&mut self.schemas, operation, look));
        for name in headers::of_request(operation) {
            self.parameters.insert(name);
            parameters.push(headers::parameter_reference(name));
        }
        self.shapes.insert(operation.errors);

        let method = verb(operation);
        let there = self
            .paths
            .get_mut(&path.text)
            .and_then(|item| item.get_mut(&method));
        let is_there = there.is_some();
        let mut made = self.head(operation, is_there);
        made.insert("parameters".to_owned(), Value::Array(parameters));
        if let Some(body) = body::request_body(&mut self.schemas, operation, look) {
            made.insert("requestBody".to_owned(), body);
        }
        let look = Look::answer(&operation.profile, &operation.json);
        let responses = response::responses(&mut self.schemas, operation, look);
        made.insert("responses".to_owned(), Value::Object(responses));
        made.insert("security".to_owned(), security(operation.access));
        let item = self.paths.entry(path.text).or_insert_with(|| json!({}));
        match item.get_mut(&method) {
            Some(Value::Object(there)) => merge(there, made, &operation.query),
            _ => item[method] = Value::Object(made),
        }
    }

    /// Names and words.
    fn head(&mut self, operation: &Operation, is_there: bool) -> Map<String, Value> {
        let method = &operation.method;
        let tag = self.tag(method.parent_service());
        let words = self
            .schemas
            .comments
            .of(&method.parent_file(), method.path());
        let short = summary(words);
        let mut head = Map::new();
        head.insert("tags".to_owned(), json!([tag]));
        if !short.is_empty() {
            head.insert("summary".to_owned(), json!(short));
        }
        if words
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .trim_end_matches('.')
            != short
        {
            head.insert("description".to_owned(), json!(words));
        }
        if !is_there {
            let id = self.id(&format!("{}_{}", tag.replace('.', "_"), method.name()));
            head.insert("operationId".to_owned(), json!(id));
        }
        let full_name = format!("{}/{}", method.parent_service().full_name(), method.name());
        head.insert("x-grpc-method".to_owned(), json!(full_name));
        let options = method.method_descriptor_proto().options.as_ref();
        if options.is_some_and(|options| options.deprecated()) {
            head.insert("deprecated".to_owned(), json!(true));
        }
        head
    }

    fn tag(&self, service: &ServiceDescriptor) -> String {
        match self.ambiguous.contains(service.name()) {
            true => service.full_name().to_owned(),
            false => service.name().to_owned(),
        }
    }

    /// The name, or with a number behind where it is taken.
    fn id(&mut self, name: &str) -> String {
        let mut id = name.to_owned();
        let mut count = 2;
        while !self.ids.insert(id.clone()) {
            id = format!("{name}_{count}");
            count += 1;
        }
        id
    }

    fn finish(mut self, info: &Info, operations: &[Operation]) -> Value {
        let tags: Vec<_> = self
            .services
            .iter()
            .map(|service| {
                let words = self
                    .schemas
                    .comments
                    .of(&service.parent_file(), service.path());
                json!({"name": self.tag(service), "description": words})
            })
            .collect();
        let responses = errors::responses(&mut self.schemas, &self.pools, &self.shapes);
        let parameters = headers::parameters(self.parameters.iter().copied());
        json!({
            "openapi": "3.1.1",
            "info": {
                "title": info.title,
                "version": info.version,
                "description": description(info, operations),
            },
            "servers": [{"url": "/"}],
            "tags": tags,
            "paths": self.paths,
            "components": {
                "schemas": self.schemas.finish(),
                "responses": responses,
                "parameters": parameters,
                "headers": headers::headers(),
                "securitySchemes": schemes(info, operations),
            },
        })
    }
}

/// The methods that a path of OpenAPI 3.1 may have; others become extensions.
const VERBS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// What is served under any method is shown under the one that people would take.
fn verb(operation: &Operation) -> String {
    let verb = match (&operation.rule.method, operation.rule.body.is_empty()) {
        (Some(method), _) => method.as_str(),
        (None, true) => "GET",
        (None, false) => "POST",
    };
    let verb = verb.to_ascii_lowercase();
    match VERBS.contains(&verb.as_str()) {
        true => verb,
        false => format!("x-{verb}"),
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone => json!([]),
        Access::Guest => json!([{"guest": []}, {}]),
        Access::Token => json!([{"token": []}]),
        Access::Operator => json!([{"operator": []}]),
    }
}

fn schemes(info: &Info, operations: &[Operation]) -> Value {
    let has = |access| operations.iter().any(|it| it.access == access);
    let mut schemes = Map::new();
    if has(Access::Guest) {
        let scheme = json!({
            "type": "apiKey",
            "in": "cookie",
            "name": info.guest_cookie,
            "description": "Who a guest without an account is. Given to whoever comes without one; keep it secret.",
        });
        schemes.insert("guest".to_owned(), scheme);
    }
    if has(Access::Token) {
        let scheme = json!({
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A JSON Web Token of an issuer that is accepted here.",
        });
        schemes.insert("token".to_owned(), scheme);
    }
    if has(Access::Operator) {
        let scheme = json!({
            "type": "http",
            "scheme": "bearer",
            "description": "The operators' token; asked for where one is set.",
        });
        schemes.insert("operator".to_owned(), scheme);
    }
    Value::Object(schemes)
}

/// What was said, and how JSON looks under each profile.
fn description(info: &Info, operations: &[Operation]) -> String {
    let profiles: BTreeMap<&str, &Options> = operations
        .iter()
        .map(|it| (it.profile.as_str(), &it.json))
        .collect();
    let mut text = info.description.clone();
    text.push_str(
        "\n\nWhere nothing else is said, JSON is protobuf's canonical form: names in lowerCamelCase, bytes (base64) and \
         integers of 64 bits as text, and a field that holds its default (`0`, `\"\"`, `false`, the first value of an \
         enum, an empty list) is left out of answers.",
    );
    for (profile, options) in profiles {
        let differences = differences(options);
        if !differences.is_empty() {
            let differences = differences.join(", ");
            text.push_str(&format!(
                "\n\nSchemas whose names end in `-{profile}`: {differences}."
            ));
        }
    }
    text.trim().to_owned()
}

fn differences(options: &Options) -> Vec<&'static str> {
    let all = [
        (options.names == NameForm::Proto, "names in snake_case"),
        (
            options.int64 == Int64Form::Number,
            "integers of 64 bits as numbers",
        ),
        (options.enums == EnumForm::Number, "enums as numbers"),
        (options.defaults, "defaults are printed"),
        (
            options.strict,
            "a value of another JSON type than the field's is refused",
        ),
    ];
    all.into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, words)| words)
        .collect()
}
