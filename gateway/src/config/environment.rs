//! The environment variables that replace values of the file.
//!
//! An empty variable counts as absent: manifests and shells set empty ones without meaning them.

use std::net::SocketAddr;

use banyan_mesh::settings::{DatabaseUrl, Secret, parse_boolean};
use banyan_rollout::Percent;

use super::Config;

/// A variable holds something else than it may.
#[derive(Debug, thiserror::Error)]
#[error("{name} = {value:?}: {allowed}")]
pub struct EnvError {
    name: String,
    value: String,
    allowed: &'static str,
}

/// Reads everything that the configuration listens to.
pub(super) fn apply(
    config: &mut Config,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), EnvError> {
    let read = |name: &str| {
        environment(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    };
    let read_of = |name: &Option<String>| {
        name.as_deref()
            .and_then(|name| Some((name.to_owned(), read(name)?)))
    };

    if let Some(value) = read("GATEWAY_LISTEN") {
        config.listener.address = address("GATEWAY_LISTEN", &value)?;
    }
    if let Some(value) = read("PORT") {
        let port = value
            .parse()
            .map_err(|_| error("PORT", &value, "a port number from 0 to 65535 is allowed"))?;
        config.listener.address.set_port(port);
    }
    if let Some(value) = read("GATEWAY_THREADS") {
        let allowed = "a number of threads is allowed, 0 for one a core";
        let threads = value.parse();
        config.listener.threads = threads.map_err(|_| error("GATEWAY_THREADS", &value, allowed))?;
    }
    if let Some(value) = read("GATEWAY_TRUST_FORWARDED") {
        config.listener.trust_forwarded = boolean("GATEWAY_TRUST_FORWARDED", &value)?;
    }
    if let Some(value) = read("OPS_LISTEN") {
        config.ops.address = address("OPS_LISTEN", &value)?;
    }
    if let Some(value) = read("OPS_TOKEN") {
        config.ops.token = Some(Secret::new(value));
    }
    if let Some(value) = read("OPS_ALLOWED_HOSTS") {
        let hosts = value.split(',').map(|host| host.trim().to_owned());
        config.ops.allowed_hosts = hosts.filter(|host| !host.is_empty()).collect();
    }
    if let Some(value) = read("GATEWAY_DATABASE_URL") {
        config.store.url = DatabaseUrl::new(value);
    }
    if let Some(value) = read("ROLLOUTS_FOLDER") {
        config.rollouts_folder = Some(value.into());
    }
    if let Some(value) = read("STEERING_FORCE_TOKEN") {
        config.steering.force_token = Some(Secret::new(value));
    }
    if let Some(value) = read("STEERING_PIN_KEY") {
        config.steering.pin_key = Some(Secret::new(value));
    }
    if let Some(tokens) = &mut config.tokens {
        tokens.secret = read_of(&tokens.secret_env).map(|(_, value)| Secret::new(value));
    }
    for upstream in config.upstreams.values_mut() {
        if let Some((_, value)) = read_of(&upstream.env) {
            upstream.set_url(value);
        }
    }
    for rollout in config.rollouts.values_mut() {
        if let Some((name, value)) = read_of(&rollout.percent_env) {
            rollout.environment_percent = Some(percent(&name, &value)?);
        }
        if let Some((name, value)) = read_of(&rollout.enabled_env) {
            rollout.enabled = boolean(&name, &value)?;
        }
    }
    Ok(())
}

fn address(name: &str, value: &str) -> Result<SocketAddr, EnvError> {
    value
        .parse()
        .map_err(|_| error(name, value, "an address such as 127.0.0.1:8000 is allowed"))
}

fn boolean(name: &str, value: &str) -> Result<bool, EnvError> {
    parse_boolean(value).ok_or_else(|| error(name, value, "`true` and `false` are allowed"))
}

/// Never clamps: a percentage that somebody mistyped must not become one that they did not mean.
fn percent(name: &str, value: &str) -> Result<Percent, EnvError> {
    let allowed = "a number from 0 to 100 with at most two decimals is allowed";
    value.parse().map_err(|_| error(name, value, allowed))
}

fn error(name: &str, value: &str, allowed: &'static str) -> EnvError {
    EnvError {
        name: name.to_owned(),
        value: value.to_owned(),
        allowed,
    }
}
