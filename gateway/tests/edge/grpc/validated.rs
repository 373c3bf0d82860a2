//! Writes that the other side is asked to validate only, and never does.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    routing::{any, post},
};
use banyan_gateway::config::{Config, DescriptorSource};
use banyan_rollout::Percent;
use serde_json::{Value, json};
use tonic::{Request as Call, Status, server::Grpc};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::talk::{client, unary};
use crate::edge::{
    shop::{self, Item},
    world::{World, answer, serve, until},
};

#[derive(Clone, PartialEq, prost::Message)]
struct Create {
    #[prost(string, tag = "1")]
    title: String,
    #[prost(int64, tag = "2")]
    price: i64,
    #[prost(string, tag = "3")]
    request_id: String,
    #[prost(bool, tag = "4")]
    validate_only: bool,
}

/// What a side has done, and what it has only looked at.
#[derive(Clone, Debug, Default)]
struct Ledger(Arc<Mutex<(Vec<String>, Vec<String>)>>);

impl Ledger {
    fn note(&self, what: String, is_validated: bool) {
        let mut noted = self.0.lock().unwrap();
        match is_validated {
            true => noted.1.push(what),
            false => noted.0.push(what),
        }
    }

    fn done(&self) -> Vec<String> {
        self.0.lock().unwrap().0.clone()
    }

    fn validated(&self) -> Vec<String> {
        self.0.lock().unwrap().1.clone()
    }
}

/// A service that takes nothing for less than nothing.
fn service(ledger: Ledger) -> Router {
    let handler = move |request: Request| {
        let ledger = ledger.clone();
        async move {
            let service = service_fn(move |request: Call<Create>| {
                let (create, ledger) = (request.into_inner(), ledger.clone());
                async move {
                    if create.price < 0 {
                        return Err(Status::invalid_argument("price must be 0 or more"));
                    }
                    ledger.note(
                        format!("{} {}", create.title, create.request_id),
                        create.validate_only,
                    );
                    Ok(tonic::Response::new(Item {
                        name: create.title,
                        price: create.price,
                        tags: Vec::new(),
                    }))
                }
            });
            let codec = ProstCodec::<Item, Create>::default();
            Grpc::new(codec)
                .unary(service, request)
                .await
                .map(Body::new)
        }
    };
    Router::new().route("/shop.v1.ShopService/CreateItem", post(handler))
}

/// An old system that takes anything.
fn old(ledger: Ledger) -> Router {
    let handler = move |request: Request| {
        let ledger = ledger.clone();
        async move {
            let is_write = request.method() == "POST";
            let body = axum::body::to_bytes(request.into_body(), usize::MAX)
                .await
                .unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            if is_write {
                let title = body["title"].as_str().unwrap().to_owned();
                ledger.note(title, body["validate_only"] == true);
            }
            Json(json!({"name": body["title"], "price": body["price"]}))
        }
    };
    Router::new().fallback(any(handler))
}

struct Sides {
    world: World,
    grpc: Ledger,
    legacy: Ledger,
}

async fn sides(percent: Percent, change: impl FnOnce(&mut Config)) -> Sides {
    let (grpc, legacy) = (Ledger::default(), Ledger::default());
    let service = format!("http://{}", serve(service(grpc.clone())).await);
    let old = format!("http://{}", serve(old(legacy.clone())).await);
    let contract = shop::contract(
        "string request_id = 3;",
        "string request_id = 3;\n  bool validate_only = 4;",
    );
    let world = World::with(|config| {
        for source in &config.descriptors {
            if let DescriptorSource::File(path) = source {
                std::fs::write(path, &contract).unwrap();
            }
        }
        config.set_upstream("shop", service).unwrap();
        config.set_upstream("old", old).unwrap();
        let items = config.rollouts.get_mut("items").unwrap();
        items.percent = Some(percent);
        items.follow = None;
        items.shadow.percent = Some(Percent::HUNDRED);
        items.shadow.noise_percent = Some(Percent::HUNDRED);
        change(config);
    })
    .await;
    Sides {
        world,
        grpc,
        legacy,
    }
}

impl Sides {
    /// Writes over REST and over gRPC; both go through.
    async fn write(&self, title: &str, price: i64) {
        let body = json!({"title": title, "price": price, "request_id": "mine"});
        let (status, _) = answer(self.world.post("/api/items", &body)).await;
        assert!((200..300).contains(&status), "{status}");
        let message = Create {
            title: title.to_owned(),
            price,
            request_id: "mine".to_owned(),
            validate_only: false,
        };
        let path = "/shop.v1.ShopService/CreateItem";
        let client = client(&self.world).await;
        unary::<_, Item>(&client, path, Call::new(message))
            .await
            .unwrap();
    }

    async fn counted(&self, result: &str, count: usize) {
        let line = format!(
            "gateway_shadow_requests_total{{rollout=\"items\",result=\"{result}\"}} {count}"
        );
        until(&line, || async {
            self.world.metrics().await.contains(&line)
        })
        .await;
    }
}

#[tokio::test]
async fn a_write_on_legacy_is_validated_by_the_service_and_done_once() {
    let sides = sides(Percent::ZERO, |_| {}).await;
    sides.write("Tea", 1).await;
    sides.counted("same", 2).await;
    assert_eq!(sides.legacy.done(), ["Tea", "Tea"]);
    assert_eq!(sides.grpc.done(), [""; 0]);
    let validated = sides.grpc.validated();
    assert_eq!(validated.len(), 2);
    let is_another = |it: &String| it.starts_with("Tea ") && !it.ends_with(" mine");
    assert!(
        validated.iter().all(is_another),
        "another request has another id: {validated:?}"
    );

    sides.write("Debt", -1).await;
    sides.counted("differs", 2).await;
    assert_eq!(sides.legacy.done().len(), 4);
    assert!(sides.legacy.validated().is_empty() && sides.grpc.done().is_empty());
}

#[tokio::test]
async fn legacy_validates_only_where_it_is_declared() {
    let undeclared = sides(Percent::HUNDRED, |_| {}).await;
    undeclared.write("Tea", 1).await;
    let declared = sides(Percent::HUNDRED, |config| {
        let items = config.rollouts.get_mut("items").unwrap();
        items.legacy.honours_validate_only = true;
    })
    .await;
    declared.write("Tea", 1).await;
    declared.counted("same", 2).await;
    assert_eq!(declared.legacy.validated(), ["Tea", "Tea"]);
    assert_eq!(declared.grpc.done(), ["Tea mine", "Tea mine"]);
    assert!(declared.legacy.done().is_empty() && declared.grpc.validated().is_empty());
    // As much later as this one took: nothing has come.
    assert_eq!(undeclared.grpc.done().len(), 2);
    assert!(undeclared.legacy.done().is_empty() && undeclared.legacy.validated().is_empty());
}
