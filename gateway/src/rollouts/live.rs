//! One rollout while it runs: its state, which requests read without waiting, and its counts.

mod pending;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use banyan_rollout::{Failure, Follower, Percent, Reason, Recorder, RolloutState, Side, Subjects};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

pub(super) use self::pending::PENDING_MAX;
use self::pending::{Next, Pending};
use super::{
    CHANGES_AHEAD, Definition, Metrics, Snapshot, answers::Answers, counts::Counters, found::Found,
    passed::Passed, pins::Pins,
};
use crate::store::{Configured, State, Stored};

/// A moment further off than this is another replica's clock that is wrong.
const AHEAD_MAX: SignedDuration = SignedDuration::from_millis(2 * CHANGES_AHEAD.as_millis() as i64);

/// A rollout, the state it is in and what it has answered.
#[derive(Debug)]
pub(super) struct Live {
    name: String,
    definition: ArcSwap<Definition>,
    /// gateway.toml has it no more. Requests that took their route before still find it.
    is_gone: AtomicBool,
    current: ArcSwap<Current>,
    /// What comes into force at moments that all replicas know.
    pending: ArcSwapOption<Pending>,
    /// Held by whoever puts something in force.
    switching: Mutex<()>,
    said: Mutex<Said>,
    /// What the store has, while more than that was put in force here without it and is yet to be told.
    pub(super) ahead_of: ArcSwapOption<Stored>,
    /// How the follower was when it was last asked on behalf of a percentage that waits.
    waits_for: ArcSwapOption<Follower>,
    /// None of its routes changes anything, as far as that is known.
    pub(super) only_reads: AtomicBool,
    counters: Counters,
    answers: Answers,
    recorder: ArcSwap<Recorder>,
    pub(super) pins: Pins,
    pub(super) passed: Passed,
    verdict: ArcSwap<Found>,
    pub(super) metrics: Metrics,
}

/// What can change while the gateway runs.
#[derive(Debug, PartialEq)]
pub(super) struct Current {
    pub(super) state: State,
    pub(super) version: u64,
    pub(super) change_time: Option<Timestamp>,
    pub(super) decides_by: RolloutState,
    /// What is kept on its side.
    pub(super) subjects: Subjects,
    pub(super) has_fallback: bool,
    /// Whether legacy does a request once only, however often it comes with the same request id.
    pub(super) honours_request_ids: bool,
}

/// A change that was taken over: what is in force before its moment, and from then on.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) before: Arc<Current>,
    pub(super) after: Arc<Current>,
}

/// What this replica's own configuration says, and what of it the store has been told.
#[derive(Debug)]
struct Said {
    mine: Configured,
    mounted: Option<Percent>,
    told: Option<Configured>,
}

