//! Calls that a rollout sends to the legacy side.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    extract::{RawQuery, Request},
    http::StatusCode,
    response::IntoResponse as _,
    routing::get,
};
use banyan_gateway::config::Config;
use banyan_rollout::Percent;
use serde_json::{Value, json};
use tonic::{Code, Request as Call, Response, Status, client::Grpc, transport::Channel};
use tonic_types::StatusExt as _;

use super::talk::{Heard, Word, client, unary, word};
use crate::edge::{
    calls::on_side,
    shop::Item,
    world::{World, answer, serve, until},
};

#[derive(Clone, PartialEq, prost::Message)]
struct Items {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Item>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Find {
    #[prost(int64, tag = "1")]
    id: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Create {
    #[prost(string, tag = "1")]
    title: String,
    #[prost(int64, tag = "2")]
    price: i64,
}

/// What the monolith was asked.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

struct Moved {
    world: World,
    client: Grpc<Channel>,
    asked: Asked,
}

impl Moved {
    async fn at(percent: u16) -> Moved {
        Moved::with(percent, |_| {}).await
    }

    async fn with(percent: u16, change: impl FnOnce(&mut Config)) -> Moved {
        let asked = Asked::default();
        let monolith = serve(monolith(Arc::clone(&asked))).await;
        let world = World::with(|config| {
            config
                .set_upstream("old", format!("http://{monolith}"))
                .unwrap();
            let rollout = config.rollouts.get_mut("items").unwrap();
            rollout.percent = Percent::from_hundredths(percent * 100);
            change(config);
        })
        .await;
        let client = client(&world).await;
        Moved {
            world,
            client,
            asked,
        }
    }

    async fn call<In, Out>(
        &self,
        method: &str,
        message: In,
        user: Option<&str>,
    ) -> Result<Response<Out>, Status>
    where
        In: prost::Message + Default + 'static,
        Out: prost::Message + Default + 'static,
    {
        let mut request = Call::new(message);
        if let Some(user) = user {
            request
                .metadata_mut()
                .insert("x-user-id", user.parse().unwrap());
        }
        unary(
            &self.client,
            &format!("/shop.v1.ShopService/{method}"),
            request,
        )
        .await
    }

    fn asked(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// A monolith that has items 1 and 2.
fn monolith(asked: Asked) -> Router {
    let created = Arc::new(AtomicUsize::new(0));
    let list = |RawQuery(query): RawQuery| async move {
        let item = |id: u64| json!({"name": format!("items/{id}"), "price": id, "tags": ["legacy"], "stock": 9});
        match query.as_deref() {
            None => Json(json!([item(1), item(2)])).into_response(),
            Some("id=1") => Json(item(1)).into_response(),
            Some("id=500") => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Some("id=503") => (
                StatusCode::SERVICE_UNAVAILABLE,
                Json(json!({"error": "later"})),
            )
                .into_response(),
            Some("id=200") => "<html>".into_response(),
            Some("id=100") => std::future::pending().await,
            Some(_) => (
                StatusCode::NOT_FOUND,
                Json(json!({"error": "no such item"})),
            )
                .into_response(),
        }
    };
    let create = move |Json(item): Json<Value>| {
        let is_new = created.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            match is_new {
                true => (
                    StatusCode::CREATED,
                    Json(json!({"name": item["title"], "price": item["price"]})),
                )
                    .into_response(),
                false => {
                    (StatusCode::CONFLICT, Json(json!({"error": "it is there"}))).into_response()
                }
            }
        }
    };
    let note = move |request: Request, next: axum::middleware::Next| {
        let asked = Arc::clone(&asked);
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let header = |name: &str| {
                parts
                    .headers
                    .get(name)
                    .map(|value| value.to_str().unwrap().to_owned())
            };
            let told = json!({
                "body": serde_json::from_slice::<Value>(&body).ok(),
                "type": header("content-type"),
                "accept": header("accept"),
                "user": header("x-user-id"),
                "te": header("te"),
            });
            asked
                .lock()
                .unwrap()
                .push((format!("{} {}", parts.method, parts.uri), told));
            next.run(Request::from_parts(parts, body.into())).await
        }
    };
    Router::new()
        .route("/api/items", get(list).post(create))
        .layer(axum::middleware::from_fn(note))
}

#[tokio::test]
async fn at_0_per_cent_the_monolith_answers_grpc_clients() {
    let moved = Moved::at(0).await;
    let items = moved
        .call::<_, Items>("ListItems", word("", 0), Some("7"))
        .await
        .unwrap();
    assert_eq!(items.metadata().get("x-banyan-side").unwrap(), "legacy");
    let items = items.into_inner().items;
    assert_eq!(
        (items.len(), items[1].price, &items[1].tags[0]),
        (2, 2, &"legacy".to_owned())
    );
    let asked = moved.asked();
    assert_eq!(asked[0].0, "GET /api/items");
    let want =
        json!({"body": null, "type": null, "accept": "application/json", "user": "7", "te": null});
    assert_eq!(asked[0].1, want);

    let item = moved
        .call::<_, Item>("FindItem", Find { id: 1 }, None)
        .await
        .unwrap();
    assert!(
        item.metadata().get("set-cookie").is_some(),
        "a subject for who brings none"
    );
    assert_eq!(item.into_inner().name, "items/1");
    assert_eq!(moved.asked()[0].0, "GET /api/items?id=1");

    let create = || Create {
        title: "Tea".to_owned(),
        price: 0,
    };
    let item = moved
        .call::<_, Item>("CreateItem", create(), None)
        .await
        .unwrap();
    assert_eq!(item.into_inner().name, "Tea");
    let asked = moved.asked();
    assert_eq!(asked[0].0, "POST /api/items");
    assert_eq!(
        asked[0].1["body"],
        json!({"title": "Tea", "price": 0, "request_id": ""})
    );
    assert_eq!(
        moved.world.catch_ups(),
        1,
        "the follower catches up after a write"
    );
    let status = moved
        .call::<_, Item>("CreateItem", create(), None)
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::AlreadyExists, "it is there")
    );
    assert_eq!(moved.world.catch_ups(), 1);
}

