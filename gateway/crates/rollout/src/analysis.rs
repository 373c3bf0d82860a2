//! Whether gRPC is as good as legacy: asked after every window, for as long as it takes.
//!
//! The two sides are measured by the same process at the same time, so a slow night is slow for both. What is compared
//! are blocks of subjects that chance has dealt to the sides ([`layout`]), by evidence that is exact for any data
//! ([`exchange`]), in shares that hold over all metrics, steps and looks together ([`spending`]). Answers that differ are
//! judged by betting ([`differences`]).
//!
//! # What is promised
//!
//! If the sides are equal, a rollout is rolled back on its whole way with at most the probability that the policy states
//! (1 % unless set otherwise), however long it runs and however often somebody looks. A step that has too little traffic
//! is undecided, never failed, and is left only when there is evidence that gRPC is better than harmful, in every metric.
//!
//! # How it forgets
//!
//! Evidence is gathered in *stretches*. Once a stretch has shown gRPC to be harmless, the step is passed and a new stretch
//! begins, so that days of good answers do not hide a release that turns bad today. Each stretch has a smaller share of the
//! probability than the one before it, except that one at 0 or 100 per cent, which has nothing to compare, has none. That
//! depends on the percentage alone: were a stretch free that happened to end before its first look, somebody who ends those
//! that look good could try again for nothing. Differences, which are compared at 100 per cent too, have stretches of their own.
//! What is kept is bounded: one window, and a few numbers for each metric.
//!
//! # Limits
//!
//! At 100 per cent nothing is left to compare with, and nothing is judged but differences. A percentage of a few hundredths
//! has too few blocks to ever decide. The sides are assumed not to influence each other: a gRPC service that starves
//! legacy's database makes both look bad.

mod compare;
mod differences;
mod evidence;
mod exchange;
mod latency;
mod layout;
mod recorder;
mod spending;
#[cfg(test)]
mod tests;
mod window;

use serde::{Deserialize, Serialize};

pub use evidence::{Evidence, Hold, Judgement, Metric, Outcome, Verdict};
pub use layout::Layout;
pub use recorder::Recorder;
pub use window::{MergeError, Window};

use self::{
    compare::{Blocks, Found},
    differences::Differences,
    spending::{FIRST_LOOK, Sum, ln_needed, next_look},
};
use crate::{Percent, Policy, Stage};

/// Evidence of a single look beyond which a step is not left, though it does not roll back.
const LN_SUSPICIOUS: f64 = std::f64::consts::LN_10;

/// What is known about a rollout on its way from the first step to the last.
///
/// Kept by one decider at a time and written down with the rollout; a policy that changes starts another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    stage: Stage,
    /// Unix time at which the step began.
    since_ms: u64,
    /// Counts the stretches of evidence, from 1; those in which there was nothing to compare do not count.
    stretch: u32,
    /// Unix time at which this stretch began.
    stretch_since_ms: u64,
    /// What was seen in this stretch.
    seen: Window,
    looks: u32,
    next_look: u64,
    /// Errors first, then the policy's latencies in order.
    metrics: Vec<Tested>,
    differences: Differences,
    /// Counted requests of legacy and gRPC in this step.
    step_requests: (u64, u64),
    /// Answers compared in this step.
    step_compared: u64,
    /// The evidence that the step was passed with; empty until it was.
    passed: Vec<Evidence>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tested {
    against: Sum,
    harmless: Sum,
    /// What the last look alone said against gRPC.
    last: f64,
    legacy: f64,
    grpc: f64,
    allowed: f64,
}

impl Analysis {
    /// Begins a rollout's way at a step; its probability of a false rollback begins with it.
    #[must_use]
    pub fn new(policy: &Policy, stage: Stage, percent: Percent, now_ms: u64) -> Self {
        Self {
            stage,
            since_ms: now_ms,
            stretch: 1,
            stretch_since_ms: now_ms,
            seen: Window::new(percent, now_ms, now_ms),
            looks: 0,
            next_look: FIRST_LOOK,
            metrics: vec![Tested::default(); 1 + policy.latency.len()],
            differences: Differences::new(now_ms),
            step_requests: (0, 0),
            step_compared: 0,
            passed: Vec::new(),
        }
    }

    /// Goes on at another stage or percentage, or begins anew at the same, on the same way: nothing that was seen before
    /// counts, and what of the probability was spent stays spent.
    pub fn step(&mut self, stage: Stage, percent: Percent, now_ms: u64) {
        self.stage = stage;
        self.since_ms = now_ms;
        self.step_requests = (0, 0);
        self.step_compared = 0;
        self.passed.clear();
        self.stretch(percent, now_ms);
        self.differences = self.differences.fresh(now_ms);
    }

