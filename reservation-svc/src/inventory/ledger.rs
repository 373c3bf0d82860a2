//! What a batch works on: everything that its commands need, loaded, and what they have changed of it so far. No IO.
//!
//! Each command is decided on the state that the earlier ones of its batch left, so everything here is always as if
//! they were done already. At the end [`Ledger::into_changes`] says what is to be written: every row once, as it is
//! then, however often it changed on the way; what came and went within the batch leaves events only.
//!
//! **To change a booking in a new command**: look at it by [`Ledger::own`], check everything, and only then call what
//! changes ([`Ledger::open`], [`Ledger::take`], [`Ledger::release`], [`Ledger::enter`], [`Ledger::change`]), and last
//! [`Ledger::changed`], which gives the change its sequence, tells the feed and makes the answer. What was not asked for in
//! `needs.rs` is not here.

mod cells;
mod denied;
mod lines;
mod rooms;

use std::{collections::HashMap, sync::Arc};

use banyan_proto::reservation::v1;
use jiff::{Timestamp, civil::Date};
use prost::Message as _;

use super::{
    answer::Answers,
    catalogue_cache::Catalogue,
    command::{Outcome, Position},
    rejection::{Refusal, Rejection, Unmet},
    stop::Stop,
};
use crate::{
    domain::{
        booking::{Booking, Contact, Item, State},
        event::Event,
        name::{BookingId, Venue},
        refusal::Denial,
        request::Principal,
        wait_entry::WaitEntry,
    },
    store::{Changes, Head, NewEvent},
    wire,
};
pub(super) use cells::Cells;
use denied::Denied;
pub(super) use lines::Lines;
use rooms::Certain;
pub(super) use rooms::{Fit, Rooms};

/// The state that a batch decides on.
pub(super) struct Ledger {
    /// As it will be committed.
    pub(super) head: Head,
    /// When all of the batch is decided: the clock, but never before the last decision.
    pub(super) now: Timestamp,
    /// What is sold, as far as the batch needs it.
    pub(super) catalogue: Arc<Catalogue>,
    /// How much is taken.
    pub(super) cells: Cells,
    /// What request ids were answered.
    pub(super) answers: Answers,
    /// Who waits for what the batch may free.
    pub(super) lines: Lines,
    /// Who sleeps where.
    pub(super) rooms: Rooms,
    bookings: HashMap<BookingId, Entry>,
    /// Bookings made or changed, in the order in which they first were.
    touched: Vec<BookingId>,
    contacts: HashMap<BookingId, Contact>,
    contacts_new: Vec<BookingId>,
    items_released: Vec<(i64, i64)>,
    /// Items with a higher number were taken by this batch.
    last_item_before: i64,
    denied: Denied,
    events: Vec<NewEvent>,
}

/// A booking, with what it holds.
pub(super) struct Entry {
    /// As it is now.
    pub(super) booking: Booking,
    /// What it counts in cells, in the order asked for.
    pub(super) items: Vec<Item>,
    origin: Origin,
    /// The rooms that it has for certain by what is stored.
    certain: Option<Certain>,
}

/// Where a booking comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Stored, and not changed.
    Stored,
    /// Stored, and changed.
    Changed,
    /// Made by this batch.
    New,
}

impl Ledger {
    /// A ledger on that head. The catalogue must be of the head's version.
    pub(super) fn new(head: Head, clock: Timestamp, catalogue: Arc<Catalogue>) -> Self {
        let now = clock.max(head.decided_at);
        Self {
            last_item_before: head.last_item,
            head: Head {
                decided_at: now,
                ..head
            },
            now,
            catalogue,
            cells: Cells::default(),
            answers: Answers::default(),
            lines: Lines::default(),
            rooms: Rooms::default(),
            bookings: HashMap::new(),
            touched: Vec::new(),
            contacts: HashMap::new(),
            contacts_new: Vec::new(),
            items_released: Vec::new(),
            denied: Denied::default(),
            events: Vec::new(),
        }
    }

    /// Adds a booking that is stored, with the items that it holds.
    pub(super) fn add_stored(&mut self, booking: Booking, items: Vec<Item>) {
        let entry = Entry {
            certain: Certain::of(&booking),
            booking,
            items,
            origin: Origin::Stored,
        };
        self.bookings.entry(entry.booking.id).or_insert(entry);
    }

    /// Adds contacts that are stored.
    pub(super) fn add_contacts(&mut self, contacts: HashMap<BookingId, Contact>) {
        self.contacts.extend(contacts);
    }

