//! Which side serves a request, decided purely.
//!
//! A *rollout* moves a group of routes from the legacy system to gRPC by percentage. This crate holds the laws of that:
//! what a percentage is ([`Percent`]), how a subject is dealt a place that never changes ([`bucket()`]), which setting
//! wins where several speak ([`Percentages`]), and from all of it one [`Decision`] with the reason for it ([`decide`]).
//!
//! # Laws
//!
//! - The same state and the same subject give the same decision: on every replica, after every restart, for ever. The
//!   hash is pinned by test vectors.
//! - Raising the percentage never moves a subject from gRPC back to legacy. 0 is nobody, 100 is everybody.
//! - Nothing here reads a clock, draws a random number or does IO; what a decision depends on is an argument.
//!
//! # Limits
//!
//! Subjects are dealt to 10,000 buckets, so a percentage has at most two decimals. Another salt deals everybody anew:
//! it belongs to the rollout for as long as the rollout lives.

mod bucket;
mod decision;
mod percent;
mod state;
mod subject;

pub use bucket::{BUCKETS, Bucket, bucket};
pub use decision::{Decision, Reason, Side, decide};
pub use percent::{ParsePercentError, Percent};
pub use state::{Percentages, RolloutState, Source, Stage};
pub use subject::{Facts, ParseSubjectError, Subject, SubjectSource, Subjects};
