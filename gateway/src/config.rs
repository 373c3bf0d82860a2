//! `gateway.toml`: everything the gateway knows about the systems around it.
//!
//! Read from defaults < file < environment. The file says itself which environment variables it listens to
//! (`env`, `percent_env`, `enabled_env`), so that a foreign deployment keeps the names that it has. What can be wrong
//! with one value alone is found here; what is wrong between values (a route to an upstream that is not there) is
//! found when routes are built. Both end the start with a message that names the key.

mod compression;
mod contracts;
mod environment;
mod grpc;
mod listener;
mod metadata;
mod openapi;
mod ops;
mod origin;
mod profile;
mod rollout;
mod route;
mod store;
mod streams;
mod tokens;
mod upstream;

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use banyan_mesh::settings::Secret;
use banyan_rollout::{Policy, PolicyError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use compression::{Coding, CompressionConfig};
pub use contracts::{ContractsConfig, DescriptorSource};
pub use environment::EnvError;
pub use grpc::GrpcConfig;
pub use listener::ListenerConfig;
pub use metadata::MetadataName;
pub use openapi::OpenapiConfig;
pub use ops::OpsConfig;
pub use profile::{ProfileConfig, TrailingSlash};
pub use rollout::{FollowConfig, LegacyConfig, RolloutConfig, SteeringConfig};
pub use route::{
    CellConfig, CellsConfig, FixedConfig, GuestConfig, ListenerName, RouteConfig, ServiceConfig,
    SurfaceConfig,
};
pub use store::StoreConfig;
pub use streams::StreamsConfig;
pub use tokens::{TokenAlgorithm, TokensConfig};
pub use upstream::UpstreamConfig;

/// The configuration that the binary carries: Banyan's own routes.
const BUILT_IN: &str = include_str!("../config/gateway.toml");

/// All of `gateway.toml`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where contracts come from, the first that has a service gives it: `builtin` are Banyan's own, `reflection:NAME`
    /// asks the gRPC upstream of that name, anything else is the path of a `FileDescriptorSet` file with its imports.
    #[schemars(with = "Vec<String>")]
    pub descriptors: Vec<DescriptorSource>,
    /// A folder with a file for each rollout's percentage, named like its `percent_env`: a mounted ConfigMap.
    /// `ROLLOUTS_FOLDER` replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollouts_folder: Option<PathBuf>,
    pub contracts: ContractsConfig,
    pub listener: ListenerConfig,
    pub compression: CompressionConfig,
    pub ops: OpsConfig,
    pub openapi: OpenapiConfig,
    pub store: StoreConfig,
    pub guest: GuestConfig,
    pub grpc: GrpcConfig,
    pub upstreams: BTreeMap<String, UpstreamConfig>,
    pub profiles: BTreeMap<String, ProfileConfig>,
    pub surfaces: Vec<SurfaceConfig>,
    pub rollouts: BTreeMap<String, RolloutConfig>,
    pub steering: SteeringConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokensConfig>,
    pub cells: BTreeMap<String, CellsConfig>,
    pub services: Vec<ServiceConfig>,
    pub routes: Vec<RouteConfig>,
    #[serde(skip)]
    pub(crate) origin: origin::Origin,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{origin} is not a gateway configuration")]
    Parse {
        origin: String,
        #[source]
        source: toml::de::Error,
    },
    #[error(transparent)]
    Environment(#[from] EnvError),
    #[error("{key} = {value:?}: {allowed}")]
    Value {
        key: String,
        value: String,
        allowed: &'static str,
    },
    #[error("rollouts.{name}.policy cannot be meant")]
    Policy {
        name: String,
        #[source]
        source: PolicyError,
    },
    #[error("no upstream `{name}` in [upstreams]: there are {known}")]
    NoUpstream { name: String, known: String },
}

impl Config {
    /// Reads the file, or the built-in configuration where there is none, and then the environment.
    ///
    /// # Errors
    /// If the file cannot be read, or a key or value of file or environment is wrong.
    pub fn load(
        file: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        let (origin, text) = match file {
            None => ("the built-in gateway.toml".to_owned(), BUILT_IN.to_owned()),
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
                    path: path.to_owned(),
                    source,
                })?;
                (path.display().to_string(), text)
            }
        };
        let mut config = Config::parse(&text, &origin)?;
        environment::apply(&mut config, environment)?;
        config.check()?;
        config.origin.read = Some(Box::new(config.clone()));
        config.origin.file = file.map(Path::to_owned);
        Ok(config)
    }

    /// Reads TOML text; `origin` names it in errors. The environment is not looked at.
    ///
    /// # Errors
    /// If a key is unknown or a value has the wrong type.
    pub fn parse(text: &str, origin: &str) -> Result<Config, ConfigError> {
        toml::from_str(text).map_err(|source| ConfigError::Parse {
            origin: origin.to_owned(),
            source,
        })
    }

    /// Replaces the address of an upstream and keeps its protocol.
    ///
    /// # Errors
    /// If there is no upstream of this name.
    pub fn set_upstream(&mut self, name: &str, url: impl Into<String>) -> Result<(), ConfigError> {
        match self.upstreams.get_mut(name) {
            Some(upstream) => {
                let url = url.into();
                self.origin.upstreams.insert(name.to_owned(), url.clone());
                upstream.set_url(url);
                Ok(())
            }
            None => Err(ConfigError::NoUpstream {
                name: name.to_owned(),
                known: self
                    .upstreams
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    /// Replaces both addresses; port 0 picks free ones.
    pub fn set_listeners(&mut self, public: SocketAddr, ops: SocketAddr) {
        self.listener.address = public;
        self.ops.address = ops;
    }

    /// The effective configuration as TOML, secrets masked: what `--check-config` prints.
    #[must_use]
    pub fn effective(&self) -> String {
        let mut masked = self.clone();
        for upstream in masked.upstreams.values_mut() {
            upstream.set_url(mask_password(upstream.url()));
        }
        for rollout in masked.rollouts.values_mut() {
            rollout.percent = rollout.environment_percent.or(rollout.percent);
        }
        toml::to_string_pretty(&masked)
            .unwrap_or_else(|error| format!("# cannot be printed: {error}"))
    }

    /// The JSON Schema of `gateway.toml`, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Config).into()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let limits = [
            (
                "listener.header_timeout_ms",
                self.listener.header_timeout_ms,
            ),
            (
                "listener.body_idle_timeout_ms",
                self.listener.body_idle_timeout_ms,
            ),
            (
                "listener.body_bytes_max",
                self.listener.body_bytes_max as u64,
            ),
            (
                "listener.connections_max",
                self.listener.connections_max as u64,
            ),
            (
                "listener.concurrency_max",
                self.listener.concurrency_max as u64,
            ),
            ("contracts.files_every_ms", self.contracts.files_every_ms),
            (
                "contracts.reflection_every_ms",
                self.contracts.reflection_every_ms,
            ),
            (
                "contracts.reflection_timeout_ms",
                self.contracts.reflection_timeout_ms,
            ),
            ("contracts.bytes_max", self.contracts.bytes_max as u64),
            ("contracts.files_max", self.contracts.files_max as u64),
        ];
        for (key, value) in limits {
            if value == 0 {
                return Err(bad_value(key, "0", "a number above 0 is allowed"));
            }
        }
        // hyper keeps no smaller buffer than this.
        if self.listener.header_bytes_max < 8192 {
            let value = self.listener.header_bytes_max.to_string();
            return Err(bad_value(
                "listener.header_bytes_max",
                &value,
                "at least 8192 is allowed",
            ));
        }
        // An empty one would let in whoever sends an empty one.
        let is_empty = |token: &Secret| token.expose().trim().is_empty();
        if self.ops.token.as_ref().is_some_and(is_empty) {
            let allowed = "a secret is allowed, or no key at all";
            return Err(bad_value("ops.token", "", allowed));
        }
        let secrets = [
            ("steering.force_token", &self.steering.force_token),
            ("steering.pin_key", &self.steering.pin_key),
        ];
        for (key, secret) in secrets {
            if secret.as_ref().is_some_and(is_empty) {
                return Err(bad_value(key, "", "a secret is allowed, or no key at all"));
            }
        }
        if !(1..=3600).contains(&self.steering.pin_s) {
            let value = self.steering.pin_s.to_string();
            return Err(bad_value("steering.pin_s", &value, "1 to 3600 is allowed"));
        }
        if !(self.steering.pin_s..=604_800).contains(&self.steering.pin_max_s) {
            let value = self.steering.pin_max_s.to_string();
            let allowed = "steering.pin_s to 604800 is allowed";
            return Err(bad_value("steering.pin_max_s", &value, allowed));
        }
        for (name, rollout) in &self.rollouts {
            if rollout.shares_data && rollout.follow.is_some() {
                let key = format!("rollouts.{name}.shares_data");
                let allowed = "nobody follows data that both sides share: one of `shares_data` and `follow` is allowed";
                return Err(bad_value(&key, "true", allowed));
            }
            if let Some(Err(source)) = rollout.policy.as_ref().map(Policy::check) {
                let name = name.clone();
                return Err(ConfigError::Policy { name, source });
            }
        }
        if let Some(tokens) = &self.tokens {
            tokens.check()?;
        }
        self.check_tokens()?;
        for (name, upstream) in &self.upstreams {
            check_upstream(name, upstream)?;
        }
        for (name, profile) in &self.profiles {
            profile.streams.check(&format!("profiles.{name}.streams"))?;
            let key = format!("profiles.{name}.request_headers");
            self.check_guest(&key, &profile.request_headers)?;
        }
        for route in &self.routes {
            let key = format!("routes {}: request_headers", route.path);
            self.check_guest(&key, &route.request_headers)?;
            route.check_safe()?;
        }
        Ok(())
    }

    /// Services know guests by metadata that nobody may bring from outside.
    fn check_guest(&self, key: &str, names: &[MetadataName]) -> Result<(), ConfigError> {
        let is_guest = |name: &&MetadataName| {
            name.header()
                .as_str()
                .eq_ignore_ascii_case(&self.guest.metadata)
        };
        let allowed = "any header is allowed but guest.metadata, by which services know guests";
        match names.iter().find(is_guest) {
            None => Ok(()),
            Some(name) => Err(bad_value(key, name.header().as_str(), allowed)),
        }
    }
}

fn bad_value(key: &str, value: &str, allowed: &'static str) -> ConfigError {
    ConfigError::Value {
        key: key.to_owned(),
        value: value.to_owned(),
        allowed,
    }
}

fn check_upstream(name: &str, upstream: &UpstreamConfig) -> Result<(), ConfigError> {
    let key = format!("upstreams.{name}");
    if upstream.grpc.is_some() == upstream.http.is_some() {
        return Err(bad_value(
            &key,
            upstream.url(),
            "exactly one of `grpc` and `http` is allowed",
        ));
    }
    if !(1_000..=3_600_000).contains(&upstream.resolve_every_ms) {
        let value = upstream.resolve_every_ms.to_string();
        let key = format!("{key}.resolve_every_ms");
        return Err(bad_value(&key, &value, "1000 to 3600000 is allowed"));
    }
    if upstream.calls_waiting_max > 100_000 {
        let value = upstream.calls_waiting_max.to_string();
        let key = format!("{key}.calls_waiting_max");
        return Err(bad_value(&key, &value, "0 to 100000 is allowed"));
    }
    let url = url::Url::parse(upstream.url()).ok();
    let is_base = |url: &url::Url| {
        url.scheme() == "http"
            && url.has_host()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
    };
    match url.filter(is_base) {
        Some(_) => Ok(()),
        None => {
            let key = upstream
                .env
                .clone()
                .map_or(key.clone(), |env| format!("{key} ({env})"));
            Err(bad_value(
                &key,
                &mask_password(upstream.url()),
                "`http://host:port` is allowed",
            ))
        }
    }
}

/// Hides what stands between `:` and `@` in a URL's authority.
fn mask_password(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some("***")) {
            Ok(()) => url.into(),
            Err(()) => "***".to_owned(),
        },
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
