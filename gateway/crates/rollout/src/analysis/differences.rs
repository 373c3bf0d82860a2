//! Evidence about how often answers differ, by betting.
//!
//! Here nothing is dealt by chance: every subject's answers can be compared, so the question is one of two rates, how
//! often the sides differ from each other and how often a side differs from itself (noise). Both are asked of the same
//! requests at the same time: for a share of the comparisons the side that answered is asked once more. If the sides are
//! equal, a second answer of the same side and one of the other side are alike, so in each window and group of subjects
//! the share `x` that differs between the sides and the share `y` that differs by itself have the same mean, whatever
//! the hour, the incident and the subjects. A gambler who stakes `s` of a unit against "`x` is on average at most `y` and
//! `a` more" has `1 + s (x - y - a)` of it afterwards, which is no gain on average if that holds; the mean fortune of
//! gamblers with several stakes is an e-process (Waudby-Smith and Ramdas, arXiv 2010.09686), good at any moment. Groups
//! may have rates of their own: the product over groups of a window grows no faster than with all of them at the mean.
//! A heavy subject weighs no more than its group.
//!
//! # What it costs
//!
//! That noise does not explain what differs takes several hundred second questions for a difference of 1 per cent,
//! because all that is known about noise is what it was at that time. Measured once and for all it would be quicker
//! and wrong: noise grows with the day and in incidents.
//!
//! # Where nobody asks twice
//!
//! Without second questions in [`PATIENCE`] comparisons noise is taken to be what it last was, 0 if it was never measured,
//! and the share that differs is held against that. Then drift and incidents of noise are held against gRPC.
//!
//! # How it forgets
//!
//! Stretches of evidence are its own: one ends with evidence that fewer answers differ than would be harmful, or with the
//! step. So slow evidence gathers while other metrics pass step after step, and good days at 100 per cent do not hide a bad
//! one.

use serde::{Deserialize, Serialize};

use super::{
    exchange::{LN_MAX, ln_add},
    window::{GROUPS, Pair, Window},
};
use crate::DifferenceBound;

/// Stakes against "not more than noise and what is allowed".
const AGAINST: [f64; 5] = [0.05, 0.15, 0.3, 0.6, 0.9];

/// Stakes against "not more than allowed" where noise is taken as known, as far as the bound lets them.
const AGAINST_KNOWN: [f64; 5] = [1.0, 3.0, 10.0, 30.0, 100.0];

/// Stakes against "harmful".
const FOR: [f64; 3] = [0.25, 0.5, 0.95];

/// Nobody stakes everything.
const STAKE_MAX: f64 = 0.9;

/// Whoever asks twice at all has done so within so many comparisons.
const PATIENCE: u64 = 500;

/// What gamblers have won so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Differences {
    /// Counts the stretches of evidence, from 1.
    pub(super) stretch: u32,
    /// Unix time at which this one began.
    pub(super) since_ms: u64,
    against: [f64; AGAINST.len()],
    harmless: [f64; FOR.len()],
    pub(super) compared: Pair,
    noise: Pair,
    /// Comparisons since a side was last asked twice.
    once: u64,
}

