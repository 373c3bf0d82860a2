//! Capped exponential backoff with full jitter: retries of many replicas spread out instead of arriving together.
//!
//! The wait is drawn evenly from half of the current bound to the bound, and the bound doubles up to the maximum.
//! (Marc Brooker, "Exponential Backoff And Jitter", 2015; the lower half is kept so that a retry is never immediate.)

use std::time::Duration;

/// The waits between one try and the next.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    bound: Duration,
}

impl Backoff {
    /// Waits from about `first` up to `max`.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            bound: first,
        }
    }

    /// How long to wait now; the next wait is up to twice as long.
    pub fn next_wait(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = (bound * 2).min(self.max);
        let half = bound / 2;
        half + half.mul_f64(random_fraction())
    }

    /// Starts again from the first wait, after a success.
    pub fn reset(&mut self) {
        self.bound = self.first;
    }
}

/// Even in 0..1; the middle when the system has no randomness to give.
fn random_fraction() -> f64 {
    let draw = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(draw) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_start_again_after_a_reset() {
        let (first, max) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(first, max);
        let waits: Vec<_> = (0..20).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] >= first / 2 && waits[0] <= first);
        assert!(waits.iter().all(|wait| *wait <= max));
        assert!(waits[19] >= max / 2);
        backoff.reset();
        assert!(backoff.next_wait() <= first);
    }
}
