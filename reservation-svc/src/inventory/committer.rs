//! The one task of a process that decides, on a thread of its own: takes what has queued up, decides it as one batch,
//! and answers each caller.
//!
//! It never waits for a batch to fill: while one commits, the next gathers by itself. A command whose deadline has passed
//! or whose caller has gone by the time its batch begins is dropped, and costs nothing.
//!
//! What can go wrong, and what callers are told:
//! - **The connection dies before COMMIT.** Nothing was done. The batch is tried once more, on another connection; if that
//!   fails too, or there is none to be had, callers are told of a failure that may be over in a moment.
//! - **A command breaks the writing of its batch.** Its batch is halved, and halved again, each half in a
//!   transaction of its own, in order, until it stands alone: that one is refused, everybody else gets their answer. Who
//!   is not wanted any more meanwhile is dropped as before a batch.
//! - **The connection dies in COMMIT.** Whether it was committed is [looked up](super::certainty). Then the answers count,
//!   or the batch is tried once more. Not found out in time, the outcome is told to be unknown.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use super::{
    InTurn, Shared,
    batch::{self, Bench, Decided},
    command::{Command, Outcome},
    rejection::Rejection,
};

/// Commands of one batch.
const COMMANDS_MAX: usize = 1_000;
/// A batch is halved for so long. What then still breaks is put off undivided: nobody else waits for a crowd of culprits.
/// The metric `commands_refused` counts them as UNAVAILABLE.
const HALVING_MAX: Duration = Duration::from_secs(10);

type Answer = Result<Outcome, Rejection>;

/// A command and who waits for its answer.
pub(super) struct Waiting {
    pub(super) command: Command,
    pub(super) answer: oneshot::Sender<Answer>,
}

impl Waiting {
    /// Whether anybody still wants it decided.
    fn is_wanted(&self, now: Instant) -> bool {
        let late = self.command.deadline.is_some_and(|it| it <= now);
        !late && !self.answer.is_closed()
    }
}

/// Decides what comes in by the queue until nobody can put anything in any more.
pub(super) struct Committer {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Waiting>,
    /// Taken out of the queue already.
    next: VecDeque<Waiting>,
    /// [`HALVING_MAX`].
    halving_max: Duration,
}

