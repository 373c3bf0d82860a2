//! What an operator can set for the reservation service.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
};

use banyan_mesh::{database::DatabaseSettings, settings::EnvVar};
use serde::{Deserialize, Serialize};

use crate::capabilities::Capabilities;

/// The environment variables and the settings that they fill.
pub const ENV: &[EnvVar] = &[
    EnvVar::text("RESERVATION_LISTEN", "listen"),
    EnvVar::text("RESERVATION_DATABASE_URL", "database.url"),
    EnvVar::boolean("BANYAN_DEMO", "demo"),
    EnvVar::text("MONOLITH_URL", "legacy_url"),
    EnvVar::text("MONOLITH_CAPABILITIES", "legacy_capabilities"),
    EnvVar::integer("RESERVATION_FEED_RETENTION_DAYS", "feed_retention_days"),
    EnvVar::integer(
        "RESERVATION_CONTACT_RETENTION_DAYS",
        "contact_retention_days",
    ),
    EnvVar::integer("RESERVATION_REQUEST_ID_HOURS", "request_id_hours"),
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
    /// What that monolith can do besides listing, reading and creating: any of `change-feed`, `update`, `delete` and
    /// `keeps-ids`; nothing where absent.
    pub legacy_capabilities: Capabilities,
    /// Events of the feed that are older than so many days, from 1, are put into its snapshot; all are kept where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed_retention_days: Option<NonZeroU32>,
    /// Names, addresses and numbers of guests are erased so many days, from 1, after the stay or the screening; a year by
    /// default.
    pub contact_retention_days: NonZeroU32,
    /// A repeated request id gets the same answer for so many hours, from 1; 48 by default.
    pub request_id_hours: NonZeroU32,
}

const YEAR: NonZeroU32 = NonZeroU32::new(365).unwrap();
const TWO_DAYS: NonZeroU32 = NonZeroU32::new(48).unwrap();

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50_051)),
            database: DatabaseSettings::new("sqlite://./data/reservation.db"),
            demo: false,
            legacy_url: None,
            legacy_capabilities: Capabilities::default(),
            feed_retention_days: None,
            contact_retention_days: YEAR,
            request_id_hours: TWO_DAYS,
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
            "RESERVATION_FEED_RETENTION_DAYS" => Some("90".to_owned()),
            _ => None,
        };
        let settings: Settings = load(None, ENV, &environment).unwrap();
        assert_eq!(settings.listen.port(), 9);
        assert!(settings.demo);
        assert_eq!(settings.legacy_url, None);
        assert_eq!(settings.feed_retention_days.map(NonZeroU32::get), Some(90));
    }

    #[test]
    fn an_unknown_capability_is_an_error_that_names_the_variable() {
        let environment =
            |name: &str| (name == "MONOLITH_CAPABILITIES").then(|| "change-feed,puts".to_owned());
        let error = load::<Settings>(None, ENV, &environment).unwrap_err();
        let error = error.to_string();
        for word in ["MONOLITH_CAPABILITIES", "`puts`", "keeps-ids"] {
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_feed_is_kept_for_a_day_at_least() {
        for value in ["0", "-1", "1.5", "soon", "99999999999"] {
            let environment =
                |name: &str| (name == "RESERVATION_FEED_RETENTION_DAYS").then(|| value.to_owned());
            let error = load::<Settings>(None, ENV, &environment).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("RESERVATION_FEED_RETENTION_DAYS"), "{error}");
        }
    }
}
