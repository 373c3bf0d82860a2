//! Settings: one struct per topic, read from defaults < file < environment.
//!
//! A service's struct derives `Deserialize` with `deny_unknown_fields` and `default`, and lists its environment
//! variables as [`EnvVar`]s. An unknown key or a bad value is an error that names the key, the value and what is
//! allowed; nothing is ever clamped in silence. Secrets print as `***`.

use std::{fmt, path::Path, path::PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// An environment variable and the setting it fills.
#[derive(Clone, Copy, Debug)]
pub struct EnvVar {
    /// The variable, such as `RESERVATION_LISTEN`.
    pub name: &'static str,
    /// The setting as a dotted path, such as `database.url`.
    pub key: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Integer,
    Boolean,
}

impl EnvVar {
    /// A variable that holds text.
    #[must_use]
    pub const fn text(name: &'static str, key: &'static str) -> Self {
        Self {
            name,
            key,
            kind: Kind::Text,
        }
    }

    /// A variable that holds a whole number.
    #[must_use]
    pub const fn integer(name: &'static str, key: &'static str) -> Self {
        Self {
            name,
            key,
            kind: Kind::Integer,
        }
    }

    /// A variable that holds `true` or `false` (or `1` or `0`).
    #[must_use]
    pub const fn boolean(name: &'static str, key: &'static str) -> Self {
        Self {
            name,
            key,
            kind: Kind::Boolean,
        }
    }

    fn parse(&self, value: String) -> Result<toml::Value, SettingsError> {
        let refused = |allowed: &str| SettingsError::environment(self.name, &value, allowed);
        match self.kind {
            Kind::Integer => value
                .trim()
                .parse()
                .map(toml::Value::Integer)
                .map_err(|_| refused("a whole number")),
            Kind::Boolean => parse_boolean(&value)
                .map(toml::Value::Boolean)
                .ok_or_else(|| refused("true or false")),
            Kind::Text => Ok(toml::Value::String(value)),
        }
    }
}

/// `true`, `1`, `false` or `0`, in any case.
#[must_use]
pub fn parse_boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A setting is wrong. `Display` is one line that says which, what was found and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, or a setting in it or in the environment is unknown or of the wrong kind.
    #[error("{origin}: {problem}")]
    Invalid {
        /// Where the setting comes from.
        origin: String,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// An environment variable is wrong.
    #[error("{name}={value:?} is not allowed: {allowed}")]
    Environment {
        /// The variable.
        name: String,
        /// What it holds; masked where it may hold a secret.
        value: String,
        /// What it may hold.
        allowed: String,
    },
}

impl SettingsError {
    /// An environment variable holds what it may not.
    pub fn environment(
        name: impl Into<String>,
        value: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Environment {
            name: name.into(),
            value: value.into(),
            allowed: allowed.into(),
        }
    }

    /// A setting from elsewhere is wrong.
    pub fn invalid(origin: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid {
            origin: origin.into(),
            problem: problem.into(),
        }
    }
}

/// Reads an environment variable of this process; empty counts as absent.
#[must_use]
pub fn std_env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads settings: the struct's defaults, then the file, then the environment.
///
/// # Errors
/// If the file cannot be read or a setting is unknown or wrong; the error names it.
pub fn load<T: DeserializeOwned>(
    file: Option<&Path>,
    variables: &[EnvVar],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<T, SettingsError> {
    let mut table = match file {
        Some(path) => read_file(path)?,
        None => toml::Table::new(),
    };
    let mut origins = file
        .map(|path| vec![path.display().to_string()])
        .unwrap_or_default();
    for variable in variables {
        if let Some(value) = environment(variable.name) {
            insert(&mut table, variable.key, variable.parse(value)?);
            origins.push(variable.name.to_owned());
        }
    }
    let origin = if origins.is_empty() {
        "defaults".to_owned()
    } else {
        origins.join(", ")
    };
    T::deserialize(toml::Value::Table(table))
        .map_err(|error| SettingsError::invalid(origin, one_line(&error)))
}

/// The effective settings as TOML, secrets masked: what `--check-config` prints.
#[must_use]
pub fn show<T: Serialize>(settings: &T) -> String {
    toml::to_string_pretty(settings).unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
}

fn read_file(path: &Path) -> Result<toml::Table, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
        path: path.to_owned(),
        source,
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        SettingsError::invalid(path.display().to_string(), one_line(&error))
    })
}

