//! End-to-end tests; one binary, because linking is what costs.

// A test that cannot go on is over; clippy's exception for tests stops at helper functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod architecture;
mod canonical_api;
mod cinema_api;
mod feed_trimming;
mod idempotency;
mod mesh;
mod privacy;
mod processes;
mod provider_api;
mod readme;
