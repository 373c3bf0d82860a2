//! How far the followers of legacy are, as far as pins want to know.
//!
//! A pin holds beyond its time while the follower is not known to have passed its write. A request never asks the follower
//! for that: one whose pin nears its end raises a flag, the task that asks followers ([`followers`](super::followers))
//! does so soon, and later requests find the answer. Who has not asked yet, or gets no answer, knows nothing, and pins
//! hold. What was once passed stays so.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use banyan_rollout::Following;

/// What is known of the follower of a rollout.
#[derive(Debug, Default)]
pub(super) struct Passed {
    is_followed: AtomicBool,
    is_wanted: AtomicBool,
    passed_ms: AtomicU64,
}

impl Passed {
    /// What is known now, for pins that end `pin_max` after their write; `None` where nobody follows.
    pub(super) fn following(&self, pin_max: Duration) -> Option<Following> {
        self.is_followed.load(Relaxed).then(|| Following {
            passed_ms: self.passed_ms.load(Relaxed),
            pin_max_ms: u64::try_from(pin_max.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Has the follower asked soon.
    pub(super) fn want(&self) {
        // Most who come here find that somebody was faster, and reading is cheaper than writing.
        if !self.is_wanted.load(Relaxed) {
            self.is_wanted.store(true, Relaxed);
        }
    }

    /// Somebody follows from now on, or nobody. Of another follower nothing is known.
    pub(super) fn begin(&self, is_followed: bool) {
        self.passed_ms.store(0, Relaxed);
        self.is_wanted.store(is_followed, Relaxed);
        self.is_followed.store(is_followed, Relaxed);
    }

    /// Whether somebody wants the follower asked, who is not told again.
    pub(super) fn take_wanted(&self) -> bool {
        self.is_wanted.swap(false, Relaxed)
    }

    /// The follower has said how far it is.
    pub(super) fn learn(&self, passed_ms: u64) {
        self.passed_ms.fetch_max(passed_ms, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_passed_stays_so_until_another_follows() {
        let passed = Passed::default();
        let of = |passed: &Passed| {
            let following = passed.following(Duration::from_secs(1));
            following.map(|following| following.passed_ms)
        };
        assert_eq!(of(&passed), None);
        passed.begin(true);
        assert_eq!(of(&passed), Some(0));
        passed.learn(5);
        passed.learn(3);
        assert_eq!(of(&passed), Some(5));
        passed.begin(true);
        assert_eq!(of(&passed), Some(0));
    }
}
