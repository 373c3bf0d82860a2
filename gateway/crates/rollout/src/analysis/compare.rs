//! The two sides compared by blocks of subjects: failures, and latencies beyond a threshold.
//!
//! # Worse than allowed
//!
//! A block scores `ln((e + a) / (n r + a))` for `e` failures in `n` answers, where `r` is the rate of both sides together
//! and `a` says how alike blocks are: with few failures nearly their excess, with many the logarithm of how much more often
//! the block fails than others. So a subject that sends a tenth of all requests, fails five times as often as others, or
//! has one bad minute spoils one block and not the comparison, and twice the rate adds the same to every block. What gRPC
//! is allowed beyond legacy is taken off its failures before they are scored. All this treats all blocks alike, as
//! [`ln_evidence`] demands.
//!
//! # Better than harmful
//!
//! The other way round the likelihood of so few failures at a harmful rate decides, divided by how much more the blocks
//! vary than independent answers would (quasi-likelihood), and by the uncertainty of legacy's rate. This is no exact
//! guarantee, and need not be: it only lets a rollout go on, and evidence against it is gathered as before.
//!
//! # Quantiles
//!
//! A quantile becomes a rate by counting the answers beyond a threshold. "gRPC's p99 is at most `k` times legacy's" says
//! that no more of gRPC's answers take longer than `k t` than of legacy's take longer than `t`, for `t` about the p99. The
//! p99 of both sides together is the first candidate; if gRPC is bad that one is too high, so thresholds an half octave
//! and an octave lower are tried too, and the mean of the three e-values counts.

use super::{
    exchange::{LN_MAX, ln_add, ln_evidence},
    latency::{BINS, Latencies, PER_OCTAVE},
    window::Block,
};
use crate::{LatencyBound, RateBound};

/// How far below the pooled quantile thresholds are tried, in bins.
const LOWER: [usize; 3] = [0, 2, 4];

/// How many times as many answers beyond the threshold make a slow release; only decides how well it is found.
const SLOW: f64 = 3.0;

/// How many answers beyond the harmful threshold a good release has, as a share of legacy's beyond the lower one.
const QUICK: f64 = 0.4;

/// Blocks are never taken to be less or more alike than this.
const PRIOR: (f64, f64) = (0.5, 20.0);

/// What a look found about one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// Legacy's rate, or quantile in microseconds.
    pub(super) legacy: f64,
    /// gRPC's.
    pub(super) grpc: f64,
    /// What gRPC's may be.
    pub(super) allowed: f64,
    /// Evidence that it is more.
    pub(super) ln_against: f64,
    /// Evidence that it is less than would be harmful.
    pub(super) ln_harmless: f64,
}