#[tokio::test]
async fn errors_of_the_monolith_are_statuses() {
    let moved = Moved::at(0).await;
    for (id, code, message) in [
        (0, Code::NotFound, "no such item"),
        (7, Code::NotFound, "no such item"),
        (
            500,
            Code::Internal,
            "the call was answered 500 Internal Server Error",
        ),
        (503, Code::Unavailable, "later"),
        (
            200,
            Code::Internal,
            "old gave an answer that cannot be read",
        ),
        (100, Code::DeadlineExceeded, "old did not answer in time"),
    ] {
        let answer = moved.call::<_, Item>("FindItem", Find { id }, None).await;
        let status = answer.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, message), "{id}");
        assert_eq!(
            status.metadata().get("x-banyan-side").unwrap(),
            "legacy",
            "{id}"
        );
    }
    let status = moved
        .call::<_, Item>("FindItem", Find { id: 7 }, None)
        .await
        .unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.metadata["http_status"].as_str()),
        ("LEGACY_ERROR", "404")
    );
    assert_eq!(moved.world.catch_ups(), 0);
}

#[tokio::test]
async fn at_100_per_cent_the_service_answers_and_between_everybody_stays() {
    let moved = Moved::at(100).await;
    let items = moved
        .call::<_, Items>("ListItems", word("", 0), None)
        .await
        .unwrap();
    assert_eq!(items.metadata().get("x-banyan-side").unwrap(), "grpc");
    assert_eq!(items.into_inner().items[0].tags, ["grpc"]);
    assert!(moved.asked().is_empty());

    let moved = Moved::at(50).await;
    for side in ["legacy", "grpc", "legacy"] {
        let user = on_side(side);
        let items = moved
            .call::<_, Items>("ListItems", word("", 0), Some(&user))
            .await
            .unwrap();
        assert_eq!(items.metadata().get("x-banyan-side").unwrap(), side);
        assert_eq!(items.into_inner().items[0].tags, [side]);
    }
    let metrics = moved.world.metrics().await;
    let line = r#"gateway_rollout_answers_total{rollout="items",side="legacy""#;
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn whoever_owns_the_writes_takes_the_calls_that_write() {
    let moved = Moved::at(50).await;
    let url = format!("http://{}/v1/rollouts/items:set", moved.world.gateway.ops);
    for owner in ["legacy", "grpc"] {
        let write_owner = format!("WRITE_OWNER_{}", owner.to_uppercase());
        let set = json!({"write_owner": write_owner, "actor": "tests", "reason": "one owner"});
        until("the store is ready", || async {
            answer(moved.world.client.post(&url).json(&set)).await.0 == 200
        })
        .await;
        for side in ["legacy", "grpc"] {
            let user = on_side(side);
            let items = moved
                .call::<_, Items>("ListItems", word("", 0), Some(&user))
                .await
                .unwrap();
            assert_eq!(items.metadata().get("x-banyan-side").unwrap(), side);
            moved.asked();
            let title = format!("{owner} {side}");
            let create = Create { title, price: 0 };
            let created = moved.call::<_, Item>("CreateItem", create, Some(&user));
            let metadata = match created.await {
                Ok(item) => item.metadata().clone(),
                Err(status) => status.metadata().clone(),
            };
            assert_eq!(metadata.get("x-banyan-side").unwrap(), owner, "{side}");
            let asked = moved.asked();
            let is_told = asked.iter().any(|(call, _)| call == "POST /api/items");
            assert_eq!(is_told, owner == "legacy", "{side}: {asked:?}");
        }
    }
}

#[tokio::test]
async fn a_deadline_of_the_client_holds_for_the_monolith_too() {
    let moved = Moved::at(0).await;
    let mut request = Call::new(Find { id: 100 });
    request.set_timeout(std::time::Duration::from_millis(150));
    let begun = std::time::Instant::now();
    let answer = unary::<_, Item>(&moved.client, "/shop.v1.ShopService/FindItem", request).await;
    assert!(matches!(
        answer.unwrap_err().code(),
        Code::DeadlineExceeded | Code::Cancelled
    ));
    assert!(begun.elapsed() < std::time::Duration::from_millis(700));
}

#[tokio::test]
async fn what_has_no_rest_form_is_refused() {
    let moved = Moved::with(0, |config| {
        let folder = std::env::temp_dir().join(format!("talk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let descriptors = super::talk::descriptors(&folder);
        config.descriptors.push(descriptors.try_into().unwrap());
        for (rpc, path) in [("Repeat", "/api/repeat"), ("Told", "/api/told/{text}")] {
            let mut route = config
                .routes
                .iter()
                .find(|route| route.rollout.is_some())
                .unwrap()
                .clone();
            route.path = path.to_owned();
            route.methods = vec!["GET".to_owned()];
            route.rpc = Some(format!("talk.v1.TalkService/{rpc}"));
            route.response_body = String::new();
            config.routes.push(route);
        }
    })
    .await;
    let call = |method: &'static str| {
        let client = moved.client.clone();
        async move {
            unary::<_, Heard>(
                &client,
                &format!("/talk.v1.TalkService/{method}"),
                Call::new(Word::default()),
            )
            .await
        }
    };
    let status = call("Repeat").await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(
        status.get_details_error_info().unwrap().reason,
        "STREAM_ON_LEGACY"
    );
    let status = call("Told").await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "text");
    assert!(moved.asked().is_empty());
}
