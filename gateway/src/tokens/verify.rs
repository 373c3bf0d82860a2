//! Whether a token counts: a pure function of the token, the keys, the settings and the time.
//!
//! What is written in a token is believed only once its signature is. Everything but the time is checked once and holds for
//! as long as the keys do; the time is checked with every use, so that nothing that remembers a token can make it outlive
//! its `exp`. Extensions that the token calls critical (RFC 7515 section 4.1.11) are none of ours, so it cannot be judged.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::keys::Keys;
use crate::config::{TokenAlgorithm, TokensConfig};

/// No token is longer; issuers that put more into one should be asked why.
pub(super) const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Malformed,
    TooLong,
    Algorithm,
    UnknownKey,
    Signature,
    Issuer,
    Audience,
    Claims,
    Expired,
    NotYetValid,
}

impl Trouble {
    pub(super) const ALL: [Trouble; 10] = [
        Trouble::Malformed,
        Trouble::TooLong,
        Trouble::Algorithm,
        Trouble::UnknownKey,
        Trouble::Signature,
        Trouble::Issuer,
        Trouble::Audience,
        Trouble::Claims,
        Trouble::Expired,
        Trouble::NotYetValid,
    ];

    /// As metrics say it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Trouble::Malformed => "malformed",
            Trouble::TooLong => "too_long",
            Trouble::Algorithm => "algorithm",
            Trouble::UnknownKey => "unknown_key",
            Trouble::Signature => "signature",
            Trouble::Issuer => "issuer",
            Trouble::Audience => "audience",
            Trouble::Claims => "claims",
            Trouble::Expired => "expired",
            Trouble::NotYetValid => "not_yet_valid",
        }
    }

    /// As clients are told, after "the bearer token".
    pub(super) const fn words(self) -> &'static str {
        match self {
            Trouble::Malformed => "is no signed JSON Web Token",
            Trouble::TooLong => "is longer than 8 KiB",
            Trouble::Algorithm => "is signed in a way that is not accepted here",
            Trouble::UnknownKey => "is signed with a key that is not known here",
            Trouble::Signature => "does not have the signature of its issuer",
            Trouble::Issuer => "is of an issuer that is not accepted here",
            Trouble::Audience => "is meant for somebody else",
            Trouble::Claims => "lacks `exp`, or has times that are no numbers",
            Trouble::Expired => "has expired",
            Trouble::NotYetValid => "is not valid yet",
        }
    }
}

/// What tokens have to be.
#[derive(Debug)]
pub(super) struct Terms {
    issuers: Vec<String>,
    audiences: Vec<String>,
    algorithms: Vec<(TokenAlgorithm, Validation)>,
    leeway_ms: i64,
}

/// What a token claims, its signature, issuer and audience being right.
#[derive(Debug)]
pub(super) struct Verified {
    /// Claims that are text, by name.
    claims: Vec<(Box<str>, Box<str>)>,
    begins_ms: i64,
    /// With leeway, as `begins_ms`.
    ends_ms: i64,
}

/// What has to be known of a token before its signature.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl Terms {
    pub(super) fn new(config: &TokensConfig) -> Terms {
        let algorithms = config.algorithms.iter();
        Terms {
            issuers: config.issuers.clone(),
            audiences: config.audiences.clone(),
            algorithms: algorithms.map(|it| (*it, signature_only(*it))).collect(),
            leeway_ms: i64::try_from(config.leeway_s * 1000).unwrap_or_default(),
        }
    }

    /// Everything but the time.
    pub(super) fn verify(&self, token: &str, keys: &Keys) -> Result<Verified, Trouble> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Trouble::TooLong);
        }
        let head = head(token).ok_or(Trouble::Malformed)?;
        let accepted = self.algorithms.iter().find(|it| it.0.as_str() == head.alg);
        let (algorithm, validation) = accepted.ok_or(Trouble::Algorithm)?;
        let key = keys.find(*algorithm, head.kid.as_deref());
        let key = key.ok_or(Trouble::UnknownKey)?;
        let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, &key.decoding, validation);
        let claims = decoded.map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => Trouble::Signature,
            _ => Trouble::Malformed,
        });
        self.judge(&claims?.claims)
    }

    /// What a token claims, whose signature is right.
    fn judge(&self, claims: &Map<String, Value>) -> Result<Verified, Trouble> {
        let is_one_of = |value: &Value, list: &[String]| {
            let text = value.as_str();
            text.is_some_and(|text| list.iter().any(|it| it == text))
        };
        let issuer = claims.get("iss");
        if !issuer.is_some_and(|issuer| is_one_of(issuer, &self.issuers)) {
            return Err(Trouble::Issuer);
        }
        let is_for_us = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(|one| is_one_of(one, &self.audiences)),
            Some(one) => is_one_of(one, &self.audiences),
            None => false,
        };
        if !is_for_us {
            return Err(Trouble::Audience);
        }
        // RFC 7519 section 2: seconds, which may have a fraction. The cast ends at the bounds.
        let moment = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_f64()
                .map(|s| Some((s * 1000.0) as i64))
                .ok_or(Trouble::Claims),
        };
        let ends_ms = moment("exp")?.ok_or(Trouble::Claims)?;
        let begins_ms = moment("nbf")?.unwrap_or(i64::MIN);
        let texts = claims.iter().filter_map(|(name, value)| {
            let value = value.as_str()?;
            Some((name.as_str().into(), value.into()))
        });
        Ok(Verified {
            claims: texts.collect(),
            begins_ms: begins_ms.saturating_sub(self.leeway_ms),
            ends_ms: ends_ms.saturating_add(self.leeway_ms),
        })
    }
}

impl Verified {
    /// Whether it counts at a moment, in milliseconds since 1970.
    pub(super) fn at(&self, now_ms: i64) -> Result<(), Trouble> {
        if now_ms < self.begins_ms {
            return Err(Trouble::NotYetValid);
        }
        // RFC 7519 section 4.1.4: on `exp` it is over.
        match now_ms < self.ends_ms {
            true => Ok(()),
            false => Err(Trouble::Expired),
        }
    }

    /// A claim that is text.
    pub(super) fn claim(&self, name: &str) -> Option<&str> {
        let mut claims = self.claims.iter();
        let found = claims.find(|(known, _)| &**known == name);
        found.map(|(_, value)| &**value)
    }
}

/// The first of exactly three parts, read; `None` for what is none, or asks for what is not known here.
fn head(token: &str) -> Option<Head> {
    let mut parts = token.split('.');
    let (first, ..) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = URL_SAFE_NO_PAD.decode(first).ok()?;
    let head: Head = serde_json::from_slice(&bytes).ok()?;
    (parts.next().is_none() && head.crit.is_none()).then_some(head)
}

/// The crate checks the signature alone: its clock is its own, and an `iss` may be a list for it.
fn signature_only(algorithm: TokenAlgorithm) -> Validation {
    let mut validation = Validation::new(match algorithm {
        TokenAlgorithm::EdDsa => Algorithm::EdDSA,
        TokenAlgorithm::Es256 => Algorithm::ES256,
        TokenAlgorithm::Rs256 => Algorithm::RS256,
        TokenAlgorithm::Hs256 => Algorithm::HS256,
    });
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
