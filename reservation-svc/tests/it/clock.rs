//! A clock that tests move.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use banyan_reservation::inventory::Clock;
use jiff::{SignedDuration, Timestamp};

/// A clock that stands until it is moved, in microseconds.
pub(crate) struct TestClock {
    /// The true time, which everybody else goes by.
    time: AtomicI64,
    /// How far this clock is off.
    off: AtomicI64,
}

impl TestClock {
    pub(crate) fn at(time: &str) -> Arc<Self> {
        let time: Timestamp = time.parse().unwrap();
        Arc::new(Self {
            time: AtomicI64::new(time.as_microsecond()),
            off: AtomicI64::new(0),
        })
    }

    /// Lets time go by.
    pub(crate) fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.time.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets the clock, by that much off what it says.
    pub(crate) fn jump(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.off.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let micros = self.time.load(Ordering::SeqCst) + self.off.load(Ordering::SeqCst);
        Timestamp::from_microsecond(micros).unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.time.load(Ordering::SeqCst).unsigned_abs())
    }

    fn of_server(&self, _: Timestamp) -> Timestamp {
        Timestamp::from_microsecond(self.time.load(Ordering::SeqCst)).unwrap()
    }
}
