//! The public address and what one client may use of it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[listener]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListenerConfig {
    /// Where clients connect. Port 0 picks a free one. `GATEWAY_LISTEN` replaces it, `PORT` replaces its port.
    pub address: SocketAddr,
    /// Threads that serve clients, each with connections of its own to every upstream; 0 for one a core.
    /// `GATEWAY_THREADS`.
    pub threads: usize,
    /// How long a request's header may take, and how long a connection may idle between requests.
    pub header_timeout_ms: u64,
    /// Largest header of a request, names and values together.
    pub header_bytes_max: usize,
    /// Largest body of a request.
    pub body_bytes_max: usize,
    /// How long a client may pause while it sends a body, or while it takes one.
    pub body_idle_timeout_ms: u64,
    /// Connections open at once; further ones wait in the system's accept queue.
    pub connections_max: usize,
    /// Requests in work at once; further ones are answered 503 before anything is parsed.
    pub concurrency_max: usize,
    /// Whether `X-Forwarded-For` and `X-Forwarded-Proto` of a request are believed: only behind a proxy that sets them.
    /// The client's address is the last one in `X-Forwarded-For`, which that proxy has set or appended; those before it
    /// may be the client's invention. `GATEWAY_TRUST_FORWARDED`.
    pub trust_forwarded: bool,
}

impl ListenerConfig {
    /// How many threads serve clients.
    pub(crate) fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            threads => threads,
        }
    }
}

impl Default for ListenerConfig {
    fn default() -> Self {
        ListenerConfig {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            threads: 0,
            header_timeout_ms: 15_000,
            header_bytes_max: 32 * 1024,
            body_bytes_max: 1024 * 1024,
            body_idle_timeout_ms: 15_000,
            connections_max: 4_096,
            concurrency_max: 512,
            trust_forwarded: false,
        }
    }
}
