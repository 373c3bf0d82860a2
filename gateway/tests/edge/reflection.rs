//! Contracts from backends that tell them themselves: there at start, late, changed, or with none.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::Request};
use banyan_gateway::config::DescriptorSource;
use serde_json::json;
use tonic_reflection::server::Builder;
use tower::ServiceExt as _;

use super::{
    shop::{self, contract},
    world::{World, answer, nowhere, serve, serve_at, until},
};

/// Which protocols a backend speaks.
#[derive(Clone, Copy)]
enum Speaks {
    V1,
    V1Alpha,
}

/// Answers reflection by a descriptor set.
fn reflection(set: &[u8], speaks: Speaks) -> Router {
    let builder = || Builder::configure().register_encoded_file_descriptor_set(set);
    match speaks {
        Speaks::V1 => Router::new().route_service(
            "/grpc.reflection.v1.ServerReflection/{method}",
            builder().build_v1().unwrap(),
        ),
        Speaks::V1Alpha => Router::new().route_service(
            "/grpc.reflection.v1alpha.ServerReflection/{method}",
            builder().build_v1alpha().unwrap(),
        ),
    }
}

fn shop(set: &[u8], speaks: Speaks) -> Router {
    shop::router("told", Arc::default()).merge(reflection(set, speaks))
}

/// A world whose shop is at `address`, and tells its contract itself.
async fn world_with(address: &str) -> World {
    World::with(|config| {
        config.set_upstream("shop", address).unwrap();
        config.descriptors = vec![
            DescriptorSource::BuiltIn,
            DescriptorSource::Reflection("shop".to_owned()),
        ];
    })
    .await
}

async fn serves(world: &World, path: &str) -> bool {
    answer(world.get(path)).await.0 == 200
}

/// Why the shop's contract cannot be had.
async fn trouble(world: &World) -> String {
    let page = world.contracts().await;
    let trouble = page["sources"][1]["trouble"].as_str();
    trouble.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_backend_tells_its_contract_in_either_protocol() {
    for speaks in [Speaks::V1, Speaks::V1Alpha] {
        let backend = serve(shop(&contract("", ""), speaks)).await;
        let world = world_with(&format!("http://{backend}")).await;
        let (status, body) = answer(world.get("/v1/items/7")).await;
        assert_eq!((status, &body["tags"]), (200, &json!(["told"])));
        assert!(serves(&world, "/api/items").await);
        let (status, body) = answer(world.get("/v1/items/missing")).await;
        assert_eq!(
            (status, &body["error"]["details"][0]["reason"]),
            (404, &json!("ITEM_NOT_FOUND")),
            "details need not be imported by the contract"
        );
        let page = world.contracts().await;
        assert_eq!(
            page["sources"][1]["services"],
            json!(["shop.v1.ShopService"]),
            "{page}"
        );
    }
}

#[tokio::test]
async fn a_backend_that_is_late_is_waited_for_while_all_else_is_served() {
    let address = nowhere().await;
    let world = world_with(&address).await;
    for path in ["/v1/items/7", "/api/sales", "/titled/items/7"] {
        let request = match path {
            "/api/sales" => world.post(path, &json!({"title": "Tea"})),
            _ => world.get(path),
        };
        let (status, body) = answer(request).await;
        assert_eq!(status, 503, "{path}: {body}");
        assert!(
            body.to_string().contains("reflection:shop"),
            "{path}: {body}"
        );
    }
    assert_eq!(answer(world.get("/health")).await.0, 200);
    assert_eq!(answer(world.get("/old/x")).await.0, 200);
    let legacy = world.get("/api/items");
    let legacy = legacy.header("x-user-id", super::calls::on_side("legacy"));
    assert_eq!(
        answer(legacy).await.0,
        200,
        "the legacy side needs no contract"
    );
    assert!(!trouble(&world).await.is_empty());
    assert!(
        world
            .metrics()
            .await
            .contains("gateway_contracts_source_up{source=\"reflection:shop\"} 0")
    );

    let socket = address.strip_prefix("http://").unwrap();
    serve_at(socket, shop(&contract("", ""), Speaks::V1)).await;
    until("the shop is served", || serves(&world, "/v1/items/7")).await;
    assert!(serves(&world, "/titled/items/7").await);
    assert_eq!(answer(world.get("/v1/nothing")).await.0, 404);
    let page = world.contracts().await;
    assert_eq!(
        (&page["version"], &page["absent"]),
        (&json!(2), &json!([])),
        "{page}"
    );
    assert_eq!(trouble(&world).await, "");
}

#[tokio::test]
async fn a_contract_that_changes_is_taken_up_and_a_bad_one_is_not() {
    let told = Arc::new(Mutex::new(reflection(&contract("", ""), Speaks::V1)));
    let answers = Arc::clone(&told);
    let backend = shop::router("told", Arc::default()).route(
        "/grpc.reflection.v1.ServerReflection/{method}",
        axum::routing::post(move |request: Request| {
            let now = answers.lock().unwrap().clone();
            async move { now.oneshot(request).await }
        }),
    );
    let backend = serve(backend).await;
    let world = world_with(&format!("http://{backend}")).await;
    let moved = contract(r#""/v1/me""#, r#""/v1/myself""#);
    *told.lock().unwrap() = reflection(&moved, Speaks::V1);
    until("the new path is served", || serves(&world, "/v1/myself")).await;
    assert!(!serves(&world, "/v1/me").await);

    let gone = contract("rpc FindItem", "rpc SeekItem");
    *told.lock().unwrap() = reflection(&gone, Speaks::V1);
    until("the change is refused", async || {
        let page = world.contracts().await;
        let reason = page["refused"]["reason"].as_str().map(str::to_owned);
        reason.is_some_and(|reason| reason.contains("FindItem"))
    })
    .await;
    assert!(serves(&world, "/v1/myself").await);
    let failures = world.contracts().await["failures"].clone();
    assert_eq!(failures, json!(1), "told once");
}

#[tokio::test]
async fn a_backend_without_reflection_or_beyond_a_limit_is_told_so() {
    let backend = serve(shop::router("mute", Arc::default())).await;
    let world = world_with(&format!("http://{backend}")).await;
    let said = trouble(&world).await;
    assert!(
        said.contains("neither grpc.reflection.v1 nor v1alpha"),
        "{said}"
    );

    let backend = serve(shop(&contract("", ""), Speaks::V1)).await;
    let limited = |change: fn(&mut banyan_gateway::config::ContractsConfig)| {
        World::with(move |config| {
            config
                .set_upstream("shop", format!("http://{backend}"))
                .unwrap();
            config.descriptors = vec![
                DescriptorSource::BuiltIn,
                DescriptorSource::Reflection("shop".to_owned()),
            ];
            change(&mut config.contracts);
        })
    };
    let world = limited(|contracts| contracts.files_max = 2).await;
    let said = trouble(&world).await;
    assert!(said.contains("contracts.files_max = 2"), "{said}");
    let world = limited(|contracts| contracts.reflection_timeout_ms = 1).await;
    let said = trouble(&world).await;
    assert!(
        said.contains("reflection_timeout_ms") || said.is_empty(),
        "{said}"
    );
}
