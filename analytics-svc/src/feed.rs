//! Following the reservation feed: from the stored cursor, through every kind of interruption, each event once.
//!
//! One session is one stream: read the cursor, open the stream after it, apply what comes. Whatever goes wrong ends the
//! session; the next one starts from the stored cursor again, which is all the state there is. So a cut in mid-stream,
//! a restart and a delivery that comes twice are the same case.
//!
//! Where events are no longer kept the feed's snapshot is taken instead, from the cursor on: facts are made of the last
//! state of each thing and of sums, which it has. Until its end the facts are of no single moment; their lag tells.
//!
//! A feed of another incarnation (a restored backup, a new database) makes the facts worthless: they are forgotten and
//! built anew from its first event. Anything else that does not fit (a gap, an event this version cannot read, a
//! feed that is shorter than what was applied) stops the progress, loudly, until it is mended: a report that is behind
//! says so in its freshness, a report with a hole would not.

mod decode;
pub mod stats;

use std::time::Duration;

use banyan_mesh::{backoff::Backoff, readiness::Dependency};
use banyan_proto::reservation::v1::{
    ReadRequest, ReadResponse, feed_service_client::FeedServiceClient,
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;
use tracing::{error, info, warn};

use crate::{
    domain::{batch::BatchError, change::Position},
    store::{ApplyError, Store, StoreError},
    wire,
};
use decode::DecodeError;
use stats::FeedStats;

/// The largest answer of the feed that is taken.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;
/// The server gives a sign of life every 10 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const WAIT_FIRST: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Follows the feed.
pub struct Follower {
    store: Store,
    client: FeedServiceClient<Channel>,
    stats: FeedStats,
    dependency: Dependency,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("the reservation service answered {0:?}")]
    Refused(Code, #[source] Box<Status>),
    #[error("the reservation service was silent for {} s", SILENCE_MAX.as_secs())]
    Silent,
    #[error("the reservation service ended the stream")]
    Ended,
    #[error("the reservation feed is of another incarnation than the facts")]
    OtherIncarnation,
    #[error("an event of the feed cannot be read")]
    Decode(#[source] DecodeError),
    #[error("events of the feed cannot be applied")]
    Apply(#[source] ApplyError),
    #[error("the feed cursor cannot be read")]
    Cursor(#[source] StoreError),
}

impl Follower {
    /// Follows what `client` offers into `store`; `dependency` shows whether the feed flows.
    #[must_use]
    pub fn new(
        store: Store,
        client: FeedServiceClient<Channel>,
        stats: FeedStats,
        dependency: Dependency,
    ) -> Self {
        Self {
            store,
            client,
            stats,
            dependency,
        }
    }

    /// Follows until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        tokio::select! {
            () = self.follow() => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn follow(&mut self) {
        self.store.ready().await;
        let mut backoff = Backoff::new(WAIT_FIRST, WAIT_MAX);
        loop {
            let Err(ended) = self.session(&mut backoff).await;
            self.stats.session_ended();
            if let SessionError::OtherIncarnation = ended {
                self.start_again().await;
            }
            let reason = crate::chain(&ended);
            let wait = backoff.next_wait();
            if ended.wants_a_person() {
                error!(error = reason, "The reservation feed cannot be followed");
            } else {
                info!(
                    error = reason,
                    wait_ms = wait.as_millis(),
                    "Reconnecting to the reservation feed"
                );
            }
            self.dependency.down(reason);
            tokio::time::sleep(wait).await;
        }
    }

    async fn session(
        &mut self,
        backoff: &mut Backoff,
    ) -> Result<std::convert::Infallible, SessionError> {
        let cursor = self.store.cursor().await.map_err(SessionError::Cursor)?;
        self.stats.at(&cursor);
        let after = cursor.position();
        let request = ReadRequest {
            after: after.as_ref().map(
                |Position {
                     incarnation,
                     sequence,
                 }| { wire::position(incarnation.clone(), *sequence) },
            ),
            // The facts are of last states only, so that a snapshot comes to the same.
            takes_snapshot: true,
        };
        let opening = tokio::time::timeout(SILENCE_MAX, self.client.read(request));
        let mut stream = match opening.await {
            Ok(answer) => answer.map_err(SessionError::refused)?.into_inner(),
            Err(_) => return Err(SessionError::Silent),
        };
        loop {
            let message = tokio::time::timeout(SILENCE_MAX, stream.message()).await;
            let response = message
                .map_err(|_| SessionError::Silent)?
                .map_err(SessionError::refused)?
                .ok_or(SessionError::Ended)?;
            self.apply(after.as_ref(), response).await?;
            backoff.reset();
            self.dependency.up();
        }
    }

    async fn apply(
        &self,
        opened_after: Option<&Position>,
        response: ReadResponse,
    ) -> Result<(), SessionError> {
        let head = response.head.unwrap_or_default();
        if let Some(known) = opened_after
            && !head.incarnation.is_empty()
            && head.incarnation != known.incarnation
        {
            return Err(SessionError::OtherIncarnation);
        }
        let events = decode::events(response.events).map_err(SessionError::Decode)?;
        let applied = self
            .store
            .apply(&events, head.sequence)
            .await
            .map_err(SessionError::unapplied)?;
        self.stats.applied(&applied);
        Ok(())
    }

    /// Forgets the facts of the incarnation that is gone.
    async fn start_again(&self) {
        let forgotten = async {
            let cursor = self.store.cursor().await?;
            let known = cursor.incarnation.as_deref();
            let forgotten = self.store.forget(known).await?;
            Ok::<_, StoreError>((cursor, forgotten))
        };
        match forgotten.await {
            Ok((cursor, true)) => {
                self.stats.rebuilt();
                warn!(
                    incarnation = cursor.incarnation,
                    sequence = cursor.sequence,
                    "The reservation feed is of another incarnation: all facts are forgotten and built anew"
                );
            }
            Ok((_, false)) => {}
            Err(error) => error!(
                error = crate::chain(&error),
                "The facts of another incarnation cannot be forgotten"
            ),
        }
    }
}

impl SessionError {
    fn refused(status: Status) -> Self {
        let reason = status.get_details_error_info().map(|info| info.reason);
        if reason.as_deref() == Some("INCARNATION_CHANGED") {
            return Self::OtherIncarnation;
        }
        Self::Refused(status.code(), Box::new(status))
    }

    fn unapplied(error: ApplyError) -> Self {
        match error {
            ApplyError::Order(BatchError::OtherIncarnation { .. }) => Self::OtherIncarnation,
            error => Self::Apply(error),
        }
    }

    /// Whether waiting alone will not mend it.
    fn wants_a_person(&self) -> bool {
        match self {
            Self::Decode(_) | Self::Apply(ApplyError::Order(_)) => true,
            Self::Refused(code, _) => *code == Code::OutOfRange,
            _ => false,
        }
    }
}
