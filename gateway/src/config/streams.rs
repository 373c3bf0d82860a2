//! What one stream may use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, bad_value};

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

impl StreamsConfig {
    /// `key`: where it stands. A limit of nothing would end every stream, or never pause between heartbeats.
    pub(super) fn check(&self, key: &str) -> Result<(), ConfigError> {
        let limits = [
            ("deadline_ms", self.deadline_ms),
            ("idle_timeout_ms", self.idle_timeout_ms),
            ("item_bytes_max", self.item_bytes_max as u64),
            ("heartbeat_ms", self.heartbeat_ms),
        ];
        match limits.iter().find(|(_, value)| *value == 0) {
            None => Ok(()),
            Some((name, _)) => {
                let key = format!("{key}.{name}");
                Err(bad_value(&key, "0", "a number above 0 is allowed"))
            }
        }
    }
}
