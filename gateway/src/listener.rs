//! From a socket to requests: HTTP/1.1 and HTTP/2 (prior knowledge) on one port.
//!
//! A client that is slow with its first request, or with the header of any, loses its connection: hyper times headers
//! only once it knows the protocol and only when it is given a timer, so the first request has a guard of its own. A
//! client that does not take its answer loses its connection too.
//! At shutdown nothing new is accepted and requests in flight are finished, those too that are on their way on a
//! connection that is there already: answers say by then that their connection ends, so clients do not lose a request
//! to a connection that closes under it.

mod patience;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use self::patience::Patient;
use crate::{config::ListenerConfig, edge::Edge};

/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// An HTTP/2 peer that does not answer a ping for this long is gone.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long connections are left to end by themselves.
const LINGER: Duration = Duration::from_millis(250);
/// How long the system's queue is looked at for the last time.
const LAST_LOOK: Duration = Duration::from_millis(5);

/// How long a connection may keep us waiting.
#[derive(Clone, Copy)]
struct ConnectionLimits {
    /// For its first request.
    header: Duration,
    /// For taking the next piece of an answer.
    patience: Duration,
}

/// Serves `edge` until `shutdown`, then finishes what is in flight.
pub(crate) async fn serve(
    listener: TcpListener,
    edge: Arc<Edge>,
    limits: &ListenerConfig,
    shutdown: CancellationToken,
) {
    let connections = Arc::new(Semaphore::new(limits.connections_max));
    let builder = Arc::new(builder(limits));
    let times = ConnectionLimits {
        header: Duration::from_millis(limits.header_timeout_ms),
        patience: Duration::from_millis(limits.body_idle_timeout_ms),
    };
    let graceful = GracefulShutdown::new();
    let hold = |(stream, peer, permit)| {
        let connection = connection(stream, peer, Arc::clone(&edge), &builder, times, &graceful);
        tokio::spawn(async move {
            connection.await;
            drop(permit);
        });
    };
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok(accepted) => hold(accepted),
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to come back.
                tracing::warn!(%error, "Cannot accept connections");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    // What the system has accepted for us would be reset.
    let queued = async {
        while let Ok(accepted) = accept(&listener, &connections).await {
            hold(accepted);
        }
    };
    tokio::time::timeout(LAST_LOOK, queued).await.ok();
    drop(listener);
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    tokio::time::timeout(LINGER, connections.acquire_many(all))
        .await
        .ok();
    graceful.shutdown().await;
}

/// Takes a connection only when there is room for it: the others wait in the system's queue, where they cost nothing.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, Option<OwnedSemaphorePermit>)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok();
    let (stream, peer) = listener.accept().await?;
    // Answers are written whole; waiting for more to send only delays them.
    stream.set_nodelay(true).ok();
    Ok((stream, peer, permit))
}

fn builder(limits: &ListenerConfig) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.header_timeout_ms))
        .max_buf_size(limits.header_bytes_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Duration::from_millis(limits.header_timeout_ms))
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    edge: Arc<Edge>,
    builder: &Arc<auto::Builder<TokioExecutor>>,
    limits: ConnectionLimits,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    let begun = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&begun);
    let service = service_fn(move |request: Request<Incoming>| {
        seen.store(true, Ordering::Relaxed);
        let edge = Arc::clone(&edge);
        async move { Ok::<Response<Body>, Infallible>(edge.handle(request.map(Body::new), peer).await) }
    });
    let connection = builder
        .serve_connection(TokioIo::new(Patient::new(stream, limits.patience)), service)
        .into_owned();
    let connection = graceful.watch(connection);
    async move {
        let silent = async {
            tokio::time::sleep(limits.header).await;
            if begun.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                tracing::debug!(error, "Connection ended early");
            },
            () = silent => tracing::debug!(%peer, "Closed a connection that asked nothing"),
        }
    }
}
