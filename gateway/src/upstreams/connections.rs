//! The connections to one gRPC service: each serving thread has its own, to as many of the service's addresses as it may.
//!
//! A thread connects when it first has a call to send, and again whenever it must; calls that come meanwhile wait for
//! the same attempt. A service that cannot be reached is tried again at once the first time and then ever less often,
//! at most half a second apart; calls in between fail with what the last attempt has found. A connection that has as
//! many calls as its peer takes gets another beside it, up to eight; when all are full, calls wait
//! ([`super::queue`]). A service that restarts is waited for ([`Bridge`]), except by calls that somebody else can answer.
//!
//! The first connection serves at once; those to the other addresses are opened beside it, and calls go round among those
//! that have the fewest. A connection to an address that the name no longer has takes no new calls and ends with its
//! last one.
//!
//! A call that a closing connection has provably not taken (RFC 9113, 8.7) is sent again on another, once: a service
//! that is restarted in order loses none.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderName, Request, Response, Uri, uri::Authority};
use tokio::time::timeout;
use tonic::body::Body;

use super::{
    addresses::{Addresses, Resolve},
    body::{Answer, Pump, Upload, pump},
    connection::Connection,
    error::GrpcError,
    queue::{Gauges, Room},
    thread::{Choice, Failed, Thread},
};
use crate::{
    bridge::{Bridge, Elsewhere},
    per_thread::PerThread,
};

/// Addresses that one attempt to connect tries, one after the other.
const ATTEMPTS_MAX: usize = 3;
/// Between attempts to connect to one more address while others serve.
const SPREAD_PAUSE: Duration = Duration::from_secs(1);
/// Headers whose values never come again: they would only push others out of the connection's header table (RFC 7541,
/// 7.1.3), which costs both ends more than it saves.
static PASSING: [HeaderName; 3] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("grpc-timeout"),
];

/// The connections to one service.
#[derive(Debug)]
pub(super) struct Connections {
    addresses: Arc<Addresses>,
    authority: Authority,
    connect_timeout: Duration,
    room: Room,
    bridge: Arc<Bridge>,
    threads: PerThread<Thread>,
}

/// How a service is found and waited for.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) connect_timeout: Duration,
    pub(super) bridge: Arc<Bridge>,
    pub(super) resolve_every: Duration,
    /// Calls that may wait for a place.
    pub(super) waiting_max: usize,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) gauges: Gauges,
}

/// Which addresses a new connection may lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Any,
    /// Those that the thread has no connection to: a second one to the same address would be no help.
    Fresh,
}

impl Connections {
    /// `None` if the URL is not `http://host[:port]`.
    pub(super) fn new(url: &str, terms: Terms, threads: usize) -> Option<Connections> {
        let uri: Uri = url.parse().ok()?;
        if uri.scheme_str() != Some("http") {
            return None;
        }
        let authority = uri.authority()?.clone();
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        (!host.is_empty()).then_some(())?;
        let port = authority.port_u16().unwrap_or(80);
        let addresses = Addresses::new(host, port, terms.resolver, terms.resolve_every);
        Some(Connections {
            addresses: Arc::new(addresses),
            authority,
            connect_timeout: terms.connect_timeout,
            room: Room::new(terms.waiting_max, terms.gauges),
            bridge: terms.bridge,
            threads: PerThread::new(threads, Thread::default),
        })
    }

