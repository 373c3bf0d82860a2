//! The waitlist as a batch sees it: the lines that what it frees is offered to, and the entries behind its offers.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use crate::domain::{
    name::{BookingId, EntryId},
    request::Principal,
    wait_entry::{Line, WaitEntry},
    waitlist::EntryState,
};

/// Entries, with what the batch has changed of them.
#[derive(Default)]
pub(in crate::inventory) struct Lines {
    /// By their place in line.
    entries: BTreeMap<(i64, EntryId), WaitEntry>,
    places: HashMap<EntryId, (i64, EntryId)>,
    new: HashSet<EntryId>,
    changed: Vec<EntryId>,
}

impl Lines {
    /// Adds an entry that is stored.
    pub(in crate::inventory) fn add_stored(&mut self, entry: WaitEntry) {
        let place = entry.place();
        self.places.insert(entry.id, place);
        self.entries.entry(place).or_insert(entry);
    }

    /// Adds an entry at the end of its line.
    pub(in crate::inventory) fn join(&mut self, entry: WaitEntry) {
        self.new.insert(entry.id);
        self.add_stored(entry);
    }

    /// An entry.
    pub(in crate::inventory) fn entry(&self, id: EntryId) -> Option<&WaitEntry> {
        self.entries.get(self.places.get(&id)?)
    }

    /// Everybody who waits, those who came first before the others.
    pub(in crate::inventory) fn waiting(&self) -> impl Iterator<Item = &WaitEntry> {
        let waits = |it: &&WaitEntry| it.recorded_state == EntryState::Waiting;
        self.entries.values().filter(waits)
    }

    /// How many wait in a line.
    pub(in crate::inventory) fn length(&self, line: &Line) -> usize {
        self.waiting().filter(|it| it.line() == *line).count()
    }

    /// How many places that are not past a guest has in a line.
    pub(in crate::inventory) fn places(
        &self,
        line: &Line,
        principal: &Principal,
        now: Timestamp,
    ) -> usize {
        let own = |it: &&WaitEntry| it.principal == *principal && it.ends_at > now;
        let own = self.waiting().filter(own);
        own.filter(|it| it.line() == *line).count()
    }

    /// Every offer that is open, as far as the batch knows, and whose it is.
    pub(in crate::inventory) fn offers(&self) -> Vec<(EntryId, BookingId)> {
        let offered = self.entries.values();
        let offered = offered.filter(|it| it.recorded_state == EntryState::Offered);
        offered.filter_map(|it| Some((it.id, it.offer?))).collect()
    }

    /// Moves an entry to a state; what is over needs nobody's contact any more.
    pub(in crate::inventory) fn enter(&mut self, id: EntryId, state: EntryState) {
        self.change(id, |entry| {
            entry.recorded_state = state;
            if state.next().is_empty() {
                entry.contact = None;
            }
        });
    }

    /// Offers a hold to an entry.
    pub(in crate::inventory) fn offer(&mut self, id: EntryId, booking: BookingId) {
        self.change(id, |entry| {
            entry.recorded_state = EntryState::Offered;
            entry.offer = Some(booking);
            // The booking has it now.
            entry.contact = None;
        });
    }

    fn change(&mut self, id: EntryId, change: impl FnOnce(&mut WaitEntry)) {
        let place = self.places.get(&id);
        let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) else {
            return;
        };
        change(entry);
        if !self.new.contains(&id) && !self.changed.contains(&id) {
            self.changed.push(id);
        }
    }

    /// What is to be written: entries made, and entries changed.
    pub(super) fn into_changes(mut self) -> (Vec<WaitEntry>, Vec<WaitEntry>) {
        let mut take = |ids: Vec<EntryId>| {
            let places = ids.iter().filter_map(|id| self.places.get(id));
            let places: Vec<_> = places.copied().collect();
            let entries = places.iter().filter_map(|place| self.entries.remove(place));
            entries.collect::<Vec<_>>()
        };
        let new = take(self.new.into_iter().collect());
        let changed = take(self.changed);
        (new, changed)
    }
}