fn one_line(error: &toml::de::Error) -> String {
    error
        .to_string()
        .split('\n')
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Puts a value at a dotted path; a table that is in the way of one is replaced, so that the error speaks of the path.
fn insert(table: &mut toml::Table, key: &str, value: toml::Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table
                .entry(first)
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// A value that never shows itself: not in a log, not in an error, not under `--check-config`.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// Where a database is; its password never shows itself.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Keeps a URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL with its password, for the driver.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The URL without its password.
    #[must_use]
    pub fn masked(&self) -> String {
        match url::Url::parse(&self.0) {
            Ok(mut url) if url.password().is_some() => {
                // Fails only for URLs that cannot have a password.
                url.set_password(Some("***")).ok();
                url.into()
            }
            Ok(_) => self.0.clone(),
            Err(_) => "***".to_owned(),
        }
    }

    /// The file of a SQLite URL; `None` for PostgreSQL.
    ///
    /// # Errors
    /// If the URL is of another kind.
    pub fn sqlite_path(&self) -> Result<Option<PathBuf>, SettingsError> {
        if self.0.starts_with("postgres://") || self.0.starts_with("postgresql://") {
            return Ok(None);
        }
        let path = self
            .0
            .strip_prefix("sqlite://")
            .or_else(|| self.0.strip_prefix("sqlite:"));
        let path = path
            .map(|path| path.split('?').next().unwrap_or(path))
            .filter(|path| !path.is_empty());
        path.map(|path| Some(PathBuf::from(path))).ok_or_else(|| {
            let allowed = "sqlite://PATH and postgres://USER:PASSWORD@HOST/NAME are";
            SettingsError::invalid(
                "database.url",
                format!("{:?} is not allowed: {allowed}", self.masked()),
            )
        })
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        listen: SocketAddr,
        demo: bool,
        limits: Limits,
    }

    #[derive(Debug, Default, Deserialize, Serialize)]
    #[serde(deny_unknown_fields, default)]
    struct Limits {
        batch: u32,
    }

    impl Default for Sample {
        fn default() -> Self {
            Self {
                listen: ([127, 0, 0, 1], 1).into(),
                demo: false,
                limits: Limits { batch: 7 },
            }
        }
    }

    const ENV: &[EnvVar] = &[
        EnvVar::text("SAMPLE_LISTEN", "listen"),
        EnvVar::boolean("SAMPLE_DEMO", "demo"),
        EnvVar::integer("SAMPLE_BATCH", "limits.batch"),
    ];

    fn read(file: &str, environment: &[(&str, &str)]) -> Result<Sample, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.toml");
        std::fs::write(&path, file).unwrap();
        let lookup = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        load(Some(&path), ENV, &lookup)
    }

    #[test]
    fn environment_beats_file_beats_default() {
        let sample = read(
            "demo = true\n[limits]\nbatch = 9",
            &[("SAMPLE_BATCH", "11")],
        )
        .unwrap();
        assert_eq!(sample.listen.port(), 1);
        assert!(sample.demo);
        assert_eq!(sample.limits.batch, 11);
    }

    #[test]
    fn errors_name_the_key_the_value_and_what_is_allowed() {
        for (file, environment, want) in [
            ("dmeo = true", vec![], "dmeo"),
            (
                "",
                vec![("SAMPLE_BATCH", "many")],
                "SAMPLE_BATCH=\"many\" is not allowed: a whole number",
            ),
            ("", vec![("SAMPLE_DEMO", "yes")], "true or false"),
            ("", vec![("SAMPLE_LISTEN", "nowhere")], "SAMPLE_LISTEN"),
            ("", vec![("SAMPLE_BATCH", "-1")], "limits.batch"),
        ] {
            let error = read(file, &environment).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn secrets_do_not_show_themselves() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        let url = DatabaseUrl::new("postgres://app:hunter2@db/name");
        assert_eq!(format!("{url:?}"), "postgres://app:***@db/name");
        assert_eq!(
            DatabaseUrl::new("sqlite://./data/x.db").masked(),
            "sqlite://./data/x.db"
        );
    }

    #[test]
    fn sqlite_paths_are_read_from_urls() {
        for (url, path) in [
            ("sqlite://./data/x.db?mode=rwc", "./data/x.db"),
            ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
            ("sqlite:x.db", "x.db"),
        ] {
            assert_eq!(
                DatabaseUrl::new(url).sqlite_path().unwrap(),
                Some(PathBuf::from(path))
            );
        }
        assert_eq!(
            DatabaseUrl::new("postgres://a@b/c").sqlite_path().unwrap(),
            None
        );
        assert!(DatabaseUrl::new("sqlite://").sqlite_path().is_err());
    }
}
