//! What an operator can set for the reservation service.

use std::net::{Ipv4Addr, SocketAddr};

use banyan_mesh::{database::DatabaseSettings, settings::EnvVar};
use serde::{Deserialize, Serialize};

/// The environment variables and the settings that they fill.
pub const ENV: &[EnvVar] = &[
    EnvVar::text("RESERVATION_LISTEN", "listen"),
    EnvVar::text("RESERVATION_DATABASE_URL", "database.url"),
    EnvVar::boolean("BANYAN_DEMO", "demo"),
    EnvVar::text("MONOLITH_URL", "legacy_url"),
];

/// Settings of the reservation service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where gRPC is served.
    pub listen: SocketAddr,
    /// Where bookings are kept.
    pub database: DatabaseSettings,
    /// Whether an empty database is filled with a hotel and a cinema to try things out on.
    pub demo: bool,
    /// The cinema monolith that is followed; without one, nothing is followed.
    pub legacy_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50_051)),
            database: DatabaseSettings::new("sqlite://./data/reservation.db"),
            demo: false,
            legacy_url: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use banyan_mesh::settings::load;

    use super::*;

    #[test]
    fn the_environment_beats_the_defaults() {
        let environment = |name: &str| match name {
            "RESERVATION_LISTEN" => Some("127.0.0.1:9".to_owned()),
            "BANYAN_DEMO" => Some("true".to_owned()),
            _ => None,
        };
        let settings: Settings = load(None, ENV, &environment).unwrap();
        assert_eq!(settings.listen.port(), 9);
        assert!(settings.demo);
        assert_eq!(settings.legacy_url, None);
    }
}
