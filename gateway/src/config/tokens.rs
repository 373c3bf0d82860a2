//! Whose tokens count, and where they stand in a request.

use std::path::PathBuf;

use banyan_mesh::settings::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, ListenerName, bad_value};

/// RFC 7518 section 3.2: a key of HS256 is at least as long as its hash.
const SECRET_BYTES_MIN: usize = 32;
/// A clock that is further off has to be put right instead.
const LEEWAY_S_MAX: u64 = 300;

/// How a token may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenAlgorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA, PKCS #1 v1.5, keys of 2048 to 8192 bits.
    #[serde(rename = "RS256")]
    Rs256,
    /// A secret that issuer and gateway share.
    #[serde(rename = "HS256")]
    Hs256,
}

impl TokenAlgorithm {
    /// As tokens and settings spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }
}

/// `[tokens]`: JSON Web Tokens (RFC 7519) that requests bring as `Authorization: Bearer`. What they claim can be the
/// subject of a rollout (`token:sub`), and routes with `require_token` serve nobody without one. A change needs a restart;
/// the files of keys are taken up while the gateway runs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokensConfig {
    /// The `iss` of tokens that count: one of these, exactly.
    pub issuers: Vec<String>,
    /// The `aud` of tokens that count: at least one of these.
    pub audiences: Vec<String>,
    /// How tokens may be signed.
    pub algorithms: Vec<TokenAlgorithm>,
    /// The public keys of the issuers, a JSON Web Key Set (RFC 7517) of at most 256 KiB and 64 keys. It is looked at twice
    /// a second; what is no such set is refused, and the keys that were in force stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_file: Option<PathBuf>,
    /// The environment variable with the secret of HS256, at least 32 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<String>,
    /// A file with it instead, without the white space around; looked at like `keys_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// How far the clocks of issuers may be from this one.
    pub leeway_s: u64,
    /// A cookie that holds the token where no `Authorization: Bearer` is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// The value of `secret_env`, once read.
    #[serde(skip)]
    pub secret: Option<Secret>,
}

impl Default for TokensConfig {
    fn default() -> Self {
        TokensConfig {
            issuers: Vec::new(),
            audiences: Vec::new(),
            algorithms: vec![
                TokenAlgorithm::EdDsa,
                TokenAlgorithm::Es256,
                TokenAlgorithm::Rs256,
            ],
            keys_file: None,
            secret_env: None,
            secret_file: None,
            leeway_s: 60,
            cookie: None,
            secret: None,
        }
    }
}

impl TokensConfig {
    /// Whether anything is signed with a key that the keys file has to bring.
    pub(crate) fn takes_public_keys(&self) -> bool {
        let mut algorithms = self.algorithms.iter();
        algorithms.any(|algorithm| *algorithm != TokenAlgorithm::Hs256)
    }

    /// Why a secret cannot be used, if it cannot.
    pub(crate) fn secret_trouble(secret: &str) -> Option<&'static str> {
        (secret.len() < SECRET_BYTES_MIN).then_some("a secret of at least 32 bytes is allowed")
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_listed = |list: &[String]| !list.is_empty() && list.iter().all(|it| !it.is_empty());
        for (key, list) in [
            ("tokens.issuers", &self.issuers),
            ("tokens.audiences", &self.audiences),
        ] {
            if !is_listed(list) {
                let allowed = "at least one name is needed, and none may be empty";
                return Err(bad_value(key, &list.join(", "), allowed));
            }
        }
        if self.algorithms.is_empty() {
            let allowed = "at least one of EdDSA, ES256, RS256 and HS256 is needed";
            return Err(bad_value("tokens.algorithms", "", allowed));
        }
        if self.leeway_s > LEEWAY_S_MAX {
            let value = self.leeway_s.to_string();
            return Err(bad_value("tokens.leeway_s", &value, "0 to 300 is allowed"));
        }
        if let Some(cookie) = &self.cookie
            && format!("cookie:{cookie}")
                .parse::<banyan_rollout::SubjectSource>()
                .is_err()
        {
            let allowed = "letters, digits and !#$%&'*+-.^_`|~ are allowed";
            return Err(bad_value("tokens.cookie", cookie, allowed));
        }
        self.check_keys()
    }

    /// A key for every algorithm, and none for nothing.
    fn check_keys(&self) -> Result<(), ConfigError> {
        let path = |path: &Option<PathBuf>| {
            let path = path.as_ref().map(|path| path.display().to_string());
            path.unwrap_or_default()
        };
        if self.takes_public_keys() != self.keys_file.is_some() {
            let allowed =
                "a file is needed for EdDSA, ES256 and RS256, and allowed for nothing else";
            return Err(bad_value(
                "tokens.keys_file",
                &path(&self.keys_file),
                allowed,
            ));
        }
        let takes_secret = self.algorithms.contains(&TokenAlgorithm::Hs256);
        let allowed = "one of `secret_env` and `secret_file` is needed for HS256, and allowed for nothing else";
        match (&self.secret_env, &self.secret_file) {
            (None, None) if !takes_secret => Ok(()),
            (None, Some(_)) if takes_secret => Ok(()),
            (Some(name), None) if takes_secret => match &self.secret {
                None => Err(bad_value(
                    "tokens.secret_env",
                    name,
                    "the variable is not set",
                )),
                Some(secret) => match TokensConfig::secret_trouble(secret.expose()) {
                    Some(allowed) => Err(bad_value("tokens.secret_env", name, allowed)),
                    None => Ok(()),
                },
            },
            (Some(name), _) => Err(bad_value("tokens.secret_env", name, allowed)),
            (None, file) => Err(bad_value("tokens.secret_file", &path(file), allowed)),
        }
    }
}

