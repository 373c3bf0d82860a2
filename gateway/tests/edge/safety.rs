//! What changes nothing, whoever says so: it is asked of both sides and answered by legacy where gRPC fails; and whatever
//! may change something is done once and found afterwards, though it be a GET.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    middleware,
    response::{IntoResponse as _, Response},
    routing::any,
};
use banyan_gateway::config::{Config, DescriptorSource, RouteConfig};
use banyan_rollout::Percent;
use serde_json::{Value, json};
use tonic::{Code, Request as Call, Status};

use super::{
    calls::on_side,
    grpc::talk::{client, unary},
    shop::{self, Item},
    world::{World, answer, nowhere, serve, until},
};

#[derive(Clone, PartialEq, prost::Message)]
struct Price {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "2")]
    price: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Find {
    #[prost(int64, tag = "1")]
    id: i64,
}

/// Who says what `POST /api/prices` does.
#[derive(Clone, Copy, Debug)]
enum Says {
    Route(bool),
    Contract(&'static str),
}

impl Says {
    fn to(self, config: &mut Config) {
        match self {
            Says::Route(safe) => prices(config).safe = Some(safe),
            Says::Contract(level) => {
                let method = "rpc PriceItem(PriceItemRequest) returns (Item)";
                let option = format!("{method} {{ option idempotency_level = {level}; }}");
                let contract = shop::contract(&format!("{method};"), &option);
                for source in &config.descriptors {
                    if let DescriptorSource::File(path) = source {
                        std::fs::write(path, &contract).unwrap();
                    }
                }
            }
        }
    }
}

const SAFE: [Says; 2] = [Says::Route(true), Says::Contract("NO_SIDE_EFFECTS")];

fn prices(config: &mut Config) -> &mut RouteConfig {
    let mut routes = config.routes.iter_mut();
    routes.find(|route| route.path == "/api/prices").unwrap()
}

/// `GET /api/items?id=`, which is said to change something.
fn unsafe_find(config: &mut Config) {
    let mut routes = config.routes.iter_mut();
    let find = routes.find(|route| route.query == ["id"]).unwrap();
    find.safe = Some(false);
}

/// A request that a side was asked.
#[derive(Clone, Debug)]
struct Seen {
    what: String,
    body: Vec<u8>,
    is_copy: bool,
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    /// Serves and notes what is asked of these paths.
    async fn serve(&self, router: Router, paths: &'static str) -> String {
        let log = self.clone();
        let noting = move |request: Request, next: middleware::Next| {
            let log = log.clone();
            async move {
                if !request.uri().path().starts_with(paths) {
                    return next.run(request).await;
                }
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                log.0.lock().unwrap().push(Seen {
                    what: format!("{} {}", parts.method, parts.uri),
                    body: body.to_vec(),
                    is_copy: parts.headers.contains_key("x-banyan-shadow"),
                });
                next.run(Request::from_parts(parts, Body::from(body))).await
            }
        };
        let address = serve(router.layer(middleware::from_fn(noting))).await;
        format!("http://{address}")
    }

