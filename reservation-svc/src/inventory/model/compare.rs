//! The database and the feed beside the model, after every step.

use std::collections::{HashMap, VecDeque};

use banyan_proto::reservation::v1::{self, feed_event::Event};
use prost::Message as _;

use super::{
    judge::{Model, Place, Told},
    world::{Spot, World},
};
use crate::{
    domain::{
        cell::{Block, CellKey},
        name::BookingId,
        waitlist::EntryState,
    },
    inventory::testing::Rig,
    store::Session,
    wire,
};

/// What the feed alone tells: every booking as its last event has it.
pub(super) struct Mirror {
    sequence: i64,
    bookings: HashMap<String, v1::BookingChanged>,
}

impl Mirror {
    pub(super) fn new(sequence: i64) -> Self {
        let bookings = HashMap::new();
        Self { sequence, bookings }
    }

    /// Follows the feed to its end; what is new.
    pub(super) async fn follow(&mut self, rig: &Rig) -> VecDeque<(i64, Told)> {
        let session = rig.inventory.store().read().await.unwrap();
        let mut told = VecDeque::new();
        for bytes in session.events_after(self.sequence, 10_000).await.unwrap() {
            let event = v1::FeedEvent::decode(&bytes[..]).unwrap();
            self.sequence += 1;
            assert_eq!(event.position.unwrap().sequence, self.sequence);
            let changed = match event.event.unwrap() {
                Event::BookingChanged(it) => {
                    self.bookings.insert(it.booking.clone(), it.clone());
                    Told::Booking(Box::new(it))
                }
                Event::DemandDenied(it) => Told::InVain(it.count),
                other => panic!("{other:?}"),
            };
            told.push_back((self.sequence, changed));
        }
        told
    }
}

pub(super) async fn all(rig: &Rig, world: &World, model: &Model, mirror: &Mirror) {
    let session = rig.inventory.store().read().await.unwrap();
    let head = session.head().await.unwrap();
    assert_eq!(head.sequence, mirror.sequence);
    assert_eq!(head.sequence, model.at);
    let open = |it: &Place| matches!(it, Place::Waiting | Place::Offered(_));
    let open = model.line.iter().filter(|it| open(&it.place)).count();
    assert_eq!(head.waiting, i64::try_from(open).unwrap(), "who waits");
    let items = bookings(&session, model, mirror).await;
    cells(&session, rig, world, model, &items).await;
    line(&session, model).await;
}

/// Every booking, as the feed tells of it and as it is stored; what they have of the cells together.
async fn bookings(session: &Session, model: &Model, mirror: &Mirror) -> HashMap<CellKey, i64> {
    let ids: Vec<BookingId> = model.bookings.iter().map(|it| it.id).collect();
    let stored = session.bookings_of(&ids).await.unwrap();
    let items = session.items_of(&ids).await.unwrap();
    assert_eq!(mirror.bookings.len(), ids.len());
    assert_eq!(stored.len(), ids.len());
    for (id, booking) in stored {
        let items = items.get(&id).map_or(&[][..], Vec::as_slice);
        let told = &mirror.bookings[&id.to_string()];
        let known = model.bookings.iter().find(|known| known.id == id).unwrap();
        assert_eq!(booking.principal, known.who.principal());
        let stored = wire::booking_event(&booking, None, items);
        let expected = v1::BookingChanged {
            previous_state: 0,
            ..told.clone()
        };
        assert_eq!(stored, Event::BookingChanged(expected));
    }
    let mut taken = HashMap::new();
    for item in items.into_values().flatten() {
        *taken.entry(item.key).or_default() += item.quantity;
    }
    taken
}

/// What is taken of each cell is what bookings have of it, and what is free is what the model says.
async fn cells(
    session: &Session,
    rig: &Rig,
    world: &World,
    model: &Model,
    items: &HashMap<CellKey, i64>,
) {
    let keys: Vec<(Spot, CellKey)> = Spot::all().map(|it| (it, world.key(it))).collect();
    let only: Vec<CellKey> = keys.iter().map(|(_, key)| *key).collect();
    let stored = session.cells_of(&only).await.unwrap();
    let mut lapsed = HashMap::new();
    for block in blocks(&only) {
        let now = rig.inventory.now();
        lapsed.extend(session.lapsed(&block, now).await.unwrap());
    }
    for (spot, key) in keys {
        let of = |it: &HashMap<CellKey, i64>| it.get(&key).copied().unwrap_or(0);
        let taken = stored.get(&key).map_or(0, |it| it.taken);
        assert_eq!(taken, of(items), "{spot:?}");
        let free = spot.capacity() - taken + of(&lapsed);
        assert_eq!(free, model.free(spot, None, true), "{spot:?}");
    }
}

/// The nights, and the seats.
fn blocks(keys: &[CellKey]) -> impl Iterator<Item = Block> {
    let first = keys[0].pool;
    [true, false].into_iter().map(move |nights| {
        let keys = keys.iter().filter(|it| (it.pool == first) == nights);
        let slots = keys.clone().map(|it| it.slot);
        Block {
            slots: slots.clone().min().unwrap()..slots.max().unwrap().next(),
            pools: keys.map(|it| it.pool).collect(),
        }
    })
}

/// Everybody who stands or stood in line.
async fn line(session: &Session, model: &Model) {
    let ids: Vec<_> = model.line.iter().map(|it| it.id).collect();
    let stored = session.wait_entries_of(&ids).await.unwrap();
    assert_eq!(stored.len(), ids.len());
    for it in stored {
        let known = model.line.iter().find(|known| known.id == it.id).unwrap();
        let expected = match known.place {
            Place::Waiting => EntryState::Waiting,
            Place::Offered(offer) => {
                assert_eq!(it.offer, Some(model.bookings[offer].id));
                EntryState::Offered
            }
            Place::Served => EntryState::Served,
            Place::Left => EntryState::Left,
        };
        assert_eq!(it.recorded_state, expected, "{known:?}");
    }
}
