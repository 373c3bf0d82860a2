//! What fails on gRPC: legacy answers only writes that cannot have happened, or that both sides know by an id, and no reads
//! of what it lacks. Each side counts what it is asked.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, Router, extract::Request, middleware, routing::any};
use banyan_gateway::config::{Config, RouteConfig};
use banyan_rollout::Percent;
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::{
    grpc::talk::{client, unary},
    shop::{self, Item},
    world::{World, answer, nowhere, serve, until},
};

/// Of `CreateItem` and of `PriceItem`, which has no `request_id`.
#[derive(Clone, PartialEq, prost::Message)]
struct Write {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "2")]
    price: i64,
    #[prost(string, tag = "3")]
    request_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Find {
    #[prost(int64, tag = "1")]
    id: i64,
}

/// What somebody asks for: the method, and the id of the request if it has one.
#[derive(Clone, Copy, Debug)]
struct Ask {
    method: &'static str,
    id: Option<&'static str>,
}

const CREATE: Ask = Ask {
    method: "CreateItem",
    id: None,
};
const CREATE_ONCE: Ask = Ask {
    id: Some("once"),
    ..CREATE
};
const PRICE: Ask = Ask {
    method: "PriceItem",
    id: None,
};
const PRICE_ONCE: Ask = Ask {
    id: Some("once"),
    ..PRICE
};

/// Both sides behind a gateway that sends everybody to gRPC, and how often each was asked.
struct Sides {
    world: World,
    grpc: Arc<AtomicUsize>,
    legacy: Arc<AtomicUsize>,
}

impl Sides {
    /// Both are there, and legacy knows requests by their ids.
    async fn start() -> Sides {
        Sides::with(true, |_| {}).await
    }

    /// Nobody listens where gRPC should be: nothing can be sent.
    async fn without_grpc() -> Sides {
        Sides::with(false, |_| {}).await
    }

    async fn with(is_there: bool, change: impl FnOnce(&mut Config)) -> Sides {
        let (grpc, legacy) = (Arc::default(), Arc::default());
        let shop = shop::router("north", Arc::default());
        let shop = match is_there {
            true => counted(shop, "/shop.v1.", &grpc).await,
            false => nowhere().await,
        };
        let says = || async { Json(json!({"name": "old", "price": 1})) };
        let old = counted(Router::new().fallback(any(says)), "/", &legacy).await;
        let world = World::with(|config| {
            config.set_upstream("shop", shop).unwrap();
            config.set_upstream("old", old).unwrap();
            let items = config.rollouts.get_mut("items").unwrap();
            items.percent = Some(Percent::HUNDRED);
            items.fallback = true;
            items.legacy.honours_request_ids = true;
            change(config);
        })
        .await;
        Sides {
            world,
            grpc,
            legacy,
        }
    }

    /// How often gRPC and legacy were asked since the last time.
    fn asked(&self) -> (usize, usize) {
        let taken = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);
        (taken(&self.grpc), taken(&self.legacy))
    }

    /// Confirms the last stage, also where the follower is away.
    async fn enter_the_last_stage(&self) {
        let set = json!({"stage": "STAGE_GRPC", "actor": "tests", "reason": "the end", "force": true, "confirmOneWay": true});
        let url = format!("http://{}/v1/rollouts/items:set", self.world.gateway.ops);
        let entered = || async { answer(self.world.client.post(&url).json(&set)).await.0 == 200 };
        until("the store is ready", entered).await;
    }

    /// The status of a REST request that the service turns away, if it is there: a negative price.
    async fn rest(&self, ask: Ask) -> u16 {
        let (path, name) = match ask.method {
            "CreateItem" => ("/api/items", "title"),
            _ => ("/api/prices", "name"),
        };
        let body: Value = json!({name: "Tea", "price": -1});
        let mut request = self.world.post(path, &body);
        if let Some(id) = ask.id {
            request = request.header("idempotency-key", id);
        }
        request.send().await.unwrap().status().as_u16()
    }

    /// The same as a gRPC call; the key is in its metadata too, where it says nothing.
    async fn call(&self, ask: Ask) -> Result<String, Status> {
        let has_place = ask.method == "CreateItem";
        let mut request = tonic::Request::new(Write {
            name: "Tea".to_owned(),
            price: -1,
            request_id: ask.id.filter(|_| has_place).unwrap_or_default().to_owned(),
        });
        if let Some(id) = ask.id {
            let key = id.parse().unwrap();
            request.metadata_mut().insert("idempotency-key", key);
        }
        let client = client(&self.world).await;
        let path = format!("/shop.v1.ShopService/{}", ask.method);
        let answer = unary::<_, Item>(&client, &path, request).await?;
        Ok(answer.into_inner().name)
    }
}

