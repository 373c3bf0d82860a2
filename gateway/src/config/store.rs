//! Where operators' rollout decisions are kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite://...` or `postgres://...`. `GATEWAY_DATABASE_URL` replaces it.
    pub url: String,
    /// Connections to it.
    pub connections_max: u32,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig { url: "sqlite://data/gateway.db".to_owned(), connections_max: 4 }
    }
}
