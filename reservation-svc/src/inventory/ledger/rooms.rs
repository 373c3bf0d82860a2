//! Who sleeps where, as the commands decided so far have left it. Only of room types where somebody asks for it or where
//! rooms are certain and counts alone do not tell; of all others nothing is here.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use jiff::{Timestamp, civil::Date};

use super::Entry;
use crate::{
    domain::{
        booking::Booking,
        cell::Slot,
        claim::Claim,
        lodging::{self, Lodging, Pinned, Place, Unit},
        name::{BookingId, RoomId, RoomTypeId, Venue},
    },
    store::{RoomChanges, RoomNight},
};

/// The room plans that a batch looks at or changes.
#[derive(Default)]
pub(in crate::inventory) struct Rooms {
    plans: HashMap<RoomTypeId, Planned>,
    /// Over which nights rooms were certain when the batch began, where that was asked for.
    pins: HashMap<RoomTypeId, Vec<Pinned>>,
    /// Holds that have run out and whose rooms are nobody's any more, whenever they are ended.
    lapsed: Vec<BookingId>,
}

struct Planned {
    /// What is tried and given up counts, too.
    lodging: RefCell<Lodging>,
    before: BTreeMap<(BookingId, usize), String>,
}

/// Whether a stay fits in.
pub(in crate::inventory) enum Fit {
    Yes,
    No,
    /// It takes a plan to tell, and there is none here.
    Unknown,
}

impl Rooms {
    /// Adds what is certain in a room type.
    pub(in crate::inventory) fn add_pins(&mut self, room_type: RoomTypeId, pins: Vec<Pinned>) {
        self.pins.insert(room_type, pins);
    }

    /// Adds a plan, with what is stored of it.
    pub(in crate::inventory) fn add_plan(
        &mut self,
        room_type: RoomTypeId,
        lodging: Lodging,
        before: Vec<Place>,
    ) {
        let before = before.into_iter();
        let planned = Planned {
            lodging: RefCell::new(lodging),
            before: before.map(|it| ((it.booking, it.unit), it.room)).collect(),
        };
        self.plans.insert(room_type, planned);
    }

    /// Frees the rooms of holds that have run out but are not ended yet.
    pub(in crate::inventory) fn free(&mut self, lapsed: impl Iterator<Item = BookingId>) {
        self.lapsed.extend(lapsed);
    }

    /// Whether there is any plan here.
    pub(in crate::inventory) fn are_planned(&self) -> bool {
        !self.plans.is_empty()
    }

    /// Looks at a plan, if it is here.
    pub(in crate::inventory) fn plan<T>(
        &self,
        room_type: &RoomTypeId,
        look: impl FnOnce(&mut Lodging) -> T,
    ) -> Option<T> {
        let planned = self.plans.get(room_type)?;
        Some(look(&mut planned.lodging.borrow_mut()))
    }

    /// Whether a booking can have rooms for those units, which span those nights, instead of what it has. Cells have room
    /// for it.
    pub(in crate::inventory) fn fit(
        &self,
        room_type: &RoomTypeId,
        booking: BookingId,
        units: &[Unit],
        nights: &Range<Slot>,
    ) -> Fit {
        let tried = self.plan(room_type, |plan| {
            let tried = plan.could_replace(booking, units);
            // The search for a plan may give up where counting proves that there is one.
            tried.or_else(
                |in_the_way| match lodging::needs_plan(&plan.pins(), nights) {
                    true => Err(in_the_way),
                    false => Ok(()),
                },
            )
        });
        match (tried, self.pins.get(room_type)) {
            (Some(Ok(())), _) => Fit::Yes,
            (Some(Err(_)), _) => Fit::No,
            (None, Some(pins)) if !lodging::needs_plan(pins, nights) => Fit::Yes,
            (None, _) => Fit::Unknown,
        }
    }

    /// Takes note of a booking that has changed.
    pub(super) fn follow(&self, entry: &Entry, now: Timestamp, today: Option<Date>) {
        let booking = &entry.booking;
        let Claim::Stay(stay) = &booking.claim else {
            return;
        };
        for (room_type, planned) in &self.plans {
            let mut lodging = planned.lodging.borrow_mut();
            if *room_type == stay.room_type {
                let today = Slot::of_night(today.unwrap_or(Date::MIN));
                let state = booking.state_at(now);
                let units = lodging::units(booking, &entry.items, state, today);
                lodging.note(booking.id, units);
            } else if lodging.units().contains_key(&booking.id) {
                lodging.note(booking.id, Vec::new());
            }
        }
    }

    /// Adds to the changes where plans have changed.
    pub(super) fn write_to(self, changes: &mut RoomChanges) {
        changes.unpinned.extend(self.lapsed);
        for planned in self.plans.into_values() {
            let lodging = planned.lodging.into_inner();
            let mut before = planned.before;
            for place in lodging.places() {
                let was = before.remove(&(place.booking, place.unit));
                if was.as_ref() != Some(&place.room) {
                    changes.plan.push(place);
                }
            }
            let gone = before.into_keys().map(|(booking, _)| booking);
            let gone = gone.filter(|id| !lodging.units().contains_key(id));
            changes.unplanned.extend(gone);
        }
        changes.unplanned.sort_unstable();
        changes.unplanned.dedup();
    }
}

/// The rooms that a booking has for certain, and on which nights.
#[derive(PartialEq, Eq)]
pub(super) struct Certain {
    rooms: Vec<String>,
    nights: Range<Slot>,
}

impl Certain {
    pub(super) fn of(booking: &Booking) -> Option<Self> {
        let (rooms, nights) = lodging::certain(booking)?;
        let rooms = rooms.to_vec();
        Some(Self { rooms, nights })
    }
}

/// Adds to the changes which rooms a booking has for certain from now on; how many more bookings have any.
pub(super) fn pin(entry: &Entry, today: Option<Date>, changes: &mut RoomChanges) -> i64 {
    let now = Certain::of(&entry.booking);
    if now == entry.certain {
        return 0;
    }
    let more = i64::from(now.is_some()) - i64::from(entry.certain.is_some());
    let booking = entry.booking.id;
    if entry.certain.is_some() {
        changes.unpinned.push(booking);
    }
    if let (Some(now), Venue::Hotel(hotel)) = (now, &entry.booking.venue) {
        // Somebody else may have slept there before.
        let today = Slot::of_night(today.unwrap_or(Date::MIN));
        let nights = now.nights.start.max(today).0..now.nights.end.0;
        for number in now.rooms {
            let room = RoomId {
                hotel: hotel.clone(),
                number,
            };
            changes.pinned.extend(nights.clone().map(|night| RoomNight {
                room: room.clone(),
                night: Slot(night),
                booking,
            }));
        }
    }
    more
}
