//! A made-up world in which rollouts run: what makes real traffic hard to compare, on purpose.
//!
//! - Requests per subject follow Zipf's law: the first of 20,000 subjects sends every tenth request.
//! - Subjects differ for good: some fail several times as often as others, some are slow.
//! - Failures come in sessions: one subject in a hundred fails ten times as often for a window.
//! - Both sides drift together over the day, and one window in fifty is an incident that hits both.
//! - Latencies have a heavy tail: two in a hundred are drawn from a Pareto distribution with exponent 2.

use super::{Analysis, Bucket, Outcome, Percent, Policy, Stage, Window};

const SUBJECTS: usize = 20_000;
const WINDOW_MS: u64 = 10_000;
/// What incidents and bad sessions make of the rate of failures, so that it is what the world says.
const MEAN: f64 = 1.09 * 1.08 * 1.06;
/// A day is this long, so that a rollout sees a few.
const DAY_WINDOWS: f64 = 200.0;
/// Whoever has not come to an end by then is undecided.
const WINDOWS_MAX: u64 = 20_000;

/// What a world is like; the sides are equal unless they are made to differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    /// The exponent of Zipf's law.
    pub(crate) zipf: f64,
    /// The share of legacy's answers that fail.
    pub(crate) failures: f64,
    /// How much subjects differ in how often they fail: the standard deviation of its logarithm.
    pub(crate) unequal: f64,
    /// All requests in a window.
    pub(crate) requests: f64,
    /// How many windows a step goes on after it could have been left.
    pub(crate) linger: u64,
    /// How many times as often gRPC fails.
    pub(crate) failures_ratio: f64,
    /// How many times as long gRPC's slow answers take; they are what the p99 is made of.
    pub(crate) tail_ratio: f64,
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) how: How,
    /// The percentage at which it ended.
    pub(crate) percent: Percent,
    /// Requests that gRPC answered, counted or not.
    pub(crate) grpc_requests: f64,
    /// All requests.
    pub(crate) requests: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Finished,
    RolledBack,
    Undecided,
}

impl Default for World {
    fn default() -> Self {
        Self {
            zipf: 1.0,
            failures: 0.01,
            unequal: 0.5,
            requests: 6_000.0,
            linger: 0,
            failures_ratio: 1.0,
            tail_ratio: 1.0,
        }
    }
}

impl World {
    /// One in which the first subject sends every fifth request, and subjects differ more.
    pub(crate) fn hard() -> Self {
        Self {
            zipf: 1.2,
            unequal: 0.8,
            ..Self::default()
        }
    }

    /// Runs one rollout from its first step until it has finished or is rolled back.
    pub(crate) fn run(&self, policy: &Policy, seed: u64) -> End {
        let mut chance = Chance::new(seed);
        let subjects = Subjects::new(self, &mut chance);
        let mut steps = policy.steps.iter().copied();
        let mut percent = steps.next().unwrap_or(Percent::HUNDRED);
        let mut analysis = Analysis::new(policy, Stage::Split, percent, 0);
        let mut traffic = Traffic::new(&subjects, percent);
        let (mut grpc_requests, mut requests, mut lingered) = (0.0, 0.0, 0);
        let phase = chance.unit();
        for number in 0..WINDOWS_MAX {
            let window = self.window(&mut chance, &subjects, &traffic, number, phase);
            requests += self.requests;
            grpc_requests += self.requests * traffic.grpc_share;
            analysis.observe(policy, &window);
            let end = |how| End {
                how,
                percent,
                grpc_requests,
                requests,
            };
            match analysis.judge(policy, window.to_ms).outcome {
                Outcome::RollBack(_) => return end(How::RolledBack),
                Outcome::Advance if lingered < self.linger => lingered += 1,
                Outcome::Advance => match steps.next() {
                    Some(step) if step < Percent::HUNDRED => {
                        (percent, lingered) = (step, 0);
                        analysis.step(Stage::Split, percent, window.to_ms);
                        traffic = Traffic::new(&subjects, percent);
                    }
                    _ => return end(How::Finished),
                },
                Outcome::Hold(_) => {}
            }
        }
        End {
            how: How::Undecided,
            percent,
            grpc_requests,
            requests,
        }
    }

