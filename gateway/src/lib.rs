//! The strangler gateway: REST outside, gRPC inside, traffic moved by percentage.
//!
//! It knows no service. What it serves comes from descriptor sets and `gateway.toml`; point it at a foreign set, a
//! foreign gRPC backend and a foreign monolith, and it works. In the order in which a request meets them:
//!
//! | module | what it decides |
//! |---|---|
//! | [`config`] | `gateway.toml` and the environment: what can be said, and what is wrong with it |
//! | `descriptors` | the contracts: files, the built-in set, and what backends tell of themselves |
//! | `routes`, `upstreams` | configuration and contracts, compiled; whatever does not fit ends the start |
//! | `contracts`, `reload` | which of these is in force, and taking up changed ones without a restart |
//! | `listener` | from a socket to requests: connections, header time and size, serving threads, draining |
//! | `per_thread`, `alarms` | what every serving thread has of its own; timers that are set with every request |
//! | `edge` | the way of a request: shed, guard, route, decide, answer |
//! | `context` | request id, trace, where a request came from |
//! | `ops`, `site`, `probes` | who may use the operators' address, and from whose pages; which upstreams can be reached |
//! | [`rollouts`], [`store`] | which side serves a request; what operators decided |
//! | `tokens` | whose token a request brings, once somebody wants to know |
//! | `grpc` | calls of gRPC and gRPC-Web clients, to services and to the legacy side |
//! | `forward`, `follow` | passing a request on to the legacy side, and waiting for who follows it |
//! | `transcoded`, `guest`, `idempotency` | calling gRPC, as whom, and as which request |
//! | `deadline`, `metadata`, `compression` | what of a request's and an answer's headers means something to a call |
//! | `body`, `sent`, `cookies`, `cells` | bodies in flight, what is looked for in them, cookies, one set of routes for several upstreams |
//! | `profile`, `surfaces`, `refusal` | how JSON and errors look, and the gateway's own errors |
//! | `openapi` | what is served, described: the document of each listener, and a page that shows it |
//! | `access_log`, `metrics` | one line and one count per request |

mod access_log;
pub mod admin;
mod alarms;
mod body;
mod bridge;
mod cells;
pub mod cli;
mod compression;
pub mod config;
mod context;
mod contracts;
mod cookies;
mod deadline;
mod descriptors;
mod edge;
mod follow;
mod forward;
mod grpc;
mod guest;
mod idempotency;
mod listener;
mod metadata;
mod metrics;
mod migration;
mod openapi;
mod ops;
mod per_thread;
mod probes;
mod profile;
mod refusal;
mod reload;
pub mod rollouts;
mod routes;
mod safety;
mod sent;
mod shadow;
mod site;
mod start;
pub mod store;
mod surfaces;
mod tokens;
mod transcoded;
mod upstreams;

pub use start::{Running, check, migrate, openapi, start};
