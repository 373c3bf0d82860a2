//! The gateway over real sockets, in front of systems that it has never heard of: a shop with a contract of its own
//! and an old HTTP server.

mod access_log;
mod calls;
mod cells;
mod codings;
mod content;
mod contracts;
mod data;
mod explaining;
mod fallback;
mod forwarding;
mod grpc;
mod guests;
mod idempotency;
mod issuer;
mod limits;
mod metadata;
mod openapi;
mod operating;
mod operators;
mod reflection;
mod rest;
mod restarts;
mod settings;
mod shadow;
mod shop;
mod splitting;
mod start;
mod steering;
mod stock;
mod streams;
mod times;
mod tokens;
mod waiting;
mod world;
