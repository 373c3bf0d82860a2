//! Serves the browser apps from inside the binary: `/app/` for guests, `/ops/` for operators.
//!
//! It serves files and nothing else: the pages ask the gateway for data, at the address they were loaded from. Which of
//! the two apps is reachable from where is the gateway's decision; each is whole in itself. `site` decides what a
//! path is, `respond` how it is answered, `files` where the bytes come from, `serve` is the socket.
//!
//! A checkout in which the pages were never built still compiles; it answers 503 and says how to build them.

mod files;
mod respond;
mod serve;
mod settings;
mod site;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use banyan_mesh::{process::Process, server::bind};

use crate::{files::Dist, respond::Responder};

pub use settings::{ENV, Settings};

/// Where the started service is reached.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// HTTP.
    pub http: SocketAddr,
}

/// Starts serving on `process`; returns when it listens.
///
/// # Errors
/// If the port is taken.
pub async fn start(settings: Settings, process: &Process) -> anyhow::Result<Running> {
    let listener = bind(settings.listen, "WEBUI_LISTEN").await?;
    let http = listener
        .local_addr()
        .context("cannot tell the address that was bound")?;
    let responder = Arc::new(Responder::new(Dist));
    let pages = process.readiness().optional("browser app");
    if responder.is_built() {
        pages.up();
    } else {
        pages.down("not built; `make ui` builds it");
        tracing::warn!("The browser app is not built: run `make ui`");
    }
    let shutdown = process.shutdown().clone();
    process.spawn("web UI", async move {
        serve::serve(listener, responder, shutdown).await;
        Ok(())
    });
    tracing::info!(address = %http, "Serving the browser app");
    Ok(Running { http })
}
