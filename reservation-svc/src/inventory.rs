//! The one place that decides who gets what. Handlers hand it a [`Command`] and await its answer.
//!
//! Commands queue up; the [`committer`] takes all that wait and decides them as one batch, in arrival order, each on
//! the state that the earlier ones left. A batch is one transaction: it locks the database's `commit_head`, which allots
//! commit sequences and the decision time (the clock, where it is to be trusted, and never before the last decision),
//! loads what its commands need, decides in memory, writes in bulk, and commits once. Bookings, cells, request ids and
//! the events of the outbox become durable together, and only then is anybody answered.
//!
//! | file | what it is about |
//! |---|---|
//! | `committer` | the queue, batches, deadlines, and what is done when a batch fails |
//! | `batch` | one batch from begin to COMMIT |
//! | `ahead` | the next batch's transaction, asked for while one commits |
//! | `certainty` | whether a COMMIT whose answer is missing was carried out |
//! | `needs`, `load` | what commands need, and fetching it for a whole batch at once |
//! | `ledger` | the state that a batch works on, and what it changed |
//! | `decide` | the rules applied: one file a command |
//! | `catalogue_cache` | what is sold, in memory |
//! | `timekeeper` | whether the clock is to be trusted |
//! | `catalogue` | changes of what is sold, one transaction each |
//!
//! **To add a command:** a variant of [`Action`] (`command.rs`), its arm in `Needs::of` (`needs.rs`), its decision in
//! `decide/<command>.rs` with a line in `decide.rs`; and a step in `load.rs` if it looks at what nothing looked at
//! before.
//!
//! The batches of one process wait for each other here rather than in the database; replicas wait for each other in the
//! database. A command whose batch has begun runs to its end even if the caller has gone: repeating the request
//! id tells how it ended.

mod ahead;
mod answer;
mod batch;
mod catalogue;
mod catalogue_cache;
mod certainty;
mod cinema_rules;
mod clock;
mod command;
mod commit;
mod committer;
mod contacts;
mod decide;
mod hotel_rules;
mod ledger;
mod load;
#[cfg(test)]
mod lodger_model;
mod lodgers;
mod lookup;
mod metrics;
#[cfg(test)]
mod model;
mod needs;
mod policies;
mod rejection;
#[cfg(test)]
mod seat_model;
mod stop;
mod sweeper;
mod terms;
#[cfg(test)]
pub(crate) mod testing;
mod timekeeper;
#[cfg(test)]
mod writers;

use std::sync::{Arc, PoisonError};

use banyan_mesh::process::Process;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    runtime::Handle,
    sync::{
        Mutex, MutexGuard,
        mpsc::{self, error::TrySendError},
        oneshot, watch,
    },
};

use crate::store::{Store, StoreError, Write};
use ahead::Ahead;
use catalogue_cache::Catalogue;
pub(crate) use commit::Commit;
use committer::{Committer, Waiting};
use metrics::Metrics;
use timekeeper::Timekeeper;

pub use catalogue::{NewMovie, NewScreening};
pub use cinema_rules::PricedScreening;
pub use clock::{Clock, SystemClock};
pub use command::{Action, Command, Hold, Lodge, OutOfOrder, Outcome, Part, Position};
pub use hotel_rules::NewRoomType;
pub use rejection::{Refusal, Rejection, Unmet};

/// Commands that wait for a batch; more are turned away at once, before they cost anything.
const QUEUE_MAX: usize = 10_000;

/// The inventory of one database; clones are the same one.
#[derive(Clone)]
pub struct Inventory {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Waiting>,
    /// Where the committer runs. Whatever takes the database's turn does so there ([`write`](Self::write)), so that the
    /// connections that write belong to its runtime and never wait behind the tasks of callers.
    apart: Handle,
}

struct Shared {
    store: Store,
    time: Timekeeper,
    /// The right to ask for the database's turn, and what only its holder needs.
    turn: Mutex<InTurn>,
    contacts: contacts::Line,
    committed: watch::Sender<i64>,
    metrics: Metrics,
    /// How long an answer is kept under its request id, at least.
    answers_kept: SignedDuration,
    /// Held while commands that belong in one batch queue up, and while a batch is gathered.
    together: std::sync::Mutex<()>,
}

/// What only the holder of the turn needs.
#[derive(Default)]
struct InTurn {
    catalogue: Arc<Catalogue>,
    ahead: Ahead,
}

