//! A client's messages on their way to a service: passed on as they come, each under the listener's limits.
//!
//! A stream may be as long as it likes, but no message larger than a body may be; and a client may pause between messages
//! of a stream, but not in the middle of one. Only the five bytes before each message are looked at.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::flow::Flow;
use crate::body::{BodyLimits, Broken};

/// Before each message: whether it is packed, and its length.
pub(super) const PREFIX: usize = 5;
/// A message takes at most so many of the longest pauses, and what its size earns it.
const PAUSES_MAX: u32 = 4;
/// A sender this fast is never cut off.
const BYTES_PER_S_MIN: u64 = 512;

/// Where in a stream of messages a byte stands.
#[derive(Debug, Default)]
pub(super) struct Position {
    prefix: [u8; PREFIX],
    /// Bytes of the prefix that have come.
    have: usize,
    /// Bytes of the message that are to come.
    left: usize,
}

/// A message is larger than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Position {
    /// Steps over some bytes.
    pub(super) fn pass(&mut self, mut bytes: &[u8], bytes_max: usize) -> Result<(), TooLarge> {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = &bytes[skipped..];
            let taken = (PREFIX - self.have).min(bytes.len());
            self.prefix[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == PREFIX {
                let [_, length @ ..] = self.prefix;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.have = 0;
                if self.left > bytes_max {
                    return Err(TooLarge);
                }
            }
        }
        Ok(())
    }

    /// Whether a message has begun that is not whole yet.
    pub(super) fn is_inside(&self) -> bool {
        self.have > 0 || self.left > 0
    }
}

/// The request body of a call.
pub(super) struct Messages {
    body: Body,
    position: Position,
    bytes_max: usize,
    pause_max: Duration,
    /// Whether the client may think between messages.
    is_stream: bool,
    /// Since when the message that is coming is awaited.
    since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    flow: Flow,
}

impl Messages {
    pub(super) fn new(body: Body, limits: BodyLimits, is_stream: bool, flow: Flow) -> Messages {
        Messages {
            body,
            position: Position::default(),
            bytes_max: limits.bytes_max.unwrap_or(usize::MAX),
            pause_max: limits.idle,
            is_stream,
            since: None,
            sleep: None,
            flow,
        }
    }

    /// What has not been read yet.
    pub(super) fn into_body(self) -> Body {
        self.body
    }

    /// Waits for more, at most until a limit.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_stream && !self.position.is_inside() {
            return Poll::Pending;
        }
        if self.sleep.is_none() {
            let now = Instant::now();
            let since = *self.since.get_or_insert(now);
            let earned = Duration::from_secs(self.position.left as u64 / BYTES_PER_S_MIN);
            let until = (now + self.pause_max).min(since + self.pause_max * PAUSES_MAX + earned);
            self.sleep = Some(Box::pin(tokio::time::sleep_until(until)));
        }
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(context),
            None => Poll::Pending,
        }
    }

    fn broken(&self, broken: Broken) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.flow.break_off(broken);
        Poll::Ready(Some(Err(axum::Error::new(broken))))
    }
}

impl http_body::Body for Messages {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Pending => {
                ready!(this.wait(context));
                return this.broken(Broken::Idle);
            }
            Poll::Ready(Some(Ok(frame))) => frame,
            end_or_error => return end_or_error,
        };
        this.sleep = None;
        this.flow.moved();
        let data = frame.data_ref().map_or(&[][..], |data| data);
        if this.position.pass(data, this.bytes_max).is_err() {
            return this.broken(Broken::TooLarge);
        }
        if !this.position.is_inside() {
            this.since = None;
        }
        Poll::Ready(Some(Ok(frame)))
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
    use futures::StreamExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    #[test]
    fn messages_are_followed_however_they_are_cut() {
        let stream = b"\0\0\0\0\x03abc\0\0\0\0\0\x01\0\0\0\x02de";
        for size in 1..stream.len() {
            let mut position = Position::default();
            for piece in stream.chunks(size) {
                assert_eq!(position.pass(piece, 3), Ok(()), "{size}");
            }
            assert!(!position.is_inside(), "{size}");
            let mut position = Position::default();
            let mut pieces = stream.chunks(size);
            assert!(pieces.any(|piece| position.pass(piece, 2) == Err(TooLarge)));
        }
    }

    async fn read(pieces: &'static [&'static [u8]], is_stream: bool) -> Option<Broken> {
        let limits = BodyLimits {
            bytes_max: Some(100),
            idle: Duration::from_millis(50),
        };
        let stalled = futures::stream::iter(pieces)
            .map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece)))
            .chain(futures::stream::pending());
        let flow = Flow::default();
        let messages = Messages::new(Body::from_stream(stalled), limits, is_stream, flow.clone());
        let collected = messages.collect();
        tokio::time::timeout(Duration::from_secs(1), collected)
            .await
            .ok();
        flow.broken()
    }

    #[tokio::test]
    async fn a_client_may_pause_between_messages_of_a_stream_only() {
        let whole: &[&[u8]] = &[b"\0\0\0\0\x02ab"];
        let (broken, waits) = tokio::join!(read(whole, false), read(whole, true));
        assert_eq!((broken, waits), (Some(Broken::Idle), None));
        let part: &[&[u8]] = &[b"\0\0\0\0\x02a"];
        assert_eq!(read(part, true).await, Some(Broken::Idle));
        assert_eq!(read(&[b"\0\0\0\0\x65"], true).await, Some(Broken::TooLarge));
    }
}
