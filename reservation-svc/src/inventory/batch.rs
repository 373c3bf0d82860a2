//! One batch from its turn to its COMMIT: load, decide each in arrival order, write, all in one transaction.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    InTurn, answer, certainty,
    command::{Command, Outcome},
    decide,
    load::{Loaded, load},
    metrics::{Metrics, Phase, Timer},
    rejection::Rejection,
};
use crate::store::{AnswerKey, Head, Store, StoreError, Write};

/// A batch is given up after this long, but never while it is being committed: up to then nothing has been done for
/// certain.
const BATCH_TIMEOUT: Duration = Duration::from_secs(10);

/// What a batch needs besides its commands.
pub(super) struct Bench<'a> {
    pub(super) store: &'a Store,
    pub(super) metrics: &'a Metrics,
    /// What time it is for what that write decides.
    pub(super) now: &'a (dyn Fn(&Write) -> Result<Timestamp, StoreError> + Sync),
    /// Whether commands wait for the next batch.
    pub(super) is_next: &'a (dyn Fn() -> bool + Sync),
}

/// A batch that is decided: what its commands are answered once it is durable.
pub(super) struct Decided {
    /// In the order of the commands; those beyond wait for the next batch.
    pub(super) results: Vec<Result<Outcome, Rejection>>,
    /// The last sequence.
    pub(super) sequence: i64,
}

/// Carries a batch out, or as many of its commands as fit, if any.
///
/// # Errors
/// Nothing of it is durable then, unless it is [`StoreError::Unconfirmed`].
pub(super) async fn run(
    bench: &Bench<'_>,
    turn: &mut InTurn,
    commands: &[&Command],
) -> Result<Decided, Rejection> {
    let mut timer = bench.metrics.time_commit();
    let preparing = prepare(bench, turn, commands, &mut timer);
    let prepared = tokio::time::timeout(BATCH_TIMEOUT, preparing).await;
    let Prepared {
        write,
        head,
        decided,
    } = prepared.map_err(|_| Rejection::TimedOut)??;
    if head.sequence == write.head().sequence && !decided.results.iter().any(is_decision) {
        // Nothing to make durable: dropping the transaction is enough.
        return Ok(decided);
    }
    if (bench.is_next)() {
        turn.ahead.begin(bench.store);
    }
    let batch = write.batch();
    let committed = write.commit(&head).await;
    timer.lap(Phase::Commit);
    if committed.is_err() {
        // Looking the batch up waits for the database's turn, which would be its.
        turn.ahead.give_up();
    }
    certainty::settled(bench.store, batch, committed).await?;
    Ok(decided)
}

/// A batch that is written, but for its COMMIT.
struct Prepared {
    write: Write,
    head: Head,
    decided: Decided,
}

async fn prepare(
    bench: &Bench<'_>,
    turn: &mut InTurn,
    commands: &[&Command],
    timer: &mut Timer<'_>,
) -> Result<Prepared, StoreError> {
    let mut write = turn.ahead.take(bench.store).await?;
    timer.lap(Phase::Begin);
    let keys: Vec<AnswerKey> = commands.iter().filter_map(|it| answer::key(it)).collect();
    let now = (bench.now)(&write)?;
    let loaded = load(&write, &mut turn.catalogue, now, commands, &keys).await?;
    timer.lap(Phase::Load);
    let Loaded {
        mut ledger,
        commands: fits,
    } = loaded;
    let mut keys = keys.into_iter();
    let results = commands.iter().take(fits).map(|command| {
        let key = command.request.as_ref().and_then(|_| keys.next());
        decide::decide(&mut ledger, command, key)
    });
    let results = results.collect();
    let (changes, head) = ledger.into_changes();
    timer.lap(Phase::Decide);
    write.apply_all(&changes, &head).await?;
    timer.lap(Phase::Write);
    let decided = Decided {
        results,
        sequence: head.sequence,
    };
    Ok(Prepared {
        write,
        head,
        decided,
    })
}

/// Whether an answer rests on the time of the batch, which must therefore not be undone by a clock that is behind.
fn is_decision(result: &Result<Outcome, Rejection>) -> bool {
    matches!(result, Ok(_) | Err(Rejection::Refused(_)))
}
