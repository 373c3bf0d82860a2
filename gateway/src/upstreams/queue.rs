//! Calls that wait because every connection to their service has as many as the service takes.
//!
//! They wait in the gateway and not in a connection's buffer, so that they can be counted, are limited in number, and go
//! to whichever connection has room first.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tokio::sync::Notify;

/// The calls of one thread that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: AtomicUsize,
    freed: Notify,
}

/// The same of all threads together, and how many may be.
#[derive(Debug)]
pub(super) struct Room {
    waiting: AtomicUsize,
    waiting_max: usize,
    gauges: Gauges,
}

/// What is told about one upstream.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauges {
    /// Calls that wait now.
    pub(super) waiting: Gauge,
    /// Calls that had to wait.
    pub(super) waited: Counter,
}

impl Queue {
    /// Somebody has left, or may open another connection.
    pub(super) fn freed(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_one();
        }
    }

    /// Nobody may be left to wait for.
    pub(super) fn all_freed(&self) {
        self.freed.notify_waiters();
        self.freed();
    }
}

impl Room {
    pub(super) fn new(waiting_max: usize, gauges: Gauges) -> Room {
        Room {
            waiting: AtomicUsize::new(0),
            waiting_max,
            gauges,
        }
    }

    /// Begins to wait; `None` where as many wait as may. Whoever waits looks once more before the first
    /// [`Waiting::freed`].
    pub(super) fn enter(&self, queue: &Arc<Queue>) -> Option<Waiting<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting {
            room: self,
            queue: Arc::clone(queue),
        };
        queue.waiting.fetch_add(1, Ordering::SeqCst);
        self.gauges.waiting.inc();
        if before >= self.waiting_max {
            return None;
        }
        self.gauges.waited.inc();
        Some(waiting)
    }
}

/// A call that waits.
pub(super) struct Waiting<'r> {
    room: &'r Room,
    queue: Arc<Queue>,
}

impl Waiting<'_> {
    pub(super) async fn freed(&self) {
        self.queue.freed.notified().await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.room.waiting.fetch_sub(1, Ordering::SeqCst);
        self.queue.waiting.fetch_sub(1, Ordering::SeqCst);
        self.room.gauges.waiting.dec();
        // What woke this one may have been meant for the next.
        self.queue.freed();
    }
}
