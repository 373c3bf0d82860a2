//! The strangler gateway: REST outside, gRPC inside, traffic moved by percentage.

pub mod admin;
pub mod config;
mod migration;
pub mod rollouts;
pub mod store;
