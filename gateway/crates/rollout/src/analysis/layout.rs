//! Which subjects are counted together.
//!
//! Requests of one subject are not independent, and a few subjects send most of them. So neither requests nor subjects
//! are the units of the comparison but *blocks*: ranges of buckets of one width, on both sides. The hash deals each subject
//! to a bucket by chance, so that before anybody looks, all blocks are alike: with equal sides it is a matter of chance
//! alone which of them are on the gRPC side. That is all that the analysis rests on.
//!
//! At a small percentage legacy has far more buckets than gRPC. More than a few times as many controls add nothing, so
//! the rest is not counted.

use crate::{BUCKETS, Bucket, Percent};

/// The smaller side is cut into about this many blocks.
const BLOCKS: u16 = 128;

/// No side has more blocks than this.
const BLOCKS_MAX: u16 = 384;

/// The blocks of both sides at a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    border: u16,
    width: u16,
    grpc: u16,
    legacy: u16,
}

impl Layout {
    /// The blocks at a percentage; `None` where one side is empty.
    #[must_use]
    pub fn new(percent: Percent) -> Option<Self> {
        let border = percent.hundredths();
        let beyond = BUCKETS.checked_sub(border)?;
        if border == 0 || beyond == 0 {
            return None;
        }
        let width = border.min(beyond).div_ceil(BLOCKS);
        Some(Self {
            border,
            width,
            grpc: (border / width).min(BLOCKS_MAX),
            legacy: (beyond / width).min(BLOCKS_MAX),
        })
    }

    /// The block of a bucket: those of gRPC come first. `None` if the bucket is not counted.
    #[must_use]
    pub fn block(&self, bucket: Bucket) -> Option<usize> {
        let bucket = bucket.index();
        let (block, first, count) = match bucket.checked_sub(self.border) {
            None => (bucket / self.width, 0, self.grpc),
            Some(beyond) => (beyond / self.width, self.grpc, self.legacy),
        };
        (block < count).then(|| usize::from(first + block))
    }

    /// How many blocks gRPC has.
    #[must_use]
    pub fn grpc(&self) -> usize {
        self.grpc.into()
    }

    /// How many blocks both sides have.
    #[must_use]
    pub fn blocks(&self) -> usize {
        usize::from(self.grpc) + usize::from(self.legacy)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(hundredths: u16, want: Option<(u16, usize, usize)>) {
        let layout = Layout::new(Percent::from_hundredths(hundredths).unwrap());
        let got =
            layout.map(|layout| (layout.width, layout.grpc(), layout.blocks() - layout.grpc()));
        assert_eq!(got, want);
    }

    #[test]
    fn the_smaller_side_is_cut_finely() {
        check(0, None);
        check(1, Some((1, 1, 384)));
        check(100, Some((1, 100, 384)));
        check(500, Some((4, 125, 384)));
        check(2_500, Some((20, 125, 375)));
        check(5_000, Some((40, 125, 125)));
        check(9_900, Some((1, 384, 100)));
        check(10_000, None);
    }

    proptest! {
        #[test]
        fn every_block_is_as_wide_as_the_others_and_on_one_side(hundredths in 1..10_000u16) {
            let percent = Percent::from_hundredths(hundredths).unwrap();
            let layout = Layout::new(percent).unwrap();
            let mut widths = vec![0; layout.blocks()];
            for bucket in (0..BUCKETS).filter_map(Bucket::from_index) {
                if let Some(block) = layout.block(bucket) {
                    widths[block] += 1;
                    prop_assert_eq!(block < layout.grpc(), percent.includes(bucket));
                }
            }
            prop_assert!(widths.iter().all(|width| *width == layout.width));
        }
    }
}
