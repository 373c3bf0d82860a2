//! How the load goes: what has been answered, by whom, and for how long nothing was granted.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Counts answers.
#[derive(Debug)]
pub(crate) struct Pulse {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Answers by what they were.
    tally: Tally,
    /// Grants by replica, of requests sent after the mark.
    grants: Vec<u64>,
    mark: Instant,
    last_grant: Option<Instant>,
    longest_outage: Duration,
}

/// Answers, and things that happened, by what they were.
pub(crate) type Tally = BTreeMap<String, u64>;

impl Pulse {
    pub(super) fn new(replicas: usize) -> Self {
        let state = State {
            tally: Tally::new(),
            grants: vec![0; replicas],
            mark: Instant::now(),
            last_grant: None,
            longest_outage: Duration::ZERO,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// Counts something that happened.
    pub(super) fn count(&self, what: &str) {
        *self.state().tally.entry(what.to_owned()).or_default() += 1;
    }

    /// Counts a grant of a request that was sent to a replica at that time.
    pub(super) fn granted(&self, replica: usize, sent: Instant) {
        let mut state = self.state();
        let now = Instant::now();
        state.outage_until(now);
        state.last_grant = Some(now);
        if sent >= state.mark
            && let Some(grants) = state.grants.get_mut(replica)
        {
            *grants += 1;
        }
    }

    /// From now on count the grants of each replica anew.
    pub(crate) fn mark(&self) {
        let mut state = self.state();
        state.mark = Instant::now();
        state.grants.fill(0);
    }

    /// From now on nobody asks, which is no outage.
    pub(super) fn pauses(&self) {
        self.state().outage_until(Instant::now());
    }

    /// From now on they ask again.
    pub(super) fn goes_on(&self) {
        self.state().last_grant = Some(Instant::now());
    }

    /// Grants of the replica that has fewest, and of all together, of requests sent after the mark.
    pub(crate) fn grants(&self) -> (u64, u64) {
        let state = self.state();
        (
            state.grants.iter().min().copied().unwrap_or(0),
            state.grants.iter().sum(),
        )
    }

    /// Longest time between two grants, the length of the faults included.
    pub(crate) fn longest_outage(&self) -> Duration {
        self.state().longest_outage
    }

    /// Everything counted so far.
    pub(crate) fn tally(&self) -> Tally {
        self.state().tally.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn outage_until(&mut self, now: Instant) {
        let since = self.last_grant.map(|last| now.duration_since(last));
        self.longest_outage = self.longest_outage.max(since.unwrap_or_default());
    }
}
