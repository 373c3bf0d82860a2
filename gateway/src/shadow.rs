//! A second question, only to compare: after the client has its answer, the side that did not answer is asked the same,
//! and both answers are judged under the contract.
//!
//! It can never slow, fail or change the client's answer: it begins when the last byte of that answer has been handed
//! over, has a place among a limited number, a time limit and a body limit, and whatever goes wrong with it is only
//! counted. To ask and to judge is left to one thread with a runtime and connections of its own, which ends when the
//! process takes nothing new any more; the threads that serve clients only hand over what has passed. It never repeats a
//! write: compared is only what changes nothing (`crate::safety`), and writes that the other side is only asked to validate
//! ([`Question::Validated`]).
//!
//! Where the rollout says so the side that answered is asked once more too. What differs between its own two answers
//! often enough ([`noise`]) is noise and no difference. What one replica saw the others know within seconds, and a restart
//! forgets none of it.

mod book;
mod capture;
mod copied;
mod job;
mod noise;

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use banyan_mesh::process::Process;
use banyan_rollout::Side;
use banyan_transcode::{Finding, StatusParts};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_ENCODING};
use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use tokio::{runtime::Handle, sync::Semaphore, time::Instant};

use self::{
    book::{Book, Place},
    capture::Capture,
    noise::Sample,
};
pub(crate) use self::{
    copied::Copied,
    job::{Job, Question, Rest, validated},
};
use crate::{
    per_thread,
    rollouts::Comparison,
    sent::Unseen,
    store::Store,
    transcoded::{Told, of_headers},
};

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
    samples: Family<Labels, Counter>,
    /// Where it is asked and judged.
    apart: Handle,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    rollout: String,
    result: &'static str,
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
    /// The request was too large to keep a copy of.
    TooLarge,
    /// Too many wait already.
    Crowded,
}

