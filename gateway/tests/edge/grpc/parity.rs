//! What a rollout does for REST requests it does for gRPC calls: subjects, pins, marks, fallback, comparisons.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, Router, extract::Request, routing::any};
use banyan_gateway::config::Config;
use banyan_mesh::testing::TestDatabase;
use banyan_rollout::{GoingDown, Percent};
use serde_json::{Value, json};
use tonic::{Code, Request as Call, Response, Status, client::Grpc, transport::Channel};

use super::{
    entities::by_entity,
    talk::{client, unary},
};
use crate::edge::{
    calls::on_side,
    shop::Item,
    world::{World, answer, nowhere, serve, until},
};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Find {
    #[prost(int64, tag = "1")]
    pub(super) id: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Create {
    #[prost(string, tag = "1")]
    title: String,
    #[prost(int64, tag = "2")]
    price: i64,
    #[prost(string, tag = "3")]
    request_id: String,
}

pub(super) fn create(title: &str, price: i64) -> Create {
    Create {
        title: title.to_owned(),
        price,
        request_id: String::new(),
    }
}

pub(super) struct Shop {
    pub(super) world: World,
    client: Grpc<Channel>,
}

impl Shop {
    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Shop {
        let world = World::with(change).await;
        let client = client(&world).await;
        Shop { world, client }
    }

    pub(super) async fn call<In>(
        &self,
        method: &str,
        message: In,
        metadata: &[(&'static str, &str)],
    ) -> Result<Response<Item>, Status>
    where
        In: prost::Message + Default + 'static,
    {
        let mut request = Call::new(message);
        for (name, value) in metadata {
            request.metadata_mut().insert(*name, value.parse().unwrap());
        }
        let path = format!("/shop.v1.ShopService/{method}");
        unary(&self.client, &path, request).await
    }

    pub(super) async fn set_percent(&self, percent: u32) {
        // Also where nobody can ask the follower.
        let set = json!({"percent": percent, "actor": "tests", "reason": "parity", "force": true});
        let url = format!("http://{}/v1/rollouts/items:set", self.world.gateway.ops);
        until("the store is ready", || async {
            answer(self.world.client.post(&url).json(&set)).await.0 == 200
        })
        .await;
    }

    async fn counted(&self, line: &str) {
        until(line, || async { self.world.metrics().await.contains(line) }).await;
    }
}

pub(super) fn told<'r>(answer: &'r Result<Response<Item>, Status>, name: &str) -> Option<&'r str> {
    let metadata = match answer {
        Ok(response) => response.metadata(),
        Err(status) => status.metadata(),
    };
    metadata.get(name).map(|value| value.to_str().unwrap())
}

pub(super) fn side(answer: &Result<Response<Item>, Status>) -> &str {
    told(answer, "x-banyan-side").unwrap()
}

#[tokio::test]
async fn who_wrote_over_grpc_finds_it_whatever_the_percentage_becomes() {
    let database = TestDatabase::each().remove(0);
    let away = nowhere().await;
    let shop = Shop::with(|config| {
        config.set_upstream("south", away).unwrap();
        let items = config.rollouts.get_mut("items").unwrap();
        items.follow.as_mut().unwrap().upstream = "south".to_owned();
        items.going_down = GoingDown::StayWithWriter;
        config.store.url = banyan_mesh::settings::DatabaseUrl::new(&database.url);
    })
    .await;
    shop.set_percent(0).await;
    let user = on_side("grpc");
    let user = ("x-user-id", user.as_str());
    let write = shop.call("CreateItem", create("Tea", 1), &[user]).await;
    assert_eq!(side(&write), "legacy");
    let pin = told(&write, "x-banyan-pin")
        .expect("the follower is away")
        .to_owned();
    let cookie = told(&write, "set-cookie").unwrap().to_owned();
    assert!(
        cookie.starts_with("banyan_pin_items.") && cookie.contains(&format!("={pin};")),
        "{cookie}"
    );

    shop.set_percent(100).await;
    let read = |metadata: &[(&'static str, &str)]| {
        let metadata: Vec<_> = metadata.iter().copied().chain([user]).collect();
        let shop = &shop;
        let owned: Vec<(&'static str, String)> = metadata
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        async move {
            let metadata: Vec<_> = owned
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let read = shop.call("FindItem", Find { id: 1 }, &metadata).await;
            side(&read).to_owned()
        }
    };
    until("the change has arrived", || async {
        read(&[]).await == "grpc"
    })
    .await;
    assert_eq!(read(&[("x-banyan-pin", &pin)]).await, "legacy");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(read(&[("cookie", pair)]).await, "legacy");
    let forged = pin.replace("4.l.", "4.l.9");
    assert_eq!(read(&[("x-banyan-pin", &forged)]).await, "grpc");

    let write = shop.call("CreateItem", create("Tea", 1), &[user]).await;
    assert_eq!((side(&write), write.is_ok()), ("grpc", true));
    let mark = told(&write, "x-banyan-wrote")
        .expect("it stays where it wrote")
        .to_owned();
    let failed = shop.call("CreateItem", create("Tea", -1), &[user]).await;
    assert_eq!(
        (side(&failed), told(&failed, "x-banyan-wrote")),
        ("grpc", None)
    );
    assert_eq!(failed.unwrap_err().code(), Code::Unavailable);
    shop.set_percent(0).await;
    until("the change has arrived", || async {
        read(&[]).await == "legacy"
    })
    .await;
    assert_eq!(read(&[("x-banyan-wrote", &mark)]).await, "grpc");
    let abort = json!({"actor": "tests", "reason": "gRPC fails"});
    let url = format!("http://{}/v1/rollouts/items:abort", shop.world.gateway.ops);
    let (status, body) = answer(shop.world.client.post(&url).json(&abort)).await;
    assert_eq!(status, 200, "{body}");
    until("writers are back too", || async {
        read(&[("x-banyan-wrote", &mark)]).await == "legacy"
    })
    .await;
}

/// An old system that notes what it was asked and knows one item.
#[derive(Clone)]
struct Old {
    says: Value,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Old {
    fn saying(says: Value) -> Old {
        Old {
            says,
            asked: Arc::default(),
        }
    }

    async fn serve(&self) -> String {
        let old = self.clone();
        let handler = move |request: Request| {
            let (parts, old) = (request.into_parts().0, old.clone());
            let header = |name: &str| {
                let value = parts.headers.get(name)?;
                Some(value.to_str().unwrap().to_owned())
            };
            old.asked.lock().unwrap().push(json!({
                "call": format!("{} {}", parts.method, parts.uri),
                "id": header("idempotency-key"),
                "shadow": header("x-banyan-shadow"),
            }));
            async move { Json(old.says) }
        };
        format!(
            "http://{}",
            serve(Router::new().fallback(any(handler))).await
        )
    }

    fn asked(&self) -> Vec<Value> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[tokio::test]
async fn legacy_answers_for_a_call_only_what_cannot_happen_twice() {
    let old = Old::saying(json!({"name": "old", "price": 1}));
    let url = old.serve().await;
    let fallback = |shop: Option<String>, knows_ids: bool| {
        let url = url.clone();
        Shop::with(move |config| {
            let items = config.rollouts.get_mut("items").unwrap();
            items.fallback = true;
            items.follow = None;
            items.legacy.honours_request_ids = knows_ids;
            config.set_upstream("old", url).unwrap();
            if let Some(shop) = shop {
                config.set_upstream("shop", shop).unwrap();
            }
        })
    };
    let user = on_side("grpc");
    let user = ("x-user-id", user.as_str());
    let shop = fallback(Some(nowhere().await), false).await;
    for (method, message) in [("FindItem", None), ("CreateItem", Some(create("Tea", 1)))] {
        let answer = match message {
            None => shop.call(method, Find { id: 1 }, &[user]).await,
            Some(message) => shop.call(method, message, &[user]).await,
        };
        assert_eq!(side(&answer), "legacy", "{method}");
        assert_eq!(answer.unwrap().into_inner().name, "old", "{method}");
    }
    let line = r#"gateway_rollout_fallbacks_total{rollout="items",failure="unreachable"} 2"#;
    shop.counted(line).await;
    old.asked();

    // UNAVAILABLE of a service proves nothing: the write may have happened.
    let shop = fallback(None, true).await;
    let failed = shop.call("CreateItem", create("Tea", -1), &[user]).await;
    assert_eq!(side(&failed), "grpc");
    assert_eq!(failed.unwrap_err().code(), Code::Unavailable);
    assert!(old.asked().is_empty());
    let known = Create {
        request_id: "once".to_owned(),
        ..create("Tea", -1)
    };
    let answer = shop.call("CreateItem", known, &[user]).await;
    assert_eq!((side(&answer), answer.is_ok()), ("legacy", true));
    let asked = old.asked();
    assert_eq!((asked.len(), &asked[0]["id"]), (1, &json!("once")));

    // What the service has answered needs no repair.
    let shop = Shop::with(|config| {
        config.rollouts.get_mut("items").unwrap().percent = Some(Percent::HUNDRED);
    })
    .await;
    let answer = shop.call("FindItem", Find { id: 7 }, &[]).await;
    assert_eq!(side(&answer), "grpc");
    assert_eq!(answer.unwrap().into_inner().price, 7);
}

async fn compared(old: &Old, percent: Percent) -> Shop {
    let url = old.serve().await;
    Shop::with(|config| {
        config.set_upstream("old", url).unwrap();
        let items = config.rollouts.get_mut("items").unwrap();
        items.percent = Some(percent);
        items.shadow.percent = Some(Percent::HUNDRED);
    })
    .await
}

fn outcome(result: &str, count: usize) -> String {
    format!("gateway_shadow_requests_total{{rollout=\"items\",result=\"{result}\"}} {count}")
}

#[tokio::test]
async fn both_sides_of_a_call_are_compared_under_the_contract() {
    for percent in [Percent::ZERO, Percent::HUNDRED] {
        let old = Old::saying(json!({"name": "found", "price": "7"}));
        let shop = compared(&old, percent).await;
        let found = shop.call("FindItem", Find { id: 7 }, &[]).await.unwrap();
        assert_eq!(found.into_inner().name, "found");
        shop.counted(&outcome("same", 1)).await;
        let asked = old.asked();
        assert_eq!(
            (asked.len(), &asked[0]["call"]),
            (1, &json!("GET /api/items?id=7"))
        );
        let is_copy = asked[0]["shadow"] == "1";
        assert_eq!(is_copy, percent == Percent::HUNDRED);
    }
    // What gRPC clients cannot see differs all the same: the contract has no such member.
    let old = Old::saying(json!({"name": "found", "price": 7, "colour": "red"}));
    let shop = compared(&old, Percent::ZERO).await;
    shop.call("FindItem", Find { id: 7 }, &[]).await.unwrap();
    shop.counted(&outcome("differs", 1)).await;
    shop.call("CreateItem", create("Tea", 1), &[])
        .await
        .unwrap();
    shop.call("FindItem", Find { id: 7 }, &[]).await.unwrap();
    shop.counted(&outcome("differs", 2)).await;
    assert_eq!(old.asked().len(), 3, "no write is repeated");
}

#[tokio::test]
async fn a_browser_s_call_is_decided_as_any_other() {
    let counted = Arc::new(AtomicUsize::new(0));
    let old = Old::saying(json!({"name": "found", "price": 7}));
    let url = old.serve().await;
    let shop = Shop::with(|config| {
        by_entity(config);
        config.set_upstream("old", url).unwrap();
        config.rollouts.get_mut("items").unwrap().shadow.percent = Some(Percent::HUNDRED);
    })
    .await;
    for id in 1..5_i64 {
        let call = shop.call("FindItem", Find { id }, &[]).await;
        let mut sent = vec![0, 0, 0, 0, 2, 8];
        sent.push(u8::try_from(id).unwrap());
        let web = shop
            .world
            .client
            .post(shop.world.url("/shop.v1.ShopService/FindItem"))
            .header("content-type", "application/grpc-web+proto")
            .body(sent);
        let web = web.send().await.unwrap();
        assert_eq!(web.headers()["x-banyan-side"], side(&call), "{id}");
        let body = web.bytes().await.unwrap();
        let text = String::from_utf8_lossy(&body);
        assert!(
            text.contains("found") && text.contains("grpc-status: 0"),
            "{text:?}"
        );
        counted.fetch_add(2, Ordering::SeqCst);
    }
    until("all are compared", || async {
        let metrics = shop.world.metrics().await;
        let lines = metrics
            .lines()
            .filter(|line| line.starts_with("gateway_shadow_requests_total{"));
        let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
        counts.sum::<usize>() == counted.load(Ordering::SeqCst)
    })
    .await;
}
