//! How long and how often.

use std::time::Duration;

use crate::generator::Span;

#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Every measurement is made so often.
    pub(super) rounds: usize,
    pub(super) span: Span,
    /// To choose what is best.
    pub(super) search: Span,
    pub(super) open: Span,
    /// To watch memory.
    pub(super) sustained: Span,
    /// Few, and many.
    pub(super) bookings_before: [i64; 2],
    /// The naive engine finds cells for so many requests of each kind.
    pub(super) naive_requests: usize,
}

impl Plan {
    pub(super) const FULL: Self = Self {
        rounds: 5,
        span: span(1_000, 4_000),
        search: span(500, 1_500),
        open: span(2_000, 8_000),
        sustained: span(5_000, 45_000),
        bookings_before: [1_000, 5_000_000],
        naive_requests: 40_000,
    };
    /// For those who work on it: figures that mean nothing, in a minute.
    pub(super) const QUICK: Self = Self {
        rounds: 1,
        span: span(300, 1_000),
        search: span(200, 500),
        open: span(500, 2_000),
        sustained: span(500, 2_000),
        bookings_before: [1_000, 50_000],
        naive_requests: 10_000,
    };
}

const fn span(warm_up_ms: u64, measured_ms: u64) -> Span {
    Span {
        warm_up: Duration::from_millis(warm_up_ms),
        measured: Duration::from_millis(measured_ms),
    }
}
