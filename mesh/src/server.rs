//! The serving end of gRPC: one stack for every service, from the socket to the handler.
//!
//! Health follows the process's readiness; reflection tells the contracts; every call is limited, timed and logged in
//! one line. At shutdown the server takes no new call and finishes those in flight.

mod access_log;

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use http::{Request, Response};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tonic::{
    body::Body,
    server::NamedService,
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tower::{Service, limit::GlobalConcurrencyLimitLayer};

use crate::{process::Process, server::access_log::AccessLogLayer};

/// Where a gRPC server listens, and its limits.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcSettings {
    /// Address and port; port 0 is any free one.
    pub listen: SocketAddr,
    /// Calls in progress at most; more wait for their turn until their deadline.
    #[serde(default = "concurrency_max")]
    pub concurrency_max: usize,
    /// A unary call takes at most this long, in milliseconds, whatever deadline the caller set.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

fn concurrency_max() -> usize {
    1_024
}

fn timeout_ms() -> u64 {
    30_000
}

impl GrpcSettings {
    /// Default limits on an address.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            concurrency_max: concurrency_max(),
            timeout_ms: timeout_ms(),
        }
    }
}

/// A server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be had.
    #[error("cannot listen on {address} ({failure}): set {setting} to another address")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The setting that changes it.
        setting: String,
        /// Why. Not its source: the one line says it already.
        failure: BindFailure,
    },
    /// The descriptors for reflection do not decode.
    #[error("the descriptor set for reflection does not decode")]
    Reflection {
        /// Why.
        #[source]
        source: tonic_reflection::server::Error,
    },
}

/// Why an address cannot be had, in words.
#[derive(Debug)]
pub struct BindFailure(std::io::Error);

impl std::fmt::Display for BindFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.kind() {
            std::io::ErrorKind::AddrInUse => f.write_str("the port is taken"),
            std::io::ErrorKind::PermissionDenied => f.write_str("not permitted"),
            _ => self.0.fmt(f),
        }
    }
}

impl std::error::Error for BindFailure {}

/// Takes an address, or says in one line which setting changes it.
///
/// # Errors
/// If the address cannot be had.
pub async fn bind(listen: SocketAddr, setting: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(listen)
        .await
        .map_err(|error| StartError::Bind {
            address: listen,
            setting: setting.to_owned(),
            failure: BindFailure(error),
        })
}

/// A gRPC server in the making.
#[derive(Debug)]
pub struct GrpcServer {
    settings: GrpcSettings,
    name: &'static str,
    setting: &'static str,
    descriptors: Option<&'static [u8]>,
    polled: &'static [&'static str],
    services: Vec<&'static str>,
    routes: Routes,
}

impl GrpcServer {
    /// A server with no service yet. `name` is for logs and metrics.
    #[must_use]
    pub fn new(settings: GrpcSettings, name: &'static str) -> Self {
        Self {
            settings,
            name,
            setting: "another listen address",
            descriptors: None,
            polled: &[],
            services: Vec::new(),
            routes: Routes::default(),
        }
    }

    /// The setting that the error for a taken port names.
    #[must_use]
    pub fn setting_name(self, setting: &'static str) -> Self {
        Self { setting, ..self }
    }

    /// Answers reflection from this descriptor set.
    #[must_use]
    pub fn reflection(self, descriptors: &'static [u8]) -> Self {
        Self {
            descriptors: Some(descriptors),
            ..self
        }
    }

