//! The whole service over real sockets and real databases, fed by a real gRPC feed that misbehaves on demand.

// Helpers outside of test functions may fail the test as well.
#![allow(clippy::unwrap_used)]

mod bus;
mod feed;
mod feed_server;
#[cfg(feature = "kafka")]
mod kafka;
mod logs;
mod outage;
mod script;
mod service;
