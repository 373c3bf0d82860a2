//! A made-up world in which rollouts run: what makes real traffic hard to compare, on purpose.
//!
//! - Requests per subject follow Zipf's law: the first of 20,000 subjects sends every tenth request.
//! - Subjects differ for good: some fail several times as often as others, some are slow, some are answered differently.
//! - Failures come in sessions: one subject in a hundred fails ten times as often for a window.
//! - Both sides drift together over the day, and one window in fifty is an incident that hits both.
//! - Latencies have a heavy tail: two in a hundred are drawn from a Pareto distribution with exponent 2.
//! - Of one request in twenty both answers are compared. A side's own answers differ too, by subject, session, time of
//!   day and incident; for one comparison in ten that is asked.
//!
//! A rollout goes the whole way: stage `shadow`, the steps, and a while at 100 per cent, where differences are all that
//! is left to judge.

use super::{
    Analysis, Hold, Judgement, Metric, Outcome, Percent, Policy, Stage, Window,
    replicas::Replicas,
    traffic::{Chance, Draw, Of, Split, Subjects, mix},
};

const WINDOW_MS: u64 = 10_000;
/// What incidents and bad sessions make of the rate of failures, so that it is what the world says.
const MEAN: f64 = 1.09 * 1.08 * 1.06;
/// A day is this long, so that a rollout sees a few.
const DAY_WINDOWS: f64 = 200.0;
/// A rollout at 100 per cent has come to its end after so many windows.
const EVERYBODY_WINDOWS: u64 = 300;

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
    /// The share of requests whose answers are compared.
    pub(crate) compared: f64,
    /// The share of comparisons in which a side's own answers differ.
    pub(crate) noise: f64,
    /// How many windows a step goes on after it could have been left.
    pub(crate) linger: u64,
    /// How many replicas count.
    pub(crate) replicas: usize,
    /// Who has not come to an end after so many windows is undecided.
    pub(crate) windows_max: u64,
    /// How many times as often gRPC fails.
    pub(crate) failures_ratio: f64,
    /// How many times as long gRPC's slow answers take; they are what the p99 is made of.
    pub(crate) tail_ratio: f64,
    /// The share of gRPC's answers that differ besides.
    pub(crate) differing: f64,
}

/// Of so many comparisons one also asks what a side's own answers differ in.
const NOISE_ASKED: f64 = 0.1;

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) how: How,
    /// The percentage at which it ended.
    pub(crate) percent: Percent,
    /// Requests that gRPC answered, counted or not.
    pub(crate) grpc_requests: f64,
    /// Of these, those at 100 per cent.
    pub(crate) grpc_requests_of_all: f64,
    /// All requests.
    pub(crate) requests: f64,
    /// Answers compared.
    pub(crate) compared: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    Finished,
    /// Because of this metric.
    RolledBack(Metric),
    Undecided,
}

impl How {
    pub(crate) fn is_back(self) -> bool {
        matches!(self, Self::RolledBack(_))
    }
}

impl Default for World {
    fn default() -> Self {
        Self {
            zipf: 1.0,
            failures: 0.01,
            unequal: 0.5,
            requests: 6_000.0,
            compared: 0.05,
            noise: 0.005,
            linger: 0,
            replicas: 1,
            windows_max: 6_000,
            failures_ratio: 1.0,
            tail_ratio: 1.0,
            differing: 0.0,
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

    /// Runs one rollout from stage `shadow` until it has finished or is rolled back.
    pub(crate) fn run(&self, policy: &Policy, seed: u64) -> End {
        Rollout::new(self, policy, seed).run()
    }
}

/// A rollout on its way.
pub(crate) struct Rollout<'a> {
    world: &'a World,
    policy: &'a Policy,
    chance: Chance,
    subjects: Subjects,
    everybody: Draw,
    split: Split,
    /// The steps that it has not come to yet.
    steps: &'a [Percent],
    analysis: Analysis,
    replicas: Replicas,
    phase: f64,
    /// Windows at this step, and how many of them after it could have been left.
    stood: u64,
    lingered: u64,
    end: End,
}

impl<'a> Rollout<'a> {
    pub(crate) fn new(world: &'a World, policy: &'a Policy, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let subjects = Subjects::new(world.zipf, world.unequal, &mut chance);
        Self {
            world,
            policy,
            everybody: Draw::new(&subjects, |_| true),
            split: Split::new(&subjects, Percent::ZERO),
            subjects,
            steps: &policy.steps,
            analysis: Analysis::new(policy, Stage::Shadow, Percent::ZERO, 0),
            replicas: Replicas::new(world.replicas, &mut chance),
            phase: chance.unit(),
            chance,
            stood: 0,
            lingered: 0,
            end: End {
                how: How::Undecided,
                percent: Percent::ZERO,
                grpc_requests: 0.0,
                grpc_requests_of_all: 0.0,
                requests: 0.0,
                compared: 0.0,
            },
        }
    }

    /// Goes on to the next step, if there is one.
    pub(crate) fn step(&mut self, now_ms: u64) {
        if let Some((step, later)) = self.steps.split_first() {
            self.steps = later;
            self.analysis.step(Stage::Split, *step, now_ms);
            self.split = Split::new(&self.subjects, *step);
            (self.stood, self.lingered, self.end.percent) = (0, 0, *step);
        }
    }

