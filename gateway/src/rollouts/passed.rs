//! How far the followers of legacy are, as far as pins want to know.
//!
//! A pin holds beyond its time while the follower is not known to have passed its write. A request never asks the follower
//! for that: one whose pin nears its end raises a flag, a task that looks at the flags asks, and later requests find
//! the answer. Who has not asked yet, or gets no answer, knows nothing, and pins hold. What was once passed stays so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use banyan_mesh::process::Process;
use banyan_proto::follow::v1::{Authority, StatusResponse};
use banyan_rollout::Following;
use futures::future::join_all;
use jiff::Timestamp;

use super::{Rollouts, live::Live};
use crate::follow::Follower;

/// How often the flags are looked at, and a follower is asked at most.
const LOOK_EVERY: Duration = Duration::from_millis(500);

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

    fn learn(&self, passed_ms: u64) {
        self.passed_ms.fetch_max(passed_ms, Relaxed);
    }
}

impl Rollouts {
    /// Asks followers for what pins want to know until the process ends.
    pub(super) fn follow_pins(&self, process: &Process) {
        let (rollouts, shutdown) = (self.clone(), process.shutdown().clone());
        process.spawn("rollouts' pins", async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    // A replica that has just started should not honour pins of long ago.
                    () = rollouts.inner.followed.notified() => {}
                    () = shutdown.cancelled() => return Ok(()),
                }
                tokio::select! {
                    () = rollouts.ask_for_pins() => {}
                    () = shutdown.cancelled() => return Ok(()),
                }
            }
        });
    }

    async fn ask_for_pins(&self) {
        let followers = self.inner.followers.load_full();
        let asked = followers.iter().filter_map(|(name, follower)| {
            let live = self.live(name).ok()?;
            let is_wanted = live.passed.is_wanted.swap(false, Relaxed);
            is_wanted.then(|| ask(live, follower))
        });
        join_all(asked).await;
    }
}

async fn ask(live: Arc<Live>, follower: &Follower) {
    // By this clock, and before the question: what the answer does not know yet is not taken for known.
    let now = Timestamp::now();
    let passed = follower.status().await;
    if let Some(passed_ms) = passed.and_then(|status| passed_ms(&status, now)) {
        live.passed.learn(passed_ms);
    }
}

/// Unix time in milliseconds: what legacy had before it has been adopted.
fn passed_ms(status: &StatusResponse, now: Timestamp) -> Option<u64> {
    let now_ms = u64::try_from(now.as_millisecond()).ok()?;
    // It has everything, and is not behind of anybody.
    if status.authority() == Authority::Own {
        return Some(now_ms);
    }
    let lag = Duration::try_from(status.lag?).ok()?;
    let lag_ms = u64::try_from(lag.as_millis()).ok()?;
    Some(now_ms.saturating_sub(lag_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(authority: Authority, lag_s: Option<i64>) -> StatusResponse {
        StatusResponse {
            authority: authority.into(),
            lag: lag_s.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
            ..StatusResponse::default()
        }
    }

    #[test]
    fn a_follower_has_passed_what_was_before_its_last_good_poll_began() {
        let now = Timestamp::from_millisecond(100_000).unwrap();
        for (authority, lag_s, want) in [
            (Authority::Legacy, Some(7), Some(93_000)),
            (Authority::Unspecified, Some(200), Some(0)),
            (Authority::Legacy, None, None),
            (Authority::Returning, None, None),
            (Authority::Legacy, Some(-7), None),
            (Authority::Own, None, Some(100_000)),
        ] {
            assert_eq!(passed_ms(&status(authority, lag_s), now), want, "{lag_s:?}");
        }
    }

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