/// The blocks of both sides, gRPC's first.
pub(super) struct Blocks<'a> {
    blocks: &'a [Block],
    grpc: usize,
    requests: Vec<f64>,
    /// As many as the requests, up to twice the median: what a block counts for in a rate.
    weights: Vec<f64>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(blocks: &'a [Block], grpc: usize) -> Self {
        let requests: Vec<f64> = blocks.iter().map(|block| block.requests as f64).collect();
        let mut sorted = requests.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let mean = requests.iter().sum::<f64>() / requests.len().max(1) as f64;
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        let cap = (2.0 * median).max(mean).max(1.0);
        let weights = requests.iter().map(|requests| requests.min(cap)).collect();
        Self {
            blocks,
            grpc,
            requests,
            weights,
        }
    }

    pub(super) fn failures(&self, bound: &RateBound) -> Found {
        let failures = self.blocks.iter().zip(&self.requests);
        // Two counters that are read one after the other can disagree by a request.
        let failures: Vec<f64> = failures
            .map(|(block, requests)| (block.failures as f64).min(*requests))
            .collect();
        let (grpc, legacy) = self.rates(&failures);
        let more = bound.more_max_percent / 100.0;
        let held =
            |failures: f64, requests: f64| (failures / bound.ratio_max - more * requests).max(0.0);
        let counted: Vec<f64> = failures[..self.grpc]
            .iter()
            .zip(&self.requests)
            .map(|(failures, requests)| held(*failures, *requests))
            .collect();
        // To be found is what would be harmful, less what is allowed.
        let pooled = self.pooled(&failures);
        let ratio = held(bound.harmful(pooled), 1.0) / pooled.max(f64::MIN_POSITIVE);
        Found {
            legacy,
            grpc,
            allowed: legacy * bound.ratio_max + more,
            ln_against: self.against(&failures, &counted, ratio),
            ln_harmless: self.below(
                &failures,
                &failures[..self.grpc],
                bound.harmful(legacy),
                legacy,
            ),
        }
    }

    pub(super) fn latency(&self, bound: &LatencyBound) -> Found {
        let (grpc, legacy) = self.blocks.split_at(self.grpc);
        let (grpc, legacy) = (sum(grpc), sum(legacy));
        let mut pooled = grpc.clone();
        pooled.add(&legacy);
        let tails = pooled.tails();
        let beyond = (1.0 - bound.quantile) * tails[0] as f64;
        let threshold = (1..BINS)
            .find(|bin| tails[*bin] as f64 <= beyond)
            .unwrap_or(BINS - 1);
        let (mut against, mut harmless) = (-LN_MAX, -LN_MAX);
        for lower in LOWER {
            let bin = threshold.saturating_sub(lower).max(1);
            let (worse, better) = self.beyond(bin, bound);
            against = ln_add(against, worse);
            harmless = ln_add(harmless, better);
        }
        let tried = (LOWER.len() as f64).ln();
        let quantile = |latencies: &Latencies| latencies.quantile_us(bound.quantile);
        let legacy_us = quantile(&legacy).unwrap_or(0.0);
        Found {
            legacy: legacy_us,
            grpc: quantile(&grpc).unwrap_or(0.0),
            allowed: legacy_us * bound.ratio_max,
            ln_against: against - tried,
            ln_harmless: harmless - tried,
        }
    }

    /// Evidence from the answers beyond one threshold.
    fn beyond(&self, bin: usize, bound: &LatencyBound) -> (f64, f64) {
        let slow = tails(self.blocks, bin);
        let times = |ratio: f64| {
            let bins = (PER_OCTAVE * ratio.log2() - 1e-9).ceil().max(0.0);
            (bin + bins as usize).min(BINS)
        };
        let grpc = &self.blocks[..self.grpc];
        let (_, legacy) = self.rates(&slow);
        let allowed = tails(grpc, times(bound.ratio_max));
        let harmful = tails(grpc, times(bound.harm_ratio));
        (
            self.against(&slow, &allowed, SLOW),
            self.below(&slow, &harmful, legacy, QUICK * legacy),
        )
    }

    /// Evidence that gRPC's blocks have more than the others; best at finding `ratio` times as many. `counted` is what
    /// is held against gRPC, never more than it has.
    fn against(&self, counts: &[f64], counted: &[f64], ratio: f64) -> f64 {
        let rate = self.pooled(counts);
        let prior = self.prior(counts);
        let score = |count: f64, requests: f64| ((count + prior) / (requests * rate + prior)).ln();
        let zip = |counts: &[f64]| -> Vec<f64> {
            let pairs = counts.iter().zip(&self.requests);
            pairs
                .map(|(count, requests)| score(*count, *requests))
                .collect()
        };
        let mut scores = zip(counts);
        let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
        let statistic: f64 = zip(counted).iter().map(|score| score - mean).sum();
        for score in &mut scores {
            *score -= mean;
        }
        // What the ratio would add to a block on average; a part of it is in the mean already.
        let more = self
            .requests
            .iter()
            .map(|requests| score(requests * rate * ratio, *requests));
        let share = self.grpc as f64 / self.blocks.len().max(1) as f64;
        let gain = more.sum::<f64>() * share * (1.0 - share);
        ln_evidence(&scores, self.grpc, statistic, gain)
    }

    /// Evidence that gRPC's rate is below a harmful one; best at finding it at a `good` one. `counted` is what of gRPC's
    /// is counted.
    fn below(&self, counts: &[f64], counted: &[f64], harmful: f64, good: f64) -> f64 {
        let grpc: f64 = self.weights[..self.grpc].iter().sum();
        let legacy: f64 = self.weights[self.grpc..].iter().sum();
        if harmful <= good || grpc == 0.0 || legacy == 0.0 {
            return 0.0;
        }
        let good = good.max(harmful / 100.0);
        let rate = weighted(counted, &self.requests, &self.weights);
        // Of a Poisson variable with mean m: E exp(-c X) = exp(-m (1 - exp(-c))).
        let ln_poisson = grpc * (harmful - good) - grpc * rate * (harmful / good).ln();
        (ln_poisson / (self.overdispersion(counts) * (1.0 + grpc / legacy))).min(LN_MAX)
    }

    /// How alike blocks are: the shape of a gamma distribution of their rates, by moments.
    fn prior(&self, counts: &[f64]) -> f64 {
        let rate = self.pooled(counts);
        let (mut over, mut square) = (0.0, 0.0);
        for ((count, requests), weight) in counts.iter().zip(&self.requests).zip(&self.weights) {
            if *requests > 0.0 {
                let share = weight / requests;
                let expected = weight * rate;
                over += (share * count - expected).powi(2) - share * share * count;
                square += expected * expected;
            }
        }
        let (least, most) = PRIOR;
        if over > 0.0 {
            (square / over).clamp(least, most)
        } else {
            most
        }
    }

    /// How much more the rates of blocks vary than those of independent answers would; at least 1.
    fn overdispersion(&self, counts: &[f64]) -> f64 {
        let rate = self.pooled(counts);
        let (mut seen, mut expected) = (0.0, 0.0);
        for ((count, requests), weight) in counts.iter().zip(&self.requests).zip(&self.weights) {
            if *requests > 0.0 {
                seen += (weight * (count / requests - rate)).powi(2);
                expected += weight * weight * rate / requests;
            }
        }
        if expected > 0.0 {
            (seen / expected).max(1.0)
        } else {
            1.0
        }
    }

    fn pooled(&self, counts: &[f64]) -> f64 {
        weighted(counts, &self.requests, &self.weights)
    }

    /// The rates of gRPC and of legacy.
    fn rates(&self, counts: &[f64]) -> (f64, f64) {
        let at = self.grpc;
        (
            weighted(&counts[..at], &self.requests[..at], &self.weights[..at]),
            weighted(&counts[at..], &self.requests[at..], &self.weights[at..]),
        )
    }
}

