//! Faults on purpose: real processes are killed, cut off, paused and starved while clients fight for a little stock, and
//! what they were told is judged in the end.
//!
//! - [`reservation`]: the scenario of the reservation service, act by act
//! - [`migration`]: the scenario of a rollout that moves movies to gRPC and back
//! - [`plan`]: which faults happen; `fault`: what they do; `act`: one after the other under load
//! - `stage`: a database, replicas and the ways in between; `database`, `replica`, `proxy`, `disk`: their parts
//! - `load`: the clients; `follower`: a reader of the feed; `final_state`: what the database holds in the end
//! - `judge`: what the checker of `banyan-history` says of it; [`report`]: the figures
//! - `service`: one process of the system; `page`: where figures are written

mod act;
pub mod chance;
mod database;
mod disk;
mod fault;
mod final_state;
mod folder;
mod follower;
mod judge;
mod load;
pub mod migration;
mod page;
pub mod plan;
mod processes;
mod progress;
mod proxy;
mod replica;
pub mod report;
pub mod reservation;
mod service;
mod settings;
mod stage;
mod wait;

pub use progress::Progress;
pub use settings::Settings;
