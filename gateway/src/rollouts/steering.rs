//! What single requests may say about their side, and what is given to them: settings and keys.

use std::time::Duration;

use arc_swap::ArcSwap;
use banyan_mesh::settings::Secret;
use banyan_rollout::Keys;

use super::pins::{fresh_secret, keys_of};
use crate::{
    config::SteeringConfig,
    store::{SteeringTerms, Store},
};

/// The name of the key in the store.
const SECRET: &str = "pins";

/// Settings and keys of pins and forced sides.
#[derive(Debug)]
pub struct Steering {
    pub(super) keys: ArcSwap<Keys>,
    /// Whether the key is everybody's: the settings', or the store's.
    is_shared: std::sync::atomic::AtomicBool,
    pub(super) force_token: Option<Secret>,
    /// How long a pin holds, whatever is known.
    pub(super) pin: Duration,
    /// How long after its write one holds whose write the follower has not passed.
    pub(super) pin_max: Duration,
}

/// The system has no randomness to give, without which pins cannot be signed.
#[derive(Debug, thiserror::Error)]
#[error("the system has no randomness to make a key from")]
pub struct NoRandomness;

impl Steering {
    /// By the settings.
    ///
    /// # Errors
    /// If they have no key and the system has no randomness to make one from.
    pub fn new(config: &SteeringConfig) -> Result<Self, NoRandomness> {
        let secret = config.pin_key.as_ref();
        let keys = match secret {
            Some(secret) => keys_of(secret.expose()),
            None => fresh_secret().and_then(|secret| keys_of(&secret)),
        };
        Ok(Self {
            keys: ArcSwap::from_pointee(keys.ok_or(NoRandomness)?),
            is_shared: secret.is_some().into(),
            force_token: config.force_token.clone(),
            pin: Duration::from_secs(config.pin_s),
            pin_max: Duration::from_secs(config.pin_max_s),
        })
    }

    /// What requests may say, without what is secret.
    pub(super) fn terms(&self) -> SteeringTerms {
        SteeringTerms {
            force_token: self.force_token.is_some(),
            pin_s: self.pin.as_secs(),
            pin_max_s: Some(self.pin_max.as_secs()),
        }
    }

    /// Takes the key that all replicas find in the store, unless it has one that they share already.
    pub(super) async fn share(&self, store: &Store) -> Result<(), crate::store::StoreError> {
        use std::sync::atomic::Ordering::Relaxed;
        if self.is_shared.load(Relaxed) {
            return Ok(());
        }
        let Some(fresh) = fresh_secret() else {
            return Ok(());
        };
        let secret = store.secret(SECRET, &fresh).await?;
        if let Some(keys) = keys_of(&secret) {
            self.keys.store(keys.into());
            self.is_shared.store(true, Relaxed);
        }
        Ok(())
    }
}
