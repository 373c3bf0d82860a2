//! `grpc.health.v1.Health`: the gateway serves while its process is ready; so, as far as it can tell, does every service
//! that is mounted. How the services behind it are, they say themselves.

use std::pin::Pin;

use banyan_mesh::readiness::Readiness;
use futures::{Stream, StreamExt as _, stream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server,
};

pub(super) struct Health {
    readiness: Readiness,
    services: Vec<String>,
    /// The process takes nothing new any more: whoever watches is let go, or the drain would wait for them.
    shutdown: CancellationToken,
}

impl Health {
    pub(super) fn new(
        readiness: Readiness,
        services: Vec<String>,
        shutdown: CancellationToken,
    ) -> Health {
        Health {
            readiness,
            services,
            shutdown,
        }
    }

    /// The empty name is the gateway itself.
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.iter().any(|known| known == service)
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

fn status(is_ready: bool) -> HealthCheckResponse {
    answer(match is_ready {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    })
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match self.knows(&request.get_ref().service) {
            true => Ok(Response::new(status(self.readiness.is_ready()))),
            false => Err(Status::not_found("no such service is mounted here")),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// The status now and whenever it changes, until the process ends. One that is not known may yet come, so that it is no error.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let ended = self.shutdown.clone().cancelled_owned();
        if !self.knows(&request.get_ref().service) {
            let unknown = stream::once(async { Ok(answer(ServingStatus::ServiceUnknown)) });
            let unknown = unknown.chain(stream::pending().take_until(ended));
            return Ok(Response::new(Box::pin(unknown)));
        }
        let mut ready = self.readiness.watch();
        ready.mark_changed();
        let statuses = stream::unfold(ready, |mut ready| async {
            ready.changed().await.ok()?;
            let is_ready = *ready.borrow_and_update();
            Some((Ok(status(is_ready)), ready))
        });
        Ok(Response::new(Box::pin(statuses.take_until(ended))))
    }
}
