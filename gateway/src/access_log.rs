//! One line and one count per request, whatever becomes of it.
//!
//! The [`Record`] travels with the request and ends with the last byte of the answer; when the client goes away
//! earlier, wherever that is, dropping it writes the line all the same. Queries and bodies are never logged: they may
//! hold anything.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::body::Body;
use banyan_mesh::trace::TraceContext;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    context,
    grpc::Outcome,
    metrics::{Counts, Metrics},
    rollouts::Ruling,
};

/// What the line will say.
pub(crate) struct Record {
    listener: &'static str,
    method: Method,
    begun: Instant,
    request_id: HeaderValue,
    trace: TraceContext,
    metrics: Metrics,
    /// The route that matched, `none` until one has.
    pub(crate) route: Arc<Counts>,
    /// What a rollout decided.
    pub(crate) ruling: Option<Ruling>,
    /// What became of a gRPC call, once it is known.
    pub(crate) outcome: Option<Outcome>,
    /// Why the gateway could not do better, for the operator.
    pub(crate) trouble: Option<String>,
    status: Option<StatusCode>,
    bytes: u64,
}

impl Record {
    pub(crate) fn begin(
        listener: &'static str,
        method: Method,
        context: &context::Context,
        metrics: Metrics,
        none: &Arc<Counts>,
    ) -> Record {
        metrics.in_flight.inc();
        Record {
            listener,
            method,
            begun: Instant::now(),
            request_id: context.request_id.clone(),
            trace: context.trace,
            metrics,
            route: Arc::clone(none),
            ruling: None,
            outcome: None,
            trouble: None,
            status: None,
            bytes: 0,
        }
    }

    /// Counts the answer, and lets the record and the request's place among the concurrent ones end with its body.
    pub(crate) fn answered(
        mut self,
        response: Response<Body>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Response<Body> {
        let status = response.status();
        self.status = Some(status);
        // A gRPC call is counted when its own status is known, which comes last.
        if self.outcome.is_none() {
            self.judge(status);
        }
        response.map(|body| {
            Body::new(Recorded {
                body,
                record: self,
                _permit: permit,
            })
        })
    }

    /// Puts a word before what is in the line already.
    pub(crate) fn note(&mut self, why: String) {
        self.trouble = Some(match self.trouble.take() {
            Some(trouble) => format!("{why}; {trouble}"),
            None => why,
        });
    }

    /// Counts an answer by what it was.
    fn judge(&self, status: StatusCode) {
        self.route.answered(&self.metrics, self.side(), status);
        if let Some(ruling) = &self.ruling {
            ruling.record(status);
        }
    }

    /// Counts a request whose client left before it had anything of an answer: a call's headers say nothing.
    fn abandoned(&self) {
        let left = StatusCode::BAD_REQUEST;
        self.route.answered(&self.metrics, self.side(), left);
        if let Some(ruling) = &self.ruling {
            ruling.abandoned();
        }
    }

    fn side(&self) -> &'static str {
        self.ruling
            .as_ref()
            .map_or("", |ruling| ruling.side.as_str())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        match &self.outcome {
            Some(outcome) if outcome.is_known() || self.bytes > 0 => self.judge(outcome.http()),
            None if self.status.is_some() => {}
            _ => self.abandoned(),
        }
        let latency = self.begun.elapsed();
        self.route.took(&self.metrics, self.side(), latency);
        let ruling = self.ruling.as_ref();
        let decided = ruling.and_then(Ruling::overturned);
        tracing::info!(
            listener = self.listener,
            method = %self.method,
            route = self.route.route(),
            // The client left before there was a status: 499, as nginx has it.
            status = self.status.map_or(499, |status| status.as_u16()),
            grpc_status = self.outcome.as_ref().map(|outcome| outcome.code().name()),
            rollout = ruling.map(Ruling::rollout),
            side = ruling.map(|ruling| ruling.side.as_str()),
            reason = ruling.map(|ruling| ruling.reason.as_str()),
            decided_side = decided.map(|(side, _)| side.as_str()),
            decided_reason = decided.map(|(_, reason)| reason.as_str()),
            bucket = ruling.map(|ruling| ruling.bucket.index()),
            subject_unseen = ruling.and_then(Ruling::unseen),
            rollout_version = ruling.map(|ruling| ruling.version),
            trouble = self.trouble.as_deref(),
            trace_id = self.trace.trace_id(),
            request_id = self.request_id.to_str().unwrap_or_default(),
            latency_ms = latency.as_micros() as f64 / 1000.0,
            bytes = self.bytes,
            "Answered request"
        );
    }
}

struct Recorded {
    body: Body,
    record: Record,
    _permit: Option<OwnedSemaphorePermit>,
}

impl http_body::Body for Recorded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.record.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
