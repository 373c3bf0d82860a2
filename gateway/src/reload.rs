//! Taking up changed routes, rollouts and contracts while the gateway runs.
//!
//! Looked at are the files that it started from, and upstreams that tell their contracts by reflection. Files are
//! polled, because that sees every way of changing them: rewritten, renamed over, or a whole mounted folder swapped
//! behind a link. What has changed is read and compiled completely beside what is in force, and takes its place in one
//! step; if anything in it is wrong, nothing of it is used, the reason is logged once and shown, and the old stays.
//!
//! Requests in flight end by the routes that they began with, and upstreams that are configured as before keep their
//! connections. Addresses listened on, limits of listeners, the operators' guard and the store are had by a restart
//! only: a change of them is named and ignored.

mod candidate;
mod page;
mod stamps;
mod status;

use std::time::Duration;

use banyan_mesh::{backoff::Backoff, process::Process};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use self::{candidate::Candidate, status::Status};
use crate::{
    config::{Config, DescriptorSource},
    contracts::Contracts,
    descriptors::Sets,
    follow,
    probes::Probes,
    rollouts::Rollouts,
    routes,
    start::definitions,
    upstreams::Upstreams,
};

pub(crate) use page::page;
pub(crate) use stamps::Stamps;

/// The first wait before an upstream that is away is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// What became of a look at files and upstreams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Unchanged,
    /// In force, under this version.
    Applied(u64),
    /// Why not.
    Refused(String),
}

/// Somebody who wants a look at once.
type Demand = oneshot::Sender<Outcome>;

/// What is in force, with all that it was made from.
pub(crate) struct InForce {
    pub(crate) config: Config,
    pub(crate) upstreams: Upstreams,
    pub(crate) sets: Sets,
    pub(crate) contracts: Contracts,
    pub(crate) probes: Probes,
    pub(crate) rollouts: Rollouts,
}

/// What others see of this and ask of it; clones share it.
#[derive(Clone)]
pub(crate) struct Handle {
    contracts: Contracts,
    status: Status,
    demands: mpsc::Sender<Demand>,
}

/// Looks until the process ends.
pub(crate) fn start(in_force: InForce, process: &Process) -> Handle {
    let (demands, demanded) = mpsc::channel(4);
    let status = Status::new(&in_force, process);
    let handle = Handle {
        contracts: in_force.contracts.clone(),
        status: status.clone(),
        demands,
    };
    let shutdown = process.shutdown().clone();
    process.spawn("contracts", async move {
        let reloader = Reloader::new(in_force, status);
        tokio::select! {
            () = reloader.run(demanded) => {}
            () = shutdown.cancelled() => {}
        }
        Ok(())
    });
    handle
}

struct Reloader {
    /// As the file was when the gateway started.
    started: Config,
    /// As the file was when what is in force was read from it.
    read: Config,
    in_force: InForce,
    fingerprint: [u8; 32],
    refused: Option<[u8; 32]>,
    stamps: Stamps,
    status: Status,
    ask_at: Instant,
    ask_again: Backoff,
}

impl Reloader {
    fn new(in_force: InForce, status: Status) -> Reloader {
        let config = &in_force.config;
        let every = Duration::from_millis(config.contracts.reflection_every_ms);
        let mut reloader = Reloader {
            started: config.as_read(),
            read: config.as_read(),
            fingerprint: candidate::fingerprint(config, &in_force.sets),
            refused: None,
            stamps: Stamps::default(),
            status,
            ask_at: Instant::now(),
            ask_again: Backoff::new(ASK_AGAIN.min(every), every),
            in_force,
        };
        reloader.plan();
        reloader
    }

    async fn run(mut self, mut demanded: mpsc::Receiver<Demand>) {
        loop {
            let files_every = Duration::from_millis(self.in_force.config.contracts.files_every_ms);
            let next = (Instant::now() + files_every).min(self.ask_at);
            tokio::select! {
                () = tokio::time::sleep_until(next) => {
                    self.look(false).await;
                }
                Some(demand) = demanded.recv() => {
                    let outcome = self.look(true).await;
                    // Whoever wanted to know may have gone.
                    demand.send(outcome).ok();
                }
            }
        }
    }

