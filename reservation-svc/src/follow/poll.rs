//! The task that polls the monolith, and those who wait for it.
//!
//! A poll reads the whole list, or what changed since the last one where the monolith has a feed of changes
//! ([`feed`](super::feed)). While this side is the authority it reads nothing and succeeds.
//!
//! One poll runs at a time. It begins a second after the last one (a fifth of that with a feed), or at once when somebody asks to catch up; all who
//! asked before it began share its outcome, and who asks while it runs waits for the next. So any number of questions
//! costs at most one poll after another. While the monolith is down, polls are spread up to five seconds apart.
//!
//! A poll succeeds when the whole list has been adopted, not when it was merely read. Adopting is by pieces, each durable
//! by itself: a first poll of a large catalogue shows how far it is, and one that is broken off goes on where it was,
//! because what is here already is not adopted again.
//!
//! What the monolith no longer lists is removed only where it is declared to remove movies; and not if most of them are
//! gone at once, because a database that was lost looks just like that: then the poll fails until somebody has mended it
//! or confirmed it by `reconcile`.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

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
use crate::{
    capabilities::{Capabilities, Capability},
    domain::followed_movie::{Authority, FollowedMovie},
    store::{Adoption, FollowedMovies, Position, StoreError},
};

const INTERVAL: Duration = Duration::from_secs(1);
/// To ask a feed for what is new costs next to nothing.
const FEED_INTERVAL: Duration = Duration::from_millis(200);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Who waits beyond that is told to try again later.
const QUESTIONS_MAX: usize = 1024;
/// Movies that are adopted in one transaction.
const PIECE: usize = 500;
/// More than that, and more than half of all, are not removed at once.
const GONE_MAX: usize = 10;
/// How often others may adopt something in the middle of a poll before it fails.
const LOST_MAX: usize = 20;

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PollError {
    #[error("failed to list the monolith's movies")]
    List(#[source] monolith::Error),
    #[error("failed to adopt the monolith's movies")]
    Adopt(#[source] StoreError),
    #[error("failed to read what changed at the monolith")]
    Feed(#[source] monolith::Error),
    #[error("the monolith does not say where its feed begins")]
    NoHead,
    #[error("other replicas adopt faster")]
    Overtaken,
    #[error(
        "{gone} of {known} movies are gone from the monolith's list: if that is right, `reconcile` with mending removes \
         them here"
    )]
    TooManyGone { gone: usize, known: usize },
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
    /// How many movies the monolith had when they were last counted.
    pub legacy_count: Option<usize>,
    /// Movies that are here as the poll under way found them there, and how many there are; none while it has nothing to
    /// adopt.
    pub adopting: Option<(usize, usize)>,
}

type Outcome = Result<Timestamp, CatchUpError>;
type Question = oneshot::Sender<Outcome>;

/// Where questions are asked.
#[derive(Clone, Debug)]
pub(super) struct CatchUps {
    sender: mpsc::Sender<Question>,
    metrics: Arc<Metrics>,
}

impl CatchUps {
    pub(super) fn new(metrics: Arc<Metrics>) -> (Self, mpsc::Receiver<Question>) {
        let (sender, questions) = mpsc::channel(QUESTIONS_MAX);
        (Self { sender, metrics }, questions)
    }

    /// When the poll that answered this question began.
    pub(super) async fn ask(&self) -> Outcome {
        let (question, answer) = oneshot::channel();
        self.sender
            .try_send(question)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    self.metrics.catch_up_refused();
                    CatchUpError::Crowded
                }
                mpsc::error::TrySendError::Closed(_) => CatchUpError::Stopping,
            })?;
        answer.await.unwrap_or(Err(CatchUpError::Stopping))
    }
}

