//! How long a subject's reads stay with the side that took its write, over two replicas, and where nobody follows.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use banyan_gateway::config::Config;
use banyan_mesh::settings::Secret;
use banyan_proto::follow::v1::{
    CatchUpRequest, CatchUpResponse, ReconcileRequest, ReconcileResponse, SetAuthorityRequest,
    SetAuthorityResponse, StatusRequest, StatusResponse,
    follow_service_server::{FollowService, FollowServiceServer},
};
use jiff::Timestamp;
use reqwest::{RequestBuilder, Response};
use serde_json::json;
use tonic::{Request, Response as Answer, Status};

use super::{
    calls::on_side,
    grpc::talk::{client, unary},
    shop::Item,
    world::{World, answer, serve},
};

/// A follower that has adopted everything up to a moment that the test moves; at first it cannot be asked.
#[derive(Clone, Default)]
struct Follower {
    passed: Arc<Mutex<Option<Timestamp>>>,
    asked: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl FollowService for Follower {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Answer<StatusResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let passed = *self.passed.lock().unwrap();
        let passed = passed.ok_or_else(|| Status::unavailable("away"))?;
        let lag = Timestamp::now().duration_since(passed);
        Ok(Answer::new(StatusResponse {
            healthy: true,
            lag: Some(prost_types::Duration {
                seconds: lag.as_secs(),
                nanos: lag.subsec_nanos(),
            }),
            ..StatusResponse::default()
        }))
    }

    async fn catch_up(
        &self,
        _: Request<CatchUpRequest>,
    ) -> Result<Answer<CatchUpResponse>, Status> {
        Err(Status::unavailable("behind"))
    }

    async fn reconcile(
        &self,
        _: Request<ReconcileRequest>,
    ) -> Result<Answer<ReconcileResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn set_authority(
        &self,
        _: Request<SetAuthorityRequest>,
    ) -> Result<Answer<SetAuthorityResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

impl Follower {
    fn passes(&self, moment: Timestamp) {
        *self.passed.lock().unwrap() = Some(moment);
    }

    async fn start(&self) -> String {
        let service = FollowServiceServer::new(self.clone());
        let router = tonic::service::Routes::new(service).into_axum_router();
        format!("http://{}", serve(router).await)
    }
}

/// A replica with a store of its own; its pins are everybody's.
async fn replica(follower: &str, change: impl FnOnce(&mut Config)) -> World {
    let follower = follower.to_owned();
    World::with(move |config| {
        config.set_upstream("south", follower).unwrap();
        let items = config.rollouts.get_mut("items").unwrap();
        items.follow.as_mut().unwrap().upstream = "south".to_owned();
        config.steering.pin_key = Some(Secret::new("everybody's"));
        config.steering.pin_s = 1;
        change(config);
    })
    .await
}

async fn set_percent(world: &World, percent: u32) {
    // Also where nobody can ask the follower.
    let set = json!({"percent": percent, "actor": "tests", "reason": "steer", "force": true});
    let url = format!("http://{}/v1/rollouts/items:set", world.gateway.ops);
    eventually("the store is ready", || async {
        answer(world.client.post(&url).json(&set)).await.0 == 200
    })
    .await;
}

/// Waits for something that must become true, also on a machine that has much else to do.
async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let patience = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), patience).await;
    assert!(waited.is_ok(), "{what}");
}

