//! What is served, described on the address that serves it.

use banyan_gateway::config::{ListenerName, OpenapiConfig};
use banyan_mesh::settings::Secret;
use serde_json::{Value, json};

use super::{
    shop::contract,
    world::{World, answer, config, until},
};

async fn document(world: &World) -> Value {
    answer(world.get("/openapi.json")).await.1
}

#[tokio::test]
async fn each_address_describes_its_own_routes() {
    let world = World::start().await;
    let public = document(&world).await;
    assert_eq!(public["openapi"], "3.1.1");
    let item = &public["paths"]["/v1/items/{item}"]["get"];
    assert_eq!(item["security"], json!([{"guest": []}, {}]));
    assert_eq!(
        item["responses"]["4XX"]["$ref"],
        "#/components/responses/Error"
    );
    let region = &public["paths"]["/regions/{region}/v1/items/{item}"]["get"];
    assert_eq!(region["parameters"][0]["schema"]["enum"], json!(["1", "2"]));
    assert_eq!(public["paths"].get("/v1/rollouts"), None);
    assert_eq!(
        public["paths"].get("/old"),
        None,
        "nobody knows its contract"
    );

    let ops = answer(world.ops("/openapi.json")).await.1;
    assert_eq!(ops["info"]["title"], "API for operators");
    let rollouts = &ops["paths"]["/v1/rollouts"]["get"];
    assert_eq!(rollouts["security"], json!([{"operator": []}]));
    assert_eq!(ops["paths"].get("/v1/items/{item}"), None);
}

#[tokio::test]
async fn a_route_is_described_under_its_profile() {
    let world = World::start().await;
    let public = document(&world).await;
    let items = &public["paths"]["/api/items"]["get"];
    assert_eq!(items["x-grpc-method"].as_array().unwrap().len(), 2);
    assert_eq!(
        items["responses"]["4XX"]["$ref"],
        "#/components/responses/Error-simple"
    );
    let created = &public["paths"]["/api/items"]["post"]["responses"]["201"];
    let schema = &created["content"]["application/json"]["schema"]["$ref"];
    assert!(schema.as_str().unwrap().ends_with("-plain"), "{created}");
}

#[tokio::test]
async fn who_has_a_document_is_told_so() {
    let world = World::start().await;
    let first = world.get("/openapi.json").send().await.unwrap();
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    for known in [tag.clone(), format!("\"other\", W/{tag}")] {
        let again = world.get("/openapi.json").header("if-none-match", known);
        let again = again.send().await.unwrap();
        assert_eq!(again.status(), 304);
        assert_eq!(again.content_length().unwrap_or(0), 0);
    }
    let packed = world.get("/openapi.json").header("accept-encoding", "gzip");
    let packed = packed.send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["etag"], format!("W/{tag}"));
}

#[tokio::test]
async fn the_page_runs_itself_and_nothing_else() {
    let world = World::start().await;
    let page = world.get("/docs").send().await.unwrap();
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("data-document=\"/openapi.json\"")
    );
    let head = world.client.head(world.url("/docs")).send().await.unwrap();
    assert_eq!(head.status(), 200);
}

#[tokio::test]
async fn operators_need_their_token_for_the_document_and_not_for_the_page() {
    let world = World::with(|config| config.ops.token = Some(Secret::new("sesame"))).await;
    assert_eq!(answer(world.ops("/openapi.json")).await.0, 401);
    let known = world.ops("/openapi.json").bearer_auth("sesame");
    assert_eq!(answer(known).await.0, 200);
    assert_eq!(answer(world.ops("/docs")).await.0, 200);
}

#[tokio::test]
async fn it_can_be_elsewhere_or_nowhere_but_not_where_a_route_is() {
    let world = World::with(|config| config.openapi.enabled = false).await;
    assert_eq!(answer(world.get("/openapi.json")).await.0, 404);
    assert_eq!(answer(world.get("/docs")).await.0, 404);

    let folder = tempfile::tempdir().unwrap();
    let mut taken = config(&folder);
    taken.openapi.document = "/health".to_owned();
    let error = banyan_gateway::openapi(&taken, ListenerName::Public)
        .await
        .unwrap_err();
    let error = format!("{error:#}");
    for words in [
        "[openapi]",
        "/health: set another path, or `enabled = false`",
    ] {
        assert!(error.contains(words), "{error}");
    }

    let world = World::with(|config| {
        config.openapi = OpenapiConfig {
            document: "/about/api.json".to_owned(),
            page: "/about".to_owned(),
            ..OpenapiConfig::default()
        };
    })
    .await;
    assert_eq!(answer(world.get("/about/api.json")).await.0, 200);
    let page = answer(world.get("/about")).await.1;
    assert!(
        page.as_str()
            .unwrap()
            .contains("data-document=\"/about/api.json\"")
    );
}

#[tokio::test]
async fn a_new_contract_brings_a_new_document() {
    let world = World::start().await;
    let path = "/v2/items/{item}";
    assert_eq!(document(&world).await["paths"].get(path), None);
    let extended = contract(
        r#"option (google.api.http) = {get: "/v1/{name=items/*}"};"#,
        r#"option (google.api.http) = {
             get: "/v1/{name=items/*}"
             additional_bindings {get: "/v2/{name=items/*}"}
           };"#,
    );
    std::fs::write(world.file("new.binpb"), extended).unwrap();
    std::fs::rename(world.file("new.binpb"), world.file("shop.binpb")).unwrap();
    until("the new path is described", async || {
        document(&world).await["paths"].get(path).is_some()
    })
    .await;
}
