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

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;
    use banyan_proto::reservation::v1::{self, feed_event};
    use prost::Message as _;

    use crate::inventory::testing::{Rig, hold};

    #[tokio::test]
    async fn however_many_are_refused_in_a_batch_the_feed_gets_one_event_a_cell() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            // Three suites; seven want one in vain, for two nights.
            let all = (0..10).map(|_| hold("banyan-suite", 1)).collect();
            let results = rig.inventory.submit_many(all).await;
            assert_eq!(results.iter().filter(|it| it.is_ok()).count(), 3);
            let session = rig.inventory.store().read().await.unwrap();
            let events = session.events_after(0, 1_000).await.unwrap();
            let events = events.iter().map(|it| {
                let event = v1::FeedEvent::decode(&**it).unwrap();
                event.event.unwrap()
            });
            let denied = events.filter_map(|event| match event {
                feed_event::Event::DemandDenied(it) => Some(it),
                _ => None,
            });
            let denied: Vec<_> = denied.collect();
            let told = denied.iter().map(|it| (it.reason.as_str(), it.count));
            let told: Vec<_> = told.collect();
            assert_eq!(told, [("CELL_UNAVAILABLE", 7); 2], "{denied:?}");
        }
    }
}
