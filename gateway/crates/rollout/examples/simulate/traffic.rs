//! Who asks: subjects that differ for good, how often each of them does, and chance that is the same everywhere.

use super::{Bucket, Layout, Percent};

const SUBJECTS: usize = 20_000;

/// Everybody there is.
pub(crate) struct Subjects {
    pub(crate) all: Vec<Of>,
}

/// A subject.
pub(crate) struct Of {
    pub(crate) bucket: Bucket,
    weight: f64,
    /// How many times as often as others it fails.
    pub(crate) failures: f64,
    /// How many times as long as others it waits.
    pub(crate) slowness: f64,
    /// How many times as often as others it is answered differently.
    pub(crate) differing: f64,
}

impl Subjects {
    /// Whose requests follow Zipf's law with this exponent, and who are unequal by this standard deviation of the
    /// logarithm.
    pub(crate) fn new(zipf: f64, unequal: f64, chance: &mut Chance) -> Self {
        let all = (1..=SUBJECTS).map(|rank| Of {
            bucket: Bucket::from_index((chance.next() % 10_000) as u16)
                .unwrap_or_else(|| unreachable!("the remainder is below 10,000")),
            weight: (rank as f64).powf(-zipf),
            failures: (unequal * (chance.normal() - unequal / 2.0)).exp(),
            slowness: (0.25 * chance.normal()).exp(),
            differing: (unequal * (chance.normal() - unequal / 2.0)).exp(),
        });
        Self { all: all.collect() }
    }

    /// How many of all requests are theirs.
    fn share(&self, is_one: impl Fn(&Of) -> bool) -> f64 {
        let sum =
            |subjects: &mut dyn Iterator<Item = &Of>| -> f64 { subjects.map(|of| of.weight).sum() };
        sum(&mut self.all.iter().filter(|of| is_one(of))) / sum(&mut self.all.iter())
    }
}

/// Some of the subjects, to be drawn by how many requests they send (Walker's alias method).
pub(crate) struct Draw {
    subjects: Vec<usize>,
    keep: Vec<f64>,
    alias: Vec<usize>,
    /// How many of all requests are theirs.
    pub(crate) share: f64,
}

impl Draw {
    pub(crate) fn new(all: &Subjects, is_one: impl Fn(&Of) -> bool) -> Self {
        let subjects: Vec<usize> = (0..all.all.len())
            .filter(|subject| is_one(&all.all[*subject]))
            .collect();
        let weight = |subject: &usize| all.all[*subject].weight;
        let theirs: f64 = subjects.iter().map(weight).sum();
        let even = subjects.len() as f64 / theirs;
        let mut keep: Vec<f64> = subjects.iter().map(|one| weight(one) * even).collect();
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
            subjects,
            keep,
            alias,
            share: all.share(is_one),
        }
    }

    /// One of them; there has to be one.
    pub(crate) fn one(&self, chance: &mut Chance) -> usize {
        let at = (chance.unit() * self.subjects.len() as f64) as usize;
        let index = if chance.unit() < self.keep[at] {
            at
        } else {
            self.alias[at]
        };
        self.subjects[index]
    }
}

/// Where requests go at a percentage.
pub(crate) struct Split {
    pub(crate) percent: Percent,
    /// Whose answers the analysis counts; nobody where one side is empty.
    pub(crate) counted: Draw,
    /// How many of all requests gRPC answers.
    pub(crate) grpc_share: f64,
}

impl Split {
    pub(crate) fn new(all: &Subjects, percent: Percent) -> Self {
        let layout = Layout::new(percent);
        let is_counted = |of: &Of| layout.is_some_and(|layout| layout.block(of.bucket).is_some());
        Self {
            percent,
            counted: Draw::new(all, is_counted),
            grpc_share: all.share(|of| percent.includes(of.bucket)),
        }
    }
}

/// Random numbers that are the same everywhere (SplitMix64).
pub(crate) struct Chance {
    pub(crate) seed: u64,
    state: u64,
}

pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        let seed = mix(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self { seed, state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// In [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About standard normal: the sum of four uniform numbers, which has no far tails; none are wanted here.
    pub(crate) fn normal(&mut self) -> f64 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
        (sum as f64 / 65_536.0 - 2.0) * 3f64.sqrt()
    }

    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
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
