//! The naive engine: one transaction a request, with row locks. It is what most systems do, and what the benchmark
//! compares with: the same contract, the same server stack, the same schema and durability, prepared statements.
//!
//! It does the same work for a request: looks its id up, reads what is wanted in one statement, locks the cell, and keeps
//! what was decided and tells the feed of it, refusals too. It is given what most systems have: cells are there before they
//! are wanted, and its numbers come from sequences, so that a follower of its outbox could miss a late commit. Never part
//! of the product.

mod hold;

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::Context as _;
use banyan_mesh::{
    process::{Ending, Process},
    server::{GrpcServer, GrpcSettings},
    telemetry,
};
use banyan_proto::reservation::v1;
use tonic::{Request, Response, Status, body::Body, server::NamedService};
use tonic_prost::ProstCodec;

pub use hold::{Engine, Order};

/// Serves the naive engine until the process is told to end.
///
/// # Errors
/// If the database or the address cannot be had.
pub async fn run(
    listen: SocketAddr,
    database: &str,
    pool: u32,
    order: Order,
) -> anyhow::Result<()> {
    telemetry::start(telemetry::DEFAULT_FILTER)?;
    let process = Process::new();
    serve(listen, database, pool, order, &process).await?;
    let ending = Ending {
        unready_wait: Duration::ZERO,
        grace: Duration::from_secs(10),
    };
    process.run(ending).await
}

/// Serves the naive engine in a process; the address it is served at.
///
/// # Errors
/// As [`run`].
pub async fn serve(
    listen: SocketAddr,
    database: &str,
    pool: u32,
    order: Order,
    process: &Process,
) -> anyhow::Result<SocketAddr> {
    let engine = Engine::connect(database, pool, order)
        .await
        .context("cannot open the naive engine's database")?;
    let service = Naive(Arc::new(engine));
    let server = GrpcServer::new(GrpcSettings::new(listen), "naive").add(service);
    Ok(server.start(process).await?)
}

/// Answers HoldBooking and nothing else of BookingService.
#[derive(Clone)]
struct Naive(Arc<Engine>);

impl NamedService for Naive {
    const NAME: &'static str = "banyan.reservation.v1.BookingService";
}

impl tower::Service<http::Request<Body>> for Naive {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering<http::Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let hold = Hold(Arc::clone(&self.0));
        Box::pin(async move {
            if !request.uri().path().ends_with("/HoldBooking") {
                return Ok(Status::unimplemented("").into_http());
            }
            let codec = ProstCodec::default();
            Ok(tonic::server::Grpc::new(codec).unary(hold, request).await)
        })
    }
}

type Answering<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

struct Hold(Arc<Engine>);

impl tonic::server::UnaryService<v1::HoldBookingRequest> for Hold {
    type Response = v1::HoldBookingResponse;
    type Future = Answering<Response<Self::Response>, Status>;

    fn call(&mut self, request: Request<v1::HoldBookingRequest>) -> Self::Future {
        let engine = Arc::clone(&self.0);
        Box::pin(async move {
            let guest = request.metadata().get("x-banyan-guest");
            let guest = guest.map(|it| it.as_bytes().to_vec()).unwrap_or_default();
            engine
                .hold(&guest, request.get_ref())
                .await
                .map(Response::new)
        })
    }
}
