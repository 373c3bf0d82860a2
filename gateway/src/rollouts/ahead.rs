//! A replica that is ahead of the store: it raised a percentage by its own configuration while the store was away.
//!
//! When the store returns it is told, and all replicas go by that from one moment. Until then what was raised stays in
//! force here: were the store's state put in force for the blink of an eye, subjects would go back to legacy and come
//! again. Where a follower has to be asked first, that lasts until it was; if it says no, or nothing, the raise ends, for no
//! other replica has heard of it.

use std::sync::Arc;

use banyan_rollout::Follower;

use super::live::Live;
use crate::store::{State, Stored};

impl Live {
    /// Whether what is in force here is what the store would have if it had been told of this replica's news, and the
    /// follower did not object: then it stays, or subjects would go back for as long as telling takes.
    pub(super) fn is_ahead_of(&self, stored: &Stored) -> bool {
        if self.untold().is_none() {
            return false;
        }
        let told = self.settled(&stored.state, Follower::Ready);
        let current = self.current();
        let is_same = |one: &State, other: &State| {
            one.position == other.position && one.configured == other.configured
        };
        !is_same(&told, &stored.state) && is_same(&told, &current.state)
    }

    /// Takes note of what the store has that this replica is ahead of, if it is.
    pub(super) fn ahead_of(&self, stored: Option<Stored>) {
        self.ahead_of.store(stored.map(Arc::new));
    }

    /// What was decided last, as far as the store knows.
    pub(super) fn newest_stored(&self) -> Stored {
        if let Some(stored) = self.ahead_of.load_full() {
            return Stored::clone(&stored);
        }
        let newest = self.newest();
        Stored {
            state: newest.state.clone(),
            version: newest.version,
            change_time: newest.change_time,
        }
    }
}
