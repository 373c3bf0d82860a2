//! What stands behind the gateway, connected lazily: one channel or client a name, shared by all routes.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use banyan_mesh::client::{ClientSettings, channel};
use tonic::body::Body;
use tower::util::BoxCloneSyncService;

use crate::{
    config::{Config, UpstreamConfig},
    forward::HttpUpstream,
};

/// The upstream that is this gateway itself: its admin API is transcoded by the same routes as any other service.
const ITSELF: &str = "gateway";

const ITSELF_DEADLINE: Duration = Duration::from_secs(5);

/// Whatever takes gRPC requests: a connection to a service, or a service in this process.
pub(crate) type GrpcService =
    BoxCloneSyncService<http::Request<Body>, http::Response<Body>, tonic::transport::Error>;

/// All `[upstreams]`.
#[derive(Debug, Default)]
pub(crate) struct Upstreams {
    grpc: BTreeMap<String, GrpcUpstream>,
    http: BTreeMap<String, HttpUpstream>,
}

/// A gRPC service behind the gateway.
#[derive(Clone, Debug)]
pub(crate) struct GrpcUpstream {
    pub(crate) name: String,
    pub(crate) service: GrpcService,
    pub(crate) deadline: Duration,
}

impl Upstreams {
    /// `itself` takes the calls of the upstream `gateway`.
    pub(crate) fn new(config: &Config, itself: GrpcService) -> anyhow::Result<Upstreams> {
        let mut upstreams = Upstreams::default();
        let itself = GrpcUpstream {
            name: ITSELF.to_owned(),
            service: itself,
            deadline: ITSELF_DEADLINE,
        };
        upstreams.grpc.insert(ITSELF.to_owned(), itself);
        for (name, upstream) in &config.upstreams {
            anyhow::ensure!(
                name != ITSELF,
                "upstreams.{ITSELF} is this gateway itself and cannot be configured"
            );
            upstreams
                .add(name, upstream)
                .with_context(|| format!("upstreams.{name} cannot be used"))?;
        }
        Ok(upstreams)
    }

    fn add(&mut self, name: &str, config: &UpstreamConfig) -> anyhow::Result<()> {
        match &config.grpc {
            Some(url) => {
                let settings = ClientSettings {
                    url: url.clone(),
                    connect_timeout_ms: config.connect_timeout_ms,
                };
                let upstream = GrpcUpstream {
                    name: name.to_owned(),
                    service: BoxCloneSyncService::new(channel(&settings)?),
                    deadline: Duration::from_millis(config.deadline_ms),
                };
                self.grpc.insert(name.to_owned(), upstream);
            }
            None => {
                let upstream =
                    HttpUpstream::new(name, config).context("`http://host:port` is allowed")?;
                self.http.insert(name.to_owned(), upstream);
            }
        }
        Ok(())
    }

    /// The gRPC upstream of this name; `key` is who asks.
    pub(crate) fn grpc(&self, key: &str, name: &str) -> anyhow::Result<&GrpcUpstream> {
        self.grpc
            .get(name)
            .with_context(|| unknown(key, name, "gRPC", self.grpc.keys()))
    }

    /// The HTTP upstream of this name; `key` is who asks.
    pub(crate) fn http(&self, key: &str, name: &str) -> anyhow::Result<&HttpUpstream> {
        self.http
            .get(name)
            .with_context(|| unknown(key, name, "HTTP", self.http.keys()))
    }
}

/// Names what is missing and what there is.
pub(crate) fn unknown<'a>(
    key: &str,
    name: &str,
    what: &str,
    known: impl Iterator<Item = &'a String>,
) -> String {
    let known = known.map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("{key} = {name:?}: there is no {what} upstream of that name; there are: {known}")
}
