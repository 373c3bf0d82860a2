//! One line for each gRPC call, written when its last byte has been sent: the method, how it ended, how long it took
//! and the trace it belongs to. Never a message: messages hold guests' names. Health checks, reflection and what else is
//! called all the time are noise at INFO, and told at DEBUG.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::{Code, body::Body};
use tower::{Layer, Service};

use crate::trace::TraceContext;

/// Logs the calls of one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessLogLayer {
    server: &'static str,
    polled: &'static [&'static str],
}

impl AccessLogLayer {
    /// `polled`: paths of methods that are called all the time.
    pub(crate) fn new(server: &'static str, polled: &'static [&'static str]) -> Self {
        Self { server, polled }
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = AccessLog<S>;

    fn layer(&self, inner: S) -> AccessLog<S> {
        AccessLog {
            inner,
            server: self.server,
            polled: self.polled,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AccessLog<S> {
    inner: S,
    server: &'static str,
    polled: &'static [&'static str],
}

impl<S, B> Service<Request<B>> for AccessLog<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let line = Line {
            server: self.server,
            method: request.uri().path().to_owned(),
            is_noise: is_noise(request.uri().path(), self.polled),
            trace_id: TraceContext::of(request.headers()).trace_id(),
            request_id: text(request.headers(), "x-request-id"),
            start: Instant::now(),
            code: None,
        };
        let response = self.inner.call(request);
        Box::pin(async move {
            let mut line = line;
            let response = response.await?;
            // An error without a message has its status in the head.
            line.code = code(response.headers());
            Ok(response.map(|body| Body::new(Logged { body, line })))
        })
    }
}

/// Whether it is called several times a second by whoever watches.
fn is_noise(method: &str, polled: &[&str]) -> bool {
    method.starts_with("/grpc.") || polled.contains(&method)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

fn code(headers: &HeaderMap) -> Option<Code> {
    headers
        .get("grpc-status")
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// Writes itself when it is dropped: at the end of the call, however it came.
struct Line {
    server: &'static str,
    method: String,
    is_noise: bool,
    trace_id: String,
    request_id: Option<String>,
    start: Instant,
    code: Option<Code>,
}

impl Drop for Line {
    fn drop(&mut self) {
        let latency_ms = self.start.elapsed().as_secs_f64() * 1_000.0;
        let Self {
            server,
            method,
            trace_id,
            ..
        } = self;
        let request_id = self.request_id.as_deref();
        let status = self
            .code
            .map_or("cancelled".to_owned(), |code| format!("{code:?}"));
        if self.is_noise && matches!(self.code, None | Some(Code::Ok)) {
            tracing::debug!(
                server,
                method,
                status,
                latency_ms,
                trace_id,
                request_id,
                "Served gRPC call"
            );
        } else {
            tracing::info!(
                server,
                method,
                status,
                latency_ms,
                trace_id,
                request_id,
                "Served gRPC call"
            );
        }
    }
}

/// A response body that notes the status in its trailers.
struct Logged {
    body: Body,
    line: Line,
}

impl http_body::Body for Logged {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.line.code = code(trailers);
                }
            }
            Some(Err(status)) => self.line.code = Some(status.code()),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::is_noise;

    #[test]
    fn what_is_polled_is_noise_and_nothing_beside_it() {
        let polled = ["/a.B/Status"];
        for (method, want) in [
            ("/grpc.health.v1.Health/Check", true),
            ("/a.B/Status", true),
            ("/a.B/StatusOf", false),
            ("/a.B/CatchUp", false),
            ("/c.a.B/Status", false),
        ] {
            assert_eq!(is_noise(method, &polled), want, "{method}");
        }
        assert!(!is_noise("/a.B/Status", &[]));
    }
}