fn weighted(counts: &[f64], requests: &[f64], weights: &[f64]) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for ((count, requests), weight) in counts.iter().zip(requests).zip(weights) {
        if *requests > 0.0 {
            sum += weight * count / requests;
            total += weight;
        }
    }
    if total > 0.0 { sum / total } else { 0.0 }
}

fn tails(blocks: &[Block], bin: usize) -> Vec<f64> {
    blocks
        .iter()
        .map(|block| {
            let beyond = block.latencies.0[bin..].iter().copied().map(f64::from);
            beyond.sum()
        })
        .collect()
}

fn sum(blocks: &[Block]) -> Latencies {
    let mut sum = Latencies::default();
    for block in blocks {
        sum.add(&block.latencies);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::latency::bin;

    const GRPC: usize = 50;

    /// 50 blocks of gRPC and 250 of legacy with 200 answers each, of which every `nth` fails, and some take long.
    fn blocks(nth: [u64; 2], slow_us: [u64; 2]) -> Vec<Block> {
        let mut count = 0;
        (0..300)
            .map(|index| {
                let side = usize::from(index >= GRPC);
                let mut block = Block::default();
                for _ in 0..200 {
                    count += 1;
                    block.requests += 1;
                    block.failures += u64::from(count % nth[side] == 0);
                    let latency_us = if count % 83 == 0 {
                        slow_us[side]
                    } else {
                        10_000
                    };
                    block.latencies.0[bin(latency_us)] += 1;
                }
                block
            })
            .collect()
    }

    #[test]
    fn twice_the_failures_are_found_and_equal_ones_are_harmless() {
        let bound = RateBound::default();
        let worse = blocks([50, 100], [100_000; 2]);
        let found = Blocks::new(&worse, GRPC).failures(&bound);
        assert!((found.grpc - 0.02).abs() < 1e-9 && (found.legacy - 0.01).abs() < 1e-3);
        assert!(
            found.ln_against > 14.0 && found.ln_harmless < 1.0,
            "{found:?}"
        );
        let equal = blocks([100, 100], [100_000; 2]);
        let found = Blocks::new(&equal, GRPC).failures(&bound);
        assert!(
            found.ln_against <= 0.0 && found.ln_harmless > 14.0,
            "{found:?}"
        );
    }

    #[test]
    fn a_longer_tail_is_found_and_an_equal_one_is_harmless() {
        let bound = LatencyBound::of(0.99);
        let worse = blocks([100; 2], [300_000, 100_000]);
        let found = Blocks::new(&worse, GRPC).latency(&bound);
        assert!(found.grpc / found.legacy > 2.5, "{found:?}");
        assert!(
            found.ln_against > 14.0 && found.ln_harmless < 1.0,
            "{found:?}"
        );
        let equal = blocks([100; 2], [100_000; 2]);
        let found = Blocks::new(&equal, GRPC).latency(&bound);
        assert!(
            found.ln_against < 0.0 && found.ln_harmless > 14.0,
            "{found:?}"
        );
        let within = blocks([100; 2], [119_000, 100_000]);
        let found = Blocks::new(&within, GRPC).latency(&bound);
        assert!(found.ln_against < 0.0, "{found:?}");
    }

    #[test]
    fn nothing_is_no_evidence() {
        let empty = vec![Block::default(); 300];
        let blocks = Blocks::new(&empty, GRPC);
        for found in [
            blocks.failures(&RateBound::default()),
            blocks.latency(&LatencyBound::of(0.99)),
        ] {
            assert!(
                found.ln_against <= 0.0 && found.ln_harmless <= 0.0,
                "{found:?}"
            );
        }
    }
}
