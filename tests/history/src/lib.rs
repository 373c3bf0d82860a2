//! Proves from what clients saw that nothing was sold twice, lost or made up.
//!
//! - [`record`]: what is written down while clients hammer the system
//! - [`check()`]: the proof
//! - [`report`]: what it found
//! - [`selftest`]: the checker checked
//! - `wire` (feature `wire`): records from the messages of the contracts

mod check;
pub mod record;
pub mod report;
pub mod selftest;
#[cfg(feature = "wire")]
pub mod wire;

pub use check::check;
