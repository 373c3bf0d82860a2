//! A service's messages on their way to the client.
//!
//! They pass as they come; the status comes last. Whatever ends a call before its service has given a status, the
//! client is told one all the same: a stream that breaks off without one tells nobody why.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use tokio::time::{Instant, Sleep};
use tonic::Status;

use super::{flow::Flow, metadata};
use crate::{body::Broken, guest::Guests, refusal::Refusal};

/// What may end a call from here.
pub(super) struct Ends {
    /// The client's, or the route's.
    pub(super) deadline: Option<Instant>,
    /// Longest silence in both directions.
    pub(super) silence_max: Duration,
}

/// The response body of a call.
pub(super) struct Answer {
    /// Nothing once the call has ended; dropping it tells the service.
    body: Option<tonic::body::Body>,
    upstream: String,
    guests: Guests,
    flow: Flow,
    deadline: Option<Pin<Box<Sleep>>>,
    silence_max: Duration,
    silence: Option<Pin<Box<Sleep>>>,
    /// How much had come when the silence began.
    seen: u64,
}

impl Answer {
    pub(super) fn new(
        body: tonic::body::Body,
        upstream: &str,
        guests: &Guests,
        flow: Flow,
        ends: Ends,
    ) -> Answer {
        Answer {
            body: Some(body),
            upstream: upstream.to_owned(),
            guests: guests.clone(),
            flow,
            deadline: ends
                .deadline
                .map(|at| Box::pin(tokio::time::sleep_until(at))),
            silence_max: ends.silence_max,
            silence: None,
            seen: 0,
        }
    }

    /// Ends the call with a status of the gateway's.
    fn end(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.body = None;
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).ok();
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    /// Why the service's body broke off.
    fn trouble(&self, error: Option<&Status>) -> Status {
        match self.flow.broken() {
            Some(Broken::TooLarge) => return Refusal::message_too_large().to_grpc(),
            Some(Broken::Idle) => return Refusal::client_slow().to_grpc(),
            None => {}
        }
        tracing::warn!(
            upstream = self.upstream,
            error = error.map(|error| error as &dyn std::error::Error),
            "A call broke off"
        );
        Status::unavailable(format!("{} broke off", self.upstream))
    }

    /// Waits for either direction to move, at most until the call counts as forgotten.
    fn is_silent(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            let frames = self.flow.frames();
            let sleep = match &mut self.silence {
                Some(sleep) => sleep,
                None => {
                    self.seen = frames;
                    let sleep = Box::pin(tokio::time::sleep(self.silence_max));
                    self.silence.insert(sleep)
                }
            };
            if sleep.as_mut().poll(context).is_pending() {
                return false;
            }
            if self.seen == frames {
                return true;
            }
            self.silence = None;
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        let is_late = |deadline: &mut Option<Pin<Box<Sleep>>>, context: &mut Context<'_>| {
            let mut deadline = deadline.as_mut();
            deadline
                .as_mut()
                .is_some_and(|at| at.as_mut().poll(context).is_ready())
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                this.flow.moved();
                match frame.into_trailers() {
                    Ok(mut trailers) => {
                        this.body = None;
                        metadata::returned(&mut trailers, &this.guests);
                        metadata::without_debug_info(&mut trailers);
                        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
                    }
                    // A stream that never pauses has a deadline too.
                    Err(_) if is_late(&mut this.deadline, context) => {
                        this.end(&late(&this.upstream))
                    }
                    Err(frame) => Poll::Ready(Some(Ok(frame))),
                }
            }
            Poll::Ready(Some(Err(error))) => {
                let status = this.trouble(Some(&error));
                this.end(&status)
            }
            Poll::Ready(None) => {
                let status = this.trouble(None);
                this.end(&status)
            }
            Poll::Pending if is_late(&mut this.deadline, context) => {
                this.end(&late(&this.upstream))
            }
            Poll::Pending if this.is_silent(context) => {
                let message = "nothing was said for too long in either direction";
                this.end(&Status::unavailable(message))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }
}

/// A deadline has passed.
pub(super) fn late(upstream: &str) -> Status {
    Refusal::upstream_slow(upstream).to_grpc()
}

/// Messages and the status after them.
pub(super) fn whole(messages: Bytes, status: &Status) -> Body {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).ok();
    Body::new(Full::new(messages).with_trailers(async move { Some(Ok(trailers)) }))
}
