//! Several methods behind one path and one HTTP method, told apart by their query.
//!
//! OpenAPI has no such thing, so they become one operation: its parameters are those of all, none of them required
//! that only some need, and its answer is one of theirs. The words say which query leads to which.

use serde_json::{Map, Value, json};

/// Takes `other`, which is meant where the query has `keys`, into the operation that is there.
pub(crate) fn merge(
    operation: &mut Map<String, Value>,
    other: Map<String, Value>,
    keys: &[String],
) {
    let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    let words = other.get("description").or_else(|| other.get("summary"));
    let words = words.and_then(Value::as_str).unwrap_or_default();
    let own = operation
        .get("description")
        .or_else(|| operation.get("summary"));
    let own = own.and_then(Value::as_str).unwrap_or_default();
    let condition = match keys.is_empty() {
        true => "Otherwise".to_owned(),
        false => format!("With {} in the query", keys.join(" and ")),
    };
    let description = format!("{own}\n\n{condition}: {words}");
    operation.insert("description".to_owned(), json!(description.trim()));
    for (key, value) in other {
        match (key.as_str(), operation.get_mut(&key)) {
            ("parameters", Some(Value::Array(there))) => parameters(there, value),
            ("responses", Some(Value::Object(there))) => responses(there, value),
            ("x-grpc-method", Some(there)) => {
                let mut methods = match there.take() {
                    Value::Array(methods) => methods,
                    one => vec![one],
                };
                methods.push(value);
                *there = Value::Array(methods);
            }
            (_, Some(_)) => {}
            (_, None) => {
                operation.insert(key, value);
            }
        }
    }
}

fn parameters(there: &mut Vec<Value>, others: Value) {
    let Value::Array(others) = others else {
        return;
    };
    let is_same = |one: &Value, other: &Value| {
        one.get("$ref") == other.get("$ref")
            && one.get("name") == other.get("name")
            && one.get("in") == other.get("in")
    };
    let in_query = |parameter: &Value| parameter.get("in") == Some(&json!("query"));
    for own in there.iter_mut().filter(|own| in_query(own)) {
        if !others.iter().any(|other| is_same(own, other)) {
            optional(own);
        }
    }
    for mut other in others {
        if !there.iter().any(|own| is_same(own, &other)) {
            if in_query(&other) {
                optional(&mut other);
            }
            there.push(other);
        }
    }
}

fn optional(parameter: &mut Value) {
    if let Some(parameter) = parameter.as_object_mut() {
        parameter.remove("required");
    }
}

/// Where both have a response of one status, its content is one of both.
fn responses(there: &mut Map<String, Value>, others: Value) {
    let Value::Object(others) = others else {
        return;
    };
    for (status, other) in others {
        let Some(own) = there.get_mut(&status) else {
            there.insert(status, other);
            continue;
        };
        let Some(Value::Object(contents)) = other.get("content") else {
            continue;
        };
        for (media, content) in contents {
            let Some(schema) = content.get("schema") else {
                continue;
            };
            match own["content"].get_mut(media) {
                Some(own) => either(&mut own["schema"], schema),
                None => own["content"][media] = content.clone(),
            }
        }
    }
}

fn either(own: &mut Value, other: &Value) {
    if own == other {
        return;
    }
    if let Some(Value::Array(choices)) = own.get_mut("anyOf")
        && !choices.contains(other)
    {
        choices.push(other.clone());
        return;
    }
    *own = json!({"anyOf": [own.take(), other]});
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(name: &str, parameters: Value, schema: Value) -> Map<String, Value> {
        let operation = json!({
            "summary": name,
            "parameters": parameters,
            "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
            "x-grpc-method": name,
        });
        operation.as_object().unwrap().clone()
    }

    #[test]
    fn the_query_tells_methods_apart() {
        let id = json!([{"name": "id", "in": "query", "required": true}]);
        let mut list = operation("All", json!([]), json!({"type": "array"}));
        merge(
            &mut list,
            operation("One", id, json!({"type": "object"})),
            &["id".to_owned()],
        );
        let list = Value::Object(list);
        assert_eq!(list["description"], "All\n\nWith `id` in the query: One");
        assert_eq!(list["parameters"], json!([{"name": "id", "in": "query"}]));
        assert_eq!(
            list["responses"]["200"]["content"]["application/json"]["schema"],
            json!({"anyOf": [{"type": "array"}, {"type": "object"}]}),
        );
        assert_eq!(list["x-grpc-method"], json!(["All", "One"]));
    }
}
