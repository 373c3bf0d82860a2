//! The crate from outside: descriptors compiled from `tests/protos`, everything else through the public API.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

/// Where this crate lies; the fuzzer, which shares modules with the tests, lies elsewhere.
const CRATE: &str = env!("CARGO_MANIFEST_DIR");

mod arbitrary;
mod bind;
mod content;
mod corpus;
mod errors;
mod etags;
mod json;
mod parsers;
mod patch;
mod properties;
mod queries;
mod reverse;
mod route;
mod rules;
mod streams;
mod support;
mod view;
