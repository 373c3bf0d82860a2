//! Evidence about how often answers differ, by betting.
//!
//! Here nothing is dealt by chance: every subject's answers can be compared, so the question is one of a rate and a
//! bound. In each window the share of differing answers of each group of subjects is one observation in [0, 1]: a heavy
//! subject weighs no more than its group. Against "the rate is at most `a`" a gambler who stakes `s` of a unit has
//! `1 + s (x - a)` of it afterwards, which is no gain on average if the bound holds; the mean fortune of gamblers with
//! several stakes is an e-process (Waudby-Smith and Ramdas, arXiv 2010.09686), good at any moment. Groups may have rates
//! of their own: the product over groups of a window grows no faster than with all of them at the mean.
//!
//! `a` is what the policy allows on top of the noise, which is what the owner's own answers differ in, measured in
//! earlier windows. Assumed is that groups do not err together within a window.

use serde::{Deserialize, Serialize};

use super::{
    exchange::{LN_MAX, ln_add},
    window::{Pair, Window},
};
use crate::DifferenceBound;

/// Stakes against "not more than allowed", as far as the bound lets them.
const AGAINST: [f64; 5] = [1.0, 3.0, 10.0, 30.0, 100.0];

/// Stakes against "harmful".
const FOR: [f64; 3] = [0.25, 0.5, 0.95];

/// Nobody stakes everything.
const STAKE_MAX: f64 = 0.9;

/// What gamblers have won so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Differences {
    against: [f64; AGAINST.len()],
    harmless: [f64; FOR.len()],
    pub(super) compared: Pair,
    noise: Pair,
}

impl Differences {
    /// Starts afresh; what is known about noise stays known.
    pub(super) fn fresh(&self) -> Self {
        Self {
            noise: self.noise,
            ..Self::default()
        }
    }

    pub(super) fn observe(&mut self, bound: &DifferenceBound, window: &Window) {
        let allowed = self.allowed(bound);
        let harmful = self.harmful(bound);
        for pair in window.compared.iter().filter(|pair| pair.compared > 0) {
            let share = (pair.differing as f64 / pair.compared as f64).min(1.0);
            for (fortune, stake) in self.against.iter_mut().zip(AGAINST) {
                let stake = stake.min(STAKE_MAX / allowed);
                *fortune = bounded(*fortune + (stake * (share - allowed)).ln_1p());
            }
            for (fortune, stake) in self.harmless.iter_mut().zip(FOR) {
                *fortune = bounded(*fortune + (stake * (harmful - share)).ln_1p());
            }
            self.compared.compared += pair.compared;
            self.compared.differing += pair.differing;
        }
        self.noise.compared += window.noise.compared;
        self.noise.differing += window.noise.differing;
    }

    /// The rate that is allowed, noise included.
    pub(super) fn allowed(&self, bound: &DifferenceBound) -> f64 {
        (bound.max_percent / 100.0 + self.noise_rate()).clamp(1e-6, 0.999)
    }

    fn harmful(&self, bound: &DifferenceBound) -> f64 {
        (bound.harm_percent / 100.0 + self.noise_rate()).clamp(2e-6, 0.9999)
    }

    /// How often the owner differs from itself: 0 where nobody has looked.
    pub(super) fn noise_rate(&self) -> f64 {
        if self.noise.compared == 0 {
            return 0.0;
        }
        (self.noise.differing as f64 + 0.5) / (self.noise.compared as f64 + 1.0)
    }

    pub(super) fn rate(&self) -> f64 {
        self.compared.differing as f64 / self.compared.compared.max(1) as f64
    }

    /// Evidence that more differ than is allowed.
    pub(super) fn ln_against(&self) -> f64 {
        mean(&self.against)
    }

    /// Evidence that fewer differ than would be harmful.
    pub(super) fn ln_harmless(&self) -> f64 {
        mean(&self.harmless)
    }
}

impl Default for Differences {
    fn default() -> Self {
        Self {
            against: [0.0; AGAINST.len()],
            harmless: [0.0; FOR.len()],
            compared: Pair::default(),
            noise: Pair::default(),
        }
    }
}

fn bounded(ln: f64) -> f64 {
    ln.clamp(-LN_MAX, LN_MAX)
}

/// The logarithm of the mean of what the gamblers have.
fn mean(fortunes: &[f64]) -> f64 {
    let sum = fortunes.iter().copied().reduce(ln_add).unwrap_or(0.0);
    sum - (fortunes.len() as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bucket, Percent};

    const BOUND: DifferenceBound = DifferenceBound {
        max_percent: 0.1,
        harm_percent: 1.0,
    };

    /// `windows` windows of 640 comparisons, in which every `nth` differs.
    fn after(windows: u64, nth: u64, noise_nth: u64) -> Differences {
        let mut differences = Differences::default();
        let mut count = 0;
        for _ in 0..windows {
            let mut window = Window::new(Percent::ZERO, 0, 1);
            for n in 0..640u16 {
                count += 1;
                let bucket = Bucket::from_index(n * 15).unwrap();
                window.compared(bucket, count % nth == 0);
                window.noise(noise_nth > 0 && count % noise_nth == 0);
            }
            differences.observe(&BOUND, &window);
        }
        differences
    }

    #[test]
    fn more_than_allowed_is_found() {
        assert!(after(10, 50, 0).ln_against() > 20.0);
    }

    #[test]
    fn less_than_harmful_is_found_and_less_than_allowed_is_no_evidence() {
        let good = after(20, 10_000, 0);
        assert!(good.ln_against() < 0.0);
        assert!(good.ln_harmless() > 3.0);
    }

    #[test]
    fn noise_is_no_difference() {
        assert!(after(20, 50, 49).ln_against() < 3.0);
        assert!(after(20, 10, 49).ln_against() > 20.0);
    }

    #[test]
    fn the_bound_itself_makes_nobody_rich() {
        // Mean fortune over all sequences of observations at the bound is at most 1: here exactly, for one observation.
        let allowed = 0.001;
        for stake in AGAINST {
            let stake = stake.min(STAKE_MAX / allowed);
            let mean = allowed * (1.0 + stake * (1.0 - allowed))
                + (1.0 - allowed) * (1.0 - stake * allowed);
            assert!((mean - 1.0).abs() < 1e-12);
        }
    }
}
