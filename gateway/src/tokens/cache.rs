//! Tokens that were verified before, so that a client that sends the same one a thousand times costs one signature.
//!
//! Known by their SHA-256, never by themselves: what is in memory opens nothing. Only tokens that verified are kept, so
//! that nobody without an issuer's key fills it. It belongs to the keys that verified them and goes with them; times are
//! checked at each use.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use ring::digest::{SHA256, digest};

use super::verify::Verified;

/// In all shards together.
pub(super) const TOKENS_MAX: usize = 10_000;
/// So that the threads that serve requests seldom wait for each other.
const SHARDS: usize = 16;

type Hash = [u8; 32];
type Shard = HashMap<Hash, Arc<Verified>>;

#[derive(Debug)]
pub(super) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    counts: Counts,
}

/// What is counted of caches.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) hits: Counter,
    pub(super) entries: Gauge,
    /// Of tokens that still counted.
    pub(super) evictions: Counter,
}

pub(super) fn hash(token: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

impl Cache {
    pub(super) fn new(counts: Counts) -> Cache {
        Cache {
            shards: Default::default(),
            counts,
        }
    }

    pub(super) fn get(&self, hash: &Hash) -> Option<Arc<Verified>> {
        let found = self.shard(hash).get(hash).cloned();
        if found.is_some() {
            self.counts.hits.inc();
        }
        found
    }

    /// Keeps a token. A full shard forgets those that are over, or else any one.
    pub(super) fn put(&self, hash: Hash, token: Arc<Verified>, now_ms: i64) {
        let mut shard = self.shard(&hash);
        let before = shard.len();
        if before >= TOKENS_MAX / SHARDS {
            shard.retain(|_, token| token.at(now_ms).is_ok());
            if shard.len() == before
                && let Some(any) = shard.keys().next().copied()
            {
                shard.remove(&any);
                self.counts.evictions.inc();
            }
        }
        shard.insert(hash, token);
        let (old, new) = (before as i64, shard.len() as i64);
        self.counts.entries.inc_by(new - old);
    }

    fn shard(&self, hash: &Hash) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(hash[0]) % SHARDS])
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let shards = self.shards.iter().map(lock);
        let entries: usize = shards.map(|shard| shard.len()).sum();
        self.counts.entries.dec_by(entries as i64);
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
