//! The crate from outside: descriptors compiled from `tests/protos`, everything else through the public API.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod arbitrary;
mod bind;
mod errors;
mod json;
mod properties;
mod reverse;
mod rules;
mod support;
