//! Requests that are asked of both sides, and what of their answers differs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, extract::Request, routing::any};
use banyan_gateway::config::Config;
use banyan_rollout::Percent;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::world::{World, answer, serve, until};

/// What legacy knows of the item that gRPC calls `found`.
#[derive(Clone)]
struct Old {
    says: Value,
    delay: Duration,
    calls: Arc<AtomicUsize>,
}

impl Old {
    fn saying(says: Value) -> Old {
        Old {
            says,
            delay: Duration::ZERO,
            calls: Arc::default(),
        }
    }

    async fn serve(&self) -> String {
        let old = self.clone();
        let handler = move |request: Request| {
            let old = old.clone();
            async move {
                old.calls.fetch_add(1, Ordering::SeqCst);
                if request.headers().contains_key("x-banyan-shadow") {
                    tokio::time::sleep(old.delay).await;
                }
                Json(old.says)
            }
        };
        format!(
            "http://{}",
            serve(Router::new().fallback(any(handler))).await
        )
    }
}

async fn world(old: &Old, percent: &str, noise: &str, ignore: &[&str]) -> World {
    let url = old.serve().await;
    World::with(|config: &mut Config| {
        config.set_upstream("old", url).unwrap();
        let rollout = config.rollouts.get_mut("items").unwrap();
        rollout.percent = Some(percent.parse().unwrap());
        rollout.shadow.percent = Some(Percent::HUNDRED);
        rollout.shadow.noise_percent = Some(noise.parse().unwrap());
        rollout.shadow.ignore = ignore.iter().map(|&path| path.to_owned()).collect();
    })
    .await
}

async fn outcome(world: &World, result: &str, count: usize) {
    let line =
        format!("gateway_shadow_requests_total{{rollout=\"items\",result=\"{result}\"}} {count}");
    until(&line, || async { world.metrics().await.contains(&line) }).await;
}

#[tokio::test]
async fn the_other_side_is_asked_after_the_answer_and_judged_under_the_contract() {
    for percent in ["0", "100"] {
        // A number as text, and a default that is left out.
        let old = Old::saying(json!({"name": "found", "price": "7"}));
        let world = world(&old, percent, "0", &[]).await;
        let (status, _) = answer(world.get("/api/items?id=7")).await;
        assert_eq!(status, 200);
        outcome(&world, "same", 1).await;
        assert_eq!(old.calls.load(Ordering::SeqCst), 1, "at {percent} %");
    }
}

#[tokio::test]
async fn what_differs_is_found_by_path_unless_it_is_declared() {
    let old = Old::saying(json!({"name": "lost", "price": 7, "colour": "red"}));
    let strict = world(&old, "0", "0", &[]).await;
    answer(strict.get("/api/items?id=7")).await;
    outcome(&strict, "differs", 1).await;
    let told = || async {
        let (_, told) = answer(strict.ops("/v1/rollouts/items/differences")).await;
        let told = told["differences"].as_array().cloned().unwrap_or_default();
        let mut kinds: Vec<_> = told
            .iter()
            .map(|it| {
                (
                    it["field"].to_string(),
                    it["kind"].to_string(),
                    it["legacyExample"].to_string(),
                )
            })
            .collect();
        kinds.sort();
        kinds
            == [
                ("\"colour\"", "\"unknown\"", "\"is not in the contract\""),
                ("\"name\"", "\"changed\"", "\"\\\"xxxx\\\"\""),
            ]
            .map(|(field, kind, example)| (field.to_owned(), kind.to_owned(), example.to_owned()))
    };
    until("the differences are written down", told).await;
    let lenient = world(&old, "0", "0", &["name", "colour"]).await;
    answer(lenient.get("/api/items?id=7")).await;
    outcome(&lenient, "same", 1).await;
}

/// Legacy is this, answers everything, and is always asked again for what its own answers differ in.
async fn asked_twice(legacy: Router) -> World {
    let url = format!("http://{}", serve(legacy).await);
    World::with(|config| {
        config.set_upstream("old", url).unwrap();
        let rollout = config.rollouts.get_mut("items").unwrap();
        rollout.percent = Some(Percent::ZERO);
        rollout.shadow.percent = Some(Percent::HUNDRED);
        rollout.shadow.noise_percent = Some(Percent::HUNDRED);
    })
    .await
}

