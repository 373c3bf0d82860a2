//! The task that polls the monolith, and those who wait for it.
//!
//! One poll runs at a time. It begins a second after the last one, or at once when somebody asks to catch up; all who
//! asked before it began share its outcome, and who asks while it runs waits for the next. So any number of questions
//! costs at most one poll after another. While the monolith is down, polls are spread up to five seconds apart.
//!
//! A poll succeeds when the whole list has been adopted, not when it was merely read.

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
            let outcome = self.poll().await.map(|()| began).map_err(Arc::new);
            next = Instant::now()
                + match &outcome {
                    Ok(_) => {
                        backoff.reset();
                        INTERVAL
                    }
                    Err(_) => backoff.next_wait(),
                };
            self.tell(&outcome);
            let outcome = outcome.map_err(CatchUpError::Poll);
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

    async fn poll(&self) -> Result<(), PollError> {
        let movies = self.monolith.list_movies().await.map_err(PollError::List)?;
        let adopted = self
            .movies
            .adopt(movies, Timestamp::now())
            .await
            .map_err(PollError::Adopt)?;
        if adopted > 0 {
            tracing::info!(adopted, "Adopted movies from the monolith");
            self.metrics.adopted(adopted);
        }
        Ok(())
    }

    /// The dependency logs when it goes up or down, so that a monolith that is down for hours is one line.
    fn tell(&self, outcome: &Result<Timestamp, Arc<PollError>>) {
        self.metrics.polled(outcome.is_ok());
        let now = Timestamp::now();
        self.report.send_modify(|progress| {
            progress.healthy = outcome.is_ok();
            if outcome.is_ok() {
                progress.last_success = Some(now);
            }
        });
        match outcome {
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
