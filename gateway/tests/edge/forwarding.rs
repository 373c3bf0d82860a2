//! Requests that go on to the old system.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{
    limits::conversation,
    world::{World, answer, nowhere},
};

#[tokio::test]
async fn a_request_goes_on_as_it_came_without_the_headers_of_the_hop() {
    let world = World::start().await;
    let request = world
        .post("/old/a%2Fb//c?x=1&y=%20", &json!({"a": 1}))
        .header("connection", "x-private, keep-alive")
        .header("x-private", "1")
        .header("te", "trailers")
        .header("cookie", "theme=dark; banyan_guest=secret")
        .header("x-forwarded-for", "6.6.6.6")
        .header("x-forwarded-proto", "https")
        .header("forwarded", "for=6.6.6.6")
        .header("x-banyan-guest", "forged")
        .header("x-real-ip", "6.6.6.6")
        .header("x-forwarded-port", "443")
        .header("x_forwarded_for", "6.6.6.6")
        .header("x-original-url", "/admin")
        .header("x-rewrite-url", "/admin")
        .header("x-kept", "1");
    let (status, told) = answer(request).await;
    assert_eq!(
        (status, &told["method"], &told["target"]),
        (200, &json!("POST"), &json!("/old/a%2Fb//c?x=1&y=%20"))
    );
    assert_eq!(told["body_bytes"], 7);
    let headers = &told["headers"];
    assert_eq!(headers["host"], world.old.to_string());
    assert_eq!(
        headers["x-forwarded-host"],
        world.gateway.public.to_string()
    );
    assert_eq!(
        (&headers["x-forwarded-for"], &headers["x-forwarded-proto"]),
        (&json!("127.0.0.1"), &json!("http"))
    );
    assert_eq!(
        (&headers["cookie"], &headers["x-kept"]),
        (&json!("theme=dark"), &json!("1"))
    );
    assert!(headers["traceparent"].is_string() && headers["x-request-id"].is_string());
    assert_eq!(headers["via"], "1.1 banyan");
    assert_eq!(
        (&headers["forwarded"], &headers["x-banyan-guest"]),
        (&Value::Null, &Value::Null)
    );
    for claim in [
        "x-real-ip",
        "x-forwarded-port",
        "x_forwarded_for",
        "x-original-url",
        "x-rewrite-url",
    ] {
        assert_eq!(headers[claim], Value::Null, "{claim}");
    }
    assert_eq!(
        (&headers["x-private"], &headers["te"]),
        (&Value::Null, &Value::Null),
        "{headers}"
    );
}

#[tokio::test]
async fn an_answer_comes_back_without_the_headers_of_the_hop() {
    let world = World::start().await;
    let response = world.get("/old/x").send().await.unwrap();
    let headers = response.headers();
    assert!(headers.contains_key("x-kept") && headers.contains_key("x-request-id"));
    assert!(
        !headers.contains_key("x-hop") && !headers.contains_key("keep-alive"),
        "{headers:?}"
    );
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let world = World::start().await;
    assert_eq!(
        world
            .get("/old/stream")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "one two three"
    );
    let pieces =
        futures::stream::iter(0..90).then(|_| async { Ok::<_, std::io::Error>(vec![b'x'; 1000]) });
    let request = world
        .client
        .post(world.url("/old/up"))
        .body(reqwest::Body::wrap_stream(pieces));
    let (status, told) = answer(request).await;
    assert_eq!((status, &told["body_bytes"]), (200, &json!(90_000)));
}

#[tokio::test]
async fn the_first_piece_arrives_before_the_last_is_there_and_a_stalled_body_ends() {
    let world = World::start().await;
    let mut response = world.get("/old/stall").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.chunk().await.unwrap().unwrap(), "one");
    let rest = tokio::time::timeout(Duration::from_secs(3), response.chunk())
        .await
        .unwrap();
    assert!(rest.is_err(), "a body that was cut off must not look whole");
}