    pub(crate) fn run(mut self) -> End {
        for number in 0..self.world.windows_max {
            let windows = self.count(number);
            self.replicas.write(number, windows, &mut self.chance);
            self.analysis = self.replicas.hand_over(self.analysis, &mut self.chance);
            if let Some(window) = self.replicas.read(number) {
                self.analysis.observe(self.policy, &window);
            }
            self.stood += 1;
            let now_ms = (number + 1) * WINDOW_MS;
            let verdict = self.analysis.judge(self.policy, now_ms);
            let how = match verdict.outcome {
                Outcome::RollBack(_) => {
                    let mut evidence = verdict.evidence.iter();
                    let worse = evidence.find(|it| it.judgement == Judgement::Worse);
                    How::RolledBack(worse.map_or(Metric::Errors, |worse| worse.metric))
                }
                Outcome::Advance if self.lingered < self.world.linger => {
                    self.lingered += 1;
                    continue;
                }
                Outcome::Advance if !self.steps.is_empty() => {
                    self.step(now_ms);
                    continue;
                }
                Outcome::Hold(Hold::Everybody) if self.stood >= EVERYBODY_WINDOWS => How::Finished,
                Outcome::Advance => How::Finished,
                Outcome::Hold(_) => continue,
            };
            return End { how, ..self.end };
        }
        self.end
    }

    /// What the replicas count in a window.
    fn count(&mut self, number: u64) -> Vec<Window> {
        let (world, from_ms) = (self.world, number * WINDOW_MS);
        let empty = Window::new(self.split.percent, from_ms, from_ms + WINDOW_MS);
        let mut windows = vec![empty; self.replicas.count()];
        let sky = Sky::of(number, self.phase, &mut self.chance);
        let counted = world.requests * self.split.counted.share;
        for _ in 0..self.chance.poisson(counted) {
            let subject = self.split.counted.one(&mut self.chance);
            let replica = self.replicas.of(subject, &mut self.chance);
            let (failed, latency_us) = self.answer(subject, &sky);
            let bucket = self.subjects.all[subject].bucket;
            windows[replica].answered(bucket, failed, latency_us);
        }
        let compared = self.chance.poisson(world.requests * world.compared);
        for _ in 0..compared {
            let subject = self.everybody.one(&mut self.chance);
            let replica = self.replicas.of(subject, &mut self.chance);
            self.compare(subject, &sky, &mut windows[replica]);
        }
        self.end.requests += world.requests;
        self.end.grpc_requests += world.requests * self.split.grpc_share;
        if self.split.percent == Percent::HUNDRED {
            self.end.grpc_requests_of_all += world.requests;
        }
        self.end.compared += compared as f64;
        windows
    }

    /// Whether an answer fails, and how long it takes in microseconds.
    fn answer(&mut self, subject: usize, sky: &Sky) -> (bool, u64) {
        let (of, world) = (&self.subjects.all[subject], self.world);
        let (failures_ratio, tail_ratio) = match self.split.percent.includes(of.bucket) {
            true => (world.failures_ratio, world.tail_ratio),
            false => (1.0, 1.0),
        };
        let chance = &mut self.chance;
        let failing = world.failures * sky.rate * of.failures * sky.session(subject, chance);
        let failed = chance.unit() < (failing * failures_ratio).min(0.9);
        let latency_us = if chance.unit() < 0.02 {
            60_000.0 * tail_ratio / chance.unit().max(1e-6).sqrt()
        } else {
            20_000.0 * (0.4 * chance.normal()).exp()
        };
        (failed, (latency_us * sky.slowness * of.slowness) as u64)
    }

    /// Asks both sides, and now and then one of them twice.
    fn compare(&mut self, subject: usize, sky: &Sky, window: &mut Window) {
        let (of, world, chance) = (&self.subjects.all[subject], self.world, &mut self.chance);
        let Of {
            bucket, differing, ..
        } = *of;
        let session = sky.session(subject, chance);
        let noise = (world.noise * sky.rate * differing * session).min(0.9);
        if chance.unit() < NOISE_ASKED {
            window.noise(bucket, chance.unit() < noise);
        }
        let besides = (world.differing * differing).min(0.9);
        window.compared(bucket, chance.unit() < noise + besides - noise * besides);
    }
}

/// What hits both sides alike in a window.
struct Sky {
    number: u64,
    /// How many times as often as usual answers fail, or differ by themselves.
    rate: f64,
    /// How many times as long they take.
    slowness: f64,
}

impl Sky {
    fn of(number: u64, phase: f64, chance: &mut Chance) -> Self {
        let day = (std::f64::consts::TAU * (number as f64 / DAY_WINDOWS + phase)).sin();
        let (incident, slow) = match chance.unit() < 0.02 {
            true => (5.0, 2.0),
            false => (1.0, 1.0),
        };
        Self {
            number,
            rate: (0.5 * day).exp() * incident / MEAN,
            slowness: (0.4 * day).exp() * slow,
        }
    }

    /// How many times as often as usual a subject fails in this window.
    fn session(&self, subject: usize, chance: &Chance) -> f64 {
        let drawn = mix(chance.seed ^ mix(subject as u64 ^ (self.number << 32)));
        match drawn.is_multiple_of(100) {
            true => 10.0,
            false => 1.0,
        }
    }
}
