//! What the feed means and what the reports say, as pure values: no database, no wire, no clock.
//!
//! [`change`] is the vocabulary of the feed after parsing; [`batch`] decides which events of a delivery are new and
//! folds them into one set of effects; [`metrics`] defines each figure of a report once. Everything here is
//! deterministic, so that facts rebuilt from the first event equal the live ones exactly.

pub mod batch;
pub mod change;
pub mod metrics;
pub mod name;