impl Shadows {
    /// Without a store findings are only counted.
    pub(crate) fn start(store: Option<Store>, process: &Process) -> Shadows {
        let outcomes = Family::<Labels, Counter>::default();
        let samples = Family::<Labels, Counter>::default();
        let dropped = Counter::default();
        process.metrics().register(|registry| {
            let help = "Requests compared with the other side, by how that ended";
            registry.register("gateway_shadow_requests", help, outcomes.clone());
            let help = "Requests that one side was asked twice, by what its answers were good for";
            registry.register("gateway_shadow_samples", help, samples.clone());
            let help = "Findings of comparisons that were not kept: there are too many, or the store cannot hold them";
            registry.register("gateway_shadow_findings_dropped", help, dropped.clone());
        });
        let shadows = Shadows {
            inner: Arc::new(Inner {
                pending: Arc::new(Semaphore::new(PENDING_MAX)),
                asked: Semaphore::new(ASKED_MAX),
                book: Book::new(dropped),
                outcomes,
                samples,
                apart: apart(process),
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

    /// Lets a response pass, and compares it with the other side's once it has passed. `told`: what the side that answered
    /// has said over REST, where that is known already.
    pub(crate) fn follow(
        &self,
        job: Job,
        told: Option<Told>,
        response: Response<Body>,
    ) -> Response<Body> {
        let shadows = self.clone();
        let said = match told {
            Some(told) => Said::Known(told),
            None if job.question.is_message() => Said::Message(of_headers(response.headers())),
            None => Said::Body(response.status()),
        };
        let is_kept = match &said {
            Said::Known(_) => false,
            Said::Message(_) | Said::Body(_) => !response.headers().contains_key(CONTENT_ENCODING),
        };
        response.map(|body| {
            Body::new(Capture::new(body, is_kept, move |captured| {
                shadows.begin(job, said, captured);
            }))
        })
    }

    /// On the client's thread, which gives away whatever takes time.
    fn begin(&self, job: Job, said: Said, captured: Captured) {
        if let Err(outcome) = job.question.is_whole() {
            return self.count(&job, outcome);
        }
        if matches!(captured, Captured::Unfit) {
            return self.count(&job, Outcome::Unfit);
        }
        let Ok(place) = Arc::clone(&self.inner.pending).try_acquire_owned() else {
            return self.count(&job, Outcome::Crowded);
        };
        let (shadows, deadline) = (self.clone(), Instant::now() + TIME_MAX);
        self.inner.apart.spawn(async move {
            let working = async {
                let _asked = shadows.inner.asked.acquire().await;
                let answer = job.answer(said, captured);
                match answer.is_some() || job.question.is_repeatable() {
                    true => shadows.compare(&job, answer).await,
                    false => Outcome::Unfit,
                }
            };
            let outcome = tokio::time::timeout_at(deadline, working).await;
            shadows.count(&job, outcome.unwrap_or(Outcome::Failed));
            drop(place);
        });
    }

    async fn compare(&self, job: &Job, answer: Option<Told>) -> Outcome {
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
        if job.comparison.wants_noise() && job.question.is_repeatable() {
            self.sample(job, &place, &first).await;
        }
        let findings = judge(job, &first, &second);
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

    /// Asks the side that answered once more, to learn what differs by itself.
    async fn sample(&self, job: &Job, place: &Place, first: &Told) {
        let Some(again) = job.ask(job.comparison.answered()).await else {
            return;
        };
        let noise = judge(job, first, &again);
        let (result, differs) = match Sample::of(&noise, again.0) {
            Sample::Fields => {
                // As a difference between the sides is, or what is known as noise would excuse what differs elsewhere.
                let differs = self.inner.book.noise(place, &noise, Timestamp::now());
                (if differs { "differs" } else { "same" }, Some(differs))
            }
            Sample::Failure => ("failed", Some(true)),
            Sample::Unfit => ("unfit", None),
        };
        if let Some(differs) = differs {
            job.comparison.noise(differs);
        }
        let rollout = job.comparison.rollout().to_owned();
        let labels = Labels { rollout, result };
        self.inner.samples.get_or_create(&labels).inc();
    }

    /// Counts a request that was to be compared and could not be kept for the other side.
    pub(crate) fn not_copied(&self, comparison: &Comparison, why: Unseen) {
        let outcome = match why {
            Unseen::TooLong | Unseen::UnpacksTooLong => Outcome::TooLarge,
            Unseen::UnknownCoding | Unseen::Corrupt | Unseen::BrokenOff => Outcome::Unfit,
        };
        self.tell(comparison, outcome);
    }

    fn count(&self, job: &Job, outcome: Outcome) {
        self.tell(&job.comparison, outcome);
    }

    fn tell(&self, comparison: &Comparison, outcome: Outcome) {
        let labels = Labels {
            rollout: comparison.rollout().to_owned(),
            result: match outcome {
                Outcome::Same => "same",
                Outcome::Differs => "differs",
                Outcome::Failed => "failed",
                Outcome::Unfit => "unfit",
                Outcome::TooLarge => "too_large",
                Outcome::Crowded => "crowded",
            },
        };
        self.inner.outcomes.get_or_create(&labels).inc();
    }
}

/// What differs between the first answer and a later one. Legacy is what clients know: it stands first, whoever answered;
/// so what appears in between is found alike, whoever said the later one.
fn judge(job: &Job, first: &Told, later: &Told) -> Vec<Finding> {
    match job.comparison.answered() {
        Side::Legacy => job.judge(first, later),
        Side::Grpc => job.judge(later, first),
    }
}

/// A runtime of its own until the process takes nothing new any more; what is under way then is dropped.
fn apart(process: &Process) -> Handle {
    let shutdown = process.shutdown().clone();
    let apart = process.spawn_apart("shadows", async move {
        shutdown.cancelled().await;
        Ok(())
    });
    // It is the process's own where the system has no thread to give; whose threads share one place.
    if apart.id() != Handle::current().id() {
        apart.spawn(async { per_thread::enter(per_thread::SHADOWS) });
    }
    apart
}

/// How to read what passes to the client.
enum Said {
    /// Not at all: what the side said is known.
    Known(Told),
    /// As the body of a REST answer.
    Body(StatusCode),
    /// As a message and the status after it, unless that came first.
    Message(Option<StatusParts>),
}

/// What was seen of an answer on its way to the client.
enum Captured {
    Whole(Bytes, Option<HeaderMap>),
    Encoded,
    Unfit,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::per_thread::PerThread;

    #[tokio::test]
    async fn a_thread_of_its_own_compares_until_the_process_ends() {
        let process = Process::new();
        let shadows = Shadows::start(None, &process);
        let connections = Arc::new(PerThread::new(1, Vec::new));
        let own = Arc::clone(&connections);
        let apart = &shadows.inner.apart;
        let place = apart.spawn(async move {
            let name = std::thread::current().name().map(str::to_owned);
            own.lock().extend(name);
        });
        place.await.unwrap();
        assert!(connections.lock().is_empty(), "shared with nobody");
        per_thread::enter(per_thread::SHADOWS);
        assert_eq!(*connections.lock(), ["shadows"]);

        // However busy it is, whoever serves clients goes on.
        let (go_on, held) = std::sync::mpsc::channel::<()>();
        let busy = apart.spawn(async move { held.recv().is_ok() });
        tokio::task::yield_now().await;
        go_on.send(()).unwrap();
        assert!(busy.await.unwrap());

        let endless = apart.spawn(std::future::pending::<()>());
        process.stop(Duration::from_secs(30)).await.unwrap();
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