    fn window(
        &self,
        chance: &mut Chance,
        subjects: &Subjects,
        traffic: &Traffic,
        number: u64,
        phase: f64,
    ) -> Window {
        let from_ms = number * WINDOW_MS;
        let mut window = Window::new(traffic.percent, from_ms, from_ms + WINDOW_MS);
        let day = (std::f64::consts::TAU * (number as f64 / DAY_WINDOWS + phase)).sin();
        let incident = if chance.unit() < 0.02 { 5.0 } else { 1.0 };
        let failing = self.failures * (0.5 * day).exp() * incident / MEAN;
        let slowness = (0.4 * day).exp() * if incident > 1.0 { 2.0 } else { 1.0 };
        for _ in 0..chance.poisson(self.requests * traffic.counted_share) {
            let subject = traffic.draw(chance);
            let of = &subjects.all[subject];
            let on_grpc = traffic.percent.includes(of.bucket);
            let (failures_ratio, tail_ratio) = if on_grpc {
                (self.failures_ratio, self.tail_ratio)
            } else {
                (1.0, 1.0)
            };
            let bad_session = mix(chance.seed ^ mix(subject as u64 ^ (number << 32)));
            let session = if bad_session.is_multiple_of(100) {
                10.0
            } else {
                1.0
            };
            let failed =
                chance.unit() < (failing * of.failures * session * failures_ratio).min(0.9);
            let latency_us = if chance.unit() < 0.02 {
                60_000.0 * tail_ratio / chance.unit().max(1e-6).sqrt()
            } else {
                20_000.0 * (0.4 * chance.normal()).exp()
            };
            window.answered(
                of.bucket,
                failed,
                (latency_us * slowness * of.slowness) as u64,
            );
        }
        window
    }
}

struct Subjects {
    all: Vec<Of>,
}

struct Of {
    bucket: Bucket,
    weight: f64,
    failures: f64,
    slowness: f64,
}

impl Subjects {
    fn new(world: &World, chance: &mut Chance) -> Self {
        let all = (1..=SUBJECTS).map(|rank| Of {
            bucket: Bucket::from_index((chance.next() % 10_000) as u16)
                .unwrap_or_else(|| unreachable!("the remainder is below 10,000")),
            weight: (rank as f64).powf(-world.zipf),
            failures: (world.unequal * (chance.normal() - world.unequal / 2.0)).exp(),
            slowness: (0.25 * chance.normal()).exp(),
        });
        Self { all: all.collect() }
    }
}

/// The subjects that count at a percentage, to be drawn by how many requests they send (Walker's alias method).
struct Traffic {
    percent: Percent,
    counted_share: f64,
    grpc_share: f64,
    subjects: Vec<usize>,
    keep: Vec<f64>,
    alias: Vec<usize>,
}

impl Traffic {
    fn new(all: &Subjects, percent: Percent) -> Self {
        let layout = super::Layout::new(percent);
        let counts = |of: &Of| layout.is_some_and(|layout| layout.block(of.bucket).is_some());
        let sum = |chosen: &dyn Fn(&Of) -> bool| -> f64 {
            let chosen = all.all.iter().filter(|of| chosen(of));
            chosen.map(|of| of.weight).sum()
        };
        let total = sum(&|_| true);
        let subjects: Vec<usize> = (0..all.all.len())
            .filter(|subject| counts(&all.all[*subject]))
            .collect();
        let counted = sum(&counts);
        let mut keep: Vec<f64> = subjects
            .iter()
            .map(|subject| all.all[*subject].weight * subjects.len() as f64 / counted)
            .collect();
        let mut alias: Vec<usize> = (0..keep.len()).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..keep.len()).partition(|index| keep[*index] < 1.0);
        while let (Some(less), Some(more)) = (small.pop(), large.pop()) {
            alias[less] = more;
            keep[more] -= 1.0 - keep[less];
            if keep[more] < 1.0 {
                small.push(more);
            } else {
                large.push(more);
            }
        }
        Self {
            percent,
            counted_share: counted / total,
            grpc_share: sum(&|of| percent.includes(of.bucket)) / total,
            subjects,
            keep,
            alias,
        }
    }

    fn draw(&self, chance: &mut Chance) -> usize {
        let at = (chance.unit() * self.subjects.len() as f64) as usize;
        let index = if chance.unit() < self.keep[at] {
            at
        } else {
            self.alias[at]
        };
        self.subjects[index]
    }
}

/// Random numbers that are the same everywhere (SplitMix64).
struct Chance {
    seed: u64,
    state: u64,
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Chance {
    fn new(seed: u64) -> Self {
        let seed = mix(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self { seed, state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About standard normal: the sum of four uniform numbers, which has no far tails; none are wanted here.
    fn normal(&mut self) -> f64 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
        (sum as f64 / 65_536.0 - 2.0) * 3f64.sqrt()
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        // Normal from 30 on, where nobody can tell.
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}