impl Differences {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            stretch: 1,
            since_ms: now_ms,
            against: [0.0; AGAINST.len()],
            harmless: [0.0; FOR.len()],
            compared: Pair::default(),
            noise: Pair::default(),
            once: 0,
        }
    }

    /// Begins a new stretch; what is known about noise stays known.
    pub(super) fn fresh(&self, now_ms: u64) -> Self {
        Self {
            stretch: self.stretch.saturating_add(1),
            noise: self.noise,
            once: self.once,
            ..Self::new(now_ms)
        }
    }

    pub(super) fn observe(&mut self, bound: &DifferenceBound, window: &Window) {
        let noise = Pair::sum(&window.noise);
        if noise.compared > 0 {
            self.once = 0;
            self.against_noise(bound, window, noise.compared);
        } else if self.once >= PATIENCE {
            self.against_known(bound, window);
        }
        let harmful = self.harmful(bound);
        for share in window.compared.iter().filter_map(|pair| pair.share()) {
            for (fortune, stake) in self.harmless.iter_mut().zip(FOR) {
                *fortune = bounded(*fortune + (stake * (harmful - share)).ln_1p());
            }
        }
        let compared = Pair::sum(&window.compared);
        self.once = self.once.saturating_add(compared.compared);
        self.compared.add(compared);
        self.noise.add(noise);
    }

    /// Bets on what differs between the sides against what differs by itself at the same time.
    fn against_noise(&mut self, bound: &DifferenceBound, window: &Window, asked_twice: u64) {
        // Few second questions find others of their group only if neighbouring groups count as one. How many do must not
        // depend on what was found.
        let width = GROUPS >> (asked_twice.ilog2() + 2).min(GROUPS.ilog2());
        let more = bound.max_percent / 100.0;
        let groups = window
            .compared
            .chunks(width)
            .zip(window.noise.chunks(width));
        for (compared, noise) in groups {
            let shares = Pair::sum(compared).share().zip(Pair::sum(noise).share());
            let Some((differing, noise)) = shares else {
                continue;
            };
            self.bet(AGAINST, differing - noise - more, 1.0 + more);
        }
    }

    /// Bets on what differs between the sides against noise as it was.
    fn against_known(&mut self, bound: &DifferenceBound, window: &Window) {
        let allowed = self.allowed(bound);
        for share in window.compared.iter().filter_map(|pair| pair.share()) {
            self.bet(AGAINST_KNOWN, share - allowed, allowed);
        }
    }

    /// `loss_max` is how much of what is staked can be lost.
    fn bet(&mut self, stakes: [f64; AGAINST.len()], gain: f64, loss_max: f64) {
        for (fortune, stake) in self.against.iter_mut().zip(stakes) {
            let stake = stake.min(STAKE_MAX / loss_max);
            *fortune = bounded(*fortune + (stake * gain).ln_1p());
        }
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
    use proptest::prelude::*;

    use super::*;
    use crate::{Bucket, Percent};

    const BOUND: DifferenceBound = DifferenceBound {
        max_percent: 0.1,
        harm_percent: 1.0,
    };

    /// `windows` windows of 640 comparisons, in which every `nth` differs, and every `noise_nth` by itself; with 0 nobody asks.
    fn after(windows: u64, nth: u64, noise_nth: u64) -> Differences {
        let mut differences = Differences::new(0);
        let mut count = 0;
        for _ in 0..windows {
            let mut window = Window::new(Percent::ZERO, 0, 1);
            for n in 0..640u16 {
                count += 1;
                let bucket = Bucket::from_index(n * 15).unwrap();
                window.compared(bucket, count % nth == 0);
                if noise_nth > 0 {
                    window.noise(bucket, count % noise_nth == 0);
                }
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
    fn where_nobody_asks_twice_a_first_difference_waits_for_noise() {
        let first = after(1, 1, 0).ln_against();
        assert!(first.abs() < 1e-9, "noise may yet be measured: {first}");
        assert!(after(2, 10, 0).ln_against() > 20.0);
    }

    #[test]
    fn noise_that_grows_on_both_sides_is_no_evidence() {
        let mut differences = after(50, 1_000, 999);
        for _ in 0..50 {
            let mut window = Window::new(Percent::ZERO, 0, 1);
            for n in 0..640u16 {
                let bucket = Bucket::from_index(n * 15).unwrap();
                // Of the answers of a group one in ten differs, and one in ten of the second ones.
                window.compared(bucket, n % 10 == 3);
                window.noise(bucket, n % 10 == 7);
            }
            differences.observe(&BOUND, &window);
        }
        assert!(differences.ln_against() < 0.0);
    }

    #[test]
    fn a_new_stretch_knows_the_noise_and_has_a_smaller_share() {
        let old = after(2, 50, 49);
        let fresh = old.fresh(7);
        assert_eq!((fresh.stretch, fresh.since_ms), (2, 7));
        assert_eq!(fresh.noise_rate(), old.noise_rate());
        assert!(fresh.ln_against().abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn equal_sides_make_nobody_rich(rates in proptest::collection::vec(0.0..1.0f64, 1..4), more in 0.0..0.5f64) {
            // The mean fortune over all outcomes of groups with these rates, asked once and once more.
            for stake in AGAINST {
                let stake = stake.min(STAKE_MAX / (1.0 + more));
                let mean: f64 = rates.iter().map(|rate| {
                    let outcomes = [(1.0, *rate), (0.0, 1.0 - rate)];
                    let pairs = outcomes.iter().flat_map(|x| outcomes.iter().map(move |y| (x, y)));
                    pairs.map(|((x, p), (y, q))| p * q * (1.0 + stake * (x - y - more))).sum::<f64>()
                }).product();
                prop_assert!(mean <= 1.0 + 1e-12, "{mean}");
            }
        }

        #[test]
        fn nobody_can_lose_everything(windows in 1..40u64, nth in 1..4u64, noise_nth in 0..3u64) {
            let ended = after(windows, nth, noise_nth);
            prop_assert!(ended.against.iter().chain(&ended.harmless).all(|fortune| fortune.is_finite()));
        }
    }
    #[test]
    fn the_bound_itself_makes_nobody_rich_where_noise_is_known() {
        // Mean fortune over all sequences of observations at the bound is at most 1: here exactly, for one observation.
        let allowed = 0.001;
        for stake in AGAINST_KNOWN {
            let stake = stake.min(STAKE_MAX / allowed);
            let mean = allowed * (1.0 + stake * (1.0 - allowed))
                + (1.0 - allowed) * (1.0 - stake * allowed);
            assert!((mean - 1.0).abs() < 1e-12);
        }
    }
}
