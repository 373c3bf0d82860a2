//! Which upstreams can be connected to, for `/readyz`.
//!
//! All of them are optional there: a gateway whose monolith is away still serves the rest, and a gateway taken out of
//! service would serve nothing. Requests do not ask here, they find out for themselves.

use std::{collections::BTreeMap, time::Duration};

use banyan_mesh::{process::Process, readiness::Dependency};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

const EVERY: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks at upstreams, each by a task of its own, until the process ends or the upstream is configured no more.
#[derive(Debug)]
pub(crate) struct Probes {
    process: Process,
    /// By the upstream's name.
    running: BTreeMap<String, Probe>,
}

#[derive(Debug)]
struct Probe {
    address: String,
    dependency: Dependency,
    end: CancellationToken,
}

impl Probes {
    /// Looks at every upstream of a configuration.
    pub(crate) fn start(config: &Config, process: &Process) -> Probes {
        let mut probes = Probes {
            process: process.clone(),
            running: BTreeMap::new(),
        };
        probes.renew(config);
        probes
    }

    /// Looks at those of another configuration from now on.
    pub(crate) fn renew(&mut self, config: &Config) {
        let addresses: BTreeMap<_, _> = config
            .upstreams
            .iter()
            .filter_map(|(name, upstream)| Some((name, address(upstream.url())?)))
            .collect();
        self.running.retain(|name, probe| {
            let stays = addresses.get(name) == Some(&probe.address);
            if !stays {
                probe.end.cancel();
                probe.dependency.retire();
            }
            stays
        });
        for (name, address) in addresses {
            if !self.running.contains_key(name) {
                self.running.insert(name.clone(), self.begin(name, address));
            }
        }
    }

    fn begin(&self, name: &str, address: String) -> Probe {
        let dependency = self
            .process
            .readiness()
            .optional(format!("upstream {name}"));
        let begun = Probe {
            end: self.process.shutdown().child_token(),
            dependency: dependency.clone(),
            address: address.clone(),
        };
        let ended = begun.end.clone();
        self.process.spawn("upstream probe", async move {
            tokio::select! {
                () = probe(&address, &dependency) => {}
                () = ended.cancelled() => {}
            }
            Ok(())
        });
        begun
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
