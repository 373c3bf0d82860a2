//! A second question, only to compare: after the client has its answer, the side that did not answer is asked the same,
//! and both answers are judged under the contract.
//!
//! It can never slow, fail or change the client's answer: it begins when the last byte of that answer has been handed
//! over, has a place among a limited number, a time limit and a body limit, and whatever goes wrong with it is only
//! counted. It never repeats a write: only safe requests are compared.
//!
//! Where the rollout says so the side that answered is asked once more too. What differs between its own two answers
//! is noise: paths where that was ever seen do not count as differences any more.

mod book;
mod capture;

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use banyan_mesh::process::Process;
use banyan_rollout::Side;
use banyan_transcode::{Captures, Finding, Seen};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        IF_UNMODIFIED_SINCE, RANGE,
    },
    request::Parts,
};
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use tokio::{sync::Semaphore, time::Instant};

use self::{
    book::{Book, Place},
    capture::Capture,
};
use crate::{
    body::BodyLimits, compression::Compression, context::Context, guest::Guests, metrics::Metrics,
    profile::Profile, rollouts::Comparison, routes::Split, store::Store, transcoded::Caller,
};

/// Told to both sides, so that they can tell such a request from a client's.
const MARK: HeaderName = HeaderName::from_static("x-banyan-shadow");

/// Requests that wait or are being compared; more are not compared.
const PENDING_MAX: usize = 256;
/// Requests that are being compared at once.
const ASKED_MAX: usize = 8;
/// A comparison takes at most this long, waiting included.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Answers up to this size are compared.
pub(crate) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Compares for all listeners; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Shadows {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pending: Arc<Semaphore>,
    asked: Semaphore,
    book: Book,
    outcomes: Family<Labels, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    rollout: String,
    result: &'static str,
}

/// A request that is to be compared once it is answered.
pub(crate) struct Job {
    pub(crate) comparison: Comparison,
    pub(crate) split: Arc<Split>,
    /// The route, as operators see it.
    pub(crate) route: Arc<str>,
    pub(crate) profile: Arc<Profile>,
    pub(crate) captures: Captures,
    pub(crate) parts: Parts,
    pub(crate) context: Context,
    pub(crate) guests: Guests,
    pub(crate) limits: BodyLimits,
    pub(crate) compression: Compression,
    pub(crate) metrics: Metrics,
}

/// How a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Same,
    Differs,
    /// The other side did not answer, or not in time.
    Failed,
    /// An answer was too large, or the client went before it was whole.
    Unfit,
    /// Too many wait already.
    Crowded,
}

impl Shadows {
    /// Without a store findings are only counted.
    pub(crate) fn start(store: Option<Store>, process: &Process) -> Shadows {
        let outcomes = Family::<Labels, Counter>::default();
        process.metrics().register(|registry| {
            let help = "Requests compared with the other side, by how that ended";
            registry.register("gateway_shadow_requests", help, outcomes.clone());
        });
        let shadows = Shadows {
            inner: Arc::new(Inner {
                pending: Arc::new(Semaphore::new(PENDING_MAX)),
                asked: Semaphore::new(ASKED_MAX),
                book: Book::default(),
                outcomes,
            }),
        };
        if let Some(store) = store {
            let (book, shutdown) = (shadows.clone(), process.shutdown().clone());
            process.spawn("findings of shadows", async move {
                book.inner.book.keep(&store, &shutdown).await;
                Ok(())
            });
        }
        shadows
    }

    /// Lets a response pass, and compares it with the other side's once it has passed.
    pub(crate) fn follow(&self, job: Job, response: Response<Body>) -> Response<Body> {
        let shadows = self.clone();
        let status = response.status();
        let is_plain = !response.headers().contains_key(CONTENT_ENCODING);
        response.map(|body| {
            Body::new(Capture::new(body, is_plain, move |captured| {
                shadows.begin(job, status, captured);
            }))
        })
    }