    /// Where the batch stands: at its last event. What is refused now is refused on the state up to here.
    pub(super) fn position(&self) -> Position {
        Position::from(&self.head)
    }

    /// The sequence that the next event gets: what changes along with it bears the same.
    pub(super) fn next_sequence(&self) -> i64 {
        self.head.sequence + 1
    }

    /// A booking, whoever's it is.
    pub(super) fn booking(&self, id: BookingId) -> Option<&Entry> {
        self.bookings.get(&id)
    }

    /// A booking of that principal.
    pub(super) fn own(&self, principal: &Principal, id: BookingId) -> Result<&Entry, Stop> {
        let found = self.bookings.get(&id);
        // Another's booking is as unknown as one that never was: nobody learns that it exists.
        found
            .filter(|it| it.booking.principal == *principal)
            .ok_or_else(|| Rejection::not_found("reservation.banyan/Booking", id).into())
    }

    /// Who to reach about a booking.
    pub(super) fn contact(&self, id: BookingId) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    /// The day it is at a venue, where days count there.
    pub(super) fn today(&self, venue: &Venue) -> Option<Date> {
        match venue {
            Venue::Hotel(id) => self.catalogue.hotel(id).map(|it| it.today(self.now)),
            Venue::Cinema(_) => None,
        }
    }

    /// Makes a booking, without items yet.
    pub(super) fn open(&mut self, booking: Booking, contact: Option<&Contact>) {
        let id = booking.id;
        let entry = Entry {
            booking,
            items: Vec::new(),
            origin: Origin::New,
            certain: None,
        };
        self.bookings.insert(id, entry);
        self.touched.push(id);
        if let Some(contact) = contact {
            self.contacts.insert(id, contact.clone());
            self.contacts_new.push(id);
        }
    }

    /// Gives a booking items, whose cells were found to have room for them. Their numbers come after `head.last_item`.
    pub(super) fn take(&mut self, id: BookingId, items: Vec<Item>) {
        self.head.last_item = items.last().map_or(self.head.last_item, |it| it.number);
        for item in &items {
            self.cells.take(item.key, item.quantity);
        }
        if let Some(entry) = self.touch(id) {
            entry.items.extend(items);
        }
    }

    /// Gives back everything that a booking holds, with the sequence of the next event.
    pub(super) fn release(&mut self, id: BookingId) {
        self.release_where(id, |_| true);
    }

    /// Gives back those items of a booking.
    pub(super) fn release_where(&mut self, id: BookingId, given_back: impl Fn(&Item) -> bool) {
        let sequence = self.next_sequence();
        let Some(entry) = self.touch(id) else { return };
        let all = std::mem::take(&mut entry.items);
        let (released, kept) = all.into_iter().partition(|it| given_back(it));
        entry.items = kept;
        let released: Vec<Item> = released;
        for item in released {
            self.cells.release(item.key, item.quantity);
            // What was taken by this batch was never written.
            if item.number <= self.last_item_before {
                self.items_released.push((item.number, sequence));
            }
        }
    }

    /// Changes a booking, which is then as of now and of the next event; its state before.
    pub(super) fn change(
        &mut self,
        id: BookingId,
        change: impl FnOnce(&mut Booking),
    ) -> Option<State> {
        let (now, sequence) = (self.now, self.next_sequence());
        let entry = self.touch(id)?;
        let previous = entry.booking.recorded_state;
        let certain = entry.booking.rooms.clone();
        change(&mut entry.booking);
        entry.booking.updated_at = now;
        entry.booking.updated_sequence = sequence;
        // Where rooms are no longer certain, a stay may fit that did not.
        let is_loose = !certain.is_empty() && entry.booking.rooms != certain;
        let items = entry.items.iter().filter(|_| is_loose);
        let keys = items.map(|it| it.key).collect();
        self.cells.reopen(keys);
        Some(previous)
    }

    /// Moves a booking to a state that does not run out; its state before.
    pub(super) fn enter(&mut self, id: BookingId, state: State) -> Option<State> {
        self.change(id, |booking| {
            booking.recorded_state = state;
            booking.expires_at = None;
            if matches!(state, State::Cancelled | State::Expired | State::NoShow) {
                booking.rooms.clear();
            }
        })
    }

    /// Tells the feed that a booking was made or changed, under the next sequence, and makes the answer. `previous`:
    /// nothing for one that was made.
    pub(super) fn changed(
        &mut self,
        id: BookingId,
        previous: Option<State>,
    ) -> Result<Outcome, Stop> {
        self.tell(id, previous);
        self.as_it_is(id)
    }

