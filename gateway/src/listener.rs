//! From a socket to requests: HTTP/1.1 and HTTP/2 (prior knowledge) on one port.
//!
//! A client that is slow with its first request, or with the header of any, loses its connection: hyper times headers
//! only once it knows the protocol and only when it is given a timer, so the first request has a guard of its own. A
//! client that does not take its answer loses its connection too.
//! At shutdown nothing new is accepted and requests in flight are finished, those too that are on their way on a
//! connection that is there already: answers say by then that their connection ends, so clients do not lose a request
//! to a connection that closes under it.
//!
//! The public listener's connections are handed to [`threads`]; operators' are served where they are accepted.

mod patience;
mod threads;

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, ready},
    time::Duration,
};

use anyhow::Context as _;
use axum::body::Body;
use http::{Request, Response};
use hyper::{
    body::{Body as _, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use self::{
    patience::Patient,
    threads::{Accepted, Threads},
};
use crate::{
    alarms::{Alarms, HeaderTimer},
    config::ListenerConfig,
    context::Peer,
    edge::Edge,
};

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

/// How connections are served; clones share it.
#[derive(Clone)]
struct Service {
    edge: Arc<Edge>,
    builder: Arc<auto::Builder<TokioExecutor>>,
    limits: ConnectionLimits,
}

/// Serves `edge` on `threads` threads until `shutdown`, then finishes what is in flight. With none, connections are
/// served by the runtime that this is called on.
///
/// # Errors
/// If a thread cannot be started, or ended early.
pub(crate) async fn serve(
    listener: TcpListener,
    edge: Arc<Edge>,
    limits: &ListenerConfig,
    threads: usize,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let service = Service::new(edge, limits);
    if threads == 0 {
        let graceful = GracefulShutdown::new();
        let hold = |accepted: Connection| {
            let (stream, peer, permit) = accepted;
            let connection = service.connection(stream, peer, &graceful);
            tokio::spawn(async move {
                connection.await;
                drop(permit);
            });
        };
        accept_until(listener, limits.connections_max, shutdown, hold).await;
        graceful.shutdown().await;
        return Ok(());
    }
    let threads = Threads::start(threads, &service).context("cannot start serving threads")?;
    let give = |accepted: Connection| {
        let (stream, peer, permit) = accepted;
        match stream.into_std() {
            Ok(stream) => threads.give(Accepted {
                stream,
                peer,
                permit,
            }),
            Err(error) => tracing::warn!(%error, "Cannot hand a connection over"),
        }
    };
    accept_until(listener, limits.connections_max, shutdown, give).await;
    threads.finish().await
}

/// Hands connections over until `shutdown`, then those that the system has accepted by then, and gives all of them a
/// moment to end by themselves.
async fn accept_until(
    listener: TcpListener,
    connections_max: usize,
    shutdown: CancellationToken,
    hand_over: impl Fn(Connection),
) {
    let connections = Arc::new(Semaphore::new(connections_max));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok(accepted) => hand_over(accepted),
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
            hand_over(accepted);
        }
    };
    tokio::time::timeout(LAST_LOOK, queued).await.ok();
    drop(listener);
    let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
    tokio::time::timeout(LINGER, connections.acquire_many(all))
        .await
        .ok();
}

/// A client's connection, and its place among all of them.
type Connection = (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>);

/// Takes a connection only when there is room for it: the others wait in the system's queue, where they cost nothing.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<Connection> {
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

impl Service {
    fn new(edge: Arc<Edge>, limits: &ListenerConfig) -> Service {
        Service {
            edge,
            builder: Arc::new(builder(limits)),
            limits: ConnectionLimits {
                header: Duration::from_millis(limits.header_timeout_ms),
                patience: Duration::from_millis(limits.body_idle_timeout_ms),
            },
        }
    }

    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        graceful: &GracefulShutdown,
    ) -> impl Future<Output = ()> + Send + use<> {
        let begun = Arc::new(AtomicBool::new(false));
        let (seen, edge, limits) = (Arc::clone(&begun), Arc::clone(&self.edge), self.limits);
        let known = Arc::new(Peer::new(peer));
        let service = service_fn(move |request: Request<Incoming>| {
            seen.store(true, Ordering::Relaxed);
            let (edge, peer) = (Arc::clone(&edge), Arc::clone(&known));
            async move { Ok::<Response<Body>, Infallible>(edge.handle(request.map(body), &peer).await) }
        });
        let stream = TokioIo::new(Patient::new(stream, limits.patience));
        let mut builder = auto::Builder::clone(&self.builder);
        builder.http1().timer(HeaderTimer(Alarms::default()));
        let connection = builder.serve_connection(stream, service).into_owned();
        let connection = graceful.watch(connection);
        async move {
            let mut connection = pin!(connection);
            // Until the first request is there.
            let mut silence = Some(Box::pin(tokio::time::sleep(limits.header)));
            poll_fn(|context| {
                if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                    if let Err(error) = ended {
                        tracing::debug!(error, "Connection ended early");
                    }
                    return Poll::Ready(());
                }
                silence = silence.take().filter(|_| !begun.load(Ordering::Relaxed));
                let Some(silence) = &mut silence else {
                    return Poll::Pending;
                };
                ready!(silence.as_mut().poll(context));
                tracing::debug!(%peer, "Closed a connection that asked nothing");
                Poll::Ready(())
            })
            .await;
        }
    }
}

/// Most requests have none, which costs nothing then.
fn body(incoming: Incoming) -> Body {
    match incoming.is_end_stream() {
        true => Body::empty(),
        false => Body::new(incoming),
    }
}