    /// Looks whether anything has changed, and takes it up.
    async fn look(&mut self, demanded: bool) -> Outcome {
        let ask = demanded || Instant::now() >= self.ask_at;
        let watch = self.in_force.config.contracts.watch;
        let changed = (watch || demanded) && self.stamps.have_changed(&self.files()).await;
        if !ask && !changed {
            return Outcome::Unchanged;
        }
        let outcome = match Candidate::new(&self.started, &self.read, &self.in_force, ask).await {
            Ok(candidate) => self.consider(candidate).await,
            Err(error) => Outcome::Refused(format!("{error:#}")),
        };
        if ask {
            self.plan();
        }
        self.status.looked(&outcome, &self.in_force);
        outcome
    }

    /// What to look at: this file and the descriptor sets of the configuration in force.
    fn files(&self) -> Vec<std::path::PathBuf> {
        let config = &self.in_force.config;
        let sets = config.descriptors.iter().filter_map(|source| match source {
            DescriptorSource::File(path) => Some(path.as_path()),
            DescriptorSource::BuiltIn | DescriptorSource::Reflection(_) => None,
        });
        let files = config.file().into_iter().chain(sets);
        files.map(ToOwned::to_owned).collect()
    }

    /// Puts it in force if it is something else and all of it is right.
    async fn consider(&mut self, candidate: Candidate) -> Outcome {
        self.status.needs_restart(&candidate.needs_restart);
        let fingerprint = candidate.fingerprint;
        if fingerprint == self.fingerprint {
            self.refused = None;
            self.in_force.sets = candidate.sets;
            return Outcome::Unchanged;
        }
        if self.refused == Some(fingerprint) {
            return Outcome::Refused(self.status.reason());
        }
        // Compiling takes milliseconds, in which the threads that serve requests have better things to do.
        let compiled = tokio::task::spawn_blocking(move || {
            let Candidate {
                config,
                upstreams,
                sets,
                ..
            } = &candidate;
            let followers = follow::followers(config, upstreams)?;
            let routes = routes::compile(config, upstreams, sets)?;
            anyhow::Ok((routes, followers, candidate))
        });
        let refusal = match compiled.await {
            Ok(Ok((routes, followers, candidate))) => {
                self.fingerprint = fingerprint;
                self.refused = None;
                // Before the routes: they name rollouts that may be new.
                let rollouts = definitions(&candidate.config);
                self.in_force.rollouts.renew(rollouts, followers).await;
                self.in_force.rollouts.know_routes(&routes);
                self.in_force.contracts.replace(routes);
                self.in_force.probes.renew(&candidate.config);
                self.read = candidate.read;
                self.in_force.config = candidate.config;
                self.in_force.upstreams = candidate.upstreams;
                self.in_force.sets = candidate.sets;
                return Outcome::Applied(self.status.next_version());
            }
            Ok(Err(error)) => format!("{error:#}"),
            Err(error) => format!("compiling ended early: {error}"),
        };
        self.refused = Some(fingerprint);
        Outcome::Refused(refusal)
    }

    /// When upstreams are asked next: soon and ever less often while one is away.
    fn plan(&mut self) {
        let config = &self.in_force.config;
        let is_asked =
            |source: &DescriptorSource| matches!(source, DescriptorSource::Reflection(_));
        let never = Duration::from_secs(365 * 24 * 60 * 60);
        let in_trouble = self.in_force.sets.0.iter().any(|set| set.trouble.is_some());
        let wait = if in_trouble {
            self.ask_again.next_wait()
        } else if config.contracts.watch && config.descriptors.iter().any(is_asked) {
            self.ask_again.reset();
            Duration::from_millis(config.contracts.reflection_every_ms)
        } else {
            never
        };
        self.ask_at = Instant::now() + wait;
    }
}
