//! A contract that has everything.

use serde_json::{Value, json};

use crate::support::{depot, operations, sound};

fn document() -> Value {
    sound(&operations(&depot(), "depot.v1.DepotService"))
}

fn parameter<'d>(operation: &'d Value, name: &str) -> Option<&'d Value> {
    let mut parameters = operation["parameters"].as_array().unwrap().iter();
    parameters.find(|parameter| parameter["name"] == name)
}

#[test]
fn fields_have_their_json_form() {
    let document = document();
    let item = &document["components"]["schemas"]["depot.v1.Item"]["properties"];
    #[track_caller]
    fn check(schema: &Value, want: Value) {
        let mut schema = schema.clone();
        let members = schema.as_object_mut().unwrap();
        for words in ["description", "examples"] {
            members.remove(words);
        }
        assert_eq!(schema, want);
    }
    check(
        &item["serial"],
        json!({"type": "string", "format": "int64"}),
    );
    check(
        &item["state"],
        json!({"$ref": "#/components/schemas/depot.v1.Item.State", "readOnly": true}),
    );
    check(
        &item["parts"],
        json!({"type": "array", "items": {"$ref": "#/components/schemas/depot.v1.Item"}}),
    );
    check(
        &item["labels"],
        json!({"type": "object", "additionalProperties": {"type": "string"}}),
    );
    check(
        &item["createTime"],
        json!({"type": "string", "format": "date-time"}),
    );
    check(
        &item["life"],
        json!({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"}),
    );
    check(
        &item["picture"],
        json!({"type": "string", "contentEncoding": "base64"}),
    );
    check(&item["burns"], json!({"type": ["boolean", "null"]}));
    check(
        &item["more"],
        json!({"type": "object", "additionalProperties": true}),
    );
    check(&item["free"], json!({}));
    check(
        &item["weightGrams"],
        json!({"type": "string", "format": "uint64"}),
    );
    check(
        &item["colour"],
        json!({"type": "string", "deprecated": true}),
    );
    check(
        &item["secret"],
        json!({"type": "string", "writeOnly": true}),
    );
    assert_eq!(item["other"]["required"], json!(["@type"]));
    assert_eq!(
        item["origin"]["description"],
        "Set once.\nCannot change after creation."
    );
    assert_eq!(item["name"]["pattern"], "^depots/[^/]+/items/[^/]+$");
    let state = &document["components"]["schemas"]["depot.v1.Item.State"];
    assert_eq!(state["enum"], json!(["STATE_UNSPECIFIED", "STATE_NEW"]));
    assert_eq!(
        state["description"],
        "How it is.\n\n- `STATE_UNSPECIFIED`: Not set.\n- `STATE_NEW`: As new."
    );
}

#[test]
fn members_of_a_oneof_exclude_each_other() {
    let document = document();
    let item = &document["components"]["schemas"]["depot.v1.Item"];
    assert_eq!(
        item["not"],
        json!({"anyOf": [
            {"required": ["wood", "iron"]},
            {"required": ["wood", "other"]},
            {"required": ["iron", "other"]},
        ]})
    );
    let said = item["description"].as_str().unwrap();
    assert!(
        said.contains("At most one of `wood`, `iron`, `other` is set."),
        "{said}"
    );
}

#[test]
fn a_query_reaches_into_messages() {
    let document = document();
    let find = &document["paths"]["/v1/items"]["get"];
    let states = parameter(find, "filter.states").unwrap();
    assert_eq!(states["schema"]["type"], "array");
    let depot = parameter(find, "filter.depot").unwrap();
    assert_eq!(depot["schema"]["pattern"], "^depots/[^/]+$");
    let since = parameter(find, "filter.since").unwrap();
    assert_eq!(since.get("required"), None, "only where there is a filter");
    assert_eq!(
        parameter(find, "readMask").unwrap()["schema"]["type"],
        "string"
    );
    assert_eq!(parameter(find, "labels").unwrap()["style"], "deepObject");
    assert!(
        parameter(find, "filter.and.depot").is_none(),
        "followed once"
    );
    assert!(parameter(find, "filters").is_none(), "no text can say it");
    let answer = &find["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(answer["type"], "array");
}

#[test]
fn what_the_path_has_is_not_in_the_body() {
    let document = document();
    let item = &document["paths"]["/v1/depots/{depot}/items/{item_id}"];
    let body = &item["patch"]["requestBody"];
    assert_eq!(body["required"], true);
    let schema = &body["content"]["application/json"]["schema"];
    assert_eq!(schema["properties"].get("name"), None);
    assert_eq!(schema["required"], json!(["serial"]));
    let parts = &schema["properties"]["parts"]["items"]["$ref"];
    assert_eq!(parts, "#/components/schemas/depot.v1.Item-input");
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["depot.v1.Item-input"]["required"],
        json!(["serial"])
    );
    assert_eq!(
        schemas["depot.v1.Item"]["required"],
        json!(["name", "serial"])
    );
    assert!(parameter(&item["patch"], "updateMask").is_some());
    assert!(parameter(&item["patch"], "item.serial").is_none());
    assert!(item["get"]["parameters"].as_array().unwrap().len() > 2);
    let by_serial = &document["paths"]["/v1/items/{serial}"]["get"];
    assert_eq!(by_serial["operationId"], "DepotService_GetItem_2");
    assert_eq!(by_serial["parameters"][0]["schema"]["format"], "int64");
}

#[test]
fn a_custom_verb_and_its_headers_are_described() {
    let document = document();
    let path = "/v1/depots/{depot}/items/{item_id}:move";
    let found = &document["paths"][path]["post"];
    assert_eq!(found["deprecated"], true);
    let body = &found["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["required"], json!(["depot"]));
    let answer = &found["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(answer["maxProperties"], 0);
    let get = &document["paths"]["/v1/items/{serial}"]["get"]["responses"]["200"];
    assert!(get["headers"].get("ETag").is_some());
    let names: Vec<_> = document["components"]["parameters"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(names, ["IdempotencyKey", "IfMatch", "RequestTimeout"]);
}

#[test]
fn streams_and_bodies_have_their_media_types() {
    let document = document();
    let keys =
        |content: &Value| -> Vec<String> { content.as_object().unwrap().keys().cloned().collect() };
    let watch = &document["paths"]["/v1/items:watch"]["get"]["responses"]["200"]["content"];
    assert_eq!(
        keys(watch),
        [
            "application/json",
            "application/x-ndjson",
            "text/event-stream"
        ]
    );
    assert_eq!(watch["application/json"]["schema"]["type"], "array");
    let import = &document["paths"]["/v1/items:import"]["post"]["requestBody"]["content"];
    assert_eq!(keys(import), ["application/x-ndjson", "application/json"]);
    let file = &document["paths"]["/v1/files/{path}"]["get"];
    assert_eq!(keys(&file["responses"]["200"]["content"]), ["*/*"]);
    let said = file["parameters"][0]["description"].as_str().unwrap();
    assert!(
        said.starts_with("Where it is.\nAny number of path segments"),
        "{said}"
    );
}
