//! One transaction under the commit head: allots sequences and collects events, and ends with all of it durable.

use std::{collections::HashSet, sync::Arc};

use banyan_proto::reservation::v1;
use jiff::Timestamp;
use prost::Message as _;

use super::{Inventory, command::Position, decide, ledger::Ledger, load};
use crate::{
    domain::{cell::PoolId, event::Event, wait_entry::Line},
    store::{Head, StoreError, Write},
    wire,
};

/// A transaction that decides.
pub(crate) struct Commit {
    pub(crate) write: Write,
    /// The time of the decision: the clock, but never before the last decision.
    pub(crate) now: Timestamp,
    pub(crate) head: Head,
    events: Vec<(i64, Vec<u8>)>,
}

impl Commit {
    pub(crate) fn new(write: Write, clock: Timestamp) -> Self {
        let mut head = write.head().clone();
        let now = clock.max(head.decided_at);
        head.decided_at = now;
        Self {
            write,
            now,
            head,
            events: Vec::new(),
        }
    }

    /// Where the commit stands: at its last event.
    pub(crate) fn position(&self) -> Position {
        Position::from(&self.head)
    }

    /// A pool that nobody has.
    pub(crate) fn next_pool(&mut self) -> PoolId {
        self.head.last_pool += 1;
        PoolId(self.head.last_pool)
    }

    /// Adds an event under the next sequence.
    pub(crate) fn record(&mut self, event: &Event) {
        self.head.sequence += 1;
        let encoded = v1::FeedEvent {
            position: Some(wire::position(&self.head.incarnation, self.head.sequence)),
            decide_time: Some(wire::timestamp(self.now)),
            event: Some(wire::event(event)),
            snapshot: false,
        };
        self.events
            .push((self.head.sequence, encoded.encode_to_vec()));
    }

    /// Offers along a line what the change of the catalogue has made possible, before anybody new gets it.
    pub(crate) async fn serve(&mut self, line: Line) -> Result<(), StoreError> {
        // As it is with the change, which nobody else knows yet.
        let mut catalogue = Arc::default();
        let mut ledger = Ledger::new(self.head.clone(), self.now, Arc::clone(&catalogue));
        let lines = HashSet::from([line]);
        load::waitlist::lines(&self.write, &mut ledger, &mut catalogue, lines).await?;
        load::rooms::plans(&self.write, &mut ledger, HashSet::new(), Vec::new()).await?;
        ledger.cells.reopen_all();
        decide::serve(&mut ledger);
        let (changes, head) = ledger.into_changes();
        self.write.apply(&changes).await?;
        self.head = head;
        Ok(())
    }

    /// Makes everything durable; where.
    pub(super) async fn finish(self, inventory: &Inventory) -> Result<Position, StoreError> {
        let position = self.position();
        self.write.insert_events(self.events, self.now).await?;
        inventory.commit(self.write, self.head).await?;
        Ok(position)
    }
}
