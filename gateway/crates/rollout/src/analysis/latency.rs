//! Latencies in 72 bins, four to an octave, from 64 microseconds to 17 seconds.
//!
//! Fixed bins add up over windows, replicas and subjects, and any threshold of the analysis can be chosen afterwards. A
//! bin is 19 % wide; latencies below the first edge fall into the first bin, beyond the last into the last.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How many bins there are.
pub(crate) const BINS: usize = 72;

/// How many bins an octave has.
pub(super) const PER_OCTAVE: f64 = 4.0;

const BASE_LOG2: u32 = 6;

const OCTAVES: u32 = 18;

/// 2^(1/4), 2^(2/4), 2^(3/4) in units of 2^-32.
const QUARTERS: [u64; 3] = [5_107_605_668, 6_074_001_000, 7_223_245_206];

/// The bin of a latency.
pub(crate) fn bin(latency_us: u64) -> usize {
    let latency_us = latency_us.clamp(1 << BASE_LOG2, 1 << (BASE_LOG2 + OCTAVES));
    let octave = latency_us.ilog2();
    // In units of the octave's start, with 32 binary places.
    let within = (latency_us << 32) >> octave;
    let quarter = QUARTERS.iter().filter(|edge| within >= **edge).count();
    ((octave - BASE_LOG2) as usize * 4 + quarter).min(BINS - 1)
}

/// The lower edge of a bin in microseconds.
pub(super) fn edge_us(bin: usize) -> f64 {
    f64::from(1u32 << BASE_LOG2) * (bin as f64 / PER_OCTAVE).exp2()
}

/// How many latencies fell into each bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Latencies(pub(crate) [u32; BINS]);

impl Latencies {
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(&other.0) {
            *sum = sum.saturating_add(*more);
        }
    }

    /// How many were at least as long as each bin's lower edge.
    pub(super) fn tails(&self) -> [u64; BINS + 1] {
        let mut tails = [0; BINS + 1];
        for bin in (0..BINS).rev() {
            tails[bin] = tails[bin + 1] + u64::from(self.0[bin]);
        }
        tails
    }

    /// The quantile in microseconds, to the middle of its bin; `None` of nothing.
    pub(super) fn quantile_us(&self, quantile: f64) -> Option<f64> {
        let tails = self.tails();
        let beyond = (1.0 - quantile) * tails[0] as f64;
        let bin = (0..BINS)
            .rev()
            .find(|bin| tails[*bin] as f64 > beyond || *bin == 0)?;
        (tails[0] > 0).then(|| edge_us(bin) * (0.5 / PER_OCTAVE).exp2())
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self([0; BINS])
    }
}

/// Written as bin and count of the bins that are not empty.
impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().enumerate().filter(|(_, count)| **count > 0))
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut latencies = Self::default();
        for (bin, count) in Vec::<(usize, u32)>::deserialize(deserializer)? {
            *latencies
                .0
                .get_mut(bin)
                .ok_or_else(|| de::Error::custom(format!("there is no latency bin {bin}")))? =
                count;
        }
        Ok(latencies)
    }
}

/// Whether it need not be written.
pub(super) fn is_empty(latencies: &Latencies) -> bool {
    latencies.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bins_begin_at_their_edges() {
        assert_eq!(bin(0), 0);
        assert_eq!(bin(63), 0);
        for index in 1..BINS {
            let edge = edge_us(index);
            assert_eq!(bin(edge.ceil() as u64 + 1), index, "{edge}");
            if edge > 200.0 {
                assert_eq!(bin(edge.floor() as u64 - 1), index - 1, "{edge}");
            }
        }
        assert_eq!(bin(u64::MAX), BINS - 1);
    }

    #[test]
    fn a_quantile_is_found_to_a_tenth() {
        let mut latencies = Latencies::default();
        for latency_us in (1..=1_000u64).map(|n| n * 1_000) {
            latencies.0[bin(latency_us)] += 1;
        }
        for (quantile, want) in [(0.5, 500_000.0), (0.99, 990_000.0)] {
            let got = latencies.quantile_us(quantile).unwrap();
            assert!((got / want - 1.0).abs() < 0.1, "{quantile}: {got}");
        }
        assert_eq!(Latencies::default().quantile_us(0.5), None);
    }

    proptest! {
        #[test]
        fn a_longer_latency_is_in_no_lower_bin(latency_us in any::<u64>(), more in any::<u64>()) {
            prop_assert!(bin(latency_us) <= bin(latency_us.saturating_add(more)));
        }
    }
}