impl Config {
    /// Whether whatever asks for tokens has settings that say which count.
    ///
    /// # Errors
    /// Names the rollout or route.
    pub(crate) fn check_tokens(&self) -> Result<(), ConfigError> {
        let is_claim = |source: &&banyan_rollout::SubjectSource| {
            matches!(source, banyan_rollout::SubjectSource::Claim(_))
        };
        for (name, rollout) in &self.rollouts {
            if let Some(claim) = rollout.subjects.sources().find(is_claim)
                && self.tokens.is_none()
            {
                let allowed = "a claim is allowed only where [tokens] says whose tokens count";
                let key = format!("rollouts.{name}.subjects");
                return Err(bad_value(&key, &claim.to_string(), allowed));
            }
        }
        let services = self.services.iter().filter(|it| it.require_token);
        let services = services.map(|it| (format!("services {}", it.service), &it.listeners));
        let routes = self.routes.iter().filter(|it| it.require_token);
        let routes = routes.map(|it| {
            let methods = it.methods.join("|");
            (format!("routes {methods} {}", it.path), &it.listeners)
        });
        for (what, listeners) in services.chain(routes) {
            let key = format!("{what}: require_token");
            if self.tokens.is_none() {
                let allowed = "it is allowed only where [tokens] says whose tokens count";
                return Err(bad_value(&key, "true", allowed));
            }
            if listeners.contains(&ListenerName::Ops) {
                let allowed = "it is allowed on the public listener only: on the ops one the operators' own token stands \
                               in the same header";
                return Err(bad_value(&key, "true", allowed));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = r#"
        [tokens]
        issuers = ["https://id.example"]
        audiences = ["shop"]
        keys_file = "keys.json"
    "#;

    /// What a file is refused for; empty if it is not.
    fn refused(text: &str, secret: Option<&str>) -> String {
        let mut config = match Config::parse(text, "a test") {
            Ok(config) => config,
            Err(error) => return format!("{:#}", anyhow::Error::from(error)),
        };
        let environment = |name: &str| secret.filter(|_| name == "SECRET").map(str::to_owned);
        super::super::environment::apply(&mut config, &environment).unwrap();
        config
            .check()
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[track_caller]
    fn check(more: &str, want: &str) {
        let got = refused(&format!("{RIGHT}{more}"), None);
        assert!(
            got.contains(want) && got.is_empty() == want.is_empty(),
            "{got}"
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        check("", "");
        check("leeway_s = 300", "");
        check(
            "leeway_s = 301",
            r#"tokens.leeway_s = "301": 0 to 300 is allowed"#,
        );
        check("algorithms = []", "tokens.algorithms");
        check(r#"algorithms = ["none"]"#, "unknown variant `none`");
        check(r#"cookie = "a b""#, "tokens.cookie");
        check(r#"algorithms = ["HS256"]"#, "tokens.keys_file");
        check(r#"secret_file = "secret""#, "tokens.secret_file");
        let nobody = RIGHT.replace(r#"["https://id.example"]"#, "[]");
        assert!(refused(&nobody, None).starts_with("tokens.issuers"));
        let nothing = RIGHT.replace(r#"["shop"]"#, r#"[""]"#);
        assert!(refused(&nothing, None).starts_with("tokens.audiences"));
    }

    #[test]
    fn a_shared_secret_has_to_be_asked_for_there_and_long_and_is_never_shown() {
        let shared = RIGHT.replace(
            r#"keys_file = "keys.json""#,
            r#"algorithms = ["HS256"]
               secret_env = "SECRET""#,
        );
        assert!(refused(&shared, None).contains("the variable is not set"));
        let short = refused(&shared, Some("a short one"));
        assert!(short.contains("at least 32 bytes") && !short.contains("a short one"));
        assert_eq!(refused(&shared, Some(&"x".repeat(32))), "");
    }

    #[test]
    fn who_asks_for_tokens_without_settings_is_named() {
        let rollout = "[rollouts.movies]\nsubjects = [\"token:sub\", \"cookie:c\"]";
        let got = refused(rollout, None);
        assert!(
            got.starts_with(r#"rollouts.movies.subjects = "token:sub""#),
            "{got}"
        );
        let route = "[[routes]]\nmethods = [\"GET\"]\npath = \"/a\"\nforward = \"old\"\nrequire_token = true";
        let got = refused(route, None);
        assert!(got.starts_with("routes GET /a: require_token"), "{got}");
        let service = "[[services]]\nservice = \"a.B\"\nprofile = \"p\"\nrequire_token = true";
        let got = refused(service, None);
        assert!(got.starts_with("services a.B: require_token"), "{got}");
        check(
            &format!("{route}\nlisteners = [\"ops\"]"),
            "on the public listener only",
        );
        check(&format!("{route}\n{rollout}"), "");
    }
}
