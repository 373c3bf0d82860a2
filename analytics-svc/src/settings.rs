//! What an operator can set, and what is allowed.

use std::net::SocketAddr;

use banyan_mesh::{
    database::DatabaseSettings,
    settings::{EnvVar, SettingsError},
};
use serde::{Deserialize, Serialize};

/// The service's settings.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where gRPC listens.
    pub listen: SocketAddr,
    /// Facts and events.
    pub database: DatabaseSettings,
    /// The reservation service, `http://host:port`.
    pub reservation_url: String,
    /// The event bus.
    pub bus: BusSettings,
}

/// The event bus's settings.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusSettings {
    /// Partitions a topic, 1 to 64.
    pub partitions: u16,
    /// Events that have been read are removed after so many hours, 1 to 87,600.
    pub retention_hours: u32,
    /// Events a partition at most, once read; from 1,000.
    pub retention_events_max: u64,
    /// Kafka's bootstrap servers, `host:port,host:port`; the embedded bus where absent. `partitions` and
    /// `retention_hours` then shape the topics that are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_brokers: Option<String>,
}

/// The environment variables that fill [`Settings`].
pub const ENV: &[EnvVar] = &[
    EnvVar::text("ANALYTICS_LISTEN", "listen"),
    EnvVar::text("ANALYTICS_DATABASE_URL", "database.url"),
    EnvVar::integer(
        "ANALYTICS_DATABASE_MAX_CONNECTIONS",
        "database.max_connections",
    ),
    EnvVar::text("RESERVATION_URL", "reservation_url"),
    EnvVar::integer("ANALYTICS_BUS_PARTITIONS", "bus.partitions"),
    EnvVar::integer("ANALYTICS_BUS_RETENTION_HOURS", "bus.retention_hours"),
    EnvVar::integer(
        "ANALYTICS_BUS_RETENTION_EVENTS_MAX",
        "bus.retention_events_max",
    ),
    EnvVar::text("KAFKA_BROKERS", "bus.kafka_brokers"),
];

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 50_052)),
            database: DatabaseSettings::new("sqlite://./data/analytics.db"),
            reservation_url: "http://127.0.0.1:50051".to_owned(),
            bus: BusSettings::default(),
        }
    }
}

impl Default for BusSettings {
    fn default() -> Self {
        Self {
            partitions: 3,
            retention_hours: 7 * 24,
            retention_events_max: 1_000_000,
            kafka_brokers: None,
        }
    }
}

impl Settings {
    /// Checks what the types do not: the first value that is not allowed is the error.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let bus = &self.bus;
        within("bus.partitions", u64::from(bus.partitions), 1, 64)?;
        within(
            "bus.retention_hours",
            u64::from(bus.retention_hours),
            1,
            87_600,
        )?;
        within(
            "bus.retention_events_max",
            bus.retention_events_max,
            1_000,
            u64::MAX,
        )?;
        bus.kafka_brokers.as_deref().map_or(Ok(()), |brokers| {
            check_brokers(brokers, cfg!(feature = "kafka"))
        })
    }
}

fn check_brokers(brokers: &str, has_kafka: bool) -> Result<(), SettingsError> {
    let problem = if !has_kafka {
        "this build has no Kafka (cargo feature `kafka`); unset it to use the embedded event bus"
    } else if !brokers.split(',').all(|broker| is_broker(broker.trim())) {
        "must be host:port,host:port (plain text: TLS and SASL are not built in)"
    } else {
        return Ok(());
    };
    Err(SettingsError::environment(
        "KAFKA_BROKERS",
        brokers,
        problem,
    ))
}

fn is_broker(broker: &str) -> bool {
    let Some((host, port)) = broker.rsplit_once(':') else {
        return false;
    };
    !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn within(key: &str, value: u64, min: u64, max: u64) -> Result<(), SettingsError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let allowed = if max == u64::MAX {
        format!("{min} or more is")
    } else {
        format!("{min} to {max} is")
    };
    Err(SettingsError::invalid(
        key,
        format!("{value} is not allowed: {allowed}"),
    ))
}

#[cfg(test)]
mod tests {
    use banyan_mesh::settings::load;

    use super::*;

    fn loaded(variable: &'static str, value: &'static str) -> Settings {
        load(None, ENV, &|name: &str| {
            (name == variable).then(|| value.to_owned())
        })
        .unwrap()
    }

    #[test]
    fn defaults_are_valid_and_the_environment_beats_them() {
        assert!(Settings::default().validate().is_ok());
        let settings = loaded("ANALYTICS_BUS_PARTITIONS", "12");
        assert_eq!(settings.bus.partitions, 12);
        assert_eq!(settings.listen.port(), 50_052);
    }

    #[test]
    fn values_out_of_range_are_refused_by_key_value_and_range() {
        let settings = loaded("ANALYTICS_BUS_PARTITIONS", "65");
        let error = settings.validate().unwrap_err().to_string();
        assert!(error.contains("bus.partitions"), "{error}");
        assert!(error.contains("65 is not allowed: 1 to 64 is"), "{error}");
    }

    #[test]
    fn kafka_brokers_are_hosts_with_ports() {
        for brokers in ["kafka:9092", "a:9092, b:9093", "[::1]:9092"] {
            assert!(check_brokers(brokers, true).is_ok(), "{brokers}");
        }
        for brokers in ["kafka", "a:9092,", ":9092", "a:0", "SSL://a:9093"] {
            let error = check_brokers(brokers, true).unwrap_err().to_string();
            assert!(error.contains("host:port"), "{error}");
        }
    }

    #[test]
    fn kafka_is_never_silently_ignored() {
        let settings = loaded("KAFKA_BROKERS", "broker:9092");
        assert_eq!(settings.validate().is_ok(), cfg!(feature = "kafka"));
        let error = check_brokers("broker:9092", false).unwrap_err().to_string();
        assert!(error.contains("KAFKA_BROKERS"), "{error}");
        assert!(error.contains("`kafka`"), "{error}");
    }
}