impl Live {
    pub(super) fn new(definition: Definition, mounted: Option<Percent>, metrics: &Metrics) -> Self {
        let mine = definition.configured(mounted);
        let initial = Stored {
            state: definition.initial(&mine),
            version: 0,
            change_time: None,
        };
        let current = Current::new(initial, &definition);
        metrics.in_force(&definition.name, &current);
        let answers = Answers::new(&metrics.answers, &definition.name, current.version);
        Self {
            recorder: ArcSwap::from_pointee(Recorder::new(current.decides_by.percent)),
            pins: Pins::of(&definition.name),
            passed: Passed::default(),
            verdict: ArcSwap::default(),
            current: ArcSwap::from_pointee(current),
            pending: ArcSwapOption::empty(),
            switching: Mutex::default(),
            said: Mutex::new(Said {
                mine,
                mounted,
                told: None,
            }),
            ahead_of: ArcSwapOption::empty(),
            waits_for: ArcSwapOption::empty(),
            name: definition.name.clone(),
            definition: ArcSwap::from_pointee(definition),
            is_gone: AtomicBool::new(false),
            only_reads: AtomicBool::new(false),
            counters: Counters::default(),
            answers,
            metrics: metrics.clone(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn definition(&self) -> arc_swap::Guard<Arc<Definition>> {
        self.definition.load()
    }

    /// Whether gateway.toml still has it.
    pub(super) fn is_configured(&self) -> bool {
        !self.is_gone.load(Ordering::Relaxed)
    }

    /// gateway.toml has it no more.
    pub(super) fn gone(&self) {
        self.is_gone.store(true, Ordering::Relaxed);
    }

    /// gateway.toml says something else than before; salt and algorithm stay, whatever it says. Returns whether that is
    /// news.
    pub(super) fn redefine(&self, definition: Definition, mounted: Option<Percent>) -> bool {
        self.is_gone.store(false, Ordering::Relaxed);
        self.definition.store(Arc::new(definition));
        self.configure(mounted)
    }

    /// What is in force.
    pub(super) fn current(&self) -> arc_swap::Guard<Arc<Current>> {
        if let Some(pending) = &*self.pending.load()
            && let Some(due) = pending.due(Timestamp::now())
        {
            self.switch(pending, due);
            return arc_swap::Guard::from_inner(Arc::clone(due));
        }
        self.current.load()
    }

    /// How long it takes until what was decided last is in force.
    pub(super) fn pending(&self) -> Option<Duration> {
        let pending = self.pending.load_full()?;
        let left = pending.last().from.duration_since(Timestamp::now());
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }

    /// Puts a state in force at the moment of its change, the same at every replica; at once if that has passed, or is
    /// further off than replicas agree on. What waits for an earlier moment is in force until then. Returns what is before
    /// and what comes, if that is something else.
    pub(super) fn take(&self, stored: Stored, now: Timestamp) -> Option<Taken> {
        let before = self.current().clone();
        let from = stored.change_time.unwrap_or(now);
        if from <= now || from.duration_since(now) > AHEAD_MAX {
            let before = self.apply(stored)?;
            let after = self.current().clone();
            return Some(Taken { before, after });
        }
        let current = Arc::new(Current::new(stored, &self.definition()));
        let _alone = self
            .switching
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = self.pending.load_full();
        let before = known
            .as_ref()
            .map_or(before, |it| Arc::clone(&it.last().current));
        if *before == *current {
            return None;
        }
        let next = Next {
            from,
            current: Arc::clone(&current),
        };
        let (pending, too_many) = Pending::with(known.as_deref(), next);
        self.metrics.changes_skipped(self.name(), too_many);
        self.pending.store(Some(Arc::new(pending)));
        Some(Taken {
            before,
            after: current,
        })
    }

    /// Puts in force what was waiting for its moment.
    fn switch(&self, pending: &Arc<Pending>, due: &Arc<Current>) {
        let _alone = self
            .switching
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = self.pending.load();
        if known
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, pending))
        {
            // In this order: who finds it waiting no more has to find it in force.
            self.put(Arc::clone(due));
            self.pending.store(pending.beyond(due.version));
        }
    }

    /// What it is where nobody has changed it yet.
    pub(super) fn initial(&self) -> State {
        self.definition().initial(&self.mine())
    }

    /// What this replica's own configuration says.
    pub(super) fn mine(&self) -> Configured {
        self.said().mine.clone()
    }

    /// Takes note of what a mounted file says now. Returns whether that is news.
    pub(super) fn configure(&self, mounted: Option<Percent>) -> bool {
        let mine = self.definition().configured(mounted);
        let mut said = self.said();
        said.mounted = mounted;
        let is_news = said.mine != mine;
        said.mine = mine;
        is_news
    }

    /// A state with this replica's news, as far as the follower lets it be.
    pub(super) fn settled(&self, state: &State, follower: Follower) -> State {
        let untold = self.untold();
        let configured = untold.as_ref().unwrap_or(&state.configured);
        state.configured_by(configured, follower, Timestamp::now())
    }

    /// Whether more subjects would be on gRPC if the follower has caught up.
    pub(super) fn waits_from(&self, state: &State) -> bool {
        self.definition().has_follower
            && self
                .settled(state, Follower::Unknown)
                .position
                .held
                .is_some()
    }

    /// What was decided last, in force or about to be.
    pub(super) fn newest(&self) -> Arc<Current> {
        let current = Arc::clone(&self.current());
        match self.pending.load_full() {
            Some(pending) if pending.last().current.version > current.version => {
                Arc::clone(&pending.last().current)
            }
            _ => current,
        }
    }

    /// Takes note of how the follower is that something waits for; `None`: nothing waits. Returns what was known before.
    pub(super) fn waits_for(&self, follower: Option<Follower>) -> Option<Follower> {
        let before = self.waits_for.swap(follower.map(Arc::new));
        before.map(|before| *before)
    }

    /// What the mounted file last said.
    pub(super) fn mounted(&self) -> Option<Percent> {
        self.said().mounted
    }

    /// What the store has not been told yet of this replica's own configuration, if anything.
    pub(super) fn untold(&self) -> Option<Configured> {
        let said = self.said();
        (said.told.as_ref() != Some(&said.mine)).then(|| said.mine.clone())
    }

    /// The store knows of it now.
    pub(super) fn told(&self, configured: Configured) {
        self.said().told = Some(configured);
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a state in force. Returns what was before, if that was something else.
    pub(super) fn apply(&self, stored: Stored) -> Option<Arc<Current>> {
        let _alone = self
            .switching
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let current = Current::new(stored, &self.definition());
        if let Some(pending) = self.pending.load_full() {
            self.pending.store(pending.beyond(current.version));
        }
        self.put(Arc::new(current))
    }

    fn put(&self, current: Arc<Current>) -> Option<Arc<Current>> {
        let before = self.current.load_full();
        if before == current {
            return None;
        }
        self.metrics.in_force(self.name(), &current);
        // Before anybody decides by it.
        self.answers.begin(current.version);
        // What was counted at the percentage of before, or for no policy, can be compared with nothing that comes.
        let is_other_policy = before.state.policy() != current.state.policy();
        if before.decides_by.percent != current.decides_by.percent || is_other_policy {
            let recorder = Recorder::new(current.decides_by.percent);
            self.recorder.store(Arc::new(recorder));
        }
        self.current.store(current);
        Some(before)
    }

    /// Counts an answer that was decided by this version.
    pub(super) fn record(&self, version: u64, side: Side, reason: Reason, status: StatusCode) {
        self.counters.record(side, status);
        self.answers.count(version, side, reason);
        if status.is_server_error() {
            self.metrics.failed(self.name(), side);
        }
    }

    /// What is counted for the policy.
    pub(super) fn recorder(&self) -> arc_swap::Guard<Arc<Recorder>> {
        self.recorder.load()
    }

    /// Takes note of what the policy last said.
    pub(super) fn show_verdict(&self, found: Found) {
        if **self.verdict.load() != found {
            self.verdict.store(Arc::new(found));
        }
    }

    /// Counts a request that legacy answers because gRPC failed.
    pub(super) fn fell_back(&self, failure: Failure) {
        self.metrics.fell_back(self.name(), failure);
    }

    /// Counts a write that the other side did not know of in time.
    pub(super) fn pinned(&self) {
        self.metrics.pinned(self.name());
    }

    pub(super) fn snapshot(&self, is_stale: bool) -> Snapshot {
        let current = self.current();
        let snapshot = Snapshot::new(&self.definition(), &current, self.counters.read(), is_stale);
        let found = Found::clone(&self.verdict.load());
        let Found { verdict, evidence } = found.told(&snapshot, current.decides_by.shadow);
        let follower = self.waits_for.load_full();
        let why = |usual: String| follower.map_or(usual, |follower| follower.to_string());
        Snapshot {
            verdict,
            evidence,
            waits: snapshot.waits.map(why),
            ..snapshot
        }
    }
}

impl Current {
    pub(super) fn new(stored: Stored, definition: &Definition) -> Self {
        let Stored {
            state,
            version,
            change_time,
        } = stored;
        Self {
            decides_by: state.decides_by(version),
            subjects: match &state.configured.subjects {
                Some(subjects) => subjects.clone(),
                None => definition.subjects.clone(),
            },
            has_fallback: state.has_fallback(),
            honours_request_ids: state
                .configured
                .honours_request_ids
                .unwrap_or(definition.legacy_honours_request_ids),
            state,
            version,
            change_time,
        }
    }
}
