//! The socket: HTTP/1.1, which is what the gateway forwards with. Connections are limited in number and in the time
//! they may take for a header; at shutdown nothing new is accepted and what is in flight is finished.

use std::{convert::Infallible, sync::Arc, time::Duration, time::Instant};

use banyan_mesh::trace::TraceContext;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use crate::{files::Files, respond::Responder};

const CONNECTIONS_MAX: usize = 1_024;
/// Slow clients must not hold connections for ever.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A pause when no connection can be accepted: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown`, then finishes what is in flight.
pub(crate) async fn serve<F: Files>(
    listener: TcpListener,
    responder: Arc<Responder<F>>,
    shutdown: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, permit)) => hold(stream, permit, &responder, &connections),
            Err(error) => {
                tracing::warn!(%error, "Cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Takes a connection only when there is room for it: the others wait in the system's queue, where they cost nothing.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, Option<OwnedSemaphorePermit>)> {
    let permit = Arc::clone(room).acquire_owned().await.ok();
    let (stream, _) = listener.accept().await?;
    // Answers are written whole; waiting for more to send only delays them.
    stream.set_nodelay(true).ok();
    Ok((stream, permit))
}

fn hold<F: Files>(
    stream: TcpStream,
    permit: Option<OwnedSemaphorePermit>,
    responder: &Arc<Responder<F>>,
    connections: &GracefulShutdown,
) {
    let responder = Arc::clone(responder);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = logged(&responder, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "Connection ended");
        }
        drop(permit);
    });
}

fn logged<F: Files>(
    responder: &Responder<F>,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    let start = Instant::now();
    let response = responder.respond(request);
    tracing::info!(
        method = %request.method(),
        path = request.uri().path(),
        status = response.status().as_u16(),
        latency_ms = start.elapsed().as_secs_f64() * 1_000.0,
        trace_id = TraceContext::of(request.headers()).trace_id(),
        "Served file"
    );
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::site::tests::Memory;

    #[tokio::test]
    async fn an_idle_connection_does_not_delay_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let responder = Arc::new(Responder::new(Memory::with(&["app/index.html"])));
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(serve(listener, responder, shutdown.clone()));

        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET /app/ HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"app/index.html") {
            assert_ne!(client.read_buf(&mut answer).await.unwrap(), 0);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));

        shutdown.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(5), server).await;
        assert!(ended.is_ok(), "the server waits for an idle connection");
    }
}