/// The task's belongings.
pub(super) struct Poller {
    pub monolith: Monolith,
    pub capabilities: Capabilities,
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
        let interval = if self.capabilities.has(Capability::ChangeFeed) {
            FEED_INTERVAL
        } else {
            INTERVAL
        };
        let mut next = Instant::now();
        loop {
            let mut asked = self.wait(next).await;
            let began = Timestamp::now();
            let polled = self.poll().await.map_err(Arc::new);
            next = Instant::now()
                + match &polled {
                    Ok(_) => {
                        backoff.reset();
                        interval
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

    /// How many movies the monolith has, if the poll found out.
    async fn poll(&self) -> Result<Option<usize>, PollError> {
        for _ in 0..LOST_MAX {
            match self.poll_once().await {
                Err(PollError::Overtaken) => {}
                polled => return polled,
            }
        }
        Err(PollError::Overtaken)
    }

    async fn poll_once(&self) -> Result<Option<usize>, PollError> {
        if self.position().await?.authority != Authority::Legacy {
            return Ok(None);
        }
        if self.capabilities.has(Capability::ChangeFeed) {
            return self.read_feed().await;
        }
        let position = self.position().await?;
        self.adopt_all(&position, None).await.map(Some)
    }

    pub(super) async fn position(&self) -> Result<Position, PollError> {
        self.movies.position().await.map_err(PollError::Adopt)
    }

    /// Adopts the whole list, and with the last of it `cursor`. How many movies the monolith has.
    pub(super) async fn adopt_all(
        &self,
        position: &Position,
        cursor: Option<String>,
    ) -> Result<usize, PollError> {
        // Ours first: what is here by then was there before the list was made.
        let before = if self.capabilities.removes() {
            self.movies.ids().await.map_err(PollError::Adopt)?
        } else {
            BTreeSet::new()
        };
        let movies = self.monolith.list_movies().await.map_err(PollError::List)?;
        let count = movies.len();
        let removals = gone(before, &movies)?;
        let news = self.movies.news(movies).await.map_err(PollError::Adopt)?;
        let total = news.len();
        let mut pieces = news.chunks(PIECE).peekable();
        for nth in 0.. {
            let piece = pieces.next().unwrap_or_default();
            if !piece.is_empty() {
                let missing = total - nth * PIECE;
                self.report.send_modify(|progress| {
                    // Of two movies under one id one counts, so that more may be new than the count knows of.
                    progress.adopting = Some((count.saturating_sub(missing), count));
                });
            }
            let is_last = pieces.peek().is_none();
            let adoption = Adoption {
                upserts: piece.to_vec(),
                removals: if is_last {
                    removals.clone()
                } else {
                    Vec::new()
                },
                cursor: cursor.clone().filter(|_| is_last),
            };
            self.adopt(position, adoption).await?;
            if is_last {
                break;
            }
        }
        if total + removals.len() > 0 {
            tracing::info!(
                adopted = total,
                removed = removals.len(),
                "Adopted movies from the monolith"
            );
        }
        Ok(count)
    }

    pub(super) async fn adopt(
        &self,
        position: &Position,
        adoption: Adoption,
    ) -> Result<(), PollError> {
        if adoption.is_empty() {
            return Ok(());
        }
        let (upserts, removals) = (adoption.upserts.len(), adoption.removals.len());
        let adopted = self
            .movies
            .adopt(position, adoption, Timestamp::now())
            .await;
        if !adopted.map_err(PollError::Adopt)? {
            return Err(PollError::Overtaken);
        }
        self.metrics.adopted(upserts);
        self.metrics.removed(removals);
        Ok(())
    }

    /// The dependency logs when it goes up or down, so that a monolith that is down for hours is one line.
    fn tell(&self, began: Timestamp, polled: &Result<Option<usize>, Arc<PollError>>) {
        self.metrics.polled(polled.is_ok());
        let now = Timestamp::now();
        self.report.send_modify(|progress| {
            progress.healthy = polled.is_ok();
            progress.adopting = None;
            if let Ok(count) = polled {
                progress.last_success = Some(now);
                progress.known_since = Some(began);
                progress.legacy_count = count.or(progress.legacy_count);
            }
        });
        match polled {
            Ok(_) => self.dependency.up(),
            Err(error) => self.dependency.down(chain(error.as_ref())),
        }
    }
}

/// What was here and is not listed.
fn gone(before: BTreeSet<i64>, listed: &[FollowedMovie]) -> Result<Vec<i64>, PollError> {
    let known = before.len();
    let listed: BTreeSet<i64> = listed.iter().map(|it| it.id).collect();
    let gone: Vec<i64> = before.difference(&listed).copied().collect();
    if gone.len() > GONE_MAX && gone.len() * 2 > known {
        let gone = gone.len();
        return Err(PollError::TooManyGone { gone, known });
    }
    Ok(gone)
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
    use banyan_mesh::process::Process;

    use super::*;

    #[tokio::test]
    async fn only_so_many_wait_for_the_next_poll() {
        let process = Process::new();
        let (_report, progress) = watch::channel(Progress::default());
        let metrics = Metrics::register(process.metrics(), progress);
        let (catch_ups, _questions) = CatchUps::new(Arc::new(metrics));
        for _ in 0..QUESTIONS_MAX {
            let (question, _) = oneshot::channel();
            catch_ups.sender.try_send(question).unwrap();
        }
        let refused = catch_ups.ask().await;
        assert!(matches!(refused, Err(CatchUpError::Crowded)), "{refused:?}");
        let told = process.metrics().encode().unwrap();
        let line = "reservation_follow_catch_ups_refused_total{collection=\"movies\"} 1";
        assert!(told.contains(line), "{told}");
    }
}
