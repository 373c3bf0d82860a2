//! The one place that decides who gets what. Handlers hand it a [`Command`] and await its answer.
//!
//! Every decision is made in a transaction that holds the database's `commit_head`: it allots commit sequences and the
//! decision time (the clock, but never before the last decision), and what it reads nobody changes under it. Bookings,
//! cells, the request id and the event of the outbox become durable together, and only then is anybody answered.
//!
//! One request is one transaction for now. The commands of one process wait for each other here rather than in the
//! database, so that a crowd costs neither connections nor busy waiting; replicas wait for each other in the database.
//! A decision runs to its end even if the caller has gone: repeating the request id tells how it ended.

mod answer;
mod catalogue;
mod cinema_rules;
mod clock;
mod command;
mod commit;
mod decide;
mod hotel_rules;
mod lookup;
mod metrics;
#[cfg(test)]
mod model;
mod rejection;
mod sweeper;
#[cfg(test)]
mod testing;

use std::{sync::Arc, time::Duration};

use banyan_mesh::process::Process;
use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard, Semaphore, watch};

use crate::store::{Store, StoreError};
pub(crate) use commit::Commit;
use decide::Stop;
use metrics::Metrics;

pub use catalogue::{NewMovie, NewScreening};
pub use cinema_rules::PricedScreening;
pub use clock::{Clock, SystemClock};
pub use command::{Action, Command, Hold, Outcome, Position};
pub use hotel_rules::NewRoomType;
pub use rejection::{Refusal, Rejection, Unmet};

/// Commands that wait for their turn; more are turned away at once, before they cost anything. Half of the calls that
/// the server takes at once, so that a crowd of buyers does not keep others from looking.
const WAITING_MAX: usize = 512;
/// A command is given up after this long, its wait included, but never while it is being committed: up to then nothing
/// has been done for certain. Callers have gone by then.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(20);

/// The inventory of one database; clones are the same one.
#[derive(Clone)]
pub struct Inventory {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    clock: Arc<dyn Clock>,
    waiting: Arc<Semaphore>,
    turn: Mutex<()>,
    committed: watch::Sender<i64>,
    metrics: Metrics,
}

impl Inventory {
    /// An inventory that decides over that store by that clock.
    pub fn new(store: Store, clock: Arc<dyn Clock>, process: &Process) -> Self {
        let shared = Shared {
            store,
            clock,
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            turn: Mutex::new(()),
            committed: watch::channel(0).0,
            metrics: Metrics::register(process),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Decides one command. The same request id gets the same answer again.
    pub async fn submit(&self, command: Command) -> Result<Outcome, Rejection> {
        let Ok(waiting) = Arc::clone(&self.shared.waiting).try_acquire_owned() else {
            return self.count(Err(Rejection::Crowded));
        };
        let inventory = self.clone();
        let decided = tokio::spawn(async move {
            let _waiting = waiting;
            let result = inventory.carry_out(&command).await;
            // Here rather than by the caller, who may have gone.
            inventory.count(result)
        });
        decided
            .await
            .unwrap_or_else(|error| self.count(Err(Rejection::Aborted(error))))
    }

    fn count(&self, result: Result<Outcome, Rejection>) -> Result<Outcome, Rejection> {
        self.shared.metrics.decided(&result);
        result
    }

    /// The last commit sequence that this process has committed. Others may have committed more.
    pub fn commits(&self) -> watch::Receiver<i64> {
        self.shared.committed.subscribe()
    }

    /// What time it is for those who only look.
    pub fn now(&self) -> Timestamp {
        clock::read(self.shared.clock.as_ref())
    }

    /// The store that it decides over, for reading.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    async fn carry_out(&self, command: &Command) -> Result<Outcome, Rejection> {
        let decision = tokio::time::timeout(COMMAND_TIMEOUT, self.decide(command));
        match decision.await.unwrap_or(Err(Rejection::TimedOut))? {
            Decision::Repeated(answer) => answer,
            Decision::Made {
                turn,
                result,
                timer,
            } => {
                turn.finish().await?;
                drop(timer);
                result.map_err(Rejection::Refused)
            }
        }
    }

    /// Decides a command, but for making it durable.
    async fn decide(&self, command: &Command) -> Result<Decision<'_>, Rejection> {
        let mut turn = self.turn().await?;
        let timer = self.shared.metrics.time_commit();
        if let Some(answer) = answer::find(&turn.commit, command).await? {
            return Ok(Decision::Repeated(answer));
        }
        let position = turn.commit.position();
        let result = match decide::decide(&mut turn.commit, command).await {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Denied(denial)) => Err(decide::deny(&mut turn.commit, denial)),
            Err(Stop::Rejected(rejection)) => return Err(rejection.at(position)),
        };
        answer::keep(&turn.commit, command, &result).await?;
        Ok(Decision::Made {
            turn: Box::new(turn),
            result,
            timer,
        })
    }

    /// Waits for this process's turn, then for the database's.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, StoreError> {
        let order = self.shared.turn.lock().await;
        let write = self.shared.store.write().await?;
        Ok(Turn {
            commit: Commit::new(write, self.now()),
            committed: &self.shared.committed,
            _order: order,
        })
    }
}

