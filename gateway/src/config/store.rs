//! Where operators' rollout decisions are kept.

use banyan_mesh::settings::DatabaseUrl;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[store]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite://...` or `postgres://...`. `GATEWAY_DATABASE_URL` replaces it.
    #[schemars(with = "String")]
    pub url: DatabaseUrl,
    /// Connections to it.
    pub connections_max: u32,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            url: DatabaseUrl::new("sqlite://./data/gateway.db"),
            connections_max: 4,
        }
    }
}
