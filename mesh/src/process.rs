//! What the services of one operating-system process share, and how that process ends.
//!
//! `banyan up` runs every service on one [`Process`], a container runs one service on its own; the services cannot
//! tell. The end is always the same: a signal (or the failure of a task) makes the process unready, waits for load
//! balancers to notice, tells everything to drain, and waits for it at most as long as the grace time.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{ops::Ops, readiness::Readiness};

/// What the services of one operating-system process share; clones share it too.
#[derive(Clone, Debug, Default)]
pub struct Process {
    inner: Arc<Inner>,
    backstage: bool,
}

#[derive(Debug)]
struct Inner {
    front: Stage,
    back: Stage,
    failure: watch::Sender<Option<String>>,
    metrics: Metrics,
    readiness: Readiness,
    ops: Ops,
}

/// Tasks that end together.
#[derive(Debug, Default)]
struct Stage {
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Stage {
    async fn end(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            front: Stage::default(),
            back: Stage::default(),
            failure: watch::Sender::new(None),
            metrics: Metrics::default(),
            readiness: Readiness::default(),
            ops: Ops::default(),
        }
    }
}

/// How a process ends.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// How long to answer as before, though unready, so that load balancers send nothing new.
    pub unready_wait: Duration,
    /// How long to wait for work in flight, from the moment that nothing new is taken.
    pub grace: Duration,
}

impl Process {
    /// A process with nothing in it yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same process for services that others in it call: they end after those have.
    #[must_use]
    pub fn backstage(&self) -> Self {
        Self {
            backstage: true,
            ..self.clone()
        }
    }

    /// Cancelled when it is time to stop taking work, finish what is in flight and end.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.stage().shutdown
    }

    fn stage(&self) -> &Stage {
        if self.backstage {
            &self.inner.back
        } else {
            &self.inner.front
        }
    }

    /// Runs a task that the process waits for at its end. A task that fails ends the process.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let process = self.clone();
        // A task of its own inside, so that a panic ends the process in order instead of losing the task unseen.
        let task = tokio::spawn(task);
        self.stage().tasks.spawn(async move {
            let failure = match task.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("{name} failed: {error:#}"),
                Err(error) => format!("{name} ended: {error}"),
            };
            tracing::error!(failure, "Task failed");
            process.inner.failure.send_replace(Some(failure));
        });
    }

    /// As [`spawn`](Self::spawn), on a thread and a runtime of its own, whose handle is returned: the system gives it its
    /// turn, however many tasks want theirs, and its sockets wake nobody else. Where no thread can be had it is a
    /// task like any other.
    pub fn spawn_apart<F>(&self, name: &'static str, task: F) -> Handle
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (done, ended) = oneshot::channel();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = match builder.enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::warn!(%error, task = name, "No runtime of its own: it shares the others'");
                self.spawn(name, task);
                return Handle::current();
            }
        };
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name(name.to_owned());
        let spawned = thread.spawn(move || {
            // Nobody waits for it any more if the process is ending in a hurry.
            done.send(runtime.block_on(task)).ok();
        });
        self.spawn(name, async move {
            spawned?;
            ended.await.context("its thread panicked")?
        });
        handle
    }

    /// The one registry of this process.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Which dependencies are up.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.inner.readiness
    }

    /// What the ops port serves.
    #[must_use]
    pub fn ops(&self) -> &Ops {
        &self.inner.ops
    }

    /// Runs until SIGTERM, SIGINT or the failure of a task, then ends in order. Each further signal hurries the end:
    /// the first skips the wait, one more leaves work in flight behind.
    ///
    /// # Errors
    /// If a task failed, or work in flight outlasted the grace time or the patience of whoever sends signals.
    pub async fn run(self, ending: Ending) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        self.run_until(ending, async move || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await
    }

    async fn run_until(
        self,
        ending: Ending,
        mut signalled: impl AsyncFnMut(),
    ) -> anyhow::Result<()> {
        let mut failures = self.inner.failure.subscribe();
        let has_failed = tokio::select! {
            () = signalled() => false,
            _ = failures.wait_for(Option::is_some) => true,
        };
        if !has_failed {
            tracing::info!(
                unready_wait_ms = ending.unready_wait.as_millis(),
                "Draining"
            );
            self.readiness().drain();
            tokio::select! {
                () = tokio::time::sleep(ending.unready_wait) => {}
                () = signalled() => {}
            }
        }
        let drained = tokio::select! {
            drained = self.stop(ending.grace) => drained,
            () = signalled() => Err(anyhow::anyhow!("a further signal left work in flight behind")),
        };
        // A task may have failed while the others ended.
        let failure = failures.borrow().clone();
        match failure {
            Some(failure) => Err(anyhow::anyhow!(failure)),
            None => drained,
        }
    }

    /// Stops taking work and waits for what is in flight.
    ///
    /// # Errors
    /// If it outlasted `grace`.
    pub async fn stop(&self, grace: Duration) -> anyhow::Result<()> {
        self.readiness().drain();
        let end = async {
            self.inner.front.end().await;
            self.inner.back.end().await;
        };
        tokio::time::timeout(grace, end).await.with_context(|| {
            format!(
                "work in flight outlasted the grace time of {} s",
                grace.as_secs()
            )
        })?;
        tracing::info!("Drained");
        Ok(())
    }
}