    /// The percentage that is being judged.
    #[must_use]
    pub const fn percent(&self) -> Percent {
        self.seen.percent
    }

    /// The stage that is being judged.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Unix time in milliseconds at which this step began.
    #[must_use]
    pub const fn since_ms(&self) -> u64 {
        self.since_ms
    }

    fn stretch(&mut self, percent: Percent, now_ms: u64) {
        // Where one side is empty nothing was compared, whatever the traffic: nothing of the probability is spent.
        if Layout::new(self.seen.percent).is_some() {
            self.stretch = self.stretch.saturating_add(1);
        }
        self.stretch_since_ms = now_ms;
        self.seen = Window::new(percent, now_ms, now_ms);
        self.looks = 0;
        self.next_look = FIRST_LOOK;
        self.metrics.fill(Tested::default());
    }

    /// Adds what all replicas saw in a window. One of another percentage, or that began before the step had settled, is
    /// left out; true if it counted.
    pub fn observe(&mut self, policy: &Policy, window: &Window) -> bool {
        let settled_ms = self.since_ms.saturating_add(policy.settle_s * 1_000);
        if window.from_ms < settled_ms || self.seen.merge(window).is_err() {
            return false;
        }
        self.differences.observe(&policy.differences, window);
        let (legacy, grpc) = window.requests();
        self.step_requests.0 += legacy;
        self.step_requests.1 += grpc;
        self.step_compared += window
            .compared
            .iter()
            .map(|pair| pair.compared)
            .sum::<u64>();
        self.look_if_due(policy);
        if self.is_passing(policy, window.to_ms) {
            self.passed = self.evidence(policy);
            if lasted_s(self.stretch_since_ms, window.to_ms) >= policy.step_time_s {
                self.stretch(self.seen.percent, window.to_ms);
            }
        }
        self.forget_differences(policy, window.to_ms);
        true
    }

    /// Ends a stretch of evidence about differences once it has shown that there are few enough.
    fn forget_differences(&mut self, policy: &Policy, now_ms: u64) {
        let lasted_s = lasted_s(self.differences.since_ms, now_ms);
        if lasted_s >= policy.step_time_s
            && self.differences.ln_harmless() >= ln_harmless_needed(policy)
            && self.differences.ln_against() < LN_SUSPICIOUS
        {
            self.differences = self.differences.fresh(now_ms);
        }
    }

    fn look_if_due(&mut self, policy: &Policy) {
        let Some(layout) = Layout::new(self.seen.percent) else {
            return;
        };
        // What gRPC's share would be if all blocks had equally many: when to look must not depend on which are gRPC's.
        let (legacy, grpc) = self.seen.requests();
        let usual = (legacy + grpc) * layout.grpc() as u64 / layout.blocks() as u64;
        if usual < self.next_look {
            return;
        }
        self.next_look = next_look(usual);
        self.looks = self.looks.saturating_add(1);
        let blocks = Blocks::new(&self.seen.blocks, layout.grpc());
        let latencies = policy.latency.iter().map(|bound| blocks.latency(bound));
        let found = [blocks.failures(&policy.errors)]
            .into_iter()
            .chain(latencies);
        for (metric, found) in self.metrics.iter_mut().zip(found) {
            metric.look(self.looks, found);
        }
    }

    /// The evidence of this stretch, metric by metric.
    #[must_use]
    pub fn evidence(&self, policy: &Policy) -> Vec<Evidence> {
        let (legacy_samples, grpc_samples) = self.seen.requests();
        let ln_against_needed =
            |stretch| ln_needed(policy.false_rollback_percent, policy.metrics(), stretch);
        let ln_harmless_needed = ln_harmless_needed(policy);
        let latencies = policy.latency.iter().map(|bound| Metric::Latency {
            quantile: bound.quantile,
        });
        let sides = [Metric::Errors].into_iter().chain(latencies);
        let sides = sides.zip(&self.metrics).map(|(metric, tested)| Evidence {
            metric,
            legacy: tested.legacy,
            grpc: tested.grpc,
            allowed: tested.allowed,
            legacy_samples,
            grpc_samples,
            ln_against: tested.against.ln(),
            ln_against_needed: ln_against_needed(self.stretch),
            ln_harmless: tested.harmless.ln(),
            ln_harmless_needed,
            judgement: Judgement::Undecided,
        });
        let differences = Evidence {
            metric: Metric::Differences,
            legacy: self.differences.noise_rate(),
            grpc: self.differences.rate(),
            allowed: self.differences.allowed(&policy.differences),
            legacy_samples: self.differences.compared.compared,
            grpc_samples: self.differences.compared.compared,
            ln_against: self.differences.ln_against(),
            ln_against_needed: ln_against_needed(self.differences.stretch),
            ln_harmless: self.differences.ln_harmless(),
            ln_harmless_needed,
            judgement: Judgement::Undecided,
        };
        sides.chain([differences]).map(Evidence::judged).collect()
    }