/// Serves and counts what is asked of these paths.
async fn counted(router: Router, paths: &'static str, count: &Arc<AtomicUsize>) -> String {
    let count = Arc::clone(count);
    let counting = move |request: Request, next: middleware::Next| {
        if request.uri().path().starts_with(paths) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        next.run(request)
    };
    let address = serve(router.layer(middleware::from_fn(counting))).await;
    format!("http://{address}")
}

#[tokio::test]
async fn a_write_that_was_sent_is_repeated_only_under_an_id_that_its_method_takes() {
    let sides = Sides::start().await;
    for (ask, status, asked) in [
        (CREATE, 503, (1, 0)),
        (CREATE_ONCE, 200, (1, 1)),
        (PRICE, 503, (1, 0)),
        // gRPC was never told the key, so nobody could tell the second one from the first.
        (PRICE_ONCE, 503, (1, 0)),
    ] {
        assert_eq!(sides.rest(ask).await, status, "REST: {ask:?}");
        assert_eq!(sides.asked(), asked, "REST: {ask:?}");
        let answer = sides.call(ask).await;
        assert_eq!(answer.is_ok(), status == 200, "gRPC: {ask:?}: {answer:?}");
        assert_eq!(sides.asked(), asked, "gRPC: {ask:?}");
        match answer {
            Ok(name) => assert_eq!(name, "old"),
            Err(failed) => assert_eq!(failed.code(), Code::Unavailable, "{ask:?}"),
        }
    }
}

#[tokio::test]
async fn a_write_that_was_never_sent_is_answered_by_legacy_once_whatever_its_id() {
    let sides = Sides::without_grpc().await;
    for ask in [CREATE, CREATE_ONCE, PRICE, PRICE_ONCE] {
        assert_eq!(sides.rest(ask).await, 200, "REST: {ask:?}");
        assert_eq!(sides.asked(), (0, 1), "REST: {ask:?}");
        assert_eq!(sides.call(ask).await.unwrap(), "old", "gRPC: {ask:?}");
        assert_eq!(sides.asked(), (0, 1), "gRPC: {ask:?}");
    }
}

#[tokio::test]
async fn in_the_last_stage_legacy_answers_reads_only_if_it_has_what_was_written() {
    for (shares_data, follows, writes, has_all) in [
        (false, true, true, false),
        (false, false, true, false),
        (true, false, true, true),
        (false, false, false, true),
        // Whatever is created is created on gRPC then, though not by this rollout.
        (false, true, false, false),
    ] {
        let sides = Sides::with(false, |config| {
            let items = config.rollouts.get_mut("items").unwrap();
            items.shares_data = shares_data;
            items.follow = items.follow.take().filter(|_| follows);
            let is_kept =
                |it: &RouteConfig| writes || it.rollout.is_none() || it.methods == ["GET"];
            config.routes.retain(is_kept);
        })
        .await;
        let case = format!("shares {shares_data}, follows {follows}, writes {writes}");
        let read = || answer(sides.world.get("/api/items?id=1"));
        let client = client(&sides.world).await;
        let call = || {
            let find = tonic::Request::new(Find { id: 1 });
            unary::<_, Item>(&client, "/shop.v1.ShopService/FindItem", find)
        };
        assert_eq!(read().await.0, 200, "{case}");
        assert!(call().await.is_ok(), "{case}");
        assert_eq!(sides.asked(), (0, 2), "before: {case}");

        sides.enter_the_last_stage().await;
        let (status, calls) = if has_all { (200, 1) } else { (503, 0) };
        assert_eq!(read().await.0, status, "REST: {case}");
        assert_eq!(sides.asked(), (0, calls), "REST: {case}");
        assert_eq!(call().await.is_ok(), has_all, "gRPC: {case}");
        assert_eq!(sides.asked(), (0, calls), "gRPC: {case}");
        let url = "/v1/rollouts/items:explain?subject=alice";
        let (_, explained) = answer(sides.world.ops(url)).await;
        let said = match has_all {
            true => "legacy answers if gRPC fails",
            false => "legacy lacks what was written since stage grpc began",
        };
        assert!(explained.to_string().contains(said), "{case}: {explained}");
    }
}
