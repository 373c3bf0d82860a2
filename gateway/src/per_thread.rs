//! Something of which every serving thread has its own, so that no request waits for another thread.
//!
//! A thread that serves clients keeps its connections to upstreams to itself: they are driven by the thread's own
//! runtime, and nothing on the way of a request wakes another core. The thread that compares answers ([`shadow`](crate::shadow))
//! has its own too, because its runtime ends before the others'. All other threads of the process (the operators'
//! listener, background tasks) share one more.

use std::{
    cell::Cell,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

thread_local! {
    /// 0 is shared by all threads that have not said otherwise.
    static PLACE: Cell<usize> = const { Cell::new(0) };
}

/// The place of the thread that compares answers.
pub(crate) const SHADOWS: usize = usize::MAX;

/// Gives the calling thread a place of its own, from 1, or [`SHADOWS`].
pub(crate) fn enter(place: usize) {
    PLACE.set(place);
}

/// A value for each serving thread, one for the thread that compares, and one for all others.
pub(crate) struct PerThread<T> {
    places: Box<[Mutex<T>]>,
}

impl<T> PerThread<T> {
    /// For threads that have entered the places 1 to `threads`, or [`SHADOWS`].
    pub(crate) fn new(threads: usize, make: impl Fn() -> T) -> PerThread<T> {
        let places = (0..=threads + 1).map(|_| Mutex::new(make()));
        PerThread {
            places: places.collect(),
        }
    }

    /// The calling thread's own; never held while anything is waited for.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let last = self.places.len() - 1;
        let place = match PLACE.get() {
            SHADOWS => last,
            place if place < last => place,
            // A thread of another gateway in this process, with more threads than this one.
            _ => 0,
        };
        self.places[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for PerThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PerThread({})", self.places.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_have_their_own_and_others_share_one() {
        let counts = PerThread::new(2, || 0);
        let add = |place| {
            enter(place);
            *counts.lock() += 1;
        };
        std::thread::scope(|scope| {
            for place in [0, 0, 1, 2, 2, 3, SHADOWS] {
                scope.spawn(move || add(place));
            }
        });
        let seen: Vec<i32> = counts.places.iter().map(|it| *it.lock().unwrap()).collect();
        assert_eq!(seen, [3, 1, 2, 1]);
    }
}
