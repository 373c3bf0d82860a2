//! Bodies of gRPC calls over one HTTP/2 connection.
//!
//! A request that is there as a whole, as every unary one is, goes into the connection's buffer at once. A stream is
//! pumped by a task of its own, at the pace of the peer's window, and the task ends with the call. An answer gives its
//! window back as it is read, so a client that reads slowly slows its own stream down and nobody else's.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http_body::{Body as _, Frame, SizeHint};
use tokio::task::AbortHandle;
use tonic::{Status, body::Body};

use super::connection::Place;

/// What a call sends.
pub(super) enum Upload {
    /// All of it.
    Whole(Option<Bytes>),
    /// What there is already, and the rest.
    Stream(Option<Bytes>, Body),
}

impl Upload {
    /// Takes what is there without waiting.
    pub(super) async fn of(mut body: Body) -> Result<Upload, Status> {
        if body.is_end_stream() {
            return Ok(Upload::Whole(None));
        }
        let first = poll_fn(|context| Poll::Ready(poll_data(&mut body, context))).await;
        let first = match first {
            Poll::Pending => return Ok(Upload::Stream(None, body)),
            Poll::Ready(first) => first.transpose()?,
        };
        if first.is_none() || body.is_end_stream() {
            return Ok(Upload::Whole(first));
        }
        let second = poll_fn(|context| Poll::Ready(poll_data(&mut body, context))).await;
        match (first, second) {
            (first, Poll::Ready(None)) => Ok(Upload::Whole(first)),
            (first, Poll::Pending) => Ok(Upload::Stream(first, body)),
            (first, Poll::Ready(Some(second))) => {
                let mut both = first.unwrap_or_default().to_vec();
                both.extend_from_slice(&second?);
                Ok(Upload::Stream(Some(both.into()), body))
            }
        }
    }
}

/// The next piece of data; a request of gRPC has no trailers.
fn poll_data(body: &mut Body, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
    loop {
        let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => return Poll::Ready(Some(Ok(data))),
            Ok(Err(_trailers)) => {}
            Err(error) => return Poll::Ready(Some(Err(error))),
        }
    }
}

/// Sends a stream at the peer's pace, to its end or until the peer wants no more of it.
pub(super) async fn pump(mut send: SendStream<Bytes>, first: Option<Bytes>, mut body: Body) {
    let mut next = first;
    loop {
        let mut piece = match next.take() {
            Some(piece) => piece,
            None => match poll_fn(|context| poll_data(&mut body, context)).await {
                Some(Ok(piece)) => piece,
                Some(Err(_)) => return send.send_reset(Reason::CANCEL),
                None => {
                    send.send_data(Bytes::new(), true).ok();
                    return;
                }
            },
        };
        while !piece.is_empty() {
            send.reserve_capacity(piece.len());
            let window = match poll_fn(|context| send.poll_capacity(context)).await {
                Some(Ok(window)) => window.min(piece.len()),
                Some(Err(_)) | None => return,
            };
            if window > 0 && send.send_data(piece.split_to(window), false).is_err() {
                return;
            }
        }
    }
}

/// An answer as it comes; dropping it before its end cancels the call.
pub(super) struct Answer {
    stream: RecvStream,
    data_ended: bool,
    ended: bool,
    /// Among the calls of its connection.
    _place: Place,
    _pump: Option<Pump>,
}

/// A task that ends with its call.
pub(super) struct Pump(pub(super) AbortHandle);

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Answer {
    pub(super) fn new(stream: RecvStream, place: Place, pump: Option<Pump>) -> Answer {
        Answer {
            ended: stream.is_end_stream(),
            stream,
            data_ended: false,
            _place: place,
            _pump: pump,
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if !self.data_ended {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    self.stream.flow_control().release_capacity(data.len())?;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.data_ended = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(context));
        self.ended = true;
        Poll::Ready(
            trailers
                .transpose()
                .map(|trailers| trailers.map(Frame::trailers)),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