/// How a batch went.
enum Went {
    /// It is durable.
    Well(Decided),
    /// Nothing of it was done, unless that is not known, for a reason that lies outside of it.
    Badly(Rejection),
    /// Nothing of it was done, and at least one of its commands may be why.
    Broken(Rejection),
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, queue: mpsc::Receiver<Waiting>) -> Self {
        Self {
            shared,
            queue,
            next: VecDeque::new(),
            halving_max: HALVING_MAX,
        }
    }

    /// Runs until the last of those who could ask has gone.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        while self.wait().await {
            let shared = Arc::clone(&self.shared);
            let mut turn = shared.turn.lock().await;
            self.gather();
            let mut commands: VecDeque<Waiting> = std::mem::take(&mut self.next);
            if !commands.is_empty() {
                self.shared
                    .metrics
                    .batch_commands
                    .observe(commands.len() as f64);
                self.carry_out(&mut turn, &mut commands).await;
                self.next = commands;
            } else {
                turn.ahead.give_up();
            }
        }
        Ok(())
    }

    /// Waits until there is something to do; false if there never will be.
    async fn wait(&mut self) -> bool {
        if !self.next.is_empty() {
            return true;
        }
        self.shared.metrics.waiting.set(0);
        let first = self.queue.recv().await;
        let is_some = first.is_some();
        self.next.extend(first);
        is_some
    }

    /// Takes what has queued up, as much as one batch may have, without what nobody wants any more.
    fn gather(&mut self) {
        let shared = Arc::clone(&self.shared);
        let _together = shared.together();
        let left = std::mem::take(&mut self.next);
        let mut wanted = self.wanted(left);
        let now = Instant::now();
        while wanted.len() < COMMANDS_MAX {
            match self.queue.try_recv() {
                Ok(it) if it.is_wanted(now) => wanted.push_back(it),
                Ok(it) => self.drop_late(it),
                Err(_) => break,
            }
        }
        self.next = wanted;
        let waiting = i64::try_from(self.queue.len()).unwrap_or(i64::MAX);
        self.shared.metrics.waiting.set(waiting);
    }

    /// Those that somebody still wants decided; the others are dropped.
    fn wanted(&self, commands: VecDeque<Waiting>) -> VecDeque<Waiting> {
        let now = Instant::now();
        let mut wanted = VecDeque::new();
        for it in commands {
            match it.is_wanted(now) {
                true => wanted.push_back(it),
                false => self.drop_late(it),
            }
        }
        wanted
    }

    fn drop_late(&self, it: Waiting) {
        self.shared.metrics.late.inc();
        self.reply(it, Err(Rejection::Late));
    }

    fn reply(&self, it: Waiting, answer: Answer) {
        self.shared.metrics.decided(&answer);
        // Whoever has gone meanwhile may ask again under the request id.
        drop(it.answer.send(answer));
    }

    /// Answers the commands of a batch, but for those left to the next one.
    async fn carry_out(&self, turn: &mut InTurn, commands: &mut VecDeque<Waiting>) {
        // How many are tried together, the first of them next.
        let mut parts = vec![commands.len()];
        let begun = Instant::now();
        let mut is_halved = false;
        while let Some(mut size) = parts.pop() {
            if is_halved {
                let rest = commands.split_off(size);
                *commands = self.wanted(std::mem::take(commands));
                size = commands.len();
                commands.extend(rest);
            }
            if size == 0 {
                continue;
            }
            let part: Vec<&Command> = commands.iter().take(size).map(|it| &it.command).collect();
            match self.try_all(turn, &part).await {
                Went::Well(decided) => {
                    let fits = decided.results.len();
                    self.shared.tell(decided.sequence);
                    for (it, answer) in commands.drain(..fits).zip(decided.results) {
                        self.reply(it, answer);
                    }
                    if fits < size {
                        return;
                    }
                }
                Went::Broken(error) if size > 1 && begun.elapsed() < self.halving_max => {
                    debug!(%error, size, "Halving a batch");
                    self.shared.metrics.bisected.inc();
                    is_halved = true;
                    let half = size / 2;
                    parts.extend([size - half, half]);
                }
                Went::Broken(_) if size > 1 => self.fail(commands, size, &Rejection::TimedOut),
                Went::Broken(error) => self.fail(commands, size, &error),
                Went::Badly(error) => {
                    // It would fail the others as well.
                    let size = size + parts.drain(..).sum::<usize>();
                    self.fail(commands, size, &error);
                }
            }
        }
    }

    /// Tells the first so many of them that it failed.
    fn fail(&self, commands: &mut VecDeque<Waiting>, size: usize, error: &Rejection) {
        for it in commands.drain(..size) {
            self.reply(it, Err(error.clone()));
        }
    }

    /// Carries commands out in one transaction; once more if that may help.
    async fn try_all(&self, turn: &mut InTurn, commands: &[&Command]) -> Went {
        match self.attempt(turn, commands).await {
            Err(Missed { error, again: true }) => {
                debug!(%error, "Trying a batch once more");
                match self.attempt(turn, commands).await {
                    Ok(went) => went,
                    Err(missed) => Went::Badly(missed.error),
                }
            }
            Err(missed) => Went::Badly(missed.error),
            Ok(went) => went,
        }
    }

    async fn attempt(&self, turn: &mut InTurn, commands: &[&Command]) -> Result<Went, Missed> {
        let bench = Bench {
            store: &self.shared.store,
            metrics: &self.shared.metrics,
            now: &|write| self.shared.decides_at(write),
            is_next: &|| !self.queue.is_empty(),
        };
        match batch::run(&bench, turn, commands).await {
            Ok(decided) => Ok(Went::Well(decided)),
            Err(Rejection::Store(error)) if !error.is_transient() => {
                Ok(Went::Broken(Rejection::Store(error)))
            }
            Err(error) => {
                let again =
                    matches!(&error, Rejection::Store(it) if it.is_worth_another_connection());
                Err(Missed { error, again })
            }
        }
    }
}

