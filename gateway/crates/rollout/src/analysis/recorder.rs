//! Counts answers while they happen, on one replica: a few relaxed additions a request, no lock, no allocation.
//!
//! A recorder is for one percentage. When it changes, a new one takes over and the old one is drained once more.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{
    latency::{self, BINS},
    layout::Layout,
    window::{GROUPS, Pair, Window, group},
};
use crate::{Bucket, Decision, Percent, Side};

/// Counts what is answered and compared at one percentage.
#[derive(Debug)]
pub struct Recorder {
    percent: Percent,
    layout: Option<Layout>,
    blocks: Box<[Counts]>,
    compared: [Compared; GROUPS],
    noise: [Compared; GROUPS],
}

#[derive(Debug)]
struct Counts {
    failures: AtomicU32,
    latencies: [AtomicU32; BINS],
}

#[derive(Debug, Default)]
struct Compared {
    same: AtomicU32,
    differing: AtomicU32,
}

impl Recorder {
    /// Counts nothing yet.
    #[must_use]
    pub fn new(percent: Percent) -> Self {
        let layout = Layout::new(percent);
        let blocks = layout.map_or(0, |layout| layout.blocks());
        Self {
            percent,
            layout,
            blocks: (0..blocks).map(|_| Counts::default()).collect(),
            compared: std::array::from_fn(|_| Compared::default()),
            noise: std::array::from_fn(|_| Compared::default()),
        }
    }

    /// The percentage it counts for.
    #[must_use]
    pub const fn percent(&self) -> Percent {
        self.percent
    }

    /// Counts an answer. Only those count whose side is the percentage's: rules, forced sides and pins away from it choose
    /// their subjects, and would compare apples with pears.
    pub fn answered(&self, decision: &Decision, failed: bool, latency_us: u64) {
        let on_grpc = decision.side == Side::Grpc;
        if !decision.dealt || self.percent.includes(decision.bucket) != on_grpc {
            return;
        }
        let block = self.layout.and_then(|layout| layout.block(decision.bucket));
        if let Some(block) = block.and_then(|block| self.blocks.get(block)) {
            block.latencies[latency::bin(latency_us)].fetch_add(1, Relaxed);
            if failed {
                block.failures.fetch_add(1, Relaxed);
            }
        }
    }

    /// Counts a comparison of the other side's answer with the owner's.
    pub fn compared(&self, bucket: Bucket, differs: bool) {
        if let Some(compared) = self.compared.get(group(bucket)) {
            compared.count(differs);
        }
    }

    /// Counts a comparison of the owner's answer with its own second one.
    pub fn noise(&self, bucket: Bucket, differs: bool) {
        if let Some(noise) = self.noise.get(group(bucket)) {
            noise.count(differs);
        }
    }

    /// Takes out what was counted since the last time, as from one moment to another. What is counted meanwhile is in
    /// this window or the next, never lost.
    pub fn drain(&self, from_ms: u64, to_ms: u64) -> Window {
        let mut window = Window::new(self.percent, from_ms, to_ms);
        for (block, counts) in window.blocks.iter_mut().zip(&self.blocks) {
            for (sum, count) in block.latencies.0.iter_mut().zip(&counts.latencies) {
                // Most are 0, and reading is cheaper than writing.
                if count.load(Relaxed) > 0 {
                    *sum = count.swap(0, Relaxed);
                    block.requests += u64::from(*sum);
                }
            }
            block.failures = u64::from(counts.failures.swap(0, Relaxed));
        }
        let pairs = window.compared.iter_mut().chain(&mut window.noise);
        for (pair, compared) in pairs.zip(self.compared.iter().chain(&self.noise)) {
            *pair = compared.drain();
        }
        window
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            failures: AtomicU32::default(),
            latencies: std::array::from_fn(|_| AtomicU32::default()),
        }
    }
}

impl Compared {
    fn count(&self, differs: bool) {
        let count = if differs { &self.differing } else { &self.same };
        count.fetch_add(1, Relaxed);
    }

    fn drain(&self) -> Pair {
        let differing = u64::from(self.differing.swap(0, Relaxed));
        Pair {
            compared: u64::from(self.same.swap(0, Relaxed)) + differing,
            differing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Request, RolloutState, Subject, decide};

    #[test]
    fn what_is_recorded_is_drained_once() {
        let percent = Percent::from_hundredths(5_000).unwrap();
        let state = RolloutState {
            percent,
            ..RolloutState::new("movies")
        };
        let recorder = Recorder::new(percent);
        let mut want = Window::new(percent, 5, 9);
        for n in 0..1_000u64 {
            let subject = Subject::new(n.to_string());
            let decision = decide(&state, &Request::of(&subject));
            recorder.answered(&decision, n % 7 == 0, n * 100);
            want.answered(decision.bucket, n % 7 == 0, n * 100);
            recorder.compared(decision.bucket, n % 5 == 0);
            want.compared(decision.bucket, n % 5 == 0);
            recorder.noise(decision.bucket, n.is_multiple_of(3));
            want.noise(decision.bucket, n.is_multiple_of(3));
        }
        assert_eq!(recorder.drain(5, 9), want);
        assert_eq!(recorder.drain(9, 10), Window::new(percent, 9, 10));
    }

    #[test]
    fn sides_that_the_percentage_did_not_choose_do_not_count() {
        let percent = Percent::from_hundredths(5_000).unwrap();
        let recorder = Recorder::new(percent);
        let subject = Subject::new("alice");
        let decision = decide(
            &RolloutState {
                percent,
                ..RolloutState::new("movies")
            },
            &Request::of(&subject),
        );
        for (side, dealt) in [(decision.side, false), (decision.side.other(), true)] {
            let other = Decision {
                side,
                dealt,
                ..decision
            };
            recorder.answered(&other, true, 1);
        }
        assert_eq!(recorder.drain(0, 1), Window::new(percent, 0, 1));
    }
}