fn header(response: &Response, name: &str) -> Option<String> {
    let value = response.headers().get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

fn side(response: &Response) -> String {
    header(response, "x-banyan-side").unwrap()
}

async fn write(world: &World, user: &str) -> Response {
    write_with(world, user, None).await
}

async fn write_with(world: &World, user: &str, pin: Option<&str>) -> Response {
    let write = world.post("/api/items", &json!({"title": "Tea", "price": 1}));
    let response = carrying(write, user, pin).send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    response
}

async fn read(world: &World, user: &str, pin: Option<&str>) -> Response {
    let read = carrying(world.get("/api/items"), user, pin);
    read.send().await.unwrap()
}

fn carrying(request: RequestBuilder, user: &str, pin: Option<&str>) -> RequestBuilder {
    let request = request.header("x-user-id", user);
    match pin {
        Some(pin) => request.header("cookie", format!("banyan_pin_items.7={pin}")),
        None => request,
    }
}

async fn reads_on(world: &World, user: &str, pin: Option<&str>) -> String {
    side(&read(world, user, pin).await)
}

#[derive(Clone, PartialEq, prost::Message)]
struct Create {
    #[prost(string, tag = "1")]
    title: String,
}

/// A write as a gRPC call.
async fn called(world: &World, user: &str) -> Answer<Item> {
    let title = "Tea".to_owned();
    let mut call = Request::new(Create { title });
    let metadata = call.metadata_mut();
    metadata.insert("x-user-id", user.parse().unwrap());
    let path = "/shop.v1.ShopService/CreateItem";
    unary(&client(world).await, path, call).await.unwrap()
}

/// Waits until a pin's own time is over.
async fn time_is_over(pin: &str) {
    let until: i64 = pin.split('.').nth(3).unwrap().parse().unwrap();
    eventually("the pin's time is over", || async {
        Timestamp::now().as_millisecond() > until
    })
    .await;
}

#[tokio::test]
async fn a_pin_holds_at_every_replica_until_the_follower_has_passed_the_write() {
    let follower = Follower::default();
    let url = follower.start().await;
    let replicas = [replica(&url, |_| {}).await, replica(&url, |_| {}).await];
    for replica in &replicas {
        set_percent(replica, 0).await;
    }
    let user = on_side("grpc");
    let written = write(&replicas[0], &user).await;
    assert_eq!(side(&written), "legacy");
    let pin = header(&written, "x-banyan-pin").unwrap();
    let cookie = header(&written, "set-cookie").unwrap();
    assert!(cookie.starts_with("banyan_pin_items."), "{cookie}");
    assert!(cookie.contains(&format!("={pin}; Path=/; Max-Age=86400")));
    // Another takes its place; it is written by whoever carries it.
    let again = write_with(&replicas[0], &user, Some(&pin)).await;
    let set: Vec<_> = again.headers().get_all("set-cookie").iter().collect();
    assert_eq!(set.len(), 2, "{set:?}");
    assert!(set[0].to_str().unwrap().starts_with("banyan_pin_items."));
    assert!(
        set[1]
            .to_str()
            .unwrap()
            .starts_with("banyan_pin_items.7=; Path=/; Max-Age=0;")
    );
    for replica in &replicas {
        set_percent(replica, 100).await;
        eventually("the change is in force", || async {
            reads_on(replica, &user, None).await == "grpc"
        })
        .await;
    }

    // The follower cannot be asked, and then is asked and behind.
    time_is_over(&pin).await;
    for behind in [None, Some(Timestamp::now() - Duration::from_secs(600))] {
        *follower.passed.lock().unwrap() = behind;
        let asked = follower.asked.load(Ordering::SeqCst);
        eventually("the follower is asked", || async {
            for replica in &replicas {
                assert_eq!(reads_on(replica, &user, Some(&pin)).await, "legacy");
            }
            follower.asked.load(Ordering::SeqCst) >= asked + 4
        })
        .await;
    }

    follower.passes(Timestamp::now());
    for replica in &replicas {
        eventually("the pin has ended", || async {
            reads_on(replica, &user, Some(&pin)).await == "grpc"
        })
        .await;
        let read = read(replica, &user, Some(&pin)).await;
        let taken_back = header(&read, "set-cookie").unwrap();
        assert!(
            taken_back.starts_with("banyan_pin_items.7=; Path=/; Max-Age=0;"),
            "{taken_back}"
        );
    }
}

#[tokio::test]
async fn a_follower_that_never_comes_is_not_waited_for_for_ever() {
    let url = Follower::default().start().await;
    let world = replica(&url, |config| config.steering.pin_max_s = 1).await;
    set_percent(&world, 0).await;
    let user = on_side("grpc");
    let written = write(&world, &user).await;
    let pin = header(&written, "x-banyan-pin").unwrap();
    set_percent(&world, 100).await;
    time_is_over(&pin).await;
    eventually("the pin is given up", || async {
        reads_on(&world, &user, Some(&pin)).await == "grpc"
    })
    .await;
    let counted = r#"gateway_rollout_pins_given_up_total{rollout="items"} "#;
    assert!(world.metrics().await.contains(counted));
}

#[tokio::test]
async fn where_nobody_follows_every_write_is_pinned_unless_data_are_shared() {
    let alone = |shares_data: bool| {
        World::with(move |config| {
            let items = config.rollouts.get_mut("items").unwrap();
            items.follow = None;
            items.shares_data = shares_data;
            config.steering.pin_s = 3_600;
        })
    };
    let world = alone(false).await;
    let mut pins = Vec::new();
    for wanted in ["legacy", "grpc"] {
        let user = on_side(wanted);
        let written = write(&world, &user).await;
        assert_eq!(side(&written), wanted);
        let cookie = header(&written, "set-cookie").unwrap();
        assert!(cookie.contains("; Max-Age=3600;"), "{cookie}");
        pins.push((wanted, user, header(&written, "x-banyan-pin").unwrap()));
    }
    let called_back = called(&world, &on_side("grpc")).await;
    assert!(called_back.metadata().contains_key("x-banyan-pin"));
    for percent in [0, 100] {
        set_percent(&world, percent).await;
        let everybody = if percent == 0 { "legacy" } else { "grpc" };
        for (wanted, user, pin) in &pins {
            eventually("the change is in force", || async {
                reads_on(&world, user, None).await == everybody
            })
            .await;
            assert_eq!(reads_on(&world, user, Some(pin)).await, *wanted);
            let again = write_with(&world, user, Some(pin)).await;
            assert_eq!(side(&again), *wanted);
            let is_new = header(&again, "x-banyan-pin").is_some();
            assert_eq!(is_new, *wanted == everybody, "who writes on is moved too");
        }
    }
    let abort = json!({"actor": "tests", "reason": "gRPC fails"});
    let url = format!("http://{}/v1/rollouts/items:abort", world.gateway.ops);
    let (status, body) = answer(world.client.post(&url).json(&abort)).await;
    assert_eq!(status, 200, "{body}");
    for (_, user, pin) in &pins {
        eventually("all are back", || async {
            reads_on(&world, user, Some(pin)).await == "legacy"
        })
        .await;
    }

    let world = alone(true).await;
    for wanted in ["legacy", "grpc"] {
        let written = write(&world, &on_side(wanted)).await;
        assert_eq!(
            (side(&written).as_str(), header(&written, "x-banyan-pin")),
            (wanted, None)
        );
    }
    let called_back = called(&world, &on_side("grpc")).await;
    assert!(!called_back.metadata().contains_key("x-banyan-pin"));
}

#[tokio::test]
async fn a_pinned_write_is_pinned_again_unless_the_pin_alone_keeps_a_known_subject_there() {
    let world = World::with(|config| {
        let items = config.rollouts.get_mut("items").unwrap();
        items.follow = None;
        items.rules = vec![
            serde_json::from_value(json!({"name": "early", "user_agent": "early", "side": "grpc"}))
                .unwrap(),
        ];
        config.steering.pin_s = 3_600;
    })
    .await;
    set_percent(&world, 0).await;
    let writes = |user: Option<&str>, agent: &str, pin: Option<&str>| {
        let item = json!({"title": "Tea", "price": 1});
        let headers = [
            ("x-user-id", user),
            ("user-agent", Some(agent)),
            ("x-banyan-pin", pin),
        ];
        let write =
            headers
                .into_iter()
                .fold(world.post("/api/items", &item), |it, (name, value)| {
                    value
                        .into_iter()
                        .fold(it, |it, value| it.header(name, value))
                });
        async move {
            let written = write.send().await.unwrap();
            (side(&written), header(&written, "x-banyan-pin"))
        }
    };
    let user = on_side("grpc");
    // The rule has it there anyhow.
    let (first, pin) = writes(Some(&user), "early", None).await;
    let (again, new) = writes(Some(&user), "early", pin.as_deref()).await;
    assert_eq!((first.as_str(), again.as_str()), ("grpc", "grpc"));
    assert!(new.is_some(), "the next read is to find this write");

    let (first, nobody) = writes(None, "late", None).await;
    let (_, known) = writes(Some(&user), "late", None).await;
    assert_eq!(first, "legacy");
    set_percent(&world, 100).await;
    eventually("the change is in force", || async {
        reads_on(&world, &user, None).await == "grpc"
    })
    .await;
    // Known by nothing but the pin: without a new one the next request would be anybody's.
    let (again, new) = writes(None, "late", nobody.as_deref()).await;
    assert_eq!((again.as_str(), new.is_some()), ("legacy", true));
    let (again, new) = writes(Some(&user), "late", known.as_deref()).await;
    assert_eq!((again.as_str(), new), ("legacy", None));
}