    /// Sends a call and waits for its answer to begin.
    pub(super) async fn call(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Body>, GrpcError> {
        let (mut parts, body) = request.into_parts();
        parts.uri = self.uri(&parts.uri)?;
        for name in &PASSING {
            if let Some(value) = parts.headers.get_mut(name) {
                value.set_sensitive(true);
            }
        }
        let head = Request::from_parts(parts, ());
        match Upload::of(body)
            .await
            .map_err(|status| GrpcError::Body(status.into()))?
        {
            Upload::Stream(first, rest) => self.attempt(head, Upload::Stream(first, rest)).await,
            Upload::Whole(data) => {
                let again = (head.clone(), data.clone());
                match self.attempt(head, Upload::Whole(data)).await {
                    Err(error @ (GrpcError::Unsent { .. } | GrpcError::Call { .. }))
                        if error.is_never_sent() =>
                    {
                        let (head, data) = again;
                        self.attempt(head, Upload::Whole(data)).await
                    }
                    answer => answer,
                }
            }
        }
    }

    async fn attempt(
        self: &Arc<Self>,
        head: Request<()>,
        upload: Upload,
    ) -> Result<Response<Body>, GrpcError> {
        let connection = self.reached(&head).await?;
        let address = || self.authority.to_string();
        let (mut send, place) = connection.take();
        let is_whole = matches!(upload, Upload::Whole(None));
        let (answer, mut stream) = send.send_request(head, is_whole).map_err(|source| {
            connection.retire();
            GrpcError::Unsent {
                address: address(),
                source,
            }
        })?;
        let failed = |source: h2::Error| {
            if !source.is_reset() {
                connection.retire();
            }
            GrpcError::Call {
                address: address(),
                source,
            }
        };
        let mut pumped = None;
        match upload {
            Upload::Whole(None) => {}
            Upload::Whole(Some(data)) => stream.send_data(data, true).map_err(failed)?,
            Upload::Stream(first, rest) => {
                let task = tokio::spawn(pump(stream, first, rest));
                pumped = Some(Pump(task.abort_handle()));
            }
        }
        let response = answer.await.map_err(failed)?;
        Ok(response.map(|stream| Body::new(Answer::new(stream, place, pumped))))
    }

    fn uri(&self, uri: &Uri) -> Result<Uri, GrpcError> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(http::uri::Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = uri.path_and_query().cloned();
        Uri::from_parts(parts).map_err(|_| GrpcError::NoPath)
    }

    /// A connection with room for a call, once there is one.
    async fn reached(self: &Arc<Self>, head: &Request<()>) -> Result<Connection, GrpcError> {
        loop {
            let error = match self.connection().await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let is_away = matches!(error, GrpcError::Connect { .. });
            let has_elsewhere = head.extensions().get::<Elsewhere>().is_some();
            if !is_away || has_elsewhere || !self.bridge.waited().await {
                return Err(error);
            }
        }
    }

    /// A connection with room for a call.
    async fn connection(self: &Arc<Self>) -> Result<Connection, GrpcError> {
        let mut waiting = None;
        let mut may_open = true;
        loop {
            match self.choose() {
                Choice::Use(connection) => return Ok(connection),
                Choice::Open if may_open => match self.connect().await {
                    Ok(connection) => return Ok(connection),
                    Err(source) if self.threads.lock().open.is_empty() => {
                        return Err(GrpcError::Connect {
                            address: self.authority.to_string(),
                            source,
                        });
                    }
                    // To wait for one that is full is better than nothing.
                    Err(_) => may_open = false,
                },
                Choice::Open if self.threads.lock().open.is_empty() => may_open = true,
                Choice::Open | Choice::Wait => match &waiting {
                    None => {
                        let queue = Arc::clone(&self.threads.lock().queue);
                        let entered = self.room.enter(&queue);
                        waiting = Some(entered.ok_or_else(|| GrpcError::Saturated {
                            address: self.authority.to_string(),
                        })?);
                    }
                    Some(waiting) => {
                        waiting.freed().await;
                        may_open = true;
                    }
                },
            }
        }
    }

    fn choose(self: &Arc<Self>) -> Choice {
        let mut thread = self.threads.lock();
        if thread.version != self.addresses.version() {
            thread.follow(&self.addresses);
        }
        let choice = thread.choose();
        if thread.spread > 1 && !thread.is_spreading && thread.is_short() {
            let now = Instant::now();
            if thread.spread_after.is_none_or(|after| now >= after) {
                thread.is_spreading = true;
                thread.spread_after = Some(now + SPREAD_PAUSE);
                drop(thread);
                self.spread();
            }
        }
        choice
    }

    /// Connects to one more address, while others serve.
    fn spread(self: &Arc<Self>) {
        let connections = Arc::clone(self);
        tokio::spawn(async move {
            let opened = connections.open(Wanted::Fresh).await;
            let mut thread = connections.threads.lock();
            thread.is_spreading = false;
            match opened {
                Ok(connection) => {
                    thread.spread_after = None;
                    thread.open.push(connection);
                    thread.queue.all_freed();
                }
                Err(error) => tracing::debug!(%error, "Cannot spread over one more address"),
            }
        });
    }

    /// Opens a connection, or lets the calls that come meanwhile wait for whoever does.
    async fn connect(self: &Arc<Self>) -> Result<Connection, Arc<io::Error>> {
        let since = Instant::now();
        let connecting = Arc::clone(&self.threads.lock().connecting);
        let _alone = connecting.lock().await;
        let known = {
            let mut thread = self.threads.lock();
            if let Choice::Use(connection) = thread.choose() {
                return Ok(connection);
            }
            thread.failed.clone()
        };
        if let Some(failed) = known.filter(|failed| failed.holds(since)) {
            return Err(failed.source);
        }
        let opened = self.open(Wanted::Any).await;
        let mut thread = self.threads.lock();
        match opened {
            Ok(connection) => {
                thread.failed = None;
                self.bridge.reached();
                thread.open.push(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                let source = Arc::new(error);
                thread.failed = Some(Failed {
                    at: Instant::now(),
                    times: thread.failed.as_ref().map_or(0, |failed| failed.times) + 1,
                    source: Arc::clone(&source),
                });
                Err(source)
            }
        }
    }

    /// A connection to an address that has none yet, or if any will do to whichever is next.
    async fn open(&self, wanted: Wanted) -> io::Result<Connection> {
        let (used, queue) = {
            let thread = self.threads.lock();
            let used: Vec<_> = thread.open.iter().map(Connection::peer).collect();
            (used, Arc::clone(&thread.queue))
        };
        let to_try = timeout(self.connect_timeout, self.addresses.to_try(&used)).await;
        let to_try = to_try.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        let is_wanted = |it: &SocketAddr| wanted == Wanted::Any || !used.contains(it);
        let to_try: Vec<_> = to_try.into_iter().filter(is_wanted).collect();
        let attempts = to_try.len().clamp(1, ATTEMPTS_MAX);
        let each = self.connect_timeout / u32::try_from(attempts).unwrap_or(1);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for peer in to_try.into_iter().take(attempts) {
            let opening = Connection::open(peer, Arc::clone(&queue));
            match timeout(each, opening)
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
            self.addresses.doubt();
        }
        Err(last)
    }
}