    /// The answer where nothing had to be changed.
    pub(super) fn as_it_is(&self, id: BookingId) -> Result<Outcome, Stop> {
        let (Some(entry), contact) = (self.bookings.get(&id), self.contacts.get(&id)) else {
            return Err(Rejection::Unloaded("booking").into());
        };
        let mut booking = wire::booking(&entry.booking, self.now);
        booking.contact = contact.map(wire::contact);
        let item_ids = entry.items.iter().map(|item| item.number).collect();
        Ok(Outcome {
            booking,
            entry: None,
            previous_total: None,
            position: self.position(),
            item_ids,
        })
    }

    /// The answer that is about a place in line.
    pub(super) fn entered(&self, entry: &WaitEntry) -> Outcome {
        Outcome {
            booking: v1::Booking::default(),
            entry: Some(Box::new(wire::wait_entry(entry, None, self.now))),
            previous_total: None,
            position: self.position(),
            item_ids: Vec::new(),
        }
    }

    /// Every booking that is here.
    pub(super) fn bookings(&self) -> impl Iterator<Item = &Booking> {
        self.bookings.values().map(|entry| &entry.booking)
    }

    /// As [`Ledger::changed`], where nobody waits for an answer.
    pub(super) fn tell(&mut self, id: BookingId, previous: Option<State>) {
        if let Some(entry) = self.bookings.get(&id) {
            if self.rooms.are_planned() {
                let today = self.today(&entry.booking.venue);
                self.rooms.follow(entry, self.now, today);
            }
            let event = wire::booking_event(&entry.booking, previous, &entry.items);
            self.push(event, Some(id));
        }
    }

    /// Adds an event that is not a booking's under the next sequence.
    pub(super) fn record(&mut self, event: &Event) {
        self.push(wire::event(event), None);
    }

    /// Turns a denial into a refusal that is true at this place in the order, and counts the cells wanted in vain.
    pub(super) fn refuse(&mut self, denial: Denial) -> Refusal {
        self.denied.count(&denial);
        let unmet = denial.cells.into_iter().map(|(cell, description)| Unmet {
            subject: cell.to_string(),
            label: cell.label(),
            description,
        });
        let details = denial.details.into_iter();
        let details = details.map(|(key, value)| (key.to_owned(), value));
        Refusal {
            reason: denial.reason,
            message: denial.message,
            unmet: unmet.collect(),
            details: details.collect(),
            position: self.position(),
        }
    }

    /// Ends the batch: its changes, and the head as it is with them.
    pub(super) fn into_changes(mut self) -> (Changes, Head) {
        for event in self.denied.drain() {
            self.record(&event);
        }
        let mut changes = Changes::none(self.now);
        for id in std::mem::take(&mut self.touched) {
            let Some(entry) = self.bookings.remove(&id) else {
                continue;
            };
            let today = self.today(&entry.booking.venue);
            self.head.pinned += rooms::pin(&entry, today, &mut changes.rooms);
            let taken = entry
                .items
                .into_iter()
                .filter(|it| it.number > self.last_item_before);
            changes.items_new.extend(taken.map(|item| (id, item)));
            match entry.origin {
                Origin::New => changes.bookings_new.push(entry.booking),
                Origin::Changed | Origin::Stored => changes.bookings_changed.push(entry.booking),
            }
        }
        let contact = |id| Some((id, self.contacts.remove(&id)?));
        changes.contacts_new = self.contacts_new.into_iter().filter_map(contact).collect();
        changes.items_released = self.items_released;
        self.cells.write_to(&mut changes);
        self.rooms.write_to(&mut changes.rooms);
        (changes.entries_new, changes.entries_changed) = self.lines.into_changes();
        changes.answers_new = self.answers.into_new();
        changes.events = self.events;
        (changes, self.head)
    }

    /// A booking that is about to be changed.
    fn touch(&mut self, id: BookingId) -> Option<&mut Entry> {
        let entry = self.bookings.get_mut(&id)?;
        if entry.origin == Origin::Stored {
            entry.origin = Origin::Changed;
            self.touched.push(id);
        }
        Some(entry)
    }

    fn push(&mut self, event: v1::feed_event::Event, booking: Option<BookingId>) {
        self.head.sequence += 1;
        let sequence = self.head.sequence;
        let encoded = v1::FeedEvent {
            position: Some(wire::position(&self.head.incarnation, sequence)),
            decide_time: Some(wire::timestamp(self.now)),
            event: Some(event),
            snapshot: false,
        };
        self.events.push(NewEvent {
            sequence,
            booking,
            event: encoded.encode_to_vec(),
        });
    }
}
