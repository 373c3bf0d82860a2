//! End-to-end tests; one binary, because linking is what costs.

mod architecture;
mod canonical_api;
mod cinema_api;
mod mesh;
mod processes;
mod provider_api;
mod readme;
