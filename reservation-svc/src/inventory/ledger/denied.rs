//! Denied demand of a batch: one event a cell and reason, however many wanted it, so that a crowd of refused buyers does
//! not grow the feed.

use std::collections::HashMap;

use crate::domain::{
    cell::CellRef,
    event::Event,
    refusal::{Denial, Reason},
};

/// How often each cell was wanted in vain.
#[derive(Default)]
pub(super) struct Denied {
    /// Where in the order, and how often.
    counts: HashMap<(CellRef, Reason), (usize, i64)>,
}

impl Denied {
    /// Counts the cells of a denial.
    pub(super) fn count(&mut self, denial: &Denial) {
        for (cell, _) in &denial.cells {
            let next = self.counts.len();
            let key = (cell.clone(), denial.reason);
            self.counts.entry(key).or_insert((next, 0)).1 += 1;
        }
    }

    /// The events, in the order in which the cells were first wanted.
    pub(super) fn drain(&mut self) -> Vec<Event> {
        let mut counts: Vec<_> = self.counts.drain().collect();
        counts.sort_unstable_by_key(|(_, (order, _))| *order);
        let event = |((cell, reason), (_, count))| Event::Denied {
            cell,
            reason,
            count,
        };
        counts.into_iter().map(event).collect()
    }
}
