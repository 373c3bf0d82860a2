//! Routes and contracts that change while the gateway runs: taken up whole or not at all, and no request suffers.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::{
    shop::{self, contract},
    world::{World, answer, serve, until},
};

/// The contract with one more path for items.
fn extended() -> Vec<u8> {
    contract(
        r#"option (google.api.http) = {get: "/v1/{name=items/*}"};"#,
        r#"option (google.api.http) = {
             get: "/v1/{name=items/*}"
             additional_bindings {get: "/v2/{name=items/*}"}
           };"#,
    )
}

/// Appends to or changes the gateway's file the way an editor does: by another file under its name.
fn edit(world: &World, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(world.file("gateway.toml")).unwrap();
    fs::write(world.file("gateway.toml.new"), change(text)).unwrap();
    fs::rename(world.file("gateway.toml.new"), world.file("gateway.toml")).unwrap();
}

fn fixed(path: &str) -> String {
    format!(
        "\n[[routes]]\nmethods = [\"GET\"]\npath = \"{path}\"\n\
         fixed = {{ status = 200, content_type = \"text/plain\", body = \"new\" }}\n"
    )
}

async fn serves(world: &World, path: &str) -> bool {
    answer(world.get(path)).await.0 == 200
}

async fn refused(world: &World) -> Option<String> {
    let reason = world.contracts().await["refused"]["reason"].clone();
    reason.as_str().map(str::to_owned)
}

