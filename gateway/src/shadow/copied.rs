//! The body of a request on its way to the side that answers, kept in passing for the side that does not.
//!
//! It passes as it comes: nothing of it is held back, and nobody waits for the rest of it. As much is kept as of a body that
//! subjects may stand in, [`BODY_BYTES_MAX`]; a longer one passes all the same, and its request is not compared.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use axum::body::Body;
use banyan_rollout::BODY_BYTES_MAX;
use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};

use super::Outcome;

/// A copy of a body that passes. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copied(Arc<OnceLock<Kept>>);

#[derive(Debug)]
enum Kept {
    Whole(Bytes),
    TooLarge,
}

impl Copied {
    /// The body to pass on, and its copy.
    pub(crate) fn of(body: Body) -> (Body, Copied) {
        let copied = Copied::default();
        let size = body.size_hint();
        if body.is_end_stream() {
            copied.tell(Kept::Whole(Bytes::new()));
        } else if size.lower() > BODY_BYTES_MAX as u64 {
            copied.tell(Kept::TooLarge);
        } else {
            let passing = Passing {
                body,
                begun: BytesMut::new(),
                size: size.exact(),
                copied: copied.clone(),
            };
            return (Body::new(passing), copied);
        }
        (body, copied)
    }

    /// All of it; else why there is no copy.
    pub(super) fn whole(&self) -> Result<&Bytes, Outcome> {
        match self.0.get() {
            Some(Kept::Whole(body)) => Ok(body),
            Some(Kept::TooLarge) => Err(Outcome::TooLarge),
            // The client broke off, or the side had enough before it had everything.
            None => Err(Outcome::Unfit),
        }
    }

    /// What is told first stays.
    fn tell(&self, kept: Kept) {
        self.0.set(kept).ok();
    }
}

struct Passing {
    body: Body,
    begun: BytesMut,
    /// How long it will be, where that is known: who knows it too may not look for the end.
    size: Option<u64>,
    copied: Copied,
}

impl Passing {
    fn keep(&mut self, data: &Bytes) {
        if self.copied.0.get().is_some() {
            return;
        }
        if self.begun.len() + data.len() > BODY_BYTES_MAX {
            self.begun = BytesMut::new();
            return self.copied.tell(Kept::TooLarge);
        }
        self.begun.extend_from_slice(data);
        if self.size == Some(self.begun.len() as u64) || self.body.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        let whole = std::mem::take(&mut self.begun).freeze();
        self.copied.tell(Kept::Whole(whole));
    }
}

impl http_body::Body for Passing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
                Some(data) => self.keep(data),
                None => self.end(),
            },
            Poll::Ready(None) => self.end(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
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

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};
    use http_body_util::BodyExt as _;

    use super::*;

    fn in_pieces(size: usize) -> Body {
        let sent = vec![b'x'; size];
        let pieces: Vec<_> = sent.chunks(1_000).map(Bytes::copy_from_slice).collect();
        Body::from_stream(stream::iter(pieces).map(Ok::<_, std::io::Error>))
    }

    #[tokio::test]
    async fn all_of_a_short_body_is_kept_and_every_body_passes() {
        let long = BODY_BYTES_MAX + 1;
        for (size, want) in [
            (0, Ok(0)),
            (1, Ok(1)),
            (BODY_BYTES_MAX, Ok(BODY_BYTES_MAX)),
            (long, Err(Outcome::TooLarge)),
        ] {
            for body in [in_pieces(size), Body::from(vec![b'x'; size])] {
                let (body, copied) = Copied::of(body);
                let passed = body.collect().await.unwrap().to_bytes();
                assert_eq!(passed.len(), size);
                assert_eq!(copied.whole().map(Bytes::len), want, "{size}");
            }
        }
    }

    #[tokio::test]
    async fn a_piece_passes_before_the_next_one_comes() {
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"one"))]);
        let stalled = Body::from_stream(first.chain(stream::pending()));
        let (mut body, copied) = Copied::of(stalled);
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        drop(body);
        assert_eq!(copied.whole(), Err(Outcome::Unfit));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_none() {
        let broken = std::io::Error::other("gone");
        let pieces = stream::iter([Ok(Bytes::from_static(b"one")), Err(broken)]);
        let (body, copied) = Copied::of(Body::from_stream(pieces));
        assert!(body.collect().await.is_err());
        assert_eq!(copied.whole(), Err(Outcome::Unfit));
    }

    #[tokio::test]
    async fn who_knows_the_length_need_not_look_for_the_end() {
        let (mut body, copied) = Copied::of(Body::from("whole"));
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(copied.whole().unwrap(), "whole");
    }
}