    /// What was asked since the last time, with copies counted.
    fn taken(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Sides {
    world: World,
    grpc: Log,
    legacy: Log,
}

/// What the gRPC side is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Service {
    Works,
    /// It fails whatever it is asked.
    Fails,
    /// Nothing can be sent to it.
    IsAway,
}

impl Sides {
    async fn start(service: Service, change: impl FnOnce(&mut Config)) -> Sides {
        let (grpc, legacy) = (Log::default(), Log::default());
        let shop = match service {
            Service::Works => {
                let shop = shop::router("north", Arc::default());
                grpc.serve(shop, "/shop.v1.").await
            }
            Service::Fails => {
                let fails = Router::new().fallback(any(|| async { failed() }));
                grpc.serve(fails, "/shop.v1.").await
            }
            Service::IsAway => nowhere().await,
        };
        let old = legacy
            .serve(Router::new().fallback(any(old)), "/api/")
            .await;
        let world = World::with(|config| {
            config.set_upstream("shop", shop).unwrap();
            config.set_upstream("old", old).unwrap();
            let items = config.rollouts.get_mut("items").unwrap();
            items.percent = Some(Percent::HUNDRED);
            items.follow = None;
            items.shadow.ignore = ["tags".to_owned()].into();
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
        (self.grpc.taken().len(), self.legacy.taken().len())
    }

    /// Prices over REST: status and name.
    async fn price(&self, name: &str, price: i64) -> (u16, Value) {
        let body = json!({"name": name, "price": price});
        let (status, answer) = answer(self.world.post("/api/prices", &body)).await;
        (status, answer["name"].clone())
    }

    /// The same over gRPC.
    async fn call_price(&self, name: &str, price: i64) -> Result<String, Status> {
        let name = name.to_owned();
        let answer = self.call("PriceItem", Call::new(Price { name, price }));
        answer.await.map(|answer| answer.into_inner().name)
    }

    async fn call<In>(
        &self,
        method: &str,
        request: Call<In>,
    ) -> Result<tonic::Response<Item>, Status>
    where
        In: prost::Message + Default + 'static,
    {
        let path = format!("/shop.v1.ShopService/{method}");
        unary(&client(&self.world).await, &path, request).await
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

/// A gRPC answer that is nothing but a status.
fn failed() -> Response {
    let head = [
        ("content-type", "application/grpc"),
        ("grpc-status", "14"),
        ("grpc-message", "closed"),
    ];
    head.into_response()
}

/// The old system gives back what it is asked, and what it finds is called `found`.
async fn old(request: Request) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let id = parts.uri.query().and_then(|it| it.strip_prefix("id="));
    Json(match serde_json::from_slice::<Value>(&body) {
        Ok(asked) => json!({"name": asked["name"], "price": asked["price"]}),
        Err(_) => json!({"name": "found", "price": id.map(|id| id.parse::<i64>().unwrap())}),
    })
}

fn compared(config: &mut Config, percent: Percent, noise: Percent) {
    let items = config.rollouts.get_mut("items").unwrap();
    items.percent = Some(percent);
    items.shadow.percent = Some(Percent::HUNDRED);
    items.shadow.noise_percent = Some(noise);
}

#[tokio::test]
async fn a_safe_post_is_asked_of_both_sides_with_its_body() {
    for (says, percent) in [
        (SAFE[0], Percent::ZERO),
        (SAFE[0], Percent::HUNDRED),
        (SAFE[1], Percent::ZERO),
        (SAFE[1], Percent::HUNDRED),
    ] {
        let sides = Sides::start(Service::Works, |config| {
            says.to(config);
            compared(config, percent, Percent::HUNDRED);
        })
        .await;
        assert_eq!(sides.price("Tea", 3).await, (200, json!("Tea")));
        sides.counted("same", 1).await;
        let (grpc, legacy) = (sides.grpc.taken(), sides.legacy.taken());
        let copies: Vec<_> = legacy.iter().map(|it| it.is_copy).collect();
        let context = format!("{says:?} at {percent}");
        // Whoever answered is asked once more for noise.
        let want = match percent == Percent::ZERO {
            true => (1, vec![false, true]),
            false => (2, vec![true]),
        };
        assert_eq!((grpc.len(), copies), want, "{context}");
        for seen in &legacy {
            let body: Value = serde_json::from_slice(&seen.body).unwrap();
            assert_eq!(seen.what, "POST /api/prices");
            assert_eq!(body, json!({"name": "Tea", "price": 3}), "{context}");
        }

        assert_eq!(sides.call_price("Tea", 3).await.unwrap(), "Tea");
        sides.counted("same", 2).await;
        let asked = sides.asked();
        let want = match percent == Percent::ZERO {
            true => (1, 2),
            false => (2, 1),
        };
        assert_eq!(asked, want, "gRPC, {context}");
    }
}

#[tokio::test]
async fn what_is_too_large_to_copy_is_answered_and_counted() {
    for percent in [Percent::ZERO, Percent::HUNDRED] {
        let sides = Sides::start(Service::Works, |config| {
            Says::Route(true).to(config);
            compared(config, percent, Percent::ZERO);
        })
        .await;
        let long = "x".repeat(70_000);
        assert_eq!(sides.price(&long, 3).await, (200, json!(long)));
        sides.counted("too_large", 1).await;
        assert_eq!(sides.call_price(&long, 3).await.unwrap(), long);
        sides.counted("too_large", 2).await;
        let (grpc, legacy) = sides.asked();
        assert_eq!(grpc + legacy, 2, "nobody was asked twice");
    }
}

#[tokio::test]
async fn legacy_answers_a_safe_post_that_failed_on_grpc() {
    for (says, is_safe) in [
        (SAFE[0], true),
        (SAFE[1], true),
        (Says::Contract("IDEMPOTENT"), false),
        (Says::Route(false), false),
    ] {
        let sides = Sides::start(Service::Fails, |config| {
            says.to(config);
            config.rollouts.get_mut("items").unwrap().fallback = true;
        })
        .await;
        let rest = sides.price("Tea", 3).await;
        let asked = sides.asked();
        let call = sides.call_price("Tea", 3).await;
        let called = sides.asked();
        if is_safe {
            assert_eq!(rest, (200, json!("Tea")), "{says:?}");
            assert_eq!(call.unwrap(), "Tea", "{says:?}");
        } else {
            assert_eq!(rest.0, 503, "{says:?}");
            assert_eq!(call.unwrap_err().code(), Code::Unavailable, "{says:?}");
        }
        let want = (1, usize::from(is_safe));
        assert_eq!((asked, called), (want, want), "{says:?}");
    }
}

#[tokio::test]
async fn legacy_answers_an_unsafe_get_only_if_it_was_never_sent() {
    for (service, is_declared, want) in [
        (Service::Fails, false, (1, 1)),
        (Service::Fails, true, (1, 0)),
        (Service::IsAway, true, (0, 1)),
    ] {
        let sides = Sides::start(service, |config| {
            if is_declared {
                unsafe_find(config);
            }
            config.rollouts.get_mut("items").unwrap().fallback = true;
        })
        .await;
        let context = format!("{service:?}, declared: {is_declared}");
        let (status, _) = answer(sides.world.get("/api/items?id=7")).await;
        assert_eq!(status == 200, want.1 == 1, "{context}: {status}");
        assert_eq!(sides.asked(), want, "REST, {context}");
        let call = sides.call("FindItem", Call::new(Find { id: 7 })).await;
        assert_eq!(call.is_ok(), want.1 == 1, "{context}: {call:?}");
        assert_eq!(sides.asked(), want, "gRPC, {context}");
    }
}

#[tokio::test]
async fn an_unsafe_get_is_never_asked_of_the_other_side() {
    for percent in [Percent::ZERO, Percent::HUNDRED] {
        let sides = Sides::start(Service::Works, |config| {
            unsafe_find(config);
            Says::Route(true).to(config);
            compared(config, percent, Percent::HUNDRED);
        })
        .await;
        let (status, _) = answer(sides.world.get("/api/items?id=7")).await;
        assert_eq!(status, 200);
        let call = sides.call("FindItem", Call::new(Find { id: 7 })).await;
        assert_eq!(call.unwrap().get_ref().price, 7);
        // What follows them is compared, so they would have been.
        sides.price("Tea", 3).await;
        sides.counted("same", 1).await;
        let (grpc, legacy) = (sides.grpc.taken(), sides.legacy.taken());
        let finds = |seen: &[Seen]| {
            let is_find = |it: &&Seen| it.what.ends_with("FindItem") || it.what.contains("id=7");
            seen.iter().filter(is_find).count()
        };
        let want = match percent == Percent::ZERO {
            true => (0, 2),
            false => (2, 0),
        };
        assert_eq!((finds(&grpc), finds(&legacy)), want, "at {percent}");
    }
}

#[tokio::test]
async fn an_unsafe_get_is_found_by_its_subject_and_a_safe_post_needs_not_be() {
    let sides = Sides::start(Service::Works, |config| {
        unsafe_find(config);
        Says::Route(true).to(config);
    })
    .await;
    let user = on_side("grpc");
    let has_pin = async |request: reqwest::RequestBuilder| {
        let response = request.header("x-user-id", &user).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.headers().contains_key("x-banyan-pin")
    };
    let world = &sides.world;
    assert!(has_pin(world.get("/api/items?id=7")).await);
    let price = json!({"name": "Tea", "price": 3});
    assert!(!has_pin(world.post("/api/prices", &price)).await);

    let find = sides.call("FindItem", Call::new(Find { id: 7 })).await;
    assert!(find.unwrap().metadata().contains_key("x-banyan-pin"));
    let name = "Tea".to_owned();
    let price = sides.call("PriceItem", Call::new(Price { name, price: 3 }));
    assert!(!price.await.unwrap().metadata().contains_key("x-banyan-pin"));
}

#[tokio::test]
async fn a_follower_catches_up_after_an_unsafe_get_on_legacy_and_not_after_a_safe_post() {
    let world = World::with(|config| {
        unsafe_find(config);
        Says::Route(true).to(config);
        config.rollouts.get_mut("items").unwrap().percent = Some(Percent::ZERO);
    })
    .await;
    let price = json!({"name": "Tea", "price": 3});
    answer(world.post("/api/prices", &price)).await;
    assert_eq!(world.catch_ups(), 0);
    answer(world.get("/api/items?id=7")).await;
    assert_eq!(world.catch_ups(), 1);
}

#[tokio::test]
async fn the_owner_of_writes_takes_unsafe_gets_and_no_safe_posts() {
    let world = World::with(|config| {
        unsafe_find(config);
        Says::Route(true).to(config);
        config.rollouts.get_mut("items").unwrap().percent = Some(Percent::ZERO);
    })
    .await;
    let set =
        json!({"writeOwner": "WRITE_OWNER_GRPC", "actor": "tests", "reason": "own", "force": true});
    let url = format!("http://{}/v1/rollouts/items:set", world.gateway.ops);
    until("the store is ready", || async {
        answer(world.client.post(&url).json(&set)).await.0 == 200
    })
    .await;
    let side = async |request: reqwest::RequestBuilder| {
        let response = request.send().await.unwrap();
        let side = response.headers()["x-banyan-side"].to_str().unwrap();
        side.to_owned()
    };
    let price = json!({"name": "Tea", "price": 3});
    assert_eq!(side(world.get("/api/items?id=7")).await, "grpc");
    assert_eq!(side(world.get("/api/items")).await, "legacy");
    assert_eq!(side(world.post("/api/prices", &price)).await, "legacy");
}

#[tokio::test]
async fn operators_see_who_says_that_a_route_changes_nothing() {
    let sides = Sides::start(Service::Works, |config| {
        unsafe_find(config);
        Says::Contract("NO_SIDE_EFFECTS").to(config);
    })
    .await;
    let told = sides.world.contracts().await;
    let methods = told["methods"].as_array().unwrap();
    let said = |method: &str| {
        let name = format!("shop.v1.ShopService/{method}");
        let is_it = |it: &&Value| {
            it["method"] == name.as_str() && it["http"].as_str().unwrap().contains(" /api/")
        };
        let it = methods.iter().find(is_it).unwrap();
        (it["safe"].clone(), it["safe_by"].clone())
    };
    assert_eq!(said("FindItem"), (json!(false), json!("gateway.toml")));
    assert_eq!(said("PriceItem"), (json!(true), json!("contract")));
    assert_eq!(said("ListItems"), (json!(true), json!("HTTP method")));
    assert_eq!(said("CreateItem"), (json!(false), json!("HTTP method")));
}

#[tokio::test]
async fn a_rollout_whose_posts_are_safe_has_something_to_compare() {
    for says in [None, Some(SAFE[0]), Some(SAFE[1])] {
        let world = World::with(|config| {
            // Without a store's answer in between: what is there is one POST.
            let is_kept = |it: &RouteConfig| it.rollout.is_none() || it.path == "/api/prices";
            config.routes.retain(is_kept);
            if let Some(says) = says {
                says.to(config);
            }
        })
        .await;
        let to = |stage: &str| {
            let stage = format!("STAGE_{stage}");
            let set = json!({"stage": stage, "actor": "tests", "reason": "look"});
            let url = format!("http://{}/v1/rollouts/items:set", world.gateway.ops);
            world.client.post(url).json(&set)
        };
        until("it is back in stage legacy", || async {
            answer(to("LEGACY")).await.0 == 200
        })
        .await;
        let (status, told) = answer(to("SHADOW")).await;
        assert_eq!(status == 200, says.is_some(), "{says:?}: {told}");
        assert_eq!(
            told.to_string().contains("NOTHING_TO_COMPARE"),
            says.is_none()
        );
    }
}