#[tokio::test]
async fn an_old_system_that_is_slow_is_504_and_one_that_is_away_502() {
    let world = World::start().await;
    let (status, _) = answer(world.get("/old/slow")).await;
    assert_eq!(status, 504);
    let away = nowhere().await;
    let world = World::with(|config| config.set_upstream("old", &away).unwrap()).await;
    let (status, body) = answer(world.get("/api/users")).await;
    assert_eq!(
        (status, body),
        (502, json!({"error": "old cannot be reached"}))
    );
    let (status, body) = answer(world.get("/old/x")).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (502, &json!("UNAVAILABLE"))
    );
}

#[tokio::test]
async fn upgrades_are_refused() {
    let world = World::start().await;
    let request = world
        .get("/old/socket")
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    assert_eq!(answer(request).await.0, 501);
}

#[tokio::test]
async fn a_proxy_that_is_believed_tells_about_the_client() {
    let world = World::with(|config| config.listener.trust_forwarded = true).await;
    let request = world
        .get("/old/x")
        .header("x-forwarded-for", "1.2.3.4")
        .header("x-real-ip", "1.2.3.4")
        .header("x_real_ip", "6.6.6.6");
    let (_, told) = answer(request).await;
    let headers = &told["headers"];
    assert_eq!(headers["x-forwarded-for"], "1.2.3.4, 127.0.0.1");
    assert_eq!(
        (&headers["x-real-ip"], &headers["x_real_ip"]),
        (&json!("1.2.3.4"), &Value::Null)
    );
}

#[tokio::test]
async fn the_secret_stays_here_whatever_stands_beside_it() {
    let world = World::start().await;
    let cookies =
        reqwest::header::HeaderValue::from_bytes("theme=тёмная; banyan_guest=s".as_bytes());
    let (_, told) = answer(world.get("/old/x").header("cookie", cookies.unwrap())).await;
    assert!(!told.to_string().contains("banyan_guest"), "{told}");
    let named = world
        .get("/old/x")
        .header("connection", "content-length, host, x-forwarded-for")
        .body("four");
    let (status, told) = answer(named).await;
    assert_eq!((status, &told["body_bytes"]), (200, &json!(4)));
    assert_eq!(told["headers"]["x-forwarded-for"], "127.0.0.1");
}

#[tokio::test]
async fn what_the_server_behind_may_take_for_something_else_is_refused() {
    let world = World::start().await;
    for (target, want) in [
        ("GET /old/../v1/rollouts", "400"),
        ("GET /old/%2e%2e/v1/rollouts", "400"),
        ("GET /old/..%2Fv1/rollouts", "400"),
        ("GET http://elsewhere.example/old/../x", "400"),
        ("CONNECT /old/x", "501"),
        ("CONNECT elsewhere.example:80", "404"),
        ("GET http://elsewhere.example/old/x", "200"),
        ("OPTIONS *", "404"),
    ] {
        let head = format!("{target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = conversation(&world, head.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        let allowed = [
            want,
            if target.starts_with("CONNECT") {
                "400"
            } else {
                want
            },
        ];
        assert!(allowed.contains(&status), "{target}: {answer}");
    }
}

#[tokio::test]
async fn a_body_of_two_lengths_is_never_two_requests() {
    let world = World::start().await;
    let inner = "GET /old/smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    for head in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 0\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "content-length: +5\r\n",
    ] {
        let request = format!(
            "POST /old/up HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n0\r\n\r\n{inner}"
        );
        let answer = conversation(&world, request.as_bytes()).await;
        assert!(!answer.contains("smuggled"), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn a_server_that_switches_protocols_unasked_is_a_broken_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let answer =
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // A probe connects and asks nothing.
                if stream.read_u8().await.is_ok() {
                    stream.write_all(answer).await.ok();
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    let world = World::with(|config| {
        config
            .set_upstream("old", format!("http://{address}"))
            .unwrap();
    })
    .await;
    assert_eq!(answer(world.get("/old/x")).await.0, 502);
}