    /// Methods that are called all the time, such as `/package.Service/Method`: they are logged at DEBUG.
    #[must_use]
    pub fn polled(self, methods: &'static [&'static str]) -> Self {
        Self {
            polled: methods,
            ..self
        }
    }

    /// Serves one more service.
    #[must_use]
    #[allow(clippy::should_implement_trait)] // It adds a service, not a number.
    pub fn add<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.services.push(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }

    /// Listens and serves until the process shuts down. Returns the address once it is taken.
    ///
    /// # Errors
    /// If the address cannot be had or the descriptors do not decode.
    pub async fn start(self, process: &Process) -> Result<SocketAddr, StartError> {
        let listener = bind(self.settings.listen, self.setting).await?;
        let address = listener.local_addr().unwrap_or(self.settings.listen);
        let routes = self.routes_with_health_and_reflection(process)?;
        let shutdown = process.shutdown().clone();
        // The server's own switch for this does nothing to sockets that it did not open: without it an answer of several
        // frames waits 40 ms for the other end's delayed acknowledgement.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let server = Server::builder()
            // A caller that vanished without a word frees its streams within 20 s.
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)))
            // One line a call, refused ones included.
            .layer(AccessLogLayer::new(self.name, self.polled))
            // More than this many at once would only slow each other down.
            .layer(GlobalConcurrencyLimitLayer::new(
                self.settings.concurrency_max,
            ))
            // The caller's grpc-timeout is honoured too; the shorter one counts.
            .timeout(Duration::from_millis(self.settings.timeout_ms))
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned());
        process.spawn("gRPC server", async move { Ok(server.await?) });
        tracing::info!(service = self.name, %address, "Serving gRPC");
        Ok(address)
    }

    fn routes_with_health_and_reflection(&self, process: &Process) -> Result<Routes, StartError> {
        let (mut reporter, health) = tonic_health::server::health_reporter();
        let mut routes = self.routes.clone().add_service(health);
        if let Some(descriptors) = self.descriptors {
            let reflection = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(descriptors)
                .build_v1()
                .map_err(|source| StartError::Reflection { source })?;
            routes = routes.add_service(reflection);
        }
        let mut ready = process.readiness().watch();
        // The empty name is the server as a whole (grpc.health.v1).
        let names: Vec<&'static str> = self.services.iter().copied().chain([""]).collect();
        let shutdown = process.shutdown().clone();
        process.spawn("gRPC health", async move {
            loop {
                let status = if *ready.borrow_and_update() {
                    tonic_health::ServingStatus::Serving
                } else {
                    tonic_health::ServingStatus::NotServing
                };
                for name in &names {
                    reporter.set_service_status(name, status).await;
                }
                tokio::select! {
                    changed = ready.changed() => if changed.is_err() { break },
                    () = shutdown.cancelled() => break,
                }
            }
            // A client that watches hears of the end, or it would hold the draining server for as long as it may drain.
            for name in &names {
                let ended = tonic_health::ServingStatus::NotServing;
                reporter.set_service_status(name, ended).await;
                reporter.clear_service_status(name).await;
            }
            Ok(())
        });
        Ok(routes)
    }
}

#[cfg(test)]
mod tests {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };

    use super::*;
    use crate::client::{ClientSettings, channel};

    const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

    async fn start(process: &Process) -> SocketAddr {
        let server = GrpcServer::new(GrpcSettings::new(ANY_PORT.into()), "sample");
        server.start(process).await.unwrap()
    }

    #[tokio::test]
    async fn health_follows_readiness_and_the_server_drains() {
        let process = Process::new();
        let database = process.readiness().dependency("database");
        let address = start(&process).await;
        let channel = channel(&ClientSettings::new(format!("http://{address}"))).unwrap();
        let mut health = HealthClient::new(channel);
        let mut watch = health
            .watch(HealthCheckRequest {
                service: String::new(),
            })
            .await
            .unwrap()
            .into_inner();
        let mut seen = Vec::new();
        while seen.last() != Some(&ServingStatus::Serving) {
            seen.push(watch.message().await.unwrap().unwrap().status());
            database.up();
        }
        // Whoever watches hears of the end and is let go: the server waits for nobody.
        process.stop(Duration::from_secs(30)).await.unwrap();
        let mut last = seen.last().copied();
        while let Ok(Some(told)) = watch.message().await {
            last = Some(told.status());
        }
        assert_eq!(last, Some(ServingStatus::NotServing));
        assert!(
            health
                .check(HealthCheckRequest {
                    service: String::new()
                })
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_taken_port_is_one_line_that_names_the_setting() {
        let process = Process::new();
        let taken = start(&process).await;
        let server =
            GrpcServer::new(GrpcSettings::new(taken), "sample").setting_name("SAMPLE_LISTEN");
        let error = server.start(&process).await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "cannot listen on {taken} (the port is taken): set SAMPLE_LISTEN to another address"
            )
        );
    }
}
