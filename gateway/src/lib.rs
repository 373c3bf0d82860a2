//! The strangler gateway: REST outside, gRPC inside, traffic moved by percentage.

pub mod config;
