//! Reading a configuration again while the gateway runs, and what of it can only be had by a restart.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Serialize;
use toml::Value;

use super::{Config, ConfigError};

/// Where a configuration is from, and what the program itself said beside file and environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(super) file: Option<PathBuf>,
    /// What file and environment said.
    pub(super) read: Option<Box<Config>>,
    pub(super) upstreams: BTreeMap<String, String>,
}

impl Config {
    /// The file that it was read from; `None` for the built-in one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.origin.file.as_deref()
    }

    /// The same file and the environment, read anew; addresses that [`Config::set_upstream`] replaced stay replaced.
    ///
    /// # Errors
    /// Those of [`Config::load`].
    pub fn again(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        let config = Config::load(self.file(), environment)?;
        Ok(self.with_replaced(config))
    }

    /// What [`Config::again`] would have returned when this was read, whatever was changed of it since.
    pub(crate) fn as_read(&self) -> Config {
        match &self.origin.read {
            Some(read) => self.with_replaced(Config::clone(read)),
            None => self.clone(),
        }
    }

    fn with_replaced(&self, mut config: Config) -> Config {
        for (name, url) in &self.origin.upstreams {
            // One that the file no longer has needs no address.
            config.set_upstream(name, url.as_str()).ok();
        }
        config
    }

    /// Takes from `running` what only a restart can change. Returns the keys in which this configuration differs from
    /// `before`, the one that the file held when the gateway started.
    pub(crate) fn keep_fixed(&mut self, running: &Config, before: &Config) -> Vec<String> {
        let mut keys = Vec::new();
        differing("listener", &self.listener, &before.listener, &mut keys);
        differing("ops", &self.ops, &before.ops, &mut keys);
        differing("store", &self.store, &before.store, &mut keys);
        differing("steering", &self.steering, &before.steering, &mut keys);
        let tokens = |config: &Config| config.tokens.clone().unwrap_or_default();
        differing("tokens", &tokens(self), &tokens(before), &mut keys);
        // Secrets look the same when they are printed.
        let secrets = [
            ("ops.token", token(self) == token(before)),
            ("store.url", self.store.url == before.store.url),
            ("steering.pin_key", pin_key(self) == pin_key(before)),
            (
                "steering.force_token",
                force_token(self) == force_token(before),
            ),
            ("tokens.secret_env", shared(self) == shared(before)),
        ];
        for (key, is_same) in secrets {
            if !is_same && !keys.iter().any(|known| known == key) {
                keys.push(key.to_owned());
            }
        }
        self.listener = running.listener.clone();
        self.ops = running.ops.clone();
        self.store = running.store.clone();
        self.steering = running.steering.clone();
        self.tokens.clone_from(&running.tokens);
        keys
    }
}

fn token(config: &Config) -> Option<&str> {
    let token = config.ops.token.as_ref();
    token.map(banyan_mesh::settings::Secret::expose)
}

fn pin_key(config: &Config) -> Option<&str> {
    let key = config.steering.pin_key.as_ref();
    key.map(banyan_mesh::settings::Secret::expose)
}

fn force_token(config: &Config) -> Option<&str> {
    let token = config.steering.force_token.as_ref();
    token.map(banyan_mesh::settings::Secret::expose)
}

fn shared(config: &Config) -> Option<&str> {
    let secret = config.tokens.as_ref()?.secret.as_ref();
    secret.map(banyan_mesh::settings::Secret::expose)
}

/// Names the keys of a table that differ.
fn differing(section: &str, new: &impl Serialize, old: &impl Serialize, keys: &mut Vec<String>) {
    let (Ok(Value::Table(new)), Ok(Value::Table(old))) =
        (Value::try_from(new), Value::try_from(old))
    else {
        return;
    };
    let names = new
        .keys()
        .chain(old.keys().filter(|key| !new.contains_key(*key)));
    for key in names.filter(|key| new.get(*key) != old.get(*key)) {
        keys.push(format!("{section}.{key}"));
    }
}

#[cfg(test)]
mod tests {
    use banyan_mesh::settings::{DatabaseUrl, Secret};

    use super::*;

    #[test]
    fn what_needs_a_restart_is_named_key_by_key_and_kept() {
        let running = Config::load(None, &|_| None).unwrap();
        let mut changed = running.clone();
        changed.listener.concurrency_max += 1;
        changed.ops.address.set_port(9);
        changed.ops.token = Some(Secret::new("sesame"));
        changed.store.url = DatabaseUrl::new("sqlite://elsewhere.db");
        changed.routes.clear();
        let keys = changed.keep_fixed(&running, &running);
        assert_eq!(
            keys,
            [
                "listener.concurrency_max",
                "ops.address",
                "ops.token",
                "store.url"
            ]
        );
        assert_eq!(changed.listener, running.listener);
        assert!(changed.ops.token.is_none() && changed.routes.is_empty());
        assert!(changed.keep_fixed(&running, &changed.clone()).is_empty());
    }

    #[test]
    fn a_secret_that_is_replaced_is_noticed_though_it_is_never_shown() {
        let mut before = Config::load(None, &|_| None).unwrap();
        before.ops.token = Some(Secret::new("one"));
        let mut changed = before.clone();
        changed.ops.token = Some(Secret::new("two"));
        assert_eq!(changed.keep_fixed(&before.clone(), &before), ["ops.token"]);
    }
}
