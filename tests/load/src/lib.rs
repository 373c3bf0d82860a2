//! Loads the reservation service and what it is compared with, and measures them.
//!
//! - [`catalogue`], [`seed`]: what is on sale, and how databases are filled with it
//! - [`traffic`]: who wants what next
//! - [`client`], [`generator`], [`tally`]: closed and open load over gRPC, and what came of it
//! - [`processes`], [`usage`]: the programs under load, and what they use of the machine
//! - [`naive`], [`raw`], [`booked`]: the peers: row locks, and statements alone
//! - [`databases`], [`bench`], [`report`]: `make bench-holds`
//!
//! The generators and the client are for anything that wants to load a server; the peers are for comparison only.

pub mod bench;
pub mod booked;
pub mod catalogue;
pub mod client;
mod connection;
pub mod databases;
pub mod generator;
pub mod naive;
pub mod processes;
pub mod raw;
pub mod report;
pub mod seed;
pub mod tally;
pub mod traffic;
pub mod usage;
