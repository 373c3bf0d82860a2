//! What both directions of one call know of each other.
//!
//! A stream may be silent in one direction for as long as it speaks in the other; and when the client's direction breaks a
//! limit, the answer is what tells it so.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use crate::body::Broken;

/// Shared by both bodies of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    frames: AtomicU64,
    broken: AtomicU8,
}

impl Flow {
    /// Something came, in whichever direction.
    pub(super) fn moved(&self) {
        self.0.frames.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something came.
    pub(super) fn frames(&self) -> u64 {
        self.0.frames.load(Ordering::Relaxed)
    }

    /// The client broke a limit.
    pub(super) fn break_off(&self, broken: Broken) {
        let value = match broken {
            Broken::TooLarge => 1,
            Broken::Idle => 2,
        };
        self.0.broken.store(value, Ordering::Release);
    }

    /// Which limit the client broke.
    pub(super) fn broken(&self) -> Option<Broken> {
        match self.0.broken.load(Ordering::Acquire) {
            1 => Some(Broken::TooLarge),
            2 => Some(Broken::Idle),
            _ => None,
        }
    }
}
