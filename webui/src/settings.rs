//! What an operator can set for the web UI.

use std::net::{Ipv4Addr, SocketAddr};

use banyan_mesh::settings::EnvVar;
use serde::{Deserialize, Serialize};

/// The environment variables and the settings that they fill.
pub const ENV: &[EnvVar] = &[EnvVar::text("WEBUI_LISTEN", "listen")];

/// Settings of the web UI.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the pages are served.
    pub listen: SocketAddr,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8_002)),
        }
    }
}