    fn is_passing(&self, policy: &Policy, now_ms: u64) -> bool {
        lasted_s(self.since_ms, now_ms) >= policy.step_time_s
            && self.missing(policy).is_none()
            && !self.is_suspicious()
            && self
                .evidence(policy)
                .iter()
                .filter(|evidence| self.has_to_be_harmless(evidence.metric))
                .all(|evidence| evidence.judgement == Judgement::Harmless)
    }

    /// In `shadow` only differences can be judged; in `split` they need not be measured any more.
    fn has_to_be_harmless(&self, metric: Metric) -> bool {
        (metric == Metric::Differences) == (self.stage == Stage::Shadow)
    }

    /// How many requests there are of how many that it takes, where there are too few.
    fn missing(&self, policy: &Policy) -> Option<(u64, u64)> {
        let (requests, needed) = if self.stage == Stage::Shadow {
            (self.step_compared, policy.shadow_requests)
        } else {
            let (legacy, grpc) = self.step_requests;
            (legacy.min(grpc), policy.step_requests)
        };
        (requests < needed).then_some((requests, needed))
    }

    fn is_suspicious(&self) -> bool {
        self.metrics
            .iter()
            .any(|metric| metric.last >= LN_SUSPICIOUS)
            || self.differences.ln_against() >= LN_SUSPICIOUS
    }

    /// What to do now.
    #[must_use]
    pub fn judge(&self, policy: &Policy, now_ms: u64) -> Verdict {
        let evidence = self.evidence(policy);
        let bad = evidence
            .iter()
            .any(|evidence| evidence.judgement == Judgement::Worse);
        if bad && matches!(self.stage, Stage::Shadow | Stage::Split) {
            let outcome = if policy.roll_back {
                Outcome::RollBack(policy.back_to)
            } else {
                Outcome::Hold(Hold::RollBackByHand)
            };
            return Verdict { outcome, evidence };
        }
        match self.hold(policy, now_ms) {
            Some(hold) => Verdict {
                outcome: Outcome::Hold(hold),
                evidence,
            },
            None => Verdict {
                outcome: if self.is_last_step(policy) {
                    Outcome::Hold(Hold::LastStep)
                } else if policy.advance {
                    Outcome::Advance
                } else {
                    Outcome::Hold(Hold::AdvanceByHand)
                },
                evidence: self.passed.clone(),
            },
        }
    }

    fn is_last_step(&self, policy: &Policy) -> bool {
        self.stage == Stage::Split && policy.steps.iter().all(|step| *step <= self.percent())
    }

    fn hold(&self, policy: &Policy, now_ms: u64) -> Option<Hold> {
        match self.stage {
            Stage::Legacy | Stage::Grpc => return Some(Hold::ByHand),
            Stage::Split if self.percent() == Percent::ZERO => return Some(Hold::NotBegun),
            Stage::Split if self.percent() == Percent::HUNDRED => return Some(Hold::Everybody),
            Stage::Shadow | Stage::Split => {}
        }
        if self.is_suspicious() {
            return Some(Hold::Suspicious);
        }
        if let Some((requests, needed)) = self.missing(policy) {
            return Some(Hold::TooFew { requests, needed });
        }
        let left_s = policy
            .step_time_s
            .saturating_sub(lasted_s(self.since_ms, now_ms));
        if left_s > 0 {
            return Some(Hold::TooShort { left_s });
        }
        self.passed.is_empty().then_some(Hold::Undecided)
    }
}

impl Tested {
    fn look(&mut self, look: u32, found: Found) {
        self.against.add(look, found.ln_against);
        self.harmless.add(look, found.ln_harmless);
        self.last = found.ln_against;
        self.legacy = found.legacy;
        self.grpc = found.grpc;
        self.allowed = found.allowed;
    }
}

fn ln_harmless_needed(policy: &Policy) -> f64 {
    -(policy.false_advance_percent / 100.0).ln()
}

const fn lasted_s(since_ms: u64, now_ms: u64) -> u64 {
    now_ms.saturating_sub(since_ms) / 1_000
}
