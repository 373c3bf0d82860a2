//! What every Banyan process is made of: settings, telemetry, the ops port, gRPC server and client stacks, databases,
//! and an orderly end. It knows no domain: nothing here mentions a booking, a movie or a rollout.
//!
//! - [`process`]: what the services of one operating-system process share, and how it ends
//! - [`readiness`]: which dependency is up, which is down and why
//! - [`ops`]: the port for platform engineers: `/livez`, `/readyz`, `/db-status`, `/metrics`
//! - [`server`], [`client`]: the two ends of a gRPC call
//! - [`database`]: SQLite or PostgreSQL, connected in the background and migrated under a lock
//! - [`settings`]: defaults < file < environment, with errors that name the key
//! - [`telemetry`], [`trace`]: logs for a terminal or a collector, W3C trace context
//! - [`random`]: random numbers for ids
//! - [`backoff`]: how long to wait before the next try

pub mod backoff;
pub mod client;
pub mod database;
pub mod ops;
pub mod process;
pub mod random;
pub mod readiness;
pub mod server;
pub mod settings;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trace;
