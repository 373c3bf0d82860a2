//! Proves from what clients saw that nothing was sold twice, lost or made up.
//!
//! - [`record`]: what is written down while clients hammer the system
//! - `wire` (feature `wire`): records from the messages of the contracts

pub mod record;
#[cfg(feature = "wire")]
pub mod wire;