/// The one metrics registry of a process.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

impl Metrics {
    /// Adds metrics; what `register` returns is handed through.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// If a collector cannot be encoded.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_waits_for_tasks_that_drain() {
        let process = Process::new();
        let (done, finished) = tokio::sync::oneshot::channel();
        let shutdown = process.shutdown().clone();
        process.spawn("worker", async move {
            shutdown.cancelled().await;
            done.send(()).ok();
            Ok(())
        });
        process.stop(Duration::from_secs(5)).await.unwrap();
        finished.await.unwrap();
        assert!(!process.readiness().is_ready());
    }

    #[tokio::test]
    async fn what_others_call_ends_after_them() {
        let process = Process::new();
        let order = Arc::new(Mutex::new(Vec::new()));
        for (name, process) in [("back", process.backstage()), ("front", process.clone())] {
            let (shutdown, order) = (process.shutdown().clone(), Arc::clone(&order));
            process.spawn("worker", async move {
                shutdown.cancelled().await;
                order.lock().unwrap().push(name);
                Ok(())
            });
        }
        process.stop(Duration::from_secs(5)).await.unwrap();
        assert_eq!(*order.lock().unwrap(), ["front", "back"]);
    }

    #[tokio::test]
    async fn a_task_that_outlasts_the_grace_time_is_an_error() {
        let process = Process::new();
        process.spawn("stuck", std::future::pending());
        let error = process.stop(Duration::from_millis(10)).await.unwrap_err();
        assert!(error.to_string().contains("grace time"), "{error}");
    }

    #[tokio::test]
    async fn a_failed_or_panicked_task_ends_the_process_with_its_reason() {
        for panics in [false, true] {
            let process = Process::new();
            process.spawn("worker", async move {
                assert!(!panics, "worker panicked");
                anyhow::bail!("broken pipe")
            });
            let ending = Ending {
                unready_wait: Duration::ZERO,
                grace: Duration::from_secs(1),
            };
            let error = process.run(ending).await.unwrap_err();
            assert!(error.to_string().starts_with("worker"), "{error}");
        }
    }

    #[tokio::test]
    async fn further_signals_hurry_the_end() {
        let process = Process::new();
        process.spawn("stuck", std::future::pending());
        let ending = Ending {
            unready_wait: Duration::from_secs(600),
            grace: Duration::from_secs(600),
        };
        let (send, mut signals) = tokio::sync::mpsc::unbounded_channel();
        let running = process.clone().run_until(ending, async move || {
            if signals.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        });
        for _ in 0..3 {
            send.send(()).unwrap();
        }
        let error = tokio::time::timeout(Duration::from_secs(5), running)
            .await
            .unwrap()
            .unwrap_err();
        assert!(error.to_string().contains("further signal"), "{error}");
    }

    #[tokio::test]
    async fn a_task_that_fails_while_the_process_ends_is_told() {
        let process = Process::new();
        let shutdown = process.shutdown().clone();
        process.spawn("worker", async move {
            shutdown.cancelled().await;
            anyhow::bail!("cannot flush")
        });
        let ending = Ending {
            unready_wait: Duration::ZERO,
            grace: Duration::from_secs(5),
        };
        let mut signals = 0;
        let ended = process.run_until(ending, async move || {
            signals += 1;
            if signals > 1 {
                std::future::pending::<()>().await;
            }
        });
        let error = ended.await.unwrap_err();
        assert!(error.to_string().contains("cannot flush"), "{error}");
    }
}
