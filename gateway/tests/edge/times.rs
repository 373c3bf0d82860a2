//! How long a request may take.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    limits::conversation,
    stock,
    world::{World, answer},
};

/// What the service was told, in nanoseconds.
async fn told(world: &World, header: Option<(&str, &str)>) -> u64 {
    let request = world.get("/stock:tell");
    let request = match header {
        Some((name, value)) => request.header(name, value),
        None => request,
    };
    let (status, body) = answer(request).await;
    assert_eq!(status, 200, "{body}");
    let text = body["metadata"]["grpc-timeout"].as_str().unwrap();
    let (number, unit) = text.split_at(text.len() - 1);
    let unit = match unit {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "S" => 1_000_000_000,
        unit => panic!("{unit}"),
    };
    number.parse::<u64>().unwrap() * unit
}

#[tokio::test]
async fn services_are_told_what_is_left_under_what_the_route_allows() {
    let (world, _) = stock::world().await;
    let second = 1_000_000_000;
    assert_eq!(told(&world, None).await, 2 * second);
    assert_eq!(told(&world, Some(("grpc-timeout", "1H"))).await, 2 * second);
    for header in [
        ("grpc-timeout", "1500m"),
        ("x-request-timeout", "1.5"),
        ("x-request-timeout", "1500ms"),
    ] {
        let told = told(&world, Some(header)).await;
        assert!(
            (second..second * 3 / 2).contains(&told),
            "{header:?}: {told}"
        );
    }
}

#[tokio::test]
async fn a_client_that_waits_no_longer_is_answered_in_time() {
    let (world, _) = stock::world().await;
    let begun = Instant::now();
    let request = world
        .get("/stock/items/slow")
        .header("x-request-timeout", "100ms");
    let (status, body) = answer(request).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (504, &json!("DEADLINE_EXCEEDED"))
    );
    assert!(
        begun.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        world
            .metrics()
            .await
            .contains(r#"limit="upstream_time"} 1"#)
    );

    let head = "POST /stock:tell HTTP/1.1\r\nhost: x\r\nx-request-timeout: 0.2\r\ncontent-length: 9\r\n\r\n{";
    let got = conversation(&world, head.as_bytes()).await;
    assert!(
        got.starts_with("HTTP/1.1 504"),
        "an upload takes of the same time: {got}"
    );
}

#[tokio::test]
async fn a_time_that_is_none_is_refused_by_the_headers_name() {
    let (world, _) = stock::world().await;
    for (name, value) in [
        ("grpc-timeout", "1s"),
        ("x-request-timeout", "0"),
        ("x-request-timeout", "soon"),
    ] {
        let (status, body): (u16, Value) =
            answer(world.get("/stock/items/1").header(name, value)).await;
        let message = body["error"]["message"].as_str().unwrap();
        assert_eq!(status, 400);
        assert!(message.contains(name), "{message}");
    }
}