impl Inventory {
    /// An inventory that decides over that store by that clock, until its last clone has gone. A repeated request id
    /// gets the same answer for as long as answers are kept.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        answers_kept: SignedDuration,
        process: &Process,
    ) -> Self {
        let metrics = Metrics::register(process);
        let shared = Arc::new(Shared {
            store,
            time: Timekeeper::new(clock, &metrics),
            turn: Mutex::default(),
            contacts: contacts::Line::default(),
            committed: watch::channel(0).0,
            metrics,
            answers_kept,
            together: std::sync::Mutex::default(),
        });
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let committer = Committer::new(Arc::clone(&shared), waiting);
        let apart = process.spawn_apart("inventory committer", committer.run());
        Self {
            shared,
            queue,
            apart,
        }
    }

    /// Decides one command. The same request id gets the same answer again.
    pub async fn submit(&self, command: Command) -> Result<Outcome, Rejection> {
        let (answer, decided) = oneshot::channel();
        match self.queue.try_send(Waiting { command, answer }) {
            Ok(()) => decided.await.unwrap_or(Err(Rejection::Aborted)),
            Err(TrySendError::Full(_)) => self.turned_away(Rejection::Crowded),
            Err(TrySendError::Closed(_)) => self.turned_away(Rejection::Aborted),
        }
    }

    /// Decides commands that have nothing to do with each other, in their order and, if there is room, in one batch. One
    /// answer each; all are turned away if they cannot all wait.
    pub async fn submit_many(&self, commands: Vec<Command>) -> Vec<Result<Outcome, Rejection>> {
        let Ok(places) = self.queue.try_reserve_many(commands.len()) else {
            let crowded = |_| self.turned_away(Rejection::Crowded);
            return commands.into_iter().map(crowded).collect();
        };
        let together = self.shared.together();
        let answers: Vec<_> = places
            .zip(commands)
            .map(|(place, command)| {
                let (answer, decided) = oneshot::channel();
                place.send(Waiting { command, answer });
                decided
            })
            .collect();
        drop(together);
        let mut results = Vec::with_capacity(answers.len());
        for decided in answers {
            results.push(decided.await.unwrap_or(Err(Rejection::Aborted)));
        }
        results
    }

    fn turned_away(&self, rejection: Rejection) -> Result<Outcome, Rejection> {
        let result = Err(rejection);
        self.shared.metrics.decided(&result);
        result
    }

    /// The last commit sequence that this process has committed. Others may have committed more.
    pub fn commits(&self) -> watch::Receiver<i64> {
        self.shared.committed.subscribe()
    }

    /// What time it is for those who only look.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// The store that it decides over, for reading.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Waits for this process's turn, then for the database's, to change the catalogue.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, StoreError> {
        let order = self.shared.turn().await;
        let write = self.write().await?;
        let now = self.shared.decides_at(&write)?;
        Ok(Turn {
            commit: Commit::new(write, now),
            inventory: self,
            _order: order,
        })
    }

    /// Waits for the database's turn, for whoever is not the committer.
    pub(crate) async fn write(&self) -> Result<Write, StoreError> {
        let store = self.shared.store.clone();
        let begun = self.apart.spawn(async move { store.write().await });
        begun.await.unwrap_or(Err(StoreError::NotReady))
    }
}

impl Shared {
    fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// What time it is for what that write decides.
    fn decides_at(&self, write: &Write) -> Result<Timestamp, StoreError> {
        self.time.decides_at(write.head(), write.server_time())
    }

    /// Waits for this process's turn, for whoever is not the committer.
    async fn turn(&self) -> MutexGuard<'_, InTurn> {
        let mut turn = self.turn.lock().await;
        turn.ahead.give_up();
        turn
    }

    /// Keeps commands together that are to be decided in one batch. Never held across an await.
    fn together(&self) -> std::sync::MutexGuard<'_, ()> {
        self.together.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who follow up to where this process has committed.
    fn tell(&self, sequence: i64) {
        self.committed.send_if_modified(|last| {
            let is_news = sequence > *last;
            *last = sequence.max(*last);
            is_news
        });
    }
}

/// The right to change the catalogue. Dropped without being finished, it leaves nothing behind.
pub(crate) struct Turn<'a> {
    pub(crate) commit: Commit,
    inventory: &'a Inventory,
    _order: MutexGuard<'a, InTurn>,
}

