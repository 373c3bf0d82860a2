//! Which upstreams can be connected to, for `/readyz`.
//!
//! All of them are optional there: a gateway whose monolith is away still serves the rest, and a gateway taken out of
//! service would serve nothing. Requests do not ask here, they find out for themselves.

use std::time::Duration;

use banyan_mesh::{process::Process, readiness::Dependency};
use tokio::net::TcpStream;

use crate::config::Config;

const EVERY: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks at every upstream until the process ends.
pub(crate) fn start(config: &Config, process: &Process) {
    for (name, upstream) in &config.upstreams {
        let Some(address) = address(upstream.url()) else {
            continue;
        };
        let dependency = process.readiness().optional(format!("upstream {name}"));
        let shutdown = process.shutdown().clone();
        process.spawn("upstream probe", async move {
            tokio::select! {
                () = probe(&address, &dependency) => {}
                () = shutdown.cancelled() => {}
            }
            Ok(())
        });
    }
}

async fn probe(address: &str, dependency: &Dependency) {
    loop {
        match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => dependency.up(),
            Ok(Err(error)) => dependency.down(error.to_string()),
            Err(_) => dependency.down("connecting takes too long"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// `host:port` of a URL.
fn address(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    Some(format!(
        "{}:{}",
        url.host_str()?,
        url.port_or_known_default()?
    ))
}