/// A batch of which nothing was done, unless that is not known.
struct Missed {
    error: Rejection,
    /// Whether it may go well right now.
    again: bool,
}

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;

    use super::*;
    use crate::{
        domain::booking::Contact,
        inventory::{
            Action,
            testing::{Rig, hold, long_hold},
        },
        store::testing,
    };

    fn by_phone(phone: &str) -> Command {
        let mut command = hold("garden-double", 1);
        if let Action::Hold(hold) = &mut command.action {
            hold.contact = Some(Contact {
                phone: phone.to_owned(),
                ..Contact::default()
            });
        }
        command
    }

    #[tokio::test]
    async fn who_breaks_a_batch_is_refused_alone() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let index = "CREATE UNIQUE INDEX phones ON booking_contacts (phone)";
            testing::run(&rig.database.url, index).await;
            let phones = ["1", "2", "3", "2", "4", "5", "1", "6", "7"];
            let commands = phones.map(by_phone).to_vec();
            let results = rig.inventory.submit_many(commands).await;
            let mut last = 0;
            for (nth, result) in results.into_iter().enumerate() {
                match result {
                    Err(Rejection::Store(error)) => {
                        assert!([3, 6].contains(&nth), "{nth}: {error:?}");
                        assert!(!error.is_transient());
                    }
                    Ok(outcome) => {
                        let position = outcome.position.sequence;
                        assert!(position > last && ![3, 6].contains(&nth), "{nth}");
                        last = position;
                    }
                    Err(other) => panic!("{nth}: {other:?}"),
                }
            }
            assert!(rig.inventory.shared.metrics.bisected.get() > 0);
            let session = rig.inventory.store().read().await.unwrap();
            let events = session.events_after(0, 1_000).await.unwrap();
            assert_eq!(i64::try_from(events.len()).unwrap(), last, "no gap");
        }
    }

    #[tokio::test]
    async fn however_many_break_a_batch_nobody_else_is_refused() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            rig.add_rooms("garden-double", 8).await;
            let index = "CREATE UNIQUE INDEX phones ON booking_contacts (phone)";
            testing::run(&rig.database.url, index).await;
            // Who comes first has it. A crowd that wants it too, and then every sixteenth is somebody else.
            let is_sound = |nth: usize| nth == 0 || nth > 130 && nth.is_multiple_of(16);
            let phone = |nth: usize| match is_sound(nth) {
                true => nth.to_string(),
                false => "0".to_owned(),
            };
            let commands = (0..256).map(|nth| by_phone(&phone(nth))).collect();
            let results = rig.inventory.submit_many(commands).await;
            for (nth, result) in results.iter().enumerate() {
                assert_eq!(result.is_ok(), is_sound(nth), "{nth}: {result:?}");
            }
            assert!(rig.inventory.shared.metrics.bisected.get() > 200);
        }
    }

    #[tokio::test]
    async fn what_breaks_for_too_long_is_put_off() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let index = "CREATE UNIQUE INDEX phones ON booking_contacts (phone)";
            testing::run(&rig.database.url, index).await;
            let shared = Arc::clone(&rig.inventory.shared);
            let (_nobody, queue) = mpsc::channel(1);
            let mut committer = Committer::new(Arc::clone(&shared), queue);
            committer.halving_max = Duration::ZERO;
            let (mut commands, mut answers) = (VecDeque::new(), Vec::new());
            for phone in ["1", "1", "2"] {
                let (answer, told) = oneshot::channel();
                let command = by_phone(phone);
                commands.push_back(Waiting { command, answer });
                answers.push(told);
            }
            let mut turn = shared.turn.lock().await;
            committer.carry_out(&mut turn, &mut commands).await;
            drop(turn);
            for told in answers {
                let told = told.await.unwrap();
                assert!(matches!(told, Err(Rejection::TimedOut)), "{told:?}");
            }
            let results = rig.inventory.submit_many(vec![by_phone("1")]).await;
            assert!(results[0].is_ok(), "nothing was done: {results:?}");
        }
    }

    #[tokio::test]
    async fn more_cells_than_a_batch_may_touch_take_several() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let long = |_| long_hold("garden-double", 365);
            // 6,570 cells: 13 fit into the first batch.
            let results = rig.inventory.submit_many((0..18).map(long).collect()).await;
            let granted = results.iter().filter(|it| it.is_ok()).count();
            assert_eq!(granted, 10, "as many as there are rooms");
            let metrics = rig.process.metrics().encode().unwrap();
            let two = "reservation_batch_commands_count 2";
            assert!(metrics.contains(two), "{metrics}");
        }
    }

    #[tokio::test]
    async fn more_commands_than_a_batch_may_have_take_several() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let all = (0..2_001).map(|_| hold("banyan-suite", 1)).collect();
            let results = rig.inventory.submit_many(all).await;
            assert_eq!(results.iter().filter(|it| it.is_ok()).count(), 3);
            let metrics = rig.process.metrics().encode().unwrap();
            for line in ["count 3", "sum 2001.0", "bucket{le=\"1.0\"} 1"] {
                let line = format!("reservation_batch_commands_{line}");
                assert!(metrics.contains(&line), "{metrics}");
            }
        }
    }
}
