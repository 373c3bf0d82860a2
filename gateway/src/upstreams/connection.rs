//! One HTTP/2 connection to a gRPC service, and the task that drives it.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Ping, PingPong,
    client::{Builder, SendRequest},
};
use tokio::{net::TcpStream, task::AbortHandle};

use super::queue::Queue;

/// What one stream may have on its way to us unread. Slow readers hold this much each.
const STREAM_WINDOW: u32 = 128 * 1024;
/// Calls at once on one connection, whatever the peer allows.
pub(super) const CALLS_MAX: usize = 256;
/// Room for the whole windows of all calls: a client that does not read never stops the others.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * CALLS_MAX as u32;
/// Until the peer says how many calls it takes at once.
const CALLS_MAX_AT_FIRST: usize = 100;
/// Header of an answer, and its trailers.
const HEADER_BYTES_MAX: u32 = 64 * 1024;

/// A peer that vanished without a word is noticed within 15 s, even when nothing is being sent.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that calls can be sent on; clones share it.
#[derive(Clone)]
pub(super) struct Connection {
    send: SendRequest<Bytes>,
    state: Arc<State>,
}

struct State {
    peer: SocketAddr,
    calls: AtomicUsize,
    is_closed: AtomicBool,
    /// Who waits for a place.
    queue: Arc<Queue>,
}

/// One call's place among those of its connection.
pub(super) struct Place(Arc<State>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
        self.0.queue.freed();
    }
}

impl Connection {
    /// Connects; the connection is driven by the runtime that this is called on.
    pub(super) async fn open(peer: SocketAddr, queue: Arc<Queue>) -> io::Result<Connection> {
        let stream = TcpStream::connect(peer).await?;
        stream.set_nodelay(true)?;
        let handshake = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(CALLS_MAX_AT_FIRST)
            .max_header_list_size(HEADER_BYTES_MAX)
            .handshake::<_, Bytes>(stream);
        let (send, mut connection) = handshake.await.map_err(io::Error::other)?;
        let state = Arc::new(State {
            peer,
            calls: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            queue,
        });
        let pings = connection.ping_pong();
        let shared = Arc::clone(&state);
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "Connection to an upstream ended early");
            }
            shared.close();
        });
        if let Some(pings) = pings {
            tokio::spawn(keep_alive(pings, driver.abort_handle(), Arc::clone(&state)));
        }
        Ok(Connection { send, state })
    }

    /// Whom it leads to.
    pub(super) fn peer(&self) -> SocketAddr {
        self.state.peer
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.is_closed.load(Ordering::Acquire)
    }

    /// Nothing new is sent on it; what is in flight may still be answered.
    pub(super) fn retire(&self) {
        self.state.close();
    }

    pub(super) fn calls(&self) -> usize {
        self.state.calls.load(Ordering::SeqCst)
    }

    /// Whether one more call would have to wait for another to end.
    pub(super) fn is_full(&self) -> bool {
        self.calls() >= self.send.current_max_send_streams().min(CALLS_MAX)
    }

    /// Takes a place for one call.
    pub(super) fn take(&self) -> (SendRequest<Bytes>, Place) {
        self.state.calls.fetch_add(1, Ordering::SeqCst);
        (self.send.clone(), Place(Arc::clone(&self.state)))
    }
}

impl State {
    fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.queue.all_freed();
    }
}

/// Asks the peer for a sign of life, and ends a connection whose peer gives none.
async fn keep_alive(mut pings: PingPong, driver: AbortHandle, state: Arc<State>) {
    while !driver.is_finished() {
        tokio::time::sleep(PING_EVERY).await;
        let answered = tokio::time::timeout(PING_TIMEOUT, pings.ping(Ping::opaque())).await;
        if !matches!(answered, Ok(Ok(_))) {
            state.close();
            driver.abort();
        }
    }
}
