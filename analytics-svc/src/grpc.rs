//! The edge: requests are checked and parsed here, and every refusal says what is wrong in a way that machines read.

mod check;
pub mod events;
pub mod reports;
mod status;
