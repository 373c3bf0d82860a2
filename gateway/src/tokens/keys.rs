//! The keys that issuers sign with, read from a JSON Web Key Set (RFC 7517).
//!
//! A key is bound to one algorithm by its own kind, and a token that names another algorithm does not find it: there is no
//! way to have an RSA key taken for a shared secret. Keys of kinds and uses that are none of ours are passed over, as RFC
//! 7517 section 5 wants it, for issuers publish several; one that is ours and broken, too short, there twice or private
//! refuses the whole set, since somebody has made a mistake with it. A secret never comes out of the set: it is read by
//! anybody, which is its purpose.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use crate::config::TokenAlgorithm;

/// More keys than any issuer has in use.
const KEYS_MAX: usize = 64;
/// Members of a key that only its owner may know (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE: [&str; 2] = ["d", "k"];

/// The keys in force.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: TokenAlgorithm,
    pub(super) decoding: DecodingKey,
}

/// Why a set of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    /// Where, and not what: it may be something that was never meant to be seen.
    #[error("line {line}, column {column} is not as in a JSON Web Key Set, {{\"keys\": [..]}}")]
    Form { line: usize, column: usize },
    #[error("it has {0} keys, at most {KEYS_MAX} are allowed")]
    TooMany(usize),
    #[error("key {0} is private or a secret: only public keys belong here")]
    Private(String),
    #[error("key {id} cannot be used: {allowed}")]
    Unfit { id: String, allowed: &'static str },
    #[error("key {id} is there twice for {algorithm}")]
    Twice { id: String, algorithm: &'static str },
    #[error("it has no key for any of {0}")]
    None(String),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// The keys of a set that `wanted` can be signed with.
    pub(super) fn of_set(text: &[u8], wanted: &[TokenAlgorithm]) -> Result<Keys, KeysError> {
        let set: Set = serde_json::from_slice(text).map_err(|error| KeysError::Form {
            line: error.line(),
            column: error.column(),
        })?;
        if set.keys.len() > KEYS_MAX {
            return Err(KeysError::TooMany(set.keys.len()));
        }
        let mut keys: Vec<Key> = Vec::new();
        for value in set.keys {
            let Some(key) = key(value)? else { continue };
            if !wanted.contains(&key.algorithm) {
                continue;
            }
            let is_same = |other: &&Key| (&other.id, other.algorithm) == (&key.id, key.algorithm);
            if keys.iter().find(is_same).is_some() {
                let (id, algorithm) = (shown(key.id.as_deref()), key.algorithm.as_str());
                return Err(KeysError::Twice { id, algorithm });
            }
            keys.push(key);
        }
        if keys.is_empty() {
            let wanted = wanted.iter().map(|it| it.as_str()).collect::<Vec<_>>();
            return Err(KeysError::None(wanted.join(", ")));
        }
        Ok(Keys(keys))
    }

    /// Adds the secret of HS256.
    pub(super) fn with_secret(mut self, secret: &str) -> Keys {
        self.0.push(Key {
            id: None,
            algorithm: TokenAlgorithm::Hs256,
            decoding: DecodingKey::from_secret(secret.as_bytes()),
        });
        self
    }

    /// The key of a token: the one that it names, or the only one there is where one of both has no name. Never several
    /// that would have to be tried.
    pub(super) fn find(&self, algorithm: TokenAlgorithm, id: Option<&str>) -> Option<&Key> {
        let ours = || self.0.iter().filter(|key| key.algorithm == algorithm);
        let named = id.and_then(|id| ours().find(|key| key.id.as_deref() == Some(id)));
        let only = || {
            let mut fitting = ours().filter(|key| id.is_none() || key.id.is_none());
            fitting.next().filter(|_| fitting.next().is_none())
        };
        named.or_else(only)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A key that can be used here; `None` for one that is meant for something else.
fn key(value: Value) -> Result<Option<Key>, KeysError> {
    let id = value.get("kid").and_then(Value::as_str).map(str::to_owned);
    if PRIVATE.iter().any(|name| value.get(name).is_some()) {
        return Err(KeysError::Private(shown(id.as_deref())));
    }
    let unfit = |allowed| KeysError::Unfit {
        id: shown(id.as_deref()),
        allowed,
    };
    if !is_ours(&value) {
        return Ok(None);
    }
    let jwk = serde_json::from_value::<Jwk>(value).map_err(|_| unfit(PARTS))?;
    let (algorithm, name) = algorithm(&jwk.algorithm).ok_or_else(|| unfit(PARTS))?;
    let common = &jwk.common;
    let is_for_this = common.key_algorithm.is_none_or(|it| it == name)
        && (common.public_key_use.as_ref()).is_none_or(|it| *it == PublicKeyUse::Signature)
        && (common.key_operations.as_ref()).is_none_or(|it| it.contains(&KeyOperations::Verify));
    if !is_for_this {
        return Ok(None);
    }
    fits(&jwk.algorithm).map_err(unfit)?;
    let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| unfit(BASE64URL))?;
    Ok(Some(Key {
        id,
        algorithm,
        decoding,
    }))
}

/// Whether a key is of a kind and curve that is known here.
fn is_ours(value: &Value) -> bool {
    let text = |name| value.get(name).and_then(Value::as_str);
    matches!(
        (text("kty"), text("crv")),
        (Some("RSA"), _) | (Some("EC"), Some("P-256")) | (Some("OKP"), Some("Ed25519"))
    )
}

fn algorithm(parameters: &AlgorithmParameters) -> Option<(TokenAlgorithm, KeyAlgorithm)> {
    match parameters {
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Some((TokenAlgorithm::EdDsa, KeyAlgorithm::EdDSA))
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Some((TokenAlgorithm::Es256, KeyAlgorithm::ES256))
        }
        AlgorithmParameters::RSA(_) => Some((TokenAlgorithm::Rs256, KeyAlgorithm::RS256)),
        _ => None,
    }
}

const PARTS: &str =
    "its parts must be text: `x` of Ed25519, `x` and `y` of P-256, `n` and `e` of RSA";
const BASE64URL: &str = "its numbers must be base64url without padding";

/// Whether the numbers of a key are as long as they have to be.
fn fits(parameters: &AlgorithmParameters) -> Result<(), &'static str> {
    let bytes = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BASE64URL);
        bytes.map(|bytes| bytes.len())
    };
    match parameters {
        AlgorithmParameters::OctetKeyPair(key) if bytes(&key.x)? != 32 => {
            Err("the `x` of Ed25519 has 32 bytes")
        }
        AlgorithmParameters::EllipticCurve(key) if (bytes(&key.x)?, bytes(&key.y)?) != (32, 32) => {
            Err("the `x` and `y` of P-256 have 32 bytes each")
        }
        AlgorithmParameters::RSA(key) if !(256..=1024).contains(&bytes(&key.n)?) => {
            Err("an RSA key has 2048 to 8192 bits")
        }
        _ => Ok(()),
    }
}

/// What a file of somebody else's calls its key, fit for a log.
fn shown(id: Option<&str>) -> String {
    match id {
        None => "without `kid`".to_owned(),
        Some(id) => format!("{:?}", id.chars().take(60).collect::<String>()),
    }
}
