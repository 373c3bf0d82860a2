//! Which dependency is up and which is down and why. A process is ready when every required dependency is up and it
//! is not draining; optional ones are shown and change nothing.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde::Serialize;
use tokio::sync::watch;

/// The readiness of one process; clones share it.
#[derive(Clone, Debug)]
pub struct Readiness {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    ready: watch::Sender<bool>,
    /// Beside the state, because every request asks.
    draining: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    dependencies: BTreeMap<String, Entry>,
    draining: bool,
}

#[derive(Debug)]
struct Entry {
    required: bool,
    down: Option<String>,
    since: Instant,
}

/// What `/readyz` shows.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether new work may be sent here.
    pub ready: bool,
    /// Whether the process is ending.
    pub draining: bool,
    /// Every dependency, by name.
    pub dependencies: Vec<DependencyReport>,
}

/// One line of a [`Report`].
#[derive(Debug, Serialize)]
pub struct DependencyReport {
    /// What it is, such as `reservation database`.
    pub name: String,
    /// Whether the process is unready without it.
    pub required: bool,
    /// Whether it works.
    pub up: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how long it has been so.
    pub since_seconds: u64,
}

impl Default for Readiness {
    fn default() -> Self {
        let (ready, _) = watch::channel(true);
        Self {
            inner: Arc::new(Inner {
                state: Mutex::default(),
                ready,
                draining: AtomicBool::new(false),
            }),
        }
    }
}

impl Readiness {
    /// Declares a dependency without which the process is not ready. It starts down.
    #[must_use]
    pub fn dependency(&self, name: impl Into<String>) -> Dependency {
        self.declare(name.into(), true)
    }

    /// Declares a dependency that is only shown. It starts down.
    #[must_use]
    pub fn optional(&self, name: impl Into<String>) -> Dependency {
        self.declare(name.into(), false)
    }

    /// From now on the process is not ready, whatever its dependencies say.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
        self.change(|state| state.draining = true);
    }

    /// Whether the process is ending: clients should take their next request elsewhere.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }

    /// Whether new work may be sent here.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.inner.ready.borrow()
    }

    /// Follows [`is_ready`](Self::is_ready).
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.inner.ready.subscribe()
    }

    /// Everything, for people.
    #[must_use]
    pub fn report(&self) -> Report {
        let state = self.lock();
        Report {
            ready: state.is_ready(),
            draining: state.draining,
            dependencies: state
                .dependencies
                .iter()
                .map(|(name, entry)| DependencyReport {
                    name: name.clone(),
                    required: entry.required,
                    up: entry.down.is_none(),
                    reason: entry.down.clone(),
                    since_seconds: entry.since.elapsed().as_secs(),
                })
                .collect(),
        }
    }

    fn declare(&self, name: String, required: bool) -> Dependency {
        let entry = Entry {
            required,
            down: Some("starting".to_owned()),
            since: Instant::now(),
        };
        self.change(|state| state.dependencies.insert(name.clone(), entry));
        Dependency {
            readiness: self.clone(),
            name,
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) {
        let mut state = self.lock();
        change(&mut state);
        // Sent under the lock, so that watchers see changes in the order they were made.
        self.inner.ready.send_replace(state.is_ready());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_ready(&self) -> bool {
        !self.draining
            && self
                .dependencies
                .values()
                .all(|entry| !entry.required || entry.down.is_none())
    }
}

/// Reports on one dependency; clones report on the same one.
#[derive(Clone, Debug)]
pub struct Dependency {
    readiness: Readiness,
    name: String,
}

impl Dependency {
    /// It works. Logged when that is news.
    pub fn up(&self) {
        self.set(None);
    }

    /// It does not work. Logged when that is news.
    pub fn down(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    /// It is depended on no more.
    pub fn retire(&self) {
        self.readiness
            .change(|state| state.dependencies.remove(&self.name));
    }

    fn set(&self, down: Option<String>) {
        self.readiness.change(|state| {
            let Some(entry) = state.dependencies.get_mut(&self.name) else {
                return;
            };
            if entry.down.is_some() != down.is_some() {
                entry.since = Instant::now();
                match &down {
                    None => tracing::info!(dependency = self.name, "Dependency is up"),
                    Some(reason) => {
                        tracing::warn!(dependency = self.name, reason, "Dependency is down")
                    }
                }
            } else if entry.down.as_deref() == Some("starting")
                && let Some(reason) = &down
            {
                tracing::warn!(dependency = self.name, reason, "Dependency is not up yet");
            }
            entry.down = down;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_required_dependencies_are_up_and_not_draining() {
        let readiness = Readiness::default();
        assert!(readiness.is_ready());
        let database = readiness.dependency("database");
        let monolith = readiness.optional("monolith");
        assert!(!readiness.is_ready());
        database.up();
        assert!(
            readiness.is_ready(),
            "an optional dependency that is down changes nothing"
        );
        monolith.down("refused");
        assert!(readiness.is_ready());
        database.down("gone");
        assert!(!readiness.is_ready());
        database.up();
        readiness.drain();
        assert!(!readiness.is_ready());
    }

    #[test]
    fn report_says_which_and_why() {
        let readiness = Readiness::default();
        readiness.dependency("database").down("connection refused");
        let report = readiness.report();
        assert!(!report.ready);
        assert_eq!(report.dependencies[0].name, "database");
        assert_eq!(
            report.dependencies[0].reason.as_deref(),
            Some("connection refused")
        );
    }
}