impl Turn<'_> {
    /// Makes everything durable, tells those who follow, and makes every process forget what it knows of the catalogue;
    /// where it was decided.
    pub(crate) async fn finish(mut self) -> Result<Position, StoreError> {
        self.commit.head.catalogue_version += 1;
        let position = self.commit.finish(self.inventory).await?;
        self.inventory.shared.tell(position.sequence);
        Ok(position)
    }

    /// Finishes what was granted. What was refused leaves nothing behind: it was decided on the last commit before.
    async fn end<T>(self, decided: Result<T, Rejection>) -> Result<(T, Position), Rejection> {
        match decided {
            Ok(granted) => Ok((granted, self.finish().await?)),
            Err(rejection) => Err(rejection.at(Position::from(self.commit.write.head()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use banyan_mesh::testing::TestDatabase;

    use super::{testing::Rig, *};
    use crate::domain::{refusal::Reason, request::RequestKey};

    fn hold() -> Command {
        testing::hold("banyan-suite", 1)
    }

    async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
        let waiting = async {
            while !is_so() {
                tokio::task::yield_now().await;
            }
        };
        let limit = Duration::from_secs(10);
        assert!(tokio::time::timeout(limit, waiting).await.is_ok(), "{what}");
    }

    fn waiting(inventory: &Inventory) -> usize {
        QUEUE_MAX - inventory.queue.capacity()
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_at_once() {
        let rig = Rig::start(TestDatabase::sqlite()).await;
        let all = rig.inventory.queue.try_reserve_many(QUEUE_MAX).unwrap();
        let refused = rig.inventory.submit(hold()).await;
        assert!(matches!(refused, Err(Rejection::Crowded)), "{refused:?}");
        for refused in rig.inventory.submit_many(vec![hold(), hold()]).await {
            assert!(matches!(refused, Err(Rejection::Crowded)), "{refused:?}");
        }
        drop(all);
        assert!(rig.inventory.submit(hold()).await.is_ok());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_dropped_before_it_costs_anything() {
        let rig = Rig::start(TestDatabase::sqlite()).await;
        let before = rig.inventory.turn().await.unwrap();
        let inventory = rig.inventory.clone();
        let gone = tokio::spawn(async move { inventory.submit(hold()).await });
        let mut late = hold();
        late.deadline = Some(Instant::now());
        let inventory = rig.inventory.clone();
        let late = tokio::spawn(async move { inventory.submit(late).await });
        // The committer has taken the first of them and waits for its turn.
        eventually("waits", || waiting(&rig.inventory) == 1).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        drop(before);
        let late = late.await.unwrap();
        assert!(matches!(late, Err(Rejection::Late)), "{late:?}");
        let metrics = &rig.inventory.shared.metrics;
        eventually("counted", || metrics.late.get() == 2).await;
        assert_eq!(metrics.accepted.get(), 0);
    }

    #[tokio::test]
    async fn many_are_decided_in_their_order_and_one_alone_is_refused() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let holds = (0..4).map(|_| hold()).collect();
            let results = rig.inventory.submit_many(holds).await;
            let mut last = 0;
            for result in &results[..3] {
                let sequence = result.as_ref().unwrap().position.sequence;
                assert!(sequence > last, "each has a sequence of its own");
                last = sequence;
            }
            let Err(Rejection::Refused(refusal)) = &results[3] else {
                panic!("{:?}", results[3])
            };
            assert_eq!(refusal.reason, Reason::CellUnavailable);
            assert_eq!(refusal.position.sequence, last);
        }
    }

    #[tokio::test]
    async fn two_of_one_request_id_in_one_batch_have_one_effect_and_one_answer() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let key = |fingerprint| RequestKey {
                method: "HoldBooking",
                id: "one".into(),
                fingerprint: [fingerprint; 32],
            };
            let asked = |fingerprint| Command {
                request: Some(key(fingerprint)),
                ..hold()
            };
            let before = rig.inventory.turn().await.unwrap();
            let inventory = rig.inventory.clone();
            let commands = vec![asked(1), asked(1), asked(2)];
            let results = tokio::spawn(async move { inventory.submit_many(commands).await });
            eventually("wait", || waiting(&rig.inventory) == 2).await;
            drop(before);
            let results = results.await.unwrap();
            let first = results[0].as_ref().unwrap();
            assert_eq!(results[1].as_ref().unwrap(), first);
            let Err(Rejection::Refused(refusal)) = &results[2] else {
                panic!("{:?}", results[2])
            };
            assert_eq!(refusal.reason, Reason::RequestIdReused);
            assert_eq!(&rig.inventory.submit(asked(1)).await.unwrap(), first);
        }
    }
}
