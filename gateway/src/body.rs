//! Bodies in flight: counted, limited and timed while they stream.
//!
//! A body that breaks a limit ends with an error, which whoever reads it cannot tell from a lost connection; the
//! [`Watch`] beside it says what really happened.
//!
//! A pause has a limit, and so has all waiting together: a sender that gives a byte at a time, each just in time, would
//! otherwise hold its place among the concurrent requests for days.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// All waiting for a body together, in longest pauses; what it has brought earns it more.
const PAUSES_MAX: u32 = 4;
/// A sender this fast is never cut off.
const BYTES_PER_S_MIN: u64 = 512;

/// What a body may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Largest size; `None` for any.
    pub(crate) bytes_max: Option<usize>,
    /// Longest pause between two frames.
    pub(crate) idle: Duration,
}

/// Which limit a body broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    TooLarge,
    Idle,
}

/// What became of a body, for those who do not read it themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    broken: AtomicU8,
    frames: AtomicU64,
    starved: AtomicBool,
}

impl Watch {
    /// Which limit was broken, if one was.
    pub(crate) fn broken(&self) -> Option<Broken> {
        match self.0.broken.load(Ordering::Acquire) {
            1 => Some(Broken::TooLarge),
            2 => Some(Broken::Idle),
            _ => None,
        }
    }

    /// How many frames have passed.
    pub(crate) fn frames(&self) -> u64 {
        self.0.frames.load(Ordering::Acquire)
    }

    /// Whether the reader waits for the sender, not the other way round.
    pub(crate) fn is_starved(&self) -> bool {
        self.0.starved.load(Ordering::Acquire)
    }

    fn set(&self, broken: Broken) -> axum::Error {
        let value = match broken {
            Broken::TooLarge => 1,
            Broken::Idle => 2,
        };
        self.0.broken.store(value, Ordering::Release);
        axum::Error::new(broken)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Broken::TooLarge => "the body is too large",
            Broken::Idle => "the body stopped coming",
        })
    }
}

impl std::error::Error for Broken {}

/// Puts a body under limits.
pub(crate) fn limited<B>(body: B, limits: BodyLimits) -> (Limited<B>, Watch) {
    let watch = Watch::default();
    let limited = Limited {
        body,
        left: limits.bytes_max.unwrap_or(usize::MAX),
        idle: limits.idle,
        brought: 0,
        waited: Duration::ZERO,
        waiting_since: None,
        sleep: None,
        watch: watch.clone(),
    };
    (limited, watch)
}

/// A body under limits.
pub(crate) struct Limited<B> {
    body: B,
    left: usize,
    idle: Duration,
    brought: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
    /// Made at the first wait: most bodies are there when they are asked for.
    sleep: Option<Pin<Box<Sleep>>>,
    watch: Watch,
}

impl<B> Limited<B> {
    /// Begins to wait, unless it waits already.
    fn wait(&mut self) {
        if self.waiting_since.is_some() {
            return;
        }
        let now = Instant::now();
        let earned = Duration::from_secs(self.brought / BYTES_PER_S_MIN);
        let left = (self.idle * PAUSES_MAX + earned).saturating_sub(self.waited);
        self.waiting_since = Some(now);
        let until = now + self.idle.min(left);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(until),
            none => *none = Some(Box::pin(tokio::time::sleep_until(until))),
        }
    }

    fn came(&mut self, size: usize) {
        self.brought += size as u64;
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
    }
}

impl<B> http_body::Body for Limited<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(context);
        this.watch
            .0
            .starved
            .store(polled.is_pending(), Ordering::Release);
        match polled {
            Poll::Pending => {
                this.wait();
                if let Some(sleep) = &mut this.sleep {
                    ready!(sleep.as_mut().poll(context));
                }
                Poll::Ready(Some(Err(this.watch.set(Broken::Idle))))
            }
            Poll::Ready(Some(Ok(frame))) => {
                this.watch.0.frames.fetch_add(1, Ordering::AcqRel);
                let size = frame.data_ref().map_or(0, Bytes::len);
                this.came(size);
                match this.left.checked_sub(size) {
                    Some(left) => this.left = left,
                    None => return Poll::Ready(Some(Err(this.watch.set(Broken::TooLarge)))),
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(axum::Error::new(error)))),
            Poll::Ready(None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What was read of a body, and then the rest of it.
pub(crate) struct Again {
    begun: Option<Bytes>,
    rest: Body,
}

impl Again {
    pub(crate) fn body(begun: Bytes, rest: Body) -> Body {
        Body::new(Again {
            begun: Some(begun),
            rest,
        })
    }
}

impl http_body::Body for Again {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.begun.take() {
            Some(begun) => Poll::Ready(Some(Ok(Frame::data(begun)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.begun.is_none() && http_body::Body::is_end_stream(&self.rest)
    }

    fn size_hint(&self) -> SizeHint {
        let begun = self.begun.as_ref().map_or(0, Bytes::len) as u64;
        let rest = http_body::Body::size_hint(&self.rest);
        let mut hint = SizeHint::new();
        hint.set_lower(begun + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(begun + upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        bytes_max: None,
        idle: Duration::from_millis(250),
    };

    /// A body of pieces, each after a pause; how long reading it took, and what it broke.
    async fn read(pieces: usize, size: usize, pause: Duration) -> (Duration, Option<Broken>) {
        let pieces = futures::stream::iter(0..pieces).then(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, std::io::Error>(vec![b'x'; size])
        });
        let (body, watch) = limited(Body::from_stream(pieces), LIMITS);
        let begun = Instant::now();
        body.collect().await.ok();
        (begun.elapsed(), watch.broken())
    }

    #[tokio::test]
    async fn a_sender_that_trickles_is_cut_off_and_a_slow_one_is_not() {
        let pause = Duration::from_millis(50);
        let (took, broken) = read(1_000, 1, pause).await;
        assert_eq!(broken, Some(Broken::Idle));
        assert!(took < Duration::from_secs(5), "{took:?}");
        let (_, broken) = read(30, 512, pause).await;
        assert_eq!(broken, None);
        let (_, broken) = read(1, 1, Duration::from_secs(5)).await;
        assert_eq!(broken, Some(Broken::Idle));
    }
}
