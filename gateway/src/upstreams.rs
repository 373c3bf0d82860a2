//! What stands behind the gateway, connected lazily: one set of connections a name, shared by all routes.

mod addresses;
mod body;
mod connection;
mod connections;
mod error;
mod metrics;
mod queue;
mod thread;

use std::{
    collections::BTreeMap, convert::Infallible, fmt, pin::Pin, sync::Arc, task::Poll,
    time::Duration,
};

use anyhow::Context as _;
use http::{Request, Response};
use tonic::body::Body;
use tower::{Service, ServiceExt as _, util::BoxCloneSyncService};

use self::{
    addresses::{Resolve, System},
    connections::{Connections, Terms},
};
pub(crate) use self::{error::GrpcError, metrics::Metrics};
use crate::{
    config::{Config, UpstreamConfig},
    forward::HttpUpstream,
};

/// The upstream that is this gateway itself: its admin API is transcoded by the same routes as any other service.
const ITSELF: &str = "gateway";

/// What this process does itself has limits of its own; the longest is a page of a comparison.
const ITSELF_DEADLINE: Duration = Duration::from_secs(60);

/// Whatever takes gRPC requests; clones share it.
#[derive(Clone)]
pub(crate) struct GrpcService(Kind);

#[derive(Clone)]
enum Kind {
    /// A service behind the gateway.
    Remote(Arc<Connections>),
    /// A service of this process.
    Local(BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>),
}

/// All `[upstreams]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upstreams {
    grpc: BTreeMap<String, GrpcUpstream>,
    http: BTreeMap<String, HttpUpstream>,
    /// What each was made from.
    configs: BTreeMap<String, UpstreamConfig>,
    metrics: Metrics,
}

/// A gRPC service behind the gateway.
#[derive(Clone, Debug)]
pub(crate) struct GrpcUpstream {
    pub(crate) name: String,
    pub(crate) service: GrpcService,
    pub(crate) deadline: Duration,
}

impl GrpcService {
    /// A service of this process, called as if it were one behind the gateway.
    pub(crate) fn local<S>(service: S) -> GrpcService
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        GrpcService(Kind::Local(BoxCloneSyncService::new(service)))
    }
}

impl fmt::Debug for GrpcService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Remote(connections) => connections.fmt(f),
            Kind::Local(_) => f.write_str("Local"),
        }
    }
}

impl Service<Request<Body>> for GrpcService {
    type Response = Response<Body>;
    type Error = GrpcError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, GrpcError>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), GrpcError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match &self.0 {
            Kind::Remote(connections) => {
                let connections = Arc::clone(connections);
                Box::pin(async move { connections.call(request).await })
            }
            Kind::Local(service) => {
                let answer = service.clone().oneshot(request);
                Box::pin(async move { answer.await.map_err(|never| match never {}) })
            }
        }
    }
}

impl Upstreams {
    /// `itself` takes the calls of the upstream `gateway`.
    pub(crate) fn new(
        config: &Config,
        itself: GrpcService,
        metrics: Metrics,
    ) -> anyhow::Result<Upstreams> {
        let mut upstreams = Upstreams {
            metrics,
            ..Upstreams::default()
        };
        let itself = GrpcUpstream {
            name: ITSELF.to_owned(),
            service: itself,
            deadline: ITSELF_DEADLINE,
        };
        upstreams.grpc.insert(ITSELF.to_owned(), itself);
        upstreams.renewed(config)
    }

    /// Those of another configuration. One that is configured as before is the same one, with its connections.
    pub(crate) fn renewed(&self, config: &Config) -> anyhow::Result<Upstreams> {
        let mut upstreams = Upstreams {
            metrics: self.metrics.clone(),
            ..Upstreams::default()
        };
        let threads = config.listener.threads();
        let itself = self.grpc.get_key_value(ITSELF);
        upstreams
            .grpc
            .extend(itself.map(|(name, itself)| (name.clone(), itself.clone())));
        for (name, upstream) in &config.upstreams {
            anyhow::ensure!(
                name != ITSELF,
                "upstreams.{ITSELF} is this gateway itself and cannot be configured"
            );
            if self.configs.get(name) == Some(upstream) {
                upstreams.take_over(name, self);
            } else {
                upstreams
                    .add(name, upstream, threads)
                    .with_context(|| format!("upstreams.{name} cannot be used"))?;
            }
        }
        upstreams.configs.clone_from(&config.upstreams);
        Ok(upstreams)
    }

    fn take_over(&mut self, name: &str, from: &Upstreams) {
        if let Some(upstream) = from.grpc.get(name) {
            self.grpc.insert(name.to_owned(), upstream.clone());
        }
        if let Some(upstream) = from.http.get(name) {
            self.http.insert(name.to_owned(), upstream.clone());
        }
    }

    fn add(&mut self, name: &str, config: &UpstreamConfig, threads: usize) -> anyhow::Result<()> {
        let bridge = self
            .metrics
            .bridge(name, Duration::from_millis(config.restart_ms));
        match &config.grpc {
            Some(url) => {
                let resolver: Arc<dyn Resolve> = Arc::new(System);
                let terms = Terms {
                    connect_timeout: Duration::from_millis(config.connect_timeout_ms),
                    bridge: Arc::new(bridge),
                    resolve_every: Duration::from_millis(config.resolve_every_ms),
                    waiting_max: config.calls_waiting_max,
                    resolver,
                    gauges: self.metrics.of(name),
                };
                let connections = Connections::new(url, terms, threads)
                    .context("`http://host:port` is allowed")?;
                let upstream = GrpcUpstream {
                    name: name.to_owned(),
                    service: GrpcService(Kind::Remote(Arc::new(connections))),
                    deadline: Duration::from_millis(config.deadline_ms),
                };
                self.grpc.insert(name.to_owned(), upstream);
            }
            None => {
                let upstream = HttpUpstream::new(name, config, bridge, threads)
                    .context("`http://host:port` is allowed")?;
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

#[cfg(test)]
mod tests;