#[tokio::test]
async fn what_a_side_cannot_repeat_itself_is_noise() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&calls);
    let handler = move || async move {
        let price = counting.fetch_add(1, Ordering::SeqCst);
        Json(json!({"name": "found", "price": 1_000 + price}))
    };
    let world = asked_twice(Router::new().fallback(any(handler))).await;
    // Twice may be chance.
    for count in 1..=2 {
        answer(world.get("/api/items?id=7")).await;
        outcome(&world, "differs", count).await;
    }
    answer(world.get("/api/items?id=7")).await;
    outcome(&world, "same", 1).await;
    assert_eq!(calls.load(Ordering::SeqCst), 6, "asked once more each time");
    let samples = "gateway_shadow_samples_total{rollout=\"items\",result=\"differs\"} 3";
    assert!(world.metrics().await.contains(samples));
}

#[tokio::test]
async fn a_second_answer_that_failed_hides_no_status() {
    for (again, result) in [(503, "failed"), (429, "unfit")] {
        let handler = move |request: Request| async move {
            // Legacy has not what gRPC has, and does not like to be asked twice.
            let is_again = request.headers().contains_key("x-banyan-shadow");
            let status = StatusCode::from_u16(if is_again { again } else { 404 }).unwrap();
            (status, Json(json!({"name": "found", "price": 7})))
        };
        let world = asked_twice(Router::new().fallback(any(handler))).await;
        for count in 1..=5 {
            answer(world.get("/api/items?id=7")).await;
            outcome(&world, "differs", count).await;
        }
        let samples =
            format!("gateway_shadow_samples_total{{rollout=\"items\",result=\"{result}\"}} 5");
        assert!(world.metrics().await.contains(&samples));
    }
}

#[tokio::test]
async fn a_write_is_never_repeated() {
    let old = Old::saying(json!({"name": "Tea", "price": 1}));
    let world = world(&old, "0", "100", &[]).await;
    let body = json!({"title": "Tea", "price": 1});
    answer(world.post("/api/items", &body)).await;
    answer(world.get("/api/items?id=1")).await;
    outcome(&world, "differs", 1).await;
    assert_eq!(
        old.calls.load(Ordering::SeqCst),
        3,
        "one write, one read, one for noise"
    );
}

#[tokio::test]
async fn a_slow_or_dead_other_side_costs_the_client_nothing() {
    let old = Old {
        delay: Duration::from_secs(60),
        ..Old::saying(json!({"name": "found", "price": 7}))
    };
    let world = world(&old, "100", "0", &[]).await;
    let begun = Instant::now();
    for _ in 0..10 {
        // Many at once, or on a slow machine the first give up before the last come.
        let asked = (0..30).map(|_| answer(world.get("/api/items?id=7")));
        for (status, item) in futures::future::join_all(asked).await {
            assert_eq!((status, &item["name"]), (200, &json!("found")));
        }
    }
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    // 256 at most have a place, the others are not compared.
    let crowded = || async {
        let metrics = world.metrics().await;
        metrics.contains("gateway_shadow_requests_total{rollout=\"items\",result=\"crowded\"}")
    };
    until("the limit is met", crowded).await;
}

#[tokio::test]
async fn few_are_asked_at_once_and_who_does_not_answer_is_given_up() {
    let old = Old {
        delay: Duration::from_secs(60),
        ..Old::saying(json!({"name": "found", "price": 7}))
    };
    let url = old.serve().await;
    let world = World::with(|config: &mut Config| {
        config.set_upstream("old", url).unwrap();
        // Longer than a comparison may take.
        config
            .upstreams
            .get_mut("old")
            .unwrap()
            .first_byte_timeout_ms = 60_000;
        let rollout = config.rollouts.get_mut("items").unwrap();
        rollout.percent = Some(Percent::HUNDRED);
        rollout.shadow.percent = Some(Percent::HUNDRED);
    })
    .await;
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(answer(world.get("/api/items?id=7")).await.0, 200);
    }
    let asked = || old.calls.load(Ordering::SeqCst);
    until("eight are asked", || async { asked() == 8 }).await;
    let failed = "gateway_shadow_requests_total{rollout=\"items\",result=\"failed\"}";
    loop {
        let so_far = asked();
        let metrics = world.metrics().await;
        if metrics.contains(&format!("{failed} 20")) {
            break;
        }
        assert!(so_far == 8 || metrics.contains(failed), "{so_far} at once");
        assert!(begun.elapsed() < Duration::from_secs(30), "{so_far}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(10));
}
