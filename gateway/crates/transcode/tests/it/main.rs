//! The crate from outside: descriptors compiled from `tests/protos`, everything else through the public API.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod arbitrary;
mod bind;
mod content;
mod errors;
mod etags;
mod json;
mod patch;
mod properties;
mod queries;
mod reverse;
mod route;
mod rules;
mod streams;
mod support;