async fn is_refused_for(world: &World, words: &[&str]) {
    until("the change is refused", async || {
        refused(world).await.is_some()
    })
    .await;
    let reason = refused(world).await.unwrap();
    assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_files_are_taken_up_and_no_request_fails() {
    let world = Arc::new(World::start().await);
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients: Vec<_> = ["/v1/items/7", "/api/sales", "/old/x", "/titled/items/1/"]
        .into_iter()
        .map(|path| {
            let (world, stop, done) = (Arc::clone(&world), Arc::clone(&stop), Arc::clone(&done));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let request = match path {
                        "/api/sales" => world.post(path, &json!({"title": "Tea", "price": 3})),
                        _ => world.get(path),
                    };
                    let (status, body) = answer(request).await;
                    assert!(matches!(status, 200 | 201), "{path}: {status} {body}");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..3 {
        assert!(!serves(&world, "/v2/items/7").await);
        fs::write(world.file("shop.binpb"), extended()).unwrap();
        until("the new path is served", || serves(&world, "/v2/items/7")).await;
        let path = format!("/new/{round}");
        edit(&world, |text| text + &fixed(&path));
        until("the new route is served", || serves(&world, &path)).await;
        fs::write(world.file("shop.binpb"), contract("", "")).unwrap();
        until("the new path is gone", async || {
            !serves(&world, "/v2/items/7").await
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(done.load(Ordering::Relaxed) > 100, "there was traffic");
    let page = world.contracts().await;
    assert_eq!(
        (&page["version"], &page["failures"]),
        (&json!(10), &json!(0)),
        "{page}"
    );
    let metrics = world.metrics().await;
    for line in [
        "gateway_contracts_version 10",
        "gateway_contracts_reloads_total{result=\"applied\"} 9",
        "gateway_contracts_refused 0",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn a_request_in_flight_ends_by_the_routes_that_it_began_with() {
    let world = World::start().await;
    let mut held = world.get("/old/stall").send().await.unwrap();
    assert_eq!(held.chunk().await.unwrap().unwrap(), "one");
    edit(&world, |text| {
        text.replace(
            "path = \"/old/**\"\nforward = \"old\"",
            "path = \"/older/**\"\nforward = \"old\"",
        )
    });
    until("the route is gone", async || {
        !serves(&world, "/old/x").await
    })
    .await;
    // It ends by the old system's idle time-out, which is an error of its own, and not before.
    assert!(held.chunk().await.is_err());
}

#[tokio::test]
async fn upstreams_that_are_configured_as_before_keep_their_connections() {
    let shop = serve(shop::router("north", Arc::default())).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let between = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut onward = TcpStream::connect(shop).await.unwrap();
                tokio::io::copy_bidirectional(&mut stream, &mut onward).await
            });
        }
    });
    let world = World::with(|config| config.set_upstream("shop", &between).unwrap()).await;
    assert!(serves(&world, "/v1/items/7").await);
    // The probe of readiness connects too, and has its own connection each time.
    let channel = |page: &Value| page["version"].clone();
    let before = channel(&world.contracts().await);
    edit(&world, |text| text + &fixed("/new"));
    until("the new route is served", || serves(&world, "/new")).await;
    assert_ne!(channel(&world.contracts().await), before);
    let held = connections.load(Ordering::SeqCst);
    for _ in 0..5 {
        assert!(serves(&world, "/v1/items/7").await);
    }
    assert!(
        connections.load(Ordering::SeqCst) <= held + 1,
        "only the probe connects anew"
    );
}

#[tokio::test]
async fn a_broken_set_is_refused_and_the_old_stays() {
    let world = World::start().await;
    fs::write(world.file("shop.binpb"), "no descriptors").unwrap();
    is_refused_for(&world, &["shop.binpb", "FileDescriptorSet"]).await;
    assert!(serves(&world, "/v1/items/7").await);
    assert!(
        world
            .metrics()
            .await
            .contains("gateway_contracts_refused 1")
    );

    fs::remove_file(world.file("shop.binpb")).unwrap();
    until("the reason is another one", async || {
        refused(&world)
            .await
            .is_some_and(|reason| reason.contains("cannot read"))
    })
    .await;
    assert!(serves(&world, "/v1/items/7").await);

    fs::write(world.file("shop.binpb"), contract("", "")).unwrap();
    until("all is well again", async || {
        refused(&world).await.is_none()
    })
    .await;
    let page = world.contracts().await;
    assert_eq!(
        (&page["version"], &page["failures"]),
        (&json!(1), &json!(2)),
        "{page}"
    );
    assert!(
        world
            .metrics()
            .await
            .contains("gateway_contracts_refused 0")
    );
}

#[tokio::test]
async fn whatever_does_not_fit_together_is_refused_by_name() {
    let world = World::start().await;
    // Two methods for the same requests.
    let conflict = contract(r#"{get: "/v1/me"}"#, r#"{get: "/v1/items/*"}"#);
    fs::write(world.file("shop.binpb"), conflict).unwrap();
    let both = ["/v1/items/*", "/v1/{name=items/*}", "the same requests"];
    is_refused_for(&world, &both).await;
    fs::write(world.file("shop.binpb"), contract("", "")).unwrap();
    until("all is well again", async || {
        refused(&world).await.is_none()
    })
    .await;

    // A method that a route calls is there no more.
    fs::write(
        world.file("shop.binpb"),
        contract("rpc FindItem", "rpc SeekItem"),
    )
    .unwrap();
    is_refused_for(
        &world,
        &["rpc = \"shop.v1.ShopService/FindItem\"", "GET /api/items"],
    )
    .await;
    fs::write(world.file("shop.binpb"), contract("", "")).unwrap();
    until("all is well again", async || {
        refused(&world).await.is_none()
    })
    .await;

    // A template that is none.
    let wrong = contract(
        r#"get: "/v1/{name=items/*}""#,
        r#"get: "/v1/{name=items/*""#,
    );
    fs::write(world.file("shop.binpb"), wrong).unwrap();
    is_refused_for(&world, &["shop.v1.ShopService", "column"]).await;
    fs::write(world.file("shop.binpb"), contract("", "")).unwrap();
    until("all is well again", async || {
        refused(&world).await.is_none()
    })
    .await;

    edit(&world, |text| text + "[[routes]]\npaht = \"/\"\n");
    is_refused_for(&world, &["gateway.toml", "`paht`"]).await;
    assert!(serves(&world, "/v1/items/7").await);
}

#[tokio::test]
async fn what_needs_a_restart_is_named_and_the_rest_is_taken_up() {
    let world = World::start().await;
    edit(&world, |text| {
        text.replace("body_bytes_max = 100_000", "body_bytes_max = 1") + &fixed("/new")
    });
    until("the new route is served", || serves(&world, "/new")).await;
    let page = world.contracts().await;
    assert_eq!(
        page["needsRestart"],
        json!(["listener.body_bytes_max"]),
        "{page}"
    );
    let (status, _) = answer(world.post("/v1/items", &json!({"title": "Tea"}))).await;
    assert_eq!(status, 200, "the old limit holds");
}

#[tokio::test]
async fn operators_see_what_is_served_and_can_have_it_looked_at_at_once() {
    let world = World::with(|config| config.contracts.watch = false).await;
    let page = world.contracts().await;
    let method = page["methods"].as_array().unwrap().iter();
    let method = method
        .clone()
        .find(|method| method["http"] == "GET /api/items")
        .unwrap();
    assert_eq!(
        (&method["method"], &method["profile"], &method["listener"]),
        (
            &json!("shop.v1.ShopService/ListItems"),
            &json!("plain"),
            &json!("public")
        )
    );
    fs::write(world.file("shop.binpb"), extended()).unwrap();
    let reload = format!("http://{}/v1/gateway/contracts:reload", world.gateway.ops);
    let (status, body) = answer(world.client.post(&reload)).await;
    assert_eq!(
        (status, body),
        (200, json!({"result": "applied", "version": 2}))
    );
    assert!(serves(&world, "/v2/items/7").await);
    let (_, body) = answer(world.client.post(&reload)).await;
    assert_eq!(body, json!({"result": "unchanged"}));
    fs::write(world.file("shop.binpb"), "no descriptors").unwrap();
    let (status, body) = answer(world.client.post(&reload)).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (400, &json!("FAILED_PRECONDITION"))
    );
    assert_eq!(
        answer(world.client.post(world.url("/v1/gateway/contracts:reload")))
            .await
            .0,
        404
    );
}
