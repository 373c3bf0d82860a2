//! Which side serves a request, decided purely.
//!
//! A *rollout* moves a group of routes from the legacy system to gRPC by percentage. This crate holds the laws of that:
//!
//! - what a percentage is ([`Percent`]), whose counts where several speak ([`Percentages`]), and how far a migration is
//!   and who owns its writes there ([`Stage`], [`Owner`]);
//! - who is kept sticky and where a request says so ([`Subjects`]), and the place that a subject is dealt for ever
//!   ([`bucket()`]);
//! - from all of it one [`Decision`] with its reason ([`decide`]), explained to people ([`explain()`]), with exceptions
//!   ([`Rule`]) and the pin that makes a subject find what it wrote ([`Pin`]);
//! - whether legacy may answer what gRPC failed to ([`Attempt::falls_back`]);
//! - how a rollout moves from stage to stage and step to step, when it must not ([`transition()`]), what waits because
//!   nobody can be refused ([`settle()`]), and what it can go back to ([`left_good()`]);
//! - when it does so by itself ([`Policy`]), and by which evidence ([`Analysis`]).
//!
//! # Laws
//!
//! - The same state and the same request give the same decision: on every replica, after every restart, for ever. The
//!   hash is pinned by test vectors.
//! - Raising the percentage never moves a subject from gRPC back to legacy. 0 is nobody, 100 is everybody.
//! - A write never goes to a side that does not own it.
//! - With equal sides a rollout is rolled back with at most the probability that its policy states.
//! - Nothing here reads a clock, draws a random number or does IO; what a decision depends on is an argument.
//!
//! # Limits
//!
//! Subjects are dealt to 10,000 buckets, so a percentage has at most two decimals. Another salt deals everybody anew:
//! it belongs to the rollout for as long as the rollout lives.

mod analysis;
mod bucket;
mod decision;
mod explain;
mod fallback;
mod percent;
mod percentages;
mod pin;
mod policy;
mod rules;
mod stage;
mod state;
mod subject;
#[cfg(test)]
mod testing;
mod transition;

pub use analysis::{
    Analysis, Evidence, Hold, Judgement, Layout, MergeError, Metric, Outcome, Recorder, Verdict,
    Window,
};
pub use bucket::{Algorithm, BUCKETS, Bucket, SubjectHash, bucket};
pub use decision::{Decision, Reason, Request, Shadow, Side, decide};
pub use explain::{Explanation, Falling, Line, Term, Terms, explain};
pub use fallback::{Attempt, Failure, NoFallback};
pub use percent::{ParsePercentError, Percent};
pub use percentages::{Percentages, Source, Word};
pub use pin::{Following, KEY_BYTES_MIN, Keys, KeysError, Pin, PinState};
pub use policy::{DifferenceBound, LatencyBound, Policy, PolicyError, RateBound};
pub use rules::{Rule, RuleError, Then, When};
pub use stage::{Owner, OwnerError, Stage};
pub use state::{GoingDown, RolloutState};
pub use subject::{
    BODY_BYTES_MAX, Facts, NoFacts, ParseSubjectError, Reading, Subject, SubjectKind,
    SubjectSource, Subjects, field_of_body,
};
pub use transition::{
    BackTo, Circumstances, Command, Declared, Follower, Moved, Position, Refusal, left_good,
    settle, transition,
};
