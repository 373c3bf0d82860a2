//! What time it is. The only place where decisions' time comes from, so that tests can move it.

use jiff::Timestamp;

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

/// What time it is, as it is stored.
pub(super) fn read(clock: &dyn Clock) -> Timestamp {
    stored(clock.now())
}

/// A time in the resolution that is stored: what is answered now and what is read later are the same.
pub(super) fn stored(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}