/// What became of a command.
enum Decision<'a> {
    /// It was decided before.
    Repeated(Result<Outcome, Rejection>),
    /// It counts once its turn is finished.
    Made {
        turn: Box<Turn<'a>>,
        result: Result<Outcome, Refusal>,
        timer: metrics::Timer<'a>,
    },
}

/// The right to decide. Dropped without being finished, it leaves nothing behind.
pub(crate) struct Turn<'a> {
    pub(crate) commit: Commit,
    committed: &'a watch::Sender<i64>,
    _order: MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Makes everything durable and tells those who follow.
    pub(crate) async fn finish(self) -> Result<(), StoreError> {
        let sequence = self.commit.finish().await?;
        self.committed.send_replace(sequence);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;
    use jiff::{SignedDuration, civil::date};

    use super::{testing::Rig, *};
    use crate::domain::{
        claim::{Claim, Nights, Stay},
        name::RoomTypeId,
        request::Principal,
    };

    fn hold() -> Command {
        let claim = Claim::Stay(Stay {
            room_type: RoomTypeId::parse("hotels/banyan-bay/roomTypes/banyan-suite").unwrap(),
            nights: Nights::new(date(2026, 12, 1), date(2026, 12, 3)).unwrap(),
            rooms: 1,
        });
        let hold = Hold {
            claim,
            contact: None,
            duration: SignedDuration::from_mins(10),
            confirm: false,
            sells_started: false,
        };
        Command {
            principal: Principal::guest("x".into()),
            request: None,
            action: Action::Hold(hold),
        }
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

    #[tokio::test]
    async fn a_full_queue_turns_away_at_once() {
        let rig = Rig::start(TestDatabase::sqlite()).await;
        let places = u32::try_from(WAITING_MAX).unwrap();
        let all = rig.inventory.shared.waiting.try_acquire_many(places);
        let refused = rig.inventory.submit(hold()).await;
        assert!(matches!(refused, Err(Rejection::Crowded)), "{refused:?}");
        drop(all);
        assert!(rig.inventory.submit(hold()).await.is_ok());
    }

    #[tokio::test]
    async fn a_command_whose_caller_has_gone_is_decided_and_counted() {
        let rig = Rig::start(TestDatabase::sqlite()).await;
        let before = rig.inventory.turn().await.unwrap();
        let inventory = rig.inventory.clone();
        let caller = tokio::spawn(async move { inventory.submit(hold()).await });
        let waiting = &rig.inventory.shared.waiting;
        eventually("waits", || waiting.available_permits() < WAITING_MAX).await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        drop(before);
        let metrics = &rig.inventory.shared.metrics;
        eventually("counted", || metrics.accepted.get() == 1).await;
    }
}
