//! A body on its way to the client, kept in passing and handed over once it has passed whole.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};

use super::{ANSWER_BYTES_MAX, Captured};

/// Passes a body on and tells what it was, when it is over.
pub(super) struct Capture<F: FnOnce(Captured)> {
    body: Body,
    kept: BytesMut,
    trailers: Option<HeaderMap>,
    state: State,
    /// Whether the last frame has passed.
    has_ended: bool,
    done: Option<F>,
}

#[derive(PartialEq, Eq)]
enum State {
    Keeping,
    /// Not kept, because it cannot be read or need not be.
    Passing,
    /// Too large.
    Overflowed,
    /// It broke off.
    Broken,
}

impl<F: FnOnce(Captured)> Capture<F> {
    pub(super) fn new(body: Body, is_kept: bool, done: F) -> Self {
        Capture {
            body,
            kept: BytesMut::new(),
            trailers: None,
            state: if is_kept {
                State::Keeping
            } else {
                State::Passing
            },
            has_ended: false,
            done: Some(done),
        }
    }

    fn keep(&mut self, data: &Bytes) {
        if self.state != State::Keeping {
            return;
        }
        if self.kept.len() + data.len() > ANSWER_BYTES_MAX {
            self.state = State::Overflowed;
            self.kept = BytesMut::new();
        } else {
            self.kept.extend_from_slice(data);
        }
    }
}

impl<F: FnOnce(Captured) + Unpin> http_body::Body for Capture<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.keep(data);
                }
                self.trailers = frame.trailers_ref().cloned();
                self.has_ended = self.trailers.is_some();
            }
            Poll::Ready(Some(Err(_))) => self.state = State::Broken,
            Poll::Ready(None) => self.has_ended = true,
            Poll::Pending => {}
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

/// The server drops a body when its last byte has been handed over, or when the client has gone.
impl<F: FnOnce(Captured)> Drop for Capture<F> {
    fn drop(&mut self) {
        let Some(done) = self.done.take() else { return };
        let is_whole =
            self.has_ended || self.body.is_end_stream() || self.body.size_hint().exact() == Some(0);
        done(match self.state {
            State::Keeping if is_whole => {
                let kept = std::mem::take(&mut self.kept).freeze();
                Captured::Whole(kept, self.trailers.take())
            }
            State::Passing if is_whole => Captured::Encoded,
            _ => Captured::Unfit,
        });
    }
}
