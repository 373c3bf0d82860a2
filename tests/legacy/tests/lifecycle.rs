//! How the monolith ends: no new work, but an answer for what is under way.

use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{LIMIT, Legacy, eventually};

#[tokio::test]
async fn a_request_under_way_is_answered_after_the_stop() {
    let legacy = Legacy::start("sqlite::memory:").await;
    let addr = legacy.addr();
    let body = r#"{"username": "late", "email": "late@example.com"}"#;
    let (early, late) = body.split_at(10);
    let mut connection = TcpStream::connect(addr).await.expect("connected");
    let length = body.len();
    let head = format!("POST /api/users HTTP/1.1\r\nhost: legacy\r\ncontent-length: {length}\r\n");
    let begun = format!("{head}expect: 100-continue\r\n\r\n");
    connection.write_all(begun.as_bytes()).await.expect("sent");
    // Its invitation to go on shows that the request has reached its handler.
    let mut invitation = [0; 25];
    connection
        .read_exact(&mut invitation)
        .await
        .expect("invited");
    assert_eq!(&invitation, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(early.as_bytes()).await.expect("sent");

    let stopping = tokio::spawn(legacy.stop());
    eventually("new connections are refused", async || {
        TcpStream::connect(addr).await.is_err()
    })
    .await;
    connection.write_all(late.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    connection
        .read_to_string(&mut answer)
        .await
        .expect("answered");
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    stopping.await.expect("ended well");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_stop_up() {
    let legacy = Legacy::start("sqlite::memory:").await;
    let mut idle = TcpStream::connect(legacy.addr()).await.expect("connected");
    // The client of this call keeps its connection open, too.
    assert_eq!(legacy.call("GET", "/health", "").await.0, 200);
    let began = Instant::now();
    legacy.stop().await;
    assert!(began.elapsed() < LIMIT / 6, "took {:?}", began.elapsed());
    assert_eq!(idle.read(&mut [0; 1]).await.expect("closed"), 0);
}
