//! The operators' address.

use banyan_gateway::config::{FixedConfig, ListenerName, RouteConfig};
use banyan_mesh::settings::Secret;
use serde_json::json;

use super::world::{World, answer, nowhere, until};

#[tokio::test]
async fn the_admin_api_is_on_the_operators_address_only() {
    let world = World::start().await;
    let (status, body) = answer(world.ops("/v1/rollouts")).await;
    assert_eq!(
        (status, &body["rollouts"][0]["name"]),
        (200, &json!("rollouts/items")),
        "{body}"
    );
    assert_eq!(
        body["rollouts"][0]["routes"],
        json!([
            "GET /api/items",
            "GET /api/items?id",
            "POST /api/items",
            "POST /api/prices"
        ])
    );
    assert_eq!(answer(world.get("/v1/rollouts")).await.0, 404);
    assert_eq!(answer(world.get("/metrics")).await.0, 404);
    for unknown in [
        "/nonsense",
        "/v1/nothing",
        "/banyan.rollout.v1.RolloutService",
    ] {
        let (status, body) = answer(world.ops(unknown)).await;
        assert_eq!(
            (status, &body["error"]["details"][0]["reason"]),
            (404, &json!("NO_ROUTE")),
            "{unknown}: {body}"
        );
    }
}

#[tokio::test]
async fn other_sites_and_unknown_hosts_are_refused_but_not_probes() {
    let world = World::start().await;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
        ("host", "evil.example"),
    ] {
        assert_eq!(
            answer(world.ops("/v1/rollouts").header(name, value))
                .await
                .0,
            403,
            "{name}"
        );
        for open in ["/livez", "/metrics"] {
            assert_eq!(
                answer(world.ops(open).header(name, value)).await.0,
                200,
                "{name} {open}"
            );
        }
    }
}

#[tokio::test]
async fn a_token_that_is_set_is_asked_for() {
    let world = World::with(|config| config.ops.token = Some(Secret::new("sesame"))).await;
    assert_eq!(answer(world.ops("/v1/rollouts")).await.0, 401);
    assert_eq!(
        answer(world.ops("/v1/rollouts").bearer_auth("sesame"))
            .await
            .0,
        200
    );
    assert_eq!(answer(world.ops("/livez")).await.0, 200);
}

#[tokio::test]
async fn open_routes_need_no_token_but_still_no_other_site() {
    let world = World::with(|config| {
        config.ops.token = Some(Secret::new("sesame"));
        config.routes.push(RouteConfig {
            path: "/page".to_owned(),
            listeners: vec![ListenerName::Ops],
            open: true,
            fixed: Some(FixedConfig {
                status: 200,
                content_type: "text/plain".to_owned(),
                body: "Which token?".to_owned(),
            }),
            ..RouteConfig::default()
        });
    })
    .await;
    assert_eq!(answer(world.ops("/page")).await.0, 200);
    let rebound = world.ops("/page").header("host", "evil.example");
    assert_eq!(answer(rebound).await.0, 403);
    assert_eq!(answer(world.ops("/v1/rollouts")).await.0, 401);
    assert_eq!(answer(world.ops("/nothing")).await.0, 401);
}

#[tokio::test]
async fn off_loopback_without_a_token_operators_are_told_what_to_set() {
    let world = World::with(|config| config.ops.address = "0.0.0.0:0".parse().unwrap()).await;
    let url = format!("http://127.0.0.1:{}/v1/rollouts", world.gateway.ops.port());
    let (status, body) = answer(world.client.get(url)).await;
    assert_eq!(status, 403);
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("OPS_TOKEN"),
        "{body}"
    );
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let world = World::start().await;
    answer(world.get("/v1/items/7")).await;
    answer(world.get("/secret/path?token=1")).await;
    let metrics = world.metrics().await;
    let route = r#"gateway_requests_total{listener="public",route="GET /v1/{name=items/*}",side="",status="2xx"} 1"#;
    assert!(metrics.contains(route), "{metrics}");
    assert!(
        metrics.contains(r#"route="none",side="",status="4xx"} 1"#) && !metrics.contains("secret"),
        "{metrics}"
    );
}

#[tokio::test]
async fn readyz_names_the_upstream_that_is_away_and_stays_ready() {
    let away = nowhere().await;
    let world = World::with(|config| config.set_upstream("old", &away).unwrap()).await;
    until("the probe has looked", || async {
        let (status, body) = answer(world.ops("/readyz")).await;
        let dependencies = body["dependencies"].as_array().unwrap();
        let is_up = |name| {
            dependencies
                .iter()
                .any(|one| one["name"] == name && one["up"] == true)
        };
        status == 200 && is_up("upstream shop") && !is_up("upstream old")
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_early_leaves_nothing_behind() {
    let world = World::with(|config| {
        config
            .upstreams
            .get_mut("old")
            .unwrap()
            .first_byte_timeout_ms = 60_000;
    })
    .await;
    let in_flight = |count: &str| {
        let line = format!("gateway_requests_in_flight {count}\n");
        let world = &world;
        async move { world.metrics().await.contains(&line) }
    };
    let asking = tokio::spawn(world.get("/old/slow").send());
    until("the request is in work", || in_flight("1")).await;
    asking.abort();
    until("the request is forgotten", || in_flight("0")).await;
}
