//! Documents of Banyan's own contracts, and of one that has everything.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod depot;
mod own;
mod support;
