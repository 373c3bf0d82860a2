//! Sells hotel nights and cinema seats that are never sold twice.
//!
//! - [`domain`]: what is sold and under which rules; pure
//! - [`inventory`]: the one place that decides who gets what
//! - [`store`]: where it is kept
//! - `grpc`: the contracts as answered here; `wire`: domain values as their messages
//! - `follow`: keeping level with the cinema monolith
//! - `demo`: something to try it out on

mod demo;
pub mod domain;
mod follow;
mod grpc;
pub mod inventory;
mod migration;
mod settings;
pub mod store;
mod wire;

pub use settings::{City, ENV, Settings};
