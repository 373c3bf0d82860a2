//! What stands behind the gateway: gRPC services and plain HTTP servers, each under a name that routes use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[upstreams.NAME]`: exactly one of `grpc` and `http`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Address of a gRPC service, `http://host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<String>,
    /// Address of an HTTP server, `http://host:port`, without a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// The environment variable that replaces the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// How long connecting may take.
    pub connect_timeout_ms: u64,
    /// A request that could not be sent waits for an upstream that was there a moment ago, as one that restarts: at most
    /// so long after it was first found to be away. 0: not at all.
    pub restart_ms: u64,
    /// gRPC: how long a call may take in all.
    pub deadline_ms: u64,
    /// gRPC: how often the name is resolved anew, 1,000 to 3,600,000. Connections are spread over all of its addresses; one
    /// that is gone takes no new calls. It is resolved after a failed connection too.
    #[schemars(range(min = 1_000, max = 3_600_000))]
    pub resolve_every_ms: u64,
    /// gRPC: how many calls may wait, in all, when every connection has as many as the service takes at once, 0 to 100,000;
    /// more are refused.
    #[schemars(range(max = 100_000))]
    pub calls_waiting_max: usize,
    /// HTTP: how long until the answer begins.
    pub first_byte_timeout_ms: u64,
    /// HTTP: how long the answer may pause.
    pub body_idle_timeout_ms: u64,
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        UpstreamConfig {
            grpc: None,
            http: None,
            env: None,
            connect_timeout_ms: 1_000,
            restart_ms: 3_000,
            deadline_ms: 5_000,
            resolve_every_ms: 30_000,
            calls_waiting_max: 1_000,
            first_byte_timeout_ms: 5_000,
            body_idle_timeout_ms: 15_000,
        }
    }
}

impl UpstreamConfig {
    /// The address, whichever protocol it is for; empty when none is given.
    pub fn url(&self) -> &str {
        self.grpc
            .as_deref()
            .or(self.http.as_deref())
            .unwrap_or_default()
    }

    /// Replaces the address and keeps the protocol.
    pub fn set_url(&mut self, url: String) {
        match &mut self.grpc {
            Some(grpc) => *grpc = url,
            None => self.http = Some(url),
        }
    }
}
