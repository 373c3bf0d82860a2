//! The operators' address: probes, metrics, the admin API and the routes with `listeners = ["ops"]`.

use std::net::{Ipv4Addr, SocketAddr};

use banyan_mesh::settings::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[ops]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OpsConfig {
    /// Where operators and probes connect. `OPS_LISTEN` replaces it.
    pub address: SocketAddr,
    /// Names under which this address may be called, besides `localhost` and the loopback addresses; without ports.
    /// `OPS_ALLOWED_HOSTS`, separated by commas, replaces them.
    pub allowed_hosts: Vec<String>,
    /// Bearer token of the operators; required for their routes when the address is not a loopback one. `OPS_TOKEN`.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

impl Default for OpsConfig {
    fn default() -> Self {
        OpsConfig {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9000)),
            allowed_hosts: Vec::new(),
            token: None,
        }
    }
}
