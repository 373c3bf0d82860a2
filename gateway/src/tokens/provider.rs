//! The cryptography behind `jsonwebtoken`: ring, which the process carries for TLS to its databases anyway.
//!
//! The crate's own backends would each compile a second set of curves, RSA and hashes for the same four checks. Nothing is
//! signed here: a gateway that cannot sign cannot be made to.

use std::sync::Once;

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error, Verifier},
};
use ring::{hmac, signature};

static RING: CryptoProvider = CryptoProvider {
    signer_factory: refuse_to_sign,
    verifier_factory: verifier,
    // For making keys and their thumbprints, which nobody does here.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes `jsonwebtoken` use ring in this process; the first call counts.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Nobody else in this process uses the crate.
        RING.install_default().ok();
    });
}

fn refuse_to_sign(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let is_ours = matches!(
        algorithm,
        Algorithm::EdDSA | Algorithm::ES256 | Algorithm::RS256 | Algorithm::HS256
    );
    // A key of another family never gets as far as the arithmetic.
    if !is_ours || key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(Check {
        algorithm: *algorithm,
        key: key.clone(),
    }))
}

struct Check {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], given: &Vec<u8>) -> std::result::Result<(), Error> {
        let outcome = match (self.algorithm, self.key.kind()) {
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(key)) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, key).verify(message, given)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(key)) => {
                let algorithm = &signature::ECDSA_P256_SHA256_FIXED;
                signature::UnparsedPublicKey::new(algorithm, key).verify(message, given)
            }
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                let algorithm = &signature::RSA_PKCS1_2048_8192_SHA256;
                signature::RsaPublicKeyComponents { n, e }.verify(algorithm, message, given)
            }
            (Algorithm::HS256, DecodingKeyKind::SecretOrDer(secret)) => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::verify(&secret, message, given)
            }
            _ => Err(ring::error::Unspecified),
        };
        outcome.map_err(|_| Error::new())
    }
}
