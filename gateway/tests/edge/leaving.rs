//! Clients that leave without an answer, and what the policy makes of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    response::{IntoResponse as _, Response},
    routing::any,
};
use banyan_rollout::Policy;
use futures::future::join_all;
use serde_json::Value;

use super::{
    calls::on_side,
    world::{World, answer, serve, until},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// Never answers.
async fn silent() -> String {
    let hangs = any(std::future::pending::<Response>);
    format!("http://{}", serve(Router::new().fallback(hangs)).await)
}

/// Answers while it is let.
async fn fitful(hangs: &Arc<AtomicBool>) -> String {
    let hangs = Arc::clone(hangs);
    let router = Router::new().fallback(any(move || async move {
        if hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        "[]".into_response()
    }));
    format!("http://{}", serve(router).await)
}

/// So many users ask once, and wait no longer than this.
async fn ask(world: &World, users: u32, patience: Duration) {
    let asking = (0..users).map(|user| {
        let read = world.get("/api/items").header("x-user-id", user);
        read.timeout(patience).send()
    });
    join_all(asking).await;
}

async fn show(world: &World) -> Value {
    answer(world.ops("/v1/rollouts/items")).await.1
}

/// 0 is left out.
fn percent(rollout: &Value) -> f64 {
    rollout["percent"].as_f64().unwrap_or_default()
}

#[tokio::test]
async fn a_release_that_hangs_is_rolled_back_and_impatience_is_nobody_s_fault() {
    let (grpc, hangs) = (silent().await, Arc::new(AtomicBool::new(true)));
    let legacy = fitful(&hangs).await;
    let world = World::with(|config| {
        config.set_upstream("shop", grpc).unwrap();
        config.set_upstream("old", legacy).unwrap();
        let items = config.rollouts.get_mut("items").unwrap();
        items.follow = None;
        items.policy = Some(Policy {
            settle_s: 0,
            step_time_s: 1,
            step_requests: 100,
            ..Policy::default()
        });
    })
    .await;
    // Both sides hang, and nobody waits long enough for that to mean anything.
    let begun = Instant::now();
    loop {
        ask(&world, 30, Duration::from_millis(100)).await;
        let (rollout, metrics) = (show(&world).await, world.metrics().await);
        let verdict = rollout["verdict"].as_str().unwrap_or_default();
        let left = |side: &str| {
            let labels = format!(r#"rollout="items",side="{side}",counts="no""#);
            metrics.contains(&format!("gateway_rollout_abandoned_total{{{labels}}}"))
        };
        if verdict.starts_with("hold: undecided: ") && left("legacy") && left("grpc") {
            assert_eq!(percent(&rollout), 50.0, "{rollout}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{rollout} {metrics}");
    }

    // Now gRPC hangs alone, and clients give up after a second.
    hangs.store(false, Ordering::SeqCst);
    let begun = Instant::now();
    loop {
        ask(&world, 300, Duration::from_secs(1)).await;
        let rollout = show(&world).await;
        if percent(&rollout) == 0.0 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{rollout}");
    }
    let changes = answer(world.ops("/v1/rollouts/items/changes")).await.1;
    let last = &changes["changes"][0];
    assert_eq!(last["actor"], "policy", "{changes}");
    assert!(
        last["reason"].as_str().unwrap().contains("errors worse"),
        "{last}"
    );
}

#[tokio::test]
async fn who_leaves_is_counted_for_the_side_that_was_asked() {
    let grpc = silent().await;
    let world = World::with(|config| {
        config.set_upstream("shop", grpc).unwrap();
        let items = config.rollouts.get_mut("items").unwrap();
        items.follow = None;
        items.policy = Some(Policy {
            gave_up_ms: 10,
            ..Policy::default()
        });
    })
    .await;
    let read = world.get("/api/items").header("x-user-id", on_side("grpc"));
    let left = read.timeout(Duration::from_secs(2)).send().await;
    assert!(left.unwrap_err().is_timeout());
    until("it is counted", || async {
        let counted =
            r#"gateway_rollout_abandoned_total{rollout="items",side="grpc",counts="yes"} 1"#;
        world.metrics().await.contains(counted)
    })
    .await;
}