    fn begin(&self, job: Job, status: StatusCode, captured: Captured) {
        let answer = match captured {
            Captured::Whole(body) => Some((status, body)),
            // It was compressed for this client: the side is asked once more, for the plain one.
            Captured::Encoded => None,
            Captured::Unfit => return self.count(&job, Outcome::Unfit),
        };
        let Ok(place) = Arc::clone(&self.inner.pending).try_acquire_owned() else {
            return self.count(&job, Outcome::Crowded);
        };
        let (shadows, deadline) = (self.clone(), Instant::now() + TIME_MAX);
        tokio::spawn(async move {
            let working = async {
                let _asked = shadows.inner.asked.acquire().await;
                shadows.compare(&job, answer).await
            };
            let outcome = tokio::time::timeout_at(deadline, working).await;
            shadows.count(&job, outcome.unwrap_or(Outcome::Failed));
            drop(place);
        });
    }

    async fn compare(&self, job: &Job, answer: Option<(StatusCode, Bytes)>) -> Outcome {
        let answered = job.comparison.answered();
        let first = match answer {
            Some(first) => Some(first),
            None => job.ask(answered).await,
        };
        let Some((first, second)) = first.zip(job.ask(answered.other()).await) else {
            return Outcome::Failed;
        };
        let place = Place {
            rollout: job.comparison.rollout().to_owned(),
            route: Arc::clone(&job.route),
        };
        if job.comparison.wants_noise()
            && let Some(again) = job.ask(answered).await
        {
            let noise = job.judge(&first, &again);
            job.comparison.noise(!noise.is_empty());
            self.inner.book.noise(&place, &noise, Timestamp::now());
        }
        // Legacy is what clients know: it stands first, whoever answered.
        let findings = match answered {
            Side::Legacy => job.judge(&first, &second),
            Side::Grpc => job.judge(&second, &first),
        };
        let request_id = job.context.request_id.to_str().unwrap_or_default();
        let book = &self.inner.book;
        let differs = book.add(&place, findings, request_id, Timestamp::now());
        job.comparison.compared(differs);
        if differs {
            Outcome::Differs
        } else {
            Outcome::Same
        }
    }

    fn count(&self, job: &Job, outcome: Outcome) {
        let labels = Labels {
            rollout: job.comparison.rollout().to_owned(),
            result: match outcome {
                Outcome::Same => "same",
                Outcome::Differs => "differs",
                Outcome::Failed => "failed",
                Outcome::Unfit => "unfit",
                Outcome::Crowded => "crowded",
            },
        };
        self.inner.outcomes.get_or_create(&labels).inc();
    }
}

/// What was seen of an answer on its way to the client.
enum Captured {
    Whole(Bytes),
    Encoded,
    Unfit,
}

impl Job {
    /// A copy of the request, for a side that answers nobody. What asks for a part, or for nothing unless it changed, is
    /// left out: both are to say all they know.
    pub(crate) fn prepared(mut self) -> Self {
        for name in [
            ACCEPT_ENCODING,
            IF_MATCH,
            IF_MODIFIED_SINCE,
            IF_NONE_MATCH,
            IF_UNMODIFIED_SINCE,
            RANGE,
        ] {
            self.parts.headers.remove(name);
        }
        self.parts
            .headers
            .insert(MARK, HeaderValue::from_static("1"));
        self
    }

    async fn ask(&self, side: Side) -> Option<(StatusCode, Bytes)> {
        let caller = Caller {
            context: &self.context,
            guests: &self.guests,
            limits: self.limits,
            compression: &self.compression,
            metrics: &self.metrics,
            listener: "shadow",
            begun: std::time::Instant::now(),
        };
        let split = &self.split;
        let answer = match side {
            Side::Grpc => {
                let call = split.grpc.as_ref().ok()?.answer(
                    &self.parts,
                    Body::empty(),
                    &self.captures,
                    &self.profile,
                    &caller,
                );
                call.await
            }
            Side::Legacy => {
                let forwarded = split.legacy.forward(
                    &self.parts,
                    Body::empty(),
                    &self.context,
                    self.limits,
                    &self.guests,
                );
                forwarded.await
            }
        };
        let (parts, body) = answer.ok()?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?;
        Some((parts.status, body.to_bytes()))
    }

    /// What differs; nothing where there is no contract to judge by.
    fn judge(&self, owner: &(StatusCode, Bytes), other: &(StatusCode, Bytes)) -> Vec<Finding> {
        fn seen((status, body): &(StatusCode, Bytes)) -> Seen<'_> {
            Seen {
                status: status.as_u16(),
                body,
            }
        }
        let comparer = self.split.comparer.as_ref();
        comparer.map_or_else(Vec::new, |comparer| {
            comparer.compare(seen(owner), seen(other))
        })
    }
}
