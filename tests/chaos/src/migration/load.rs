//! The constant load: people who read, write and book, each of them one request after the other, over either gateway.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::{
    history::{Clock, Exchange},
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
