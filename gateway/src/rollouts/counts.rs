//! Answers by side since this process started.

use std::sync::atomic::{AtomicU64, Ordering};

use banyan_rollout::Side;
use http::StatusCode;

/// Answers by side since this process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered by legacy.
    pub legacy: u64,
    /// Answered by gRPC.
    pub grpc: u64,
    /// Of `legacy`, answered with a 5xx.
    pub legacy_errors: u64,
    /// Of `grpc`, answered with a 5xx.
    pub grpc_errors: u64,
}

/// What is counted while requests are answered.
#[derive(Debug, Default)]
pub(super) struct Counters {
    legacy: SideCounters,
    grpc: SideCounters,
}

#[derive(Debug, Default)]
struct SideCounters {
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    pub(super) fn record(&self, side: Side, status: StatusCode) {
        let counters = match side {
            Side::Legacy => &self.legacy,
            Side::Grpc => &self.grpc,
        };
        counters.answered.fetch_add(1, Ordering::Relaxed);
        if status.is_server_error() {
            counters.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            legacy: read(&self.legacy.answered),
            grpc: read(&self.grpc.answered),
            legacy_errors: read(&self.legacy.failed),
            grpc_errors: read(&self.grpc.failed),
        }
    }
}
