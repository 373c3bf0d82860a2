//! What one stream may use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `streams` of `[profiles.NAME]`: calls that stream in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StreamsConfig {
    /// How long a stream may take in all; `deadline_ms` of a route replaces it.
    pub deadline_ms: u64,
    /// How long nothing may come, from the service or from a client that uploads.
    pub idle_timeout_ms: u64,
    /// Largest item, either way: the JSON of one that a client sends, the message of one that a service sends.
    pub item_bytes_max: usize,
    /// Silence after which an event stream is kept alive by a comment.
    pub heartbeat_ms: u64,
}

impl Default for StreamsConfig {
    fn default() -> Self {
        StreamsConfig {
            deadline_ms: 3_600_000,
            idle_timeout_ms: 300_000,
            item_bytes_max: 1024 * 1024,
            heartbeat_ms: 15_000,
        }
    }
}
