//! What one serving thread has of a service: its open connections, who waits for a place on them, and what the last attempt
//! to connect has found.
//!
//! Nothing here connects or waits: [`Thread::choose`] says what a call is to do, and whoever sends it does that.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{addresses::Addresses, connection::Connection, queue::Queue};

/// Connections that one thread opens to one service because others are full, and addresses that it spreads over. Threads
/// begin with different ones.
const CONNECTIONS_MAX: usize = 8;
/// Between the attempts to connect to a service that cannot be reached.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// What one thread has.
#[derive(Default)]
pub(super) struct Thread {
    pub(super) open: Vec<Connection>,
    pub(super) queue: Arc<Queue>,
    /// Held by whoever connects.
    pub(super) connecting: Arc<tokio::sync::Mutex<()>>,
    pub(super) failed: Option<Failed>,
    /// Which addresses it has seen.
    pub(super) version: u64,
    /// How many of them it connects to.
    pub(super) spread: usize,
    /// Whether somebody connects to one more of them, and when the next may.
    pub(super) is_spreading: bool,
    pub(super) spread_after: Option<Instant>,
    /// Whose turn it is among those with as few calls.
    next: usize,
}

/// What a call may do.
pub(super) enum Choice {
    Use(Connection),
    Open,
    /// All are full.
    Wait,
}

/// The attempts that have failed since the last that has not.
#[derive(Clone)]
pub(super) struct Failed {
    pub(super) at: Instant,
    pub(super) times: u32,
    pub(super) source: Arc<io::Error>,
}

impl Failed {
    /// Whether a call that began to wait at `since` takes this for its own attempt.
    pub(super) fn holds(&self, since: Instant) -> bool {
        let wait = BACKOFF_MIN * 2u32.saturating_pow(self.times.saturating_sub(2).min(10));
        let wait = if self.times < 2 {
            Duration::ZERO
        } else {
            wait.min(BACKOFF_MAX)
        };
        self.at + wait > since
    }
}

impl Thread {
    pub(super) fn choose(&mut self) -> Choice {
        self.open.retain(|connection| !connection.is_closed());
        let count = self.open.len();
        let mut first = 0;
        if self.spread > 1 && count > 1 {
            self.next = (self.next + 1) % count;
            first = self.next;
        }
        let (before, from) = self.open.split_at(first);
        let least = from.iter().chain(before).min_by_key(|it| it.calls());
        match least {
            Some(least) if !least.is_full() => Choice::Use(least.clone()),
            _ if count < CONNECTIONS_MAX => Choice::Open,
            _ => Choice::Wait,
        }
    }

    /// Whether some connection serves, and fewer addresses than there could.
    pub(super) fn is_short(&self) -> bool {
        let open = &self.open;
        let is_first = |at: &usize| !open[..*at].iter().any(|it| it.peer() == open[*at].peer());
        let addresses = (0..open.len()).filter(is_first).count();
        (1..self.spread).contains(&addresses)
    }

    /// Takes note of the addresses that there are now.
    pub(super) fn follow(&mut self, addresses: &Addresses) {
        self.version = addresses.version();
        let known = addresses.known();
        self.spread = known.len().min(CONNECTIONS_MAX);
        self.spread_after = None;
        for connection in &self.open {
            if !known.contains(&connection.peer()) {
                connection.retire();
            }
        }
    }
}
