//! An issuer of tokens, whose keys are made when a test begins.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const AUDIENCE: &str = "shop";

/// One key of an issuer.
pub(crate) struct Issuer {
    id: String,
    key: Key,
}

enum Key {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    Secret(hmac::Key),
}

impl Issuer {
    /// With a key of Ed25519.
    pub(crate) fn ed(id: &str) -> Issuer {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Key::Ed(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap());
        Issuer {
            id: id.to_owned(),
            key,
        }
    }

    /// With a key of P-256.
    pub(crate) fn ec(id: &str) -> Issuer {
        let (random, form) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let made = EcdsaKeyPair::generate_pkcs8(form, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(form, made.as_ref(), &random).unwrap();
        Issuer {
            id: id.to_owned(),
            key: Key::Ec(key),
        }
    }

    /// With a secret that others share.
    pub(crate) fn shared(secret: &[u8]) -> Issuer {
        let key = Key::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Issuer {
            id: "shared".to_owned(),
            key,
        }
    }

    fn algorithm(&self) -> &'static str {
        match &self.key {
            Key::Ed(_) => "EdDSA",
            Key::Ec(_) => "ES256",
            Key::Secret(_) => "HS256",
        }
    }

    /// What others may know of the key.
    pub(crate) fn public(&self) -> Value {
        match &self.key {
            Key::Ed(key) => {
                let x = encoded(key.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": x})
            }
            Key::Ec(key) => {
                // A point in the long form: 4, x, y.
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": self.id, "x": encoded(x), "y": encoded(y)})
            }
            Key::Secret(_) => Value::Null,
        }
    }

    /// A token that says its key, and claims this.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let head = json!({"alg": self.algorithm(), "typ": "JWT", "kid": self.id});
        self.signed(&head.to_string(), &claims.to_string())
    }

    /// Anything, signed.
    pub(crate) fn signed(&self, head: &str, claims: &str) -> String {
        let message = format!("{}.{}", encoded(head), encoded(claims));
        let signature = match &self.key {
            Key::Ed(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
            Key::Ec(key) => {
                let signed = key.sign(&SystemRandom::new(), message.as_bytes());
                signed.unwrap().as_ref().to_vec()
            }
            Key::Secret(key) => hmac::sign(key, message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", encoded(signature))
    }
}

/// A file with the public keys.
pub(crate) fn set(issuers: &[&Issuer]) -> String {
    let keys: Vec<_> = issuers.iter().map(|issuer| issuer.public()).collect();
    json!({"keys": keys}).to_string()
}

/// Who somebody is, until a moment.
pub(crate) fn claims(subject: &str, ends_s: i64) -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": ends_s})
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
