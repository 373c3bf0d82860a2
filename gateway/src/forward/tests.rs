//! Servers that answer byte by byte, and what is made of it.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Mutex,
};

use super::{
    Bridge,
    answer::Content,
    pool::{Pool, PoolError},
    upload::{Length, Upload},
};
use crate::bridge::Counts;

const PATIENCE: Duration = Duration::from_secs(10);

/// A server that says the same on every connection to each request that ends with an empty line, in pieces, and closes
/// where it is told to; what it was told on each connection.
async fn server(
    answer: &'static str,
    piece: usize,
    closes: bool,
) -> (Pool, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let place = {
                let mut heard = heard.lock().await;
                heard.push(Vec::new());
                heard.len() - 1
            };
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    let ends = {
                        let heard = &mut heard.lock().await[place];
                        heard.extend_from_slice(&buffer[..read]);
                        heard.ends_with(b"\r\n\r\n")
                    };
                    if !ends {
                        continue;
                    }
                    for piece in answer.as_bytes().chunks(piece) {
                        stream.write_all(piece).await.ok();
                        tokio::task::yield_now().await;
                    }
                    if closes {
                        return;
                    }
                }
            });
        }
    });
    let bridge = Bridge::new(PATIENCE, Counts::default());
    (Pool::new("127.0.0.1", port, PATIENCE, bridge, 0), told)
}

async fn ask(pool: &Pool, method: &str) -> Result<Response<Content>, PoolError> {
    let head = format!("{method} / HTTP/1.1\r\n\r\n").into_bytes();
    let upload = Upload::new(head, Body::empty(), Length::None, Vec::new());
    let asked = pool.request(upload, method == "HEAD");
    tokio::time::timeout(PATIENCE, asked).await.unwrap()
}

/// Status, body and trailers; or that it broke.
async fn told(pool: &Pool, method: &str) -> Result<(u16, String, usize), String> {
    let response = ask(pool, method).await.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    match response.into_body() {
        Content::Whole(bytes) => Ok((status, String::from_utf8_lossy(&bytes).into_owned(), 0)),
        Content::Stream(stream) => {
            let whole = tokio::time::timeout(PATIENCE, stream.collect())
                .await
                .unwrap();
            let whole = whole.map_err(|error| error.to_string())?;
            let trailers = whole.trailers().map_or(0, http::HeaderMap::len);
            let bytes = whole.to_bytes();
            Ok((
                status,
                String::from_utf8_lossy(&bytes).into_owned(),
                trailers,
            ))
        }
    }
}

#[tokio::test]
async fn an_answer_is_the_same_in_whatever_pieces_it_comes() {
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n4;x=y\r\n two\r\n0\r\na: b\r\n\r\n";
    let long = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\ncontent-length: 7\r\n\r\none two";
    let until = "HTTP/1.0 200 OK\r\n\r\none two";
    for (answer, closes, want) in [
        (chunks, false, (200, 1)),
        (long, false, (201, 0)),
        (until, true, (200, 0)),
    ] {
        for piece in [1, 2, 7, 1000] {
            let (pool, heard) = server(answer, piece, closes).await;
            for _ in 0..3 {
                let (status, body, trailers) = told(&pool, "GET").await.unwrap();
                assert_eq!(
                    ((status, trailers), body.as_str()),
                    (want, "one two"),
                    "{answer:?} by {piece}"
                );
            }
            let connections = heard.lock().await.len();
            assert_eq!(
                connections,
                if closes { 3 } else { 1 },
                "{answer:?} by {piece}"
            );
        }
    }
}

#[tokio::test]
async fn what_has_no_body_by_its_nature_has_none() {
    let (pool, heard) = server("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", 1000, false).await;
    for _ in 0..2 {
        assert_eq!(told(&pool, "HEAD").await, Ok((200, String::new(), 0)));
    }
    assert_eq!(heard.lock().await.len(), 1);
    let (pool, _) = server(
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n",
        9,
        false,
    )
    .await;
    assert_eq!(told(&pool, "GET").await, Ok((304, String::new(), 0)));
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_or_ends_its_connection() {
    for broken in [
        "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ncontent-length: 8\r\n\r\none two",
        "HTTP/1.1 200 OK\r\ncontent-length: +7\r\n\r\none two",
        "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\none two",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\none twothree\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\none two\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-7\r\none two\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\none two\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\none two\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
        "no HTTP at all\r\n\r\n",
        "",
    ] {
        let (pool, _) = server(broken, 5, true).await;
        assert!(told(&pool, "GET").await.is_err(), "{broken:?}");
    }
    let both = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n7\r\none two\r\n0\r\n\r\n";
    let (pool, heard) = server(both, 1000, false).await;
    for _ in 0..2 {
        assert_eq!(told(&pool, "GET").await, Ok((200, "one two".to_owned(), 0)));
    }
    assert_eq!(heard.lock().await.len(), 2, "neither is used again");
}

#[tokio::test]
async fn a_connection_that_was_closed_or_said_more_is_not_used_again() {
    let more = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\noneHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let (pool, heard) = server(more, 1000, false).await;
    for _ in 0..3 {
        assert_eq!(told(&pool, "GET").await, Ok((200, "one".to_owned(), 0)));
    }
    assert_eq!(heard.lock().await.len(), 3);
    let (pool, heard) = server("HTTP/1.1 204 No Content\r\n\r\n", 1000, true).await;
    for _ in 0..20 {
        assert_eq!(told(&pool, "GET").await, Ok((204, String::new(), 0)));
        // Until the end of the connection has been seen.
        while pool.has_usable() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(heard.lock().await.len(), 20);
}

#[tokio::test]
async fn a_body_of_unknown_length_goes_out_in_chunks() {
    let (pool, heard) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 1000, false).await;
    let pieces = futures::stream::iter(["one", "", " two"].map(Ok::<_, std::io::Error>));
    let body = Body::from_stream(pieces);
    let length = Length::of(&body);
    assert_eq!(length, Length::Chunks);
    let upload = Upload::new(
        b"POST / HTTP/1.1\r\n\r\n".to_vec(),
        body,
        length,
        Vec::new(),
    );
    let asked = pool.request(upload, false);
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap()
        .unwrap();
    // The server may have answered before it had heard everything.
    let want = b"POST / HTTP/1.1\r\n\r\n3\r\none\r\n4\r\n two\r\n0\r\n\r\n";
    let heard = heard.lock().await[0].clone();
    assert!(
        want.starts_with(&heard),
        "{}",
        String::from_utf8_lossy(&heard)
    );
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_breaks_the_request_off() {
    for length in [2, 4] {
        let (pool, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 1000, false).await;
        let head = b"POST / HTTP/1.1\r\n".to_vec();
        let upload = Upload::new(head, Body::from("one"), Length::Bytes(length), Vec::new());
        let asked = tokio::time::timeout(PATIENCE, pool.request(upload, false));
        assert!(matches!(asked.await.unwrap(), Err(PoolError::Upload(_))));
    }
}
