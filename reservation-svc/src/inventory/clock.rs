//! What time it is. The only place where decisions' time comes from, so that tests can move it.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use jiff::Timestamp;

/// Says what time it is.
pub trait Clock: Send + Sync {
    /// Now, by a clock that people and programs set.
    fn now(&self) -> Timestamp;

    /// The time gone by since some moment, by a clock that nobody sets.
    fn elapsed(&self) -> Duration;

    /// What time it is by the database's server, which says so.
    fn of_server(&self, said: Timestamp) -> Timestamp {
        said
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
        FIRST.elapsed()
    }
}

/// What time it is, as it is stored.
pub(super) fn read(clock: &dyn Clock) -> Timestamp {
    stored(clock.now())
}

/// A time in the resolution that is stored: what is answered now and what is read later are the same.
pub(super) fn stored(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}
