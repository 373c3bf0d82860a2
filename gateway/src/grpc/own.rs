//! The gateway's own services: whether it serves, and, where the configuration says so, what.
//!
//! Health is there on every listener, for load balancers and clients that probe by gRPC. Reflection names only what is
//! mounted on the listener that is asked.

mod health;
mod reflection;

use banyan_mesh::readiness::Readiness;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

use self::health::Health;
use crate::upstreams::GrpcService;

pub(super) use self::reflection::Reflection;

pub(super) const HEALTH: &str = "/grpc.health.v1.Health/";
pub(super) const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/";

/// `grpc.health.v1.Health` of a process that serves these.
pub(super) fn health(
    readiness: &Readiness,
    services: Vec<String>,
    shutdown: &CancellationToken,
) -> GrpcService {
    let health = Health::new(readiness.clone(), services, shutdown.clone());
    GrpcService::local(HealthServer::new(health))
}

/// `grpc.reflection.v1.ServerReflection` of these contracts.
pub(super) fn reflection(contracts: impl ServerReflection) -> GrpcService {
    GrpcService::local(ServerReflectionServer::new(contracts))
}
