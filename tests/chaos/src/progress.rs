//! What a run tells while it goes on, with the time since it began.

use std::{io::Write as _, time::Instant};

/// Says how it goes, to standard error, so that standard output has the figures.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    began: Instant,
}

impl Progress {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    /// Says something.
    pub fn say(&self, what: &str) {
        let seconds = self.began.elapsed().as_secs();
        // Nobody may be listening: the run goes on.
        writeln!(
            std::io::stderr(),
            "{:02}:{:02} {what}",
            seconds / 60,
            seconds % 60
        )
        .ok();
    }
}
