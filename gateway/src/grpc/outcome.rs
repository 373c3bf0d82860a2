//! What became of a call: its HTTP status is 200 whatever happens, and the real one comes last.
//!
//! The log and the metrics count a call by its gRPC status, or as cancelled where the client left before it had one.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::Body;
use banyan_transcode::Code;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Frame, SizeHint};

use super::{Dialect, web};
use crate::transcoded::GRPC_STATUS;

const NONE: u8 = u8::MAX;

/// The gRPC status of a call, once it is known.
#[derive(Clone, Debug)]
pub(crate) struct Outcome(Arc<AtomicU8>);

impl Outcome {
    fn of(headers: &HeaderMap) -> Outcome {
        Outcome(Arc::new(AtomicU8::new(status(headers).unwrap_or(NONE))))
    }

    fn note(&self, trailers: &HeaderMap) {
        let status = status(trailers).unwrap_or(Code::Unknown.number());
        self.0.store(status, Ordering::Release);
    }

    /// The code; a call that ends without one was cancelled.
    pub(crate) fn code(&self) -> Code {
        match self.0.load(Ordering::Acquire) {
            NONE => Code::Cancelled,
            number => Code::from_number(i32::from(number)),
        }
    }

    /// Whether the call has ended by itself.
    pub(crate) fn is_known(&self) -> bool {
        self.0.load(Ordering::Acquire) != NONE
    }

    /// The HTTP status of the same meaning.
    pub(crate) fn http(&self) -> StatusCode {
        self.code().http()
    }
}

fn status(headers: &HeaderMap) -> Option<u8> {
    code(headers).map(Code::number)
}

/// The code in trailers, or in the headers of an answer that has nothing else.
pub(super) fn code(headers: &HeaderMap) -> Option<Code> {
    let number: i32 = headers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()?;
    Some(Code::from_number(number))
}

/// An answer as its client reads it, and what will become of it. `None` for an answer that is not gRPC's.
pub(crate) fn finished(
    response: Response<Body>,
    dialect: Dialect,
) -> (Response<Body>, Option<Outcome>) {
    let is_grpc = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if !is_grpc {
        return (response, None);
    }
    let outcome = Outcome::of(response.headers());
    let response = response.map(|body| {
        Body::new(Observed {
            body,
            outcome: outcome.clone(),
        })
    });
    let response = match dialect {
        Dialect::Grpc => response,
        Dialect::Web | Dialect::WebText => web::answer(response, dialect),
    };
    (response, Some(outcome))
}

/// Sees the trailers pass.
struct Observed {
    body: Body,
    outcome: Outcome,
}

impl http_body::Body for Observed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            self.outcome.note(trailers);
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
