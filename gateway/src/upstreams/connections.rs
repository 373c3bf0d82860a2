//! The connections to one gRPC service: each serving thread has its own.
//!
//! A thread connects when it first has a call to send, and again whenever it must; calls that come meanwhile wait for
//! the same attempt. A service that cannot be reached is tried again at once the first time and then ever less often,
//! at most [`BACKOFF_MAX`] apart; calls in between fail with what the last attempt has found. A connection that has as
//! many calls as its peer takes gets another beside it, up to [`CONNECTIONS_MAX`].
//!
//! A call that a closing connection has provably not taken (RFC 9113, 8.7) is sent again on another, once: a service
//! that is restarted in order loses none.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Request, Response, Uri, uri::Authority};
use tonic::body::Body;

use super::{
    body::{Answer, Pump, Upload, pump},
    connection::Connection,
    error::GrpcError,
};
use crate::per_thread::PerThread;

/// Connections of one thread to one service.
const CONNECTIONS_MAX: usize = 8;
/// Between the attempts to connect to a service that cannot be reached.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// Headers whose values never come again: they would only push others out of the connection's header table (RFC 7541,
/// 7.1.3), which costs both ends more than it saves.
const PASSING: [&str; 3] = ["x-request-id", "traceparent", "grpc-timeout"];

/// The connections to one service.
#[derive(Debug)]
pub(super) struct Connections {
    host: String,
    port: u16,
    authority: Authority,
    connect_timeout: Duration,
    threads: PerThread<Thread>,
}

/// What one thread has.
#[derive(Default)]
struct Thread {
    open: Vec<Connection>,
    /// Held by whoever connects.
    connecting: Arc<tokio::sync::Mutex<()>>,
    failed: Option<Failed>,
}

/// The attempts that have failed since the last that has not.
#[derive(Clone)]
struct Failed {
    at: Instant,
    times: u32,
    source: Arc<io::Error>,
}

impl Failed {
    /// Whether a call that began to wait at `since` takes this for its own attempt.
    fn holds(&self, since: Instant) -> bool {
        let wait = BACKOFF_MIN * 2u32.saturating_pow(self.times.saturating_sub(2).min(10));
        let wait = if self.times < 2 {
            Duration::ZERO
        } else {
            wait.min(BACKOFF_MAX)
        };
        self.at + wait > since
    }
}

impl Connections {
    /// `None` if the URL is not `http://host[:port]`.
    pub(super) fn new(url: &str, connect_timeout: Duration, threads: usize) -> Option<Connections> {
        let uri: Uri = url.parse().ok()?;
        if uri.scheme_str() != Some("http") {
            return None;
        }
        let authority = uri.authority()?.clone();
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        Some(Connections {
            host: (!host.is_empty()).then(|| host.to_owned())?,
            port: authority.port_u16().unwrap_or(80),
            authority,
            connect_timeout,
            threads: PerThread::new(threads, Thread::default),
        })
    }

    /// Sends a call and waits for its answer to begin.
    pub(super) async fn call(&self, request: Request<Body>) -> Result<Response<Body>, GrpcError> {
        let (mut parts, body) = request.into_parts();
        parts.uri = self.uri(&parts.uri)?;
        for name in PASSING {
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
        &self,
        head: Request<()>,
        upload: Upload,
    ) -> Result<Response<Body>, GrpcError> {
        let connection = self.connection().await?;
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

    /// A connection with room for a call, or the one with the fewest where there may be no more.
    async fn connection(&self) -> Result<Connection, GrpcError> {
        if let Some(connection) = self.threads.lock().best() {
            return Ok(connection);
        }
        let since = Instant::now();
        let connecting = Arc::clone(&self.threads.lock().connecting);
        let _alone = connecting.lock().await;
        let known = {
            let mut thread = self.threads.lock();
            if let Some(connection) = thread.best() {
                return Ok(connection);
            }
            thread.failed.clone()
        };
        if let Some(failed) = known.filter(|failed| failed.holds(since)) {
            return Err(self.cannot_connect(failed.source));
        }
        let opening = Connection::open(&self.host, self.port);
        let opened = match tokio::time::timeout(self.connect_timeout, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        let mut thread = self.threads.lock();
        match opened {
            Ok(connection) => {
                thread.failed = None;
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
                // One that is full is better than none.
                let any = thread.least();
                drop(thread);
                any.ok_or_else(|| self.cannot_connect(source))
            }
        }
    }

    fn cannot_connect(&self, source: Arc<io::Error>) -> GrpcError {
        GrpcError::Connect {
            address: self.authority.to_string(),
            source,
        }
    }
}

impl Thread {
    /// `None` where another connection should be opened first.
    fn best(&mut self) -> Option<Connection> {
        let least = self.least()?;
        (!least.is_full() || self.open.len() >= CONNECTIONS_MAX).then_some(least)
    }

    fn least(&mut self) -> Option<Connection> {
        self.open.retain(|connection| !connection.is_closed());
        self.open.iter().min_by_key(|it| it.calls()).cloned()
    }
}
