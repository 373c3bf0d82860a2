//! The gateway over real sockets and databases.

// A test may fail by any of these; clippy knows only the functions marked as tests.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod admin_rest;
mod admin_service;
mod edge;
mod rollouts_cli;
mod rollouts_explain;
mod rollouts_files;
mod rollouts_log;
mod rollouts_outage;
mod rollouts_policy;
mod rollouts_store;
mod rollouts_support;
mod rollouts_switch;
mod rollouts_traffic;
mod rollouts_verify;
