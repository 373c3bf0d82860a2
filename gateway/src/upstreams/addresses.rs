//! Where a service lives: every address of its name, asked for again while it is in use.
//!
//! A name may stand for many addresses, as that of a headless service in Kubernetes does; connections are spread over them
//! one after the other, by all threads together. The name is asked for again every so often, and soon after a connection
//! has failed; what no longer belongs to it is used for nothing new. While it cannot be resolved, or has no address at
//! all, the last known ones stay: names fail more often than the services behind them.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{sync::Notify, time::timeout};

/// More addresses of one name are not used.
const ADDRESSES_MAX: usize = 64;
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Least time between two questions.
const AGAIN_MIN: Duration = Duration::from_secs(1);

/// What a name stands for.
pub(crate) type Resolved<'a> =
    Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Whoever knows the addresses of names.
pub(crate) trait Resolve: fmt::Debug + Send + Sync {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolved<'a>;
}

/// The system's own.
#[derive(Debug)]
pub(crate) struct System;

impl Resolve for System {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolved<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// The addresses of one service.
#[derive(Debug)]
pub(super) struct Addresses {
    host: String,
    port: u16,
    resolver: Arc<dyn Resolve>,
    every: Duration,
    /// In order, without doubles; none before the first call.
    known: ArcSwap<Vec<SocketAddr>>,
    /// Counts the changes.
    version: AtomicU64,
    /// Whose turn it is.
    next: AtomicUsize,
    is_followed: AtomicBool,
    again: Arc<Notify>,
}

impl Drop for Addresses {
    fn drop(&mut self) {
        // Whoever follows them ends now and not later.
        self.again.notify_one();
    }
}

impl Addresses {
    pub(super) fn new(
        host: &str,
        port: u16,
        resolver: Arc<dyn Resolve>,
        every: Duration,
    ) -> Addresses {
        Addresses {
            host: host.to_owned(),
            port,
            resolver,
            every,
            known: ArcSwap::default(),
            version: AtomicU64::new(0),
            next: AtomicUsize::new(0),
            is_followed: AtomicBool::new(false),
            again: Arc::default(),
        }
    }

    /// What changes when the addresses do.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// As they are known now.
    pub(super) fn known(&self) -> Arc<Vec<SocketAddr>> {
        self.known.load_full()
    }

    /// All in the order in which to try them: first those that are not used yet, each time from another one on.
    pub(super) async fn to_try(
        self: &Arc<Self>,
        used: &[SocketAddr],
    ) -> io::Result<Vec<SocketAddr>> {
        if self.known.load().is_empty() {
            self.resolve().await?;
            self.follow();
        }
        let mut order = self.known().to_vec();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let fresh = order.iter().filter(|it| !used.contains(it)).count();
        order.sort_by_key(|it| used.contains(it));
        let (fresh, used) = order.split_at_mut(fresh);
        for part in [fresh, used] {
            if !part.is_empty() {
                part.rotate_left(turn % part.len());
            }
        }
        Ok(order)
    }

    /// Something has failed: the name may stand for others by now.
    pub(super) fn doubt(&self) {
        self.again.notify_one();
    }

    async fn resolve(&self) -> io::Result<()> {
        let found = timeout(
            RESOLVE_TIMEOUT,
            self.resolver.resolve(&self.host, self.port),
        )
        .await;
        let mut found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        found.sort_unstable();
        found.dedup();
        found.truncate(ADDRESSES_MAX);
        if found.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the name has no address",
            ));
        }
        if **self.known.load() != found {
            let (host, count) = (self.host.as_str(), found.len());
            tracing::info!(host, count, "Addresses of an upstream have changed");
            self.known.store(Arc::new(found));
            self.version.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Asks again and again, until nobody needs it any more; once for all threads.
    fn follow(self: &Arc<Self>) {
        let is_fixed = self.host.parse::<IpAddr>().is_ok();
        if is_fixed || self.is_followed.swap(true, Ordering::AcqRel) {
            return;
        }
        let (every, again) = (self.every, Arc::clone(&self.again));
        let addresses = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                timeout(every, again.notified()).await.ok();
                let Some(addresses) = addresses.upgrade() else {
                    return;
                };
                if let Err(error) = addresses.resolve().await {
                    let host = addresses.host.as_str();
                    tracing::warn!(host, %error, "Kept the last addresses of an upstream");
                }
                drop(addresses);
                tokio::time::sleep(AGAIN_MIN.min(every)).await;
            }
        });
    }
}
