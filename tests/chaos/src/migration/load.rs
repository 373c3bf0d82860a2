//! The constant load: people who read, write and book, each of them one request after the other, over either gateway.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use tokio::{sync::watch, task::JoinSet};

use super::{
    history::{Clock, Exchange, Outage, Side},
    person::Person,
};
use crate::{Settings, chance::Chance, plan::Form};

/// Nobody waits longer for an answer; every deadline of the gateways is shorter.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// How many people there are, and how many movies they create in a second, all together: both sides list them whole, and
/// the follower reads all of them after every write.
fn crowd(form: Form) -> (u64, u64) {
    match form {
        Form::Short => (16, 8),
        Form::Long => (32, 4),
    }
}

/// So many creates to a side are on their way when that is killed.
const BURST: u64 = 2;
/// A burst that has missed is followed by another one, so many times.
const BURSTS_MAX: usize = 10;
/// When the next one comes: those who have created something have looked at it by then, and pause.
const NEXT_BURST: Duration = Duration::from_millis(100);

/// What everybody shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) gateways: Vec<String>,
    pub(super) http: reqwest::Client,
    pub(super) clock: Clock,
    pub(super) seed: u64,
    creates_a_second: u64,
    stopped: AtomicBool,
    created: AtomicU64,
    /// Who pauses creates a movie at once when this changes.
    bursts: watch::Sender<u64>,
    /// Creates that wait for their answer, by the side that is to give it.
    creating: [AtomicU64; 2],
    failures: AtomicU64,
    exchanges: Mutex<Vec<Exchange>>,
}

impl Shared {
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Whether one more movie may be created.
    pub(super) fn may_create(&self) -> bool {
        let due = self.clock.now() * self.creates_a_second / 1_000_000;
        let one_more = |made| (made < due).then_some(made + 1);
        let ordering = Ordering::Relaxed;
        self.created
            .fetch_update(ordering, ordering, one_more)
            .is_ok()
    }

    pub(super) fn bursts(&self) -> watch::Receiver<u64> {
        self.bursts.subscribe()
    }

    /// Counts a create that waits for a side, until that is dropped.
    pub(super) fn creating(&self, side: Option<Side>) -> Creating<'_> {
        let count = side.map(|side| &self.creating[side as usize]);
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Creating(count)
    }

    /// Writes an exchange down.
    pub(super) fn note(&self, it: Exchange) {
        if !it.succeeded() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        let mut exchanges = self
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        exchanges.push(it);
    }
}

/// A create that waits for its answer.
#[derive(Debug)]
pub(super) struct Creating<'a>(Option<&'a AtomicU64>);

impl Drop for Creating<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A load that is running.
#[derive(Debug)]
pub(super) struct Load {
    shared: Arc<Shared>,
    people: JoinSet<anyhow::Result<()>>,
}

impl Load {
    /// Lets people loose on the gateways.
    pub(super) fn start(
        settings: &Settings,
        gateways: &[String],
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER_LIMIT).build();
        let (people, creates_a_second) = crowd(settings.form);
        let shared = Arc::new(Shared {
            gateways: gateways.to_vec(),
            http: http.context("cannot make a client")?,
            clock,
            seed: settings.seed,
            creates_a_second,
            stopped: AtomicBool::new(false),
            created: AtomicU64::new(clock.now() * creates_a_second / 1_000_000),
            bursts: watch::Sender::new(0),
            creating: Default::default(),
            failures: AtomicU64::new(0),
            exchanges: Mutex::default(),
        });
        let mut running = JoinSet::new();
        for number in 0..people {
            let chance = Chance::stream(settings.seed, number + 2);
            running.spawn(Person::new(number, chance, Arc::clone(&shared)).live());
        }
        Ok(Self {
            shared,
            people: running,
        })
    }

    /// Requests so far.
    pub(super) fn count(&self) -> usize {
        let exchanges = self.shared.exchanges.lock();
        exchanges.unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Those that were not answered with a success.
    pub(super) fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// Lets everybody who pauses create a movie at once, and returns after `delay`, when some of them wait for the side. A
    /// burst that was answered sooner is followed by another one, which is given less time.
    pub(super) async fn burst(&self, side: Side, delay: Duration) {
        let mut delay = delay;
        for _ in 0..BURSTS_MAX {
            self.shared.bursts.send_modify(|bursts| *bursts += 1);
            tokio::time::sleep(delay).await;
            if self.shared.creating[side as usize].load(Ordering::Relaxed) >= BURST {
                return;
            }
            delay = delay / 2 + Duration::from_millis(1);
            tokio::time::sleep(NEXT_BURST).await;
        }
    }

    /// Whether a create was in flight to the side that was killed, and told so.
    pub(super) fn has_met(&self, outage: &Outage) -> bool {
        let exchanges = self.shared.exchanges.lock();
        let exchanges = exchanges.unwrap_or_else(PoisonError::into_inner);
        exchanges.iter().rev().any(|it| {
            it.is_create()
                && it.is_honest_failure()
                && it.was_in_flight_at(outage)
                && it.answer.side == Some(outage.side)
        })
    }

    /// That nobody has given up.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.people.try_join_next() {
            ended.context("somebody was aborted")??;
        }
        Ok(())
    }

    /// Lets everybody finish what they are at; what they have seen.
    pub(super) async fn end(mut self) -> anyhow::Result<Vec<Exchange>> {
        self.shared.stopped.store(true, Ordering::Relaxed);
        while let Some(ended) = self.people.join_next().await {
            ended.context("somebody was aborted")??;
        }
        let mut exchanges = self
            .shared
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut exchanges))
    }
}
