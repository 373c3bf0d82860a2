//! Networks that lose things, and monoliths that are not what they should be.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

async fn read_request(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(socket);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).await.map(drop)
}

/// A monolith that answers each request with `answer` and hangs up.
pub(crate) async fn broken_monolith(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                // To close with something unread would take the answer back.
                read_request(&mut socket).await.ok();
                socket.write_all(answer.as_bytes()).await.ok();
                socket.shutdown().await.ok();
            });
        }
    });
    url
}

/// A monolith that answers the first request of each connection with `answer`, says nothing of hanging up, and does so
/// when the next request comes.
pub(crate) async fn impatient_monolith(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                read_request(&mut socket).await.ok();
                socket.write_all(answer.as_bytes()).await.ok();
                read_request(&mut socket).await.ok();
            });
        }
    });
    url
}

/// A monolith that takes every request and answers none.
pub(crate) async fn silent_monolith() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            kept.push(socket);
        }
    });
    url
}

/// What a lossy network does to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It never arrives.
    Request,
    /// It is carried out, and nobody hears of it.
    Answer,
}

/// A network between the service and the monolith at `legacy` that carries so many requests and breaks all others off,
/// until it is given more; and in which a page of changes has two of them at most.
pub(crate) async fn failing_network(legacy: String, carried: &Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let carried = Arc::clone(carried);
    let carry = move |request: axum::extract::Request| {
        let (legacy, carried) = (legacy.clone(), Arc::clone(&carried));
        async move {
            let left = carried.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
            if left.is_err() {
                let cut = futures::stream::once(async { Err::<Vec<u8>, _>("cut") });
                return http::Response::new(axum::body::Body::from_stream(cut));
            }
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let target = parts.uri.to_string().replace("limit=500", "limit=2");
            let answer = reqwest::Client::new()
                .request(parts.method, format!("{legacy}{target}"))
                .body(body)
                .send()
                .await
                .unwrap();
            let status = answer.status();
            let body = axum::body::Body::from(answer.bytes().await.unwrap());
            http::Response::builder().status(status).body(body).unwrap()
        }
    };
    let router = axum::Router::new().fallback(carry);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A network between the service and the monolith at `legacy` that loses every second write, the first to
/// begin with.
pub(crate) async fn lossy_network(legacy: String, loss: Loss) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let creates = Arc::new(AtomicUsize::new(0));
    let carry = move |request: axum::extract::Request| {
        let (legacy, creates) = (legacy.clone(), Arc::clone(&creates));
        async move {
            let is_write = request.method() != http::Method::GET;
            let lose = is_write && creates.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
            // Ends the connection in the middle of the exchange.
            let broken = || {
                let cut = futures::stream::once(async { Err::<Vec<u8>, _>("cut") });
                axum::body::Body::from_stream(cut)
            };
            if lose && loss == Loss::Request {
                return http::Response::new(broken());
            }
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let answer = reqwest::Client::new()
                .request(parts.method, format!("{legacy}{}", parts.uri))
                .header("content-type", "application/json")
                .body(body)
                .send()
                .await
                .unwrap();
            if lose {
                return http::Response::new(broken());
            }
            let status = answer.status();
            let body = axum::body::Body::from(answer.bytes().await.unwrap());
            http::Response::builder().status(status).body(body).unwrap()
        }
    };
    let router = axum::Router::new().fallback(carry);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
