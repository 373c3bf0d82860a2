//! Connections to one HTTP/1.1 server: each serving thread has its own.
//!
//! A connection goes back as soon as its answer has been read to the end, and the one that went back last is used first,
//! so that the others may run out. What closes under a request before any of it was sent is replaced and the request
//! sent on another; what may have been seen by the server is never sent again.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    sync::Arc,
    task::{Poll, ready},
    time::{Duration, Instant},
};

use http::Response;
use tokio::{net::TcpStream, runtime::Handle};

use super::{
    answer::{Content, Head, poll_head},
    connection::Connection,
    upload::{Broken, Upload},
};
use crate::{bridge::Bridge, per_thread::PerThread};

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
    bridge: Bridge,
    idle: PerThread<Idle>,
}

/// What one thread keeps.
#[derive(Debug, Default)]
struct Idle {
    /// Those that came back last stand last.
    connections: VecDeque<(Instant, Connection)>,
    /// A task closes what has waited for too long.
    is_swept: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PoolError {
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("the connection failed")]
    Connection(#[source] io::Error),
    #[error("the request was broken off")]
    Upload(#[source] axum::Error),
}

impl Pool {
    pub(super) fn new(
        host: &str,
        port: u16,
        connect_timeout: Duration,
        bridge: Bridge,
        threads: usize,
    ) -> Pool {
        Pool(Arc::new(Inner {
            host: host.to_owned(),
            port,
            connect_timeout,
            bridge,
            idle: PerThread::new(threads, Idle::default),
        }))
    }

    /// Sends a request and waits for its answer to begin.
    pub(super) async fn request(
        &self,
        mut upload: Upload,
        is_head: bool,
    ) -> Result<Response<Content>, PoolError> {
        while let Some(mut connection) = self.reuse() {
            match exchange(&mut connection, &mut upload, is_head).await {
                // Closed under it, before any of it was sent.
                Err(PoolError::Connection(_)) if !upload.has_begun() => {}
                Err(error) => return Err(error),
                Ok((head, is_sent)) => return Ok(self.answer(head, connection, upload, is_sent)),
            }
        }
        let mut connection = self.reached().await?;
        let (head, is_sent) = exchange(&mut connection, &mut upload, is_head).await?;
        Ok(self.answer(head, connection, upload, is_sent))
    }

    fn answer(
        &self,
        head: Head,
        connection: Connection,
        upload: Upload,
        is_sent: bool,
    ) -> Response<Content> {
        let upload = (!is_sent).then_some(upload);
        let content = Content::of(&head, connection, upload, self);
        head.response.map(|()| content)
    }

    fn reuse(&self) -> Option<Connection> {
        let mut idle = self.0.idle.lock();
        idle.close_old();
        while let Some((_, connection)) = idle.connections.pop_back() {
            if connection.is_usable() {
                return Some(connection);
            }
        }
        None
    }

    #[cfg(test)]
    pub(super) fn has_usable(&self) -> bool {
        let idle = self.0.idle.lock();
        idle.connections.iter().any(|(_, it)| it.is_usable())
    }

    /// A new connection, also to a server that is just restarting.
    async fn reached(&self) -> Result<Connection, PoolError> {
        loop {
            match self.connect().await {
                Ok(connection) => {
                    self.0.bridge.reached();
                    return Ok(connection);
                }
                Err(error) if !self.0.bridge.waited().await => return Err(error),
                Err(_) => {}
            }
        }
    }

    async fn connect(&self) -> Result<Connection, PoolError> {
        let connecting = TcpStream::connect((self.0.host.as_str(), self.0.port));
        let connected = tokio::time::timeout(self.0.connect_timeout, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = connected.map_err(PoolError::Connect)?;
        stream.set_nodelay(true).ok();
        Ok(Connection::new(stream))
    }

    /// Takes back a connection whose answer is over.
    pub(super) fn release(&self, connection: Connection) {
        let mut idle = self.0.idle.lock();
        if idle.connections.len() >= IDLE_MAX {
            // The one that has waited longest.
            idle.connections.pop_front();
        }
        idle.connections.push_back((Instant::now(), connection));
        if !idle.is_swept
            && let Ok(runtime) = Handle::try_current()
        {
            idle.is_swept = true;
            runtime.spawn(self.clone().sweep());
        }
    }

    /// Closes what nobody uses, as long as there is anything.
    async fn sweep(self) {
        loop {
            tokio::time::sleep(IDLE).await;
            let mut idle = self.0.idle.lock();
            idle.close_old();
            if idle.connections.is_empty() {
                idle.is_swept = false;
                return;
            }
        }
    }
}

impl Idle {
    fn close_old(&mut self) {
        let now = Instant::now();
        let is_old = |since: Instant| now.saturating_duration_since(since) > IDLE;
        while self
            .connections
            .front()
            .is_some_and(|(since, _)| is_old(*since))
        {
            self.connections.pop_front();
        }
    }
}

/// Sends a request and reads the head of its answer, whichever comes to its end first. The second is whether all of the
/// request has gone.
async fn exchange(
    connection: &mut Connection,
    upload: &mut Upload,
    is_head: bool,
) -> Result<(Head, bool), PoolError> {
    let (mut is_sent, mut failed) = (false, None);
    poll_fn(move |context| {
        if !is_sent {
            match upload.poll(connection, context) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => is_sent = true,
                Poll::Ready(Err(Broken::Body(error))) => {
                    return Poll::Ready(Err(PoolError::Upload(error)));
                }
                // The server may have said why, before it closed.
                Poll::Ready(Err(Broken::Connection(error))) if upload.has_begun() => {
                    is_sent = true;
                    failed = Some(error);
                }
                Poll::Ready(Err(Broken::Connection(error))) => {
                    return Poll::Ready(Err(PoolError::Connection(error)));
                }
            }
            if !upload.has_begun() {
                return Poll::Pending;
            }
        }
        let head = ready!(poll_head(connection, context, is_head));
        Poll::Ready(match head {
            Ok(mut head) => {
                head.keeps &= failed.is_none();
                Ok((head, is_sent))
            }
            Err(error) => Err(PoolError::Connection(failed.take().unwrap_or(error))),
        })
    })
    .await
}
