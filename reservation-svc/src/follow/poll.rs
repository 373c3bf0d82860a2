//! The task that polls the monolith, and those who wait for it.
//!
//! One poll runs at a time. It begins a second after the last one, or at once when somebody asks to catch up; all who
//! asked before it began share its outcome, and who asks while it runs waits for the next. So any number of questions
//! costs at most one poll after another. While the monolith is down, polls are spread up to five seconds apart.
//!
//! A poll succeeds when the whole list has been adopted, not when it was merely read. Adopting is by pieces, each durable
//! by itself: a first poll of a large catalogue shows how far it is, and one that is broken off goes on where it was,
//! because what is here already is not adopted again.

use std::{sync::Arc, time::Duration};

use banyan_mesh::{backoff::Backoff, readiness::Dependency};
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    metrics::Metrics,
    monolith::{self, Monolith},
};
use crate::store::{FollowedMovies, StoreError};

const INTERVAL: Duration = Duration::from_secs(1);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Who waits beyond that is told to try again later.
const QUESTIONS_MAX: usize = 1024;
/// Movies that are adopted in one transaction.
const PIECE: usize = 500;

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PollError {
    #[error("failed to list the monolith's movies")]
    List(#[source] monolith::Error),
    #[error("failed to adopt the monolith's movies")]
    Adopt(#[source] StoreError),
}

/// Why nobody can say whether everything has been adopted.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CatchUpError {
    #[error("the poll that was waited for failed")]
    Poll(#[source] Arc<PollError>),
    #[error("too many wait for the next poll")]
    Crowded,
    #[error("the service is stopping")]
    Stopping,
    /// Polls have not begun: nothing could be adopted.
    #[error("the database has not been ready yet")]
    NotReady,
}

/// How following goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Whether the last poll succeeded.
    pub healthy: bool,
    /// When a poll last succeeded.
    pub last_success: Option<Timestamp>,
    /// When that poll began: everything older is here.
    pub known_since: Option<Timestamp>,
    /// How many movies the monolith had then.
    pub legacy_count: Option<usize>,
    /// Movies adopted by the poll under way, and how many it has to adopt.
    pub adopting: Option<(usize, usize)>,
}

type Outcome = Result<Timestamp, CatchUpError>;
type Question = oneshot::Sender<Outcome>;

/// Where questions are asked.
#[derive(Clone, Debug)]
pub(super) struct CatchUps {
    sender: mpsc::Sender<Question>,
}

impl CatchUps {
    pub(super) fn new() -> (Self, mpsc::Receiver<Question>) {
        let (sender, questions) = mpsc::channel(QUESTIONS_MAX);
        (Self { sender }, questions)
    }

    /// When the poll that answered this question began.
    pub(super) async fn ask(&self) -> Outcome {
        let (question, answer) = oneshot::channel();
        self.sender
            .try_send(question)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => CatchUpError::Crowded,
                mpsc::error::TrySendError::Closed(_) => CatchUpError::Stopping,
            })?;
        answer.await.unwrap_or(Err(CatchUpError::Stopping))
    }
}

/// The task's belongings.
pub(super) struct Poller {
    pub monolith: Monolith,
    pub movies: FollowedMovies,
    pub metrics: Arc<Metrics>,
    pub dependency: Dependency,
    pub questions: mpsc::Receiver<Question>,
    pub report: watch::Sender<Progress>,
}

impl Poller {
    /// Polls until `shutdown`. A poll under way is abandoned then: it has nothing to lose.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.follow()).await;
    }

    async fn follow(&mut self) {
        self.movies.ready().await;
        let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_MAX);
        let mut next = Instant::now();
        loop {
            let mut asked = self.wait(next).await;
            let began = Timestamp::now();
            let polled = self.poll().await.map_err(Arc::new);
            next = Instant::now()
                + match &polled {
                    Ok(_) => {
                        backoff.reset();
                        INTERVAL
                    }
                    Err(_) => backoff.next_wait(),
                };
            self.tell(began, &polled);
            let outcome = polled.map(|_| began).map_err(CatchUpError::Poll);
            for question in asked.drain(..) {
                // Who asked may have stopped waiting.
                let _ = question.send(outcome.clone());
            }
        }
    }

    /// Waits until it is time, or somebody asks; answers all who have asked so far.
    async fn wait(&mut self, next: Instant) -> Vec<Question> {
        let mut asked = Vec::new();
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            Some(question) = self.questions.recv() => asked.push(question),
        }
        while let Ok(question) = self.questions.try_recv() {
            asked.push(question);
        }
        asked
    }

    /// How many movies the monolith has.
    async fn poll(&self) -> Result<usize, PollError> {
        let movies = self.monolith.list_movies().await.map_err(PollError::List)?;
        let count = movies.len();
        let news = self.movies.news(movies).await.map_err(PollError::Adopt)?;
        for (nth, piece) in news.chunks(PIECE).enumerate() {
            self.report.send_modify(|progress| {
                progress.adopting = Some((nth * PIECE, news.len()));
            });
            let upserted = self.movies.upsert(piece.to_vec(), Timestamp::now()).await;
            upserted.map_err(PollError::Adopt)?;
            self.metrics.adopted(piece.len());
        }
        if !news.is_empty() {
            tracing::info!(adopted = news.len(), "Adopted movies from the monolith");
        }
        Ok(count)
    }

    /// The dependency logs when it goes up or down, so that a monolith that is down for hours is one line.
    fn tell(&self, began: Timestamp, polled: &Result<usize, Arc<PollError>>) {
        self.metrics.polled(polled.is_ok());
        let now = Timestamp::now();
        self.report.send_modify(|progress| {
            progress.healthy = polled.is_ok();
            progress.adopting = None;
            if let Ok(count) = polled {
                progress.last_success = Some(now);
                progress.known_since = Some(began);
                progress.legacy_count = Some(*count);
            }
        });
        match polled {
            Ok(_) => self.dependency.up(),
            Err(error) => self.dependency.down(chain(error.as_ref())),
        }
    }
}

/// An error with all its sources in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_so_many_wait_for_the_next_poll() {
        let (catch_ups, _questions) = CatchUps::new();
        for _ in 0..QUESTIONS_MAX {
            let (question, _) = oneshot::channel();
            catch_ups.sender.try_send(question).unwrap();
        }
        let refused = catch_ups.ask().await;
        assert!(matches!(refused, Err(CatchUpError::Crowded)), "{refused:?}");
    }
}
