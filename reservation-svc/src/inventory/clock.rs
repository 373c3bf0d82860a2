//! What time it is. The only place where decisions' time comes from, so that tests can move it.

use jiff::{Timestamp, TimestampRound, Unit};

/// Says what time it is.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The time in the resolution that is stored: what is answered now and what is read later are the same.
pub(super) fn read(clock: &dyn Clock) -> Timestamp {
    let now = clock.now();
    now.round(TimestampRound::new().smallest(Unit::Microsecond))
        .unwrap_or(now)
}
