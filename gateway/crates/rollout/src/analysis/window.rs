//! What one replica, or all of them, saw in a while; windows add up in any order.

use serde::{Deserialize, Serialize};

use super::{
    latency::{self, Latencies},
    layout::Layout,
};
use crate::{BUCKETS, Bucket, Percent};

/// Into how many groups of subjects comparisons are counted.
pub(crate) const GROUPS: usize = 64;

/// What was answered and compared from one moment to another, at one percentage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The percentage at which it was recorded.
    pub percent: Percent,
    /// Unix time at which it begins.
    pub from_ms: u64,
    /// Unix time at which it ends.
    pub to_ms: u64,
    /// Answers by block of subjects; empty where one side is.
    pub(crate) blocks: Vec<Block>,
    /// Answers compared with the owner's, by group of subjects.
    pub(crate) compared: Vec<Pair>,
    /// Answers of the owner compared with its own, by group of subjects.
    pub(crate) noise: Vec<Pair>,
}

/// Answers to a block of subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block {
    #[serde(default, skip_serializing_if = "is_zero", rename = "n")]
    pub(crate) requests: u64,
    #[serde(default, skip_serializing_if = "is_zero", rename = "e")]
    pub(crate) failures: u64,
    #[serde(default, skip_serializing_if = "latency::is_empty", rename = "l")]
    pub(crate) latencies: Latencies,
}

/// How many answers were compared and how many differed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    #[serde(default, skip_serializing_if = "is_zero", rename = "n")]
    pub(crate) compared: u64,
    #[serde(default, skip_serializing_if = "is_zero", rename = "d")]
    pub(crate) differing: u64,
}

/// Two windows that cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a window at {theirs} per cent cannot be added to one at {ours} per cent")]
pub struct MergeError {
    /// The percentage of the window added to.
    pub ours: Percent,
    /// The percentage of the window to add.
    pub theirs: Percent,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// The group of subjects that comparisons of a bucket are counted in.
pub(crate) fn group(bucket: Bucket) -> usize {
    usize::from(bucket.index()) * GROUPS / usize::from(BUCKETS)
}

impl Window {
    /// A window in which nothing has happened yet.
    #[must_use]
    pub fn new(percent: Percent, from_ms: u64, to_ms: u64) -> Self {
        let blocks = Layout::new(percent).map_or(0, |layout| layout.blocks());
        Self {
            percent,
            from_ms,
            to_ms,
            blocks: vec![Block::default(); blocks],
            compared: vec![Pair::default(); GROUPS],
            noise: vec![Pair::default(); GROUPS],
        }
    }

    /// Adds what another replica saw, or what was seen at another time.
    ///
    /// # Errors
    /// If it was recorded at another percentage, or by another version of this program.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.percent != other.percent
            || self.blocks.len() != other.blocks.len()
            || self.compared.len() != other.compared.len()
            || self.noise.len() != other.noise.len()
        {
            return Err(MergeError {
                ours: self.percent,
                theirs: other.percent,
            });
        }
        self.from_ms = self.from_ms.min(other.from_ms);
        self.to_ms = self.to_ms.max(other.to_ms);
        let blocks = self.blocks.iter_mut().zip(&other.blocks);
        // Most blocks of a short window are empty.
        for (sum, more) in blocks.filter(|(_, more)| more.requests > 0 || more.failures > 0) {
            sum.requests += more.requests;
            sum.failures += more.failures;
            sum.latencies.add(&more.latencies);
        }
        for (sum, more) in self.compared.iter_mut().zip(&other.compared) {
            sum.add(*more);
        }
        for (sum, more) in self.noise.iter_mut().zip(&other.noise) {
            sum.add(*more);
        }
        Ok(())
    }

    /// Counts an answer whose side the percentage decided, to a subject of this bucket.
    pub fn answered(&mut self, bucket: Bucket, failed: bool, latency_us: u64) {
        let block = Layout::new(self.percent).and_then(|layout| layout.block(bucket));
        let Some(block) = block.and_then(|block| self.blocks.get_mut(block)) else {
            return;
        };
        block.requests += 1;
        block.failures += u64::from(failed);
        let count = &mut block.latencies.0[latency::bin(latency_us)];
        *count = count.saturating_add(1);
    }

    /// Counts a comparison of the other side's answer with the owner's, to a subject of this bucket.
    pub fn compared(&mut self, bucket: Bucket, differs: bool) {
        if let Some(pair) = self.compared.get_mut(group(bucket)) {
            pair.count(differs);
        }
    }

    /// Counts a comparison of the owner's answer with its own second one, to a subject of this bucket.
    pub fn noise(&mut self, bucket: Bucket, differs: bool) {
        if let Some(pair) = self.noise.get_mut(group(bucket)) {
            pair.count(differs);
        }
    }

    /// Counted requests of legacy and of gRPC.
    #[must_use]
    pub fn requests(&self) -> (u64, u64) {
        let grpc = Layout::new(self.percent).map_or(0, |layout| layout.grpc());
        let sum = |blocks: &[Block]| blocks.iter().map(|block| block.requests).sum();
        let (grpc, legacy) = self.blocks.split_at(grpc.min(self.blocks.len()));
        (sum(legacy), sum(grpc))
    }
}

impl Pair {
    pub(crate) fn sum(pairs: &[Self]) -> Self {
        let mut sum = Self::default();
        for pair in pairs {
            sum.add(*pair);
        }
        sum
    }

    /// The share that differs, in [0, 1]; `None` where nothing was compared.
    pub(crate) fn share(self) -> Option<f64> {
        let share = self.differing as f64 / self.compared as f64;
        (self.compared > 0).then(|| share.min(1.0))
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.compared += other.compared;
        self.differing += other.differing;
    }

    fn count(&mut self, differs: bool) {
        self.compared += 1;
        self.differing += u64::from(differs);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn percent(value: u16) -> Percent {
        Percent::from_hundredths(value).unwrap()
    }

    fn windows() -> impl Strategy<Value = Window> {
        let answers =
            proptest::collection::vec((0..10_000u16, any::<bool>(), 0..20_000_000u64), 0..40);
        (0..100u64, 0..100u64, answers).prop_map(|(from_ms, length_ms, answers)| {
            let mut window = Window::new(percent(2_500), from_ms, from_ms + length_ms);
            for (bucket, flag, latency_us) in answers {
                let bucket = Bucket::from_index(bucket).unwrap();
                window.answered(bucket, flag, latency_us);
                window.compared(bucket, flag);
                window.noise(bucket, flag);
            }
            window
        })
    }

    fn sum(parts: &[&Window]) -> Window {
        let mut sum = parts[0].clone();
        for part in &parts[1..] {
            sum.merge(part).unwrap();
        }
        sum
    }

    #[test]
    fn windows_of_other_percentages_are_not_added() {
        let mut window = Window::new(percent(100), 0, 1);
        let error = window.merge(&Window::new(percent(500), 0, 1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a window at 5 per cent cannot be added to one at 1 per cent"
        );
    }

    proptest! {
        #[test]
        fn the_order_of_merging_does_not_matter(a in windows(), b in windows(), c in windows()) {
            let want = sum(&[&a, &b, &c]);
            prop_assert_eq!(&sum(&[&c, &a, &b]), &want);
            prop_assert_eq!(&sum(&[&a, &sum(&[&b, &c])]), &want);
        }

        #[test]
        fn a_window_survives_being_written_down(window in windows()) {
            let text = serde_json::to_string(&window).unwrap();
            prop_assert_eq!(serde_json::from_str::<Window>(&text).unwrap(), window);
        }
    }
}
