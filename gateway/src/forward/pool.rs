//! Connections to one HTTP/1.1 server: each serving thread has its own.
//!
//! A connection goes back as soon as its answer has been read to the end, and the one that went back last is used first,
//! so that the others may run out. What closes under a request before any of it was sent is replaced and the request
//! sent on another; what may have been seen by the server is never sent again.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::per_thread::PerThread;

/// Shorter than the keep-alive of common servers, so that they rarely close a connection that is just being used.
const IDLE: Duration = Duration::from_secs(4);
/// Idle connections of one thread.
const IDLE_MAX: usize = 64;

/// The connections to one server; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: String,
    port: u16,
    connect_timeout: Duration,
    idle: PerThread<VecDeque<Idle>>,
}

#[derive(Debug)]
struct Idle {
    send: SendRequest<Body>,
    since: Instant,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PoolError {
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("the connection failed")]
    Connection(#[source] hyper::Error),
}

impl Pool {
    pub(super) fn new(host: &str, port: u16, connect_timeout: Duration, threads: usize) -> Pool {
        Pool(Arc::new(Inner {
            host: host.to_owned(),
            port,
            connect_timeout,
            idle: PerThread::new(threads, VecDeque::new),
        }))
    }

    /// Sends a request, with an absolute path and the header `Host`, and waits for its answer to begin.
    pub(super) async fn request(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Answer>, PoolError> {
        while let Some(mut send) = self.reuse() {
            match send.try_send_request(request).await {
                Ok(response) => return Ok(self.answer(response, send)),
                Err(mut error) => match error.take_message() {
                    // Closed under it, before any of it was sent.
                    Some(unsent) => request = unsent,
                    None => return Err(PoolError::Connection(error.into_error())),
                },
            }
        }
        let mut send = self.connect().await?;
        let response = send.send_request(request).await;
        Ok(self.answer(response.map_err(PoolError::Connection)?, send))
    }

    fn reuse(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.0.idle.lock();
        let now = Instant::now();
        while idle.front().is_some_and(|first| now - first.since > IDLE) {
            idle.pop_front();
        }
        // One that is not ready still takes a request whose answer came before its end.
        let last = idle.iter().rposition(|idle| idle.send.is_ready())?;
        idle.remove(last).map(|idle| idle.send)
    }

    async fn connect(&self) -> Result<SendRequest<Body>, PoolError> {
        let connecting = TcpStream::connect((self.0.host.as_str(), self.0.port));
        let connected = tokio::time::timeout(self.0.connect_timeout, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = connected.map_err(PoolError::Connect)?;
        stream.set_nodelay(true).ok();
        let handshake = Builder::new().handshake(TokioIo::new(stream)).await;
        let (send, connection) = handshake.map_err(PoolError::Connection)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "Connection to an upstream ended early");
            }
        });
        Ok(send)
    }

    fn answer(&self, response: Response<Incoming>, send: SendRequest<Body>) -> Response<Answer> {
        response.map(|body| {
            let lease = Lease {
                send,
                pool: self.clone(),
            };
            let mut answer = Answer {
                body,
                lease: Some(lease),
            };
            answer.release_at_end();
            answer
        })
    }
}

/// A connection in use.
#[derive(Debug)]
struct Lease {
    send: SendRequest<Body>,
    pool: Pool,
}

impl Lease {
    fn release(self) {
        if self.send.is_closed() {
            return;
        }
        let mut idle = self.pool.0.idle.lock();
        if idle.len() >= IDLE_MAX {
            // The one that has waited longest.
            idle.pop_front();
        }
        idle.push_back(Idle {
            send: self.send,
            since: Instant::now(),
        });
    }
}

/// An answer as it comes. At its end the connection goes back; dropped before, it is closed.
#[derive(Debug)]
pub(super) struct Answer {
    body: Incoming,
    lease: Option<Lease>,
}

impl Answer {
    fn release_at_end(&mut self) {
        if self.body.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.release();
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(_)) => self.release_at_end(),
            Some(Err(_)) => drop(self.lease.take()),
            None => {
                if let Some(lease) = self.lease.take() {
                    lease.release();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
