//! gRPC and gRPC-Web clients on the port of the REST routes.

mod calls;
mod entities;
mod legacy;
mod limits;
mod own;
mod parity;
pub(crate) mod talk;
mod validated;
mod web;
