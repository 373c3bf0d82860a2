//! How the probability of a false rollback is divided, so that all of them together stay under the one that is stated.
//!
//! Every metric has the same share. Of that the n-th stretch of evidence (a step, or a fresh start within one) has
//! 1/(n(n+1)), which adds up to 1 over for ever. Within a stretch every look has a weight, and all weights add up to 1: the
//! weighted sum of the e-values of all looks only grows, and its limit has a mean of at most 1, so it is an e-process, good
//! at any moment somebody cares to stop (Ramdas et al., arXiv 2210.01948). The first 16 looks, up to some 30,000 requests
//! on gRPC, share two thirds of the weight; all the others, for ever, share the rest.

use serde::{Deserialize, Serialize};

use super::exchange::{LN_MAX, ln_add};

/// The first look wants this many requests on gRPC.
pub(super) const FIRST_LOOK: u64 = 50;

/// How many looks have the same weight.
const EARLY_LOOKS: u32 = 16;

/// The natural logarithm of the evidence that a metric's null hypothesis has to be met with in the `stretch`-th stretch,
/// if `percent` is divided among `metrics`.
pub(super) fn ln_needed(percent: f64, metrics: usize, stretch: u32) -> f64 {
    (metrics as f64).ln() - (percent / 100.0).ln() - ln_share(stretch)
}

/// 1/(n(n+1)), n from 1.
fn ln_share(n: u32) -> f64 {
    let n = f64::from(n.max(1));
    -(n * (n + 1.0)).ln()
}

/// The weight of the `look`-th look of a stretch, from 1.
fn ln_weight(look: u32) -> f64 {
    match look.checked_sub(EARLY_LOOKS) {
        None | Some(0) => (2.0 / 3.0 / f64::from(EARLY_LOOKS)).ln(),
        Some(late) => ln_share(late) - 3f64.ln(),
    }
}

/// When the next look is due, after one at `requests`.
pub(super) fn next_look(requests: u64) -> u64 {
    requests.max(FIRST_LOOK) / 2 * 3
}

/// The weighted sum of the e-values of all looks, as a logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Sum {
    ln: f64,
}

impl Sum {
    /// Adds the e-value of the `look`-th look.
    pub(super) fn add(&mut self, look: u32, ln_e: f64) {
        self.ln = ln_add(self.ln, ln_weight(look) + ln_e);
    }

    pub(super) fn ln(self) -> f64 {
        self.ln
    }
}

impl Default for Sum {
    fn default() -> Self {
        // As good as 0, and JSON can say it.
        Self { ln: -2.0 * LN_MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_together_are_at_most_what_is_stated() {
        let metrics = 4;
        let spent: f64 = (1..=100_000)
            .map(|stretch| metrics as f64 * (-ln_needed(1.0, metrics, stretch)).exp())
            .sum();
        assert!(spent <= 0.01 && spent > 0.0099, "{spent}");
        let looks: f64 = (1..=100_000).map(|look| ln_weight(look).exp()).sum();
        assert!(looks <= 1.0 && looks > 0.99, "{looks}");
    }

    #[test]
    fn looks_are_rare_and_never_stop() {
        let (mut requests, mut looks) = (FIRST_LOOK, 1);
        while requests < 1_000_000 {
            let next = next_look(requests);
            assert!(next > requests);
            requests = next;
            looks += 1;
        }
        assert!((20..30).contains(&looks), "{looks}");
    }

    #[test]
    fn a_sum_adds_up() {
        let mut sum = Sum::default();
        sum.add(1, 24f64.ln());
        sum.add(17, 12f64.ln());
        assert!((sum.ln().exp() - 3.0).abs() < 1e-9);
    }
}
