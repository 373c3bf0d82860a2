//! Who sleeps in the rooms of one room type from today on, as [`packing`](super::packing) plans it: bookings in, room
//! numbers out.
//!
//! A booking of several rooms is as many units. A block has what is left of it: as guests pick up rooms on some of its
//! nights, its units are the runs of nights that remain. What is over (nights before today, who has left or never came)
//! needs no room.
//!
//! **Where counts are enough.** Without pins a sale that finds a cell free on every night always packs. It does so too
//! unless some pin begins after the sale's first night *and* some pin ends before its last: with all pins beginning
//! no later, everybody who arrives on that night or after can be dealt out anew in order of arrival, and nobody who came
//! before is touched; with all pins ending no earlier the same holds from the other end. So guests who have moved in
//! never make a sale cost a search by themselves; [`needs_plan`] says when one is needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{
    booking::{Booking, BookingKind, Item, State},
    cell::Slot,
    claim::{Claim, Stay},
    name::BookingId,
    packing::{Fragmented, Plan, RoomIndex, RoomStay},
};

/// One room's worth of a booking over a run of nights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Over which nights.
    pub nights: Range<Slot>,
    /// The number of the room that it has for certain.
    pub pin: Option<String>,
}

/// The nights over which some booking has a room for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Which.
    pub nights: Range<Slot>,
}

/// Whether a sale over those nights must be fitted into a plan: counts alone do not tell.
pub fn needs_plan(pins: &[Pinned], nights: &Range<Slot>) -> bool {
    let begins_after = pins.iter().any(|it| it.nights.start > nights.start);
    let ends_before = pins.iter().any(|it| it.nights.end < nights.end);
    begins_after && ends_before
}

/// What a booking needs rooms for from today on. `items` counts for blocks only.
pub fn units(booking: &Booking, items: &[Item], state: State, today: Slot) -> Vec<Unit> {
    let Claim::Stay(stay) = &booking.claim else {
        return Vec::new();
    };
    if !matches!(state, State::Held | State::Confirmed | State::CheckedIn) {
        return Vec::new();
    }
    if booking.kind == BookingKind::Block {
        let left = items.iter().filter(|it| it.key.slot >= today);
        return runs(left.map(|it| (it.key.slot, it.quantity)).collect());
    }
    units_of(stay, &booking.rooms, today)
}

/// What a stay with those rooms for certain, or with none, needs rooms for from today on.
pub fn units_of(stay: &Stay, certain: &[String], today: Slot) -> Vec<Unit> {
    let nights = stay.nights.slots();
    let nights = nights.start.max(today)..nights.end;
    if nights.start >= nights.end {
        return Vec::new();
    }
    let rooms = usize::try_from(stay.rooms).unwrap_or(0);
    let unit = |number| Unit {
        nights: nights.clone(),
        pin: certain.get(number).cloned(),
    };
    (0..rooms).map(unit).collect()
}

/// The rooms that a booking has for certain, and on which nights.
pub fn certain(booking: &Booking) -> Option<(&[String], Range<Slot>)> {
    let lives = matches!(
        booking.recorded_state,
        State::Held | State::Confirmed | State::CheckedIn
    );
    match &booking.claim {
        Claim::Stay(stay) if lives && !booking.rooms.is_empty() => {
            Some((&booking.rooms, stay.nights.slots()))
        }
        _ => None,
    }
}

/// So many rooms on each of some nights, as runs of nights of one room each.
fn runs(mut left: Vec<(Slot, i64)>) -> Vec<Unit> {
    left.sort_unstable();
    let mut open: Vec<Slot> = Vec::new();
    let mut done = Vec::new();
    let mut expected = Slot(i64::MIN);
    let close = |start: Slot, end: Slot, done: &mut Vec<Unit>| {
        let nights = start..end;
        done.push(Unit { nights, pin: None });
    };
    for (night, rooms) in left {
        let rooms = usize::try_from(rooms).unwrap_or(0);
        let keep = if night == expected { rooms } else { 0 };
        while open.len() > keep {
            let start = open.pop().unwrap_or(expected);
            close(start, expected, &mut done);
        }
        open.resize(rooms, night);
        expected = night.next();
    }
    for start in open {
        close(start, expected, &mut done);
    }
    done
}

/// Some stays are in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InTheWay {
    /// Whose, in the order of their names; the one asked for is not among them.
    pub bookings: Vec<BookingId>,
}

/// The rooms of a room type with everybody who sleeps in them.
#[derive(Clone, Debug)]
pub struct Lodging {
    rooms: Vec<String>,
    units: BTreeMap<BookingId, Vec<Unit>>,
    plan: Planned,
}

/// The plan, unless there is none for those who are there already.
#[derive(Clone, Debug)]
enum Planned {
    Yes {
        plan: Plan,
        /// Whose each stay of the plan is.
        owners: Vec<BookingId>,
        /// The stays of each booking, in the order of its units.
        stays: BTreeMap<BookingId, Vec<usize>>,
    },
    No(Vec<BookingId>),
}

/// A room that a booking's unit had in the plan before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Whose.
    pub booking: BookingId,
    /// Which of its units.
    pub unit: usize,
    /// The room's number.
    pub room: String,
}

impl Lodging {
    /// A room type's rooms and lodgers. `before` is the plan before, as far as there was one.
    pub fn new(
        rooms: Vec<String>,
        lodgers: impl IntoIterator<Item = (BookingId, Vec<Unit>)>,
        before: &[Place],
    ) -> Self {
        let mut lodging = Self {
            plan: Planned::No(Vec::new()),
            rooms,
            units: lodgers.into_iter().collect(),
        };
        lodging.plan = lodging.planned(&lodging.indexed(before));
        lodging
    }

    fn indexed(&self, places: &[Place]) -> BTreeMap<(BookingId, usize), RoomIndex> {
        let rooms = self.rooms.iter().map(String::as_str);
        let rooms: BTreeMap<&str, usize> = rooms.zip(0..).collect();
        let indexed = places.iter().filter_map(|it| {
            let room = rooms.get(it.room.as_str())?;
            Some(((it.booking, it.unit), RoomIndex(*room)))
        });
        indexed.collect()
    }

    /// The rooms' numbers.
    pub fn rooms(&self) -> &[String] {
        &self.rooms
    }

    /// What everybody needs rooms for.
    pub fn units(&self) -> &BTreeMap<BookingId, Vec<Unit>> {
        &self.units
    }

    /// The rooms of a booking as planned, in the order of its units.
    pub fn rooms_of(&self, booking: BookingId) -> Vec<String> {
        let Planned::Yes { plan, stays, .. } = &self.plan else {
            return Vec::new();
        };
        let stays = stays.get(&booking).into_iter().flatten();
        let rooms = stays.filter_map(|stay| self.rooms.get(plan.room(*stay)?.0));
        rooms.cloned().collect()
    }

    /// Where everybody sleeps as planned, in the order of the bookings.
    pub fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for &booking in self.units.keys() {
            let rooms = self.rooms_of(booking).into_iter().enumerate();
            places.extend(rooms.map(|(unit, room)| Place {
                booking,
                unit,
                room,
            }));
        }
        places
    }

    /// Whether there is a plan, or who stands in its way.
    pub fn is_planned(&self) -> Result<(), InTheWay> {
        match &self.plan {
            Planned::Yes { .. } => Ok(()),
            Planned::No(bookings) => Err(InTheWay {
                bookings: bookings.clone(),
            }),
        }
    }

    /// The booking that has that room for certain on one of those nights, other than that one.
    pub fn holder(&self, room: &str, nights: &Range<Slot>, but: BookingId) -> Option<BookingId> {
        let has = |unit: &Unit| {
            unit.pin.as_deref() == Some(room)
                && unit.nights.start < nights.end
                && nights.start < unit.nights.end
        };
        let others = self.units.iter().filter(|(id, _)| **id != but);
        let mut holders = others.filter(|(_, units)| units.iter().any(has));
        holders.next().map(|(id, _)| *id)
    }

    /// Over which nights rooms are certain.
    pub fn pins(&self) -> Vec<Pinned> {
        let units = self.units.values().flatten();
        let pinned = units.filter(|it| it.pin.is_some());
        let nights = pinned.map(|it| it.nights.clone());
        nights.map(|nights| Pinned { nights }).collect()
    }

    /// Whether [`replace`](Self::replace) would succeed. Changes nothing.
    pub fn could_replace(&mut self, booking: BookingId, units: &[Unit]) -> Result<(), InTheWay> {
        let before = self.units.get(&booking);
        if before.map_or(&[][..], Vec::as_slice) == units {
            return Ok(());
        }
        match &self.plan {
            Planned::Yes { .. } => self.exchange(booking, units.to_vec(), false),
            Planned::No(_) => self.clone().replace(booking, units.to_vec()),
        }
    }

    /// Gives a booking rooms for those units instead of what it has; or else everything stays as it was.
    pub fn replace(&mut self, booking: BookingId, units: Vec<Unit>) -> Result<(), InTheWay> {
        let before = self.units.get(&booking).cloned();
        if before.as_deref().unwrap_or_default() == units.as_slice() {
            return Ok(());
        }
        if let Planned::No(_) = &self.plan {
            // Whoever leaves may make a plan possible.
            self.set_units(booking, units);
            self.plan = self.planned(&BTreeMap::new());
            let found = self.is_planned();
            if found.is_err() {
                self.set_units(booking, before.unwrap_or_default());
            }
            return found;
        }
        self.exchange(booking, units, true)
    }

    /// Takes note of what a booking needs now, which no plan can stand in the way of.
    pub fn note(&mut self, booking: BookingId, units: Vec<Unit>) {
        if self.replace(booking, units.clone()).is_err() {
            let places = self.places();
            self.set_units(booking, units);
            self.plan = self.planned(&self.indexed(&places));
        }
    }

    fn set_units(&mut self, booking: BookingId, units: Vec<Unit>) {
        match units.is_empty() {
            true => self.units.remove(&booking),
            false => self.units.insert(booking, units),
        };
    }

    fn exchange(
        &mut self,
        booking: BookingId,
        units: Vec<Unit>,
        keep: bool,
    ) -> Result<(), InTheWay> {
        let come = match self.room_stays(&units) {
            Some(come) => come,
            // Pinned to a room that is none of these: nobody but itself is in the way.
            None => {
                let bookings = Vec::new();
                return Err(InTheWay { bookings });
            }
        };
        let Planned::Yes {
            plan,
            owners,
            stays,
        } = &mut self.plan
        else {
            return Ok(());
        };
        let go = stays.get(&booking).cloned().unwrap_or_default();
        let exchanged = match keep {
            true => plan.exchange(&go, come).map(Some),
            false => plan.could_exchange(&go, come).map(|()| None),
        };
        match exchanged {
            Ok(None) => Ok(()),
            Ok(Some(coming)) => {
                owners.extend(coming.clone().map(|_| booking));
                stays.insert(booking, coming.collect());
                self.set_units(booking, units);
                Ok(())
            }
            Err(Fragmented { stays, .. }) => {
                let others = stays.iter().filter_map(|stay| owners.get(*stay).copied());
                let others: BTreeSet<_> = others.filter(|other| *other != booking).collect();
                let bookings = others.into_iter().collect();
                Err(InTheWay { bookings })
            }
        }
    }

    /// The units as the plan knows them; nothing if one is pinned to a room that is not here.
    fn room_stays(&self, units: &[Unit]) -> Option<Vec<RoomStay>> {
        let stay = |unit: &Unit| {
            let pin = match &unit.pin {
                Some(number) => Some(RoomIndex(self.rooms.iter().position(|it| it == number)?)),
                None => None,
            };
            Some(RoomStay {
                nights: unit.nights.clone(),
                pin,
                previous: None,
            })
        };
        units.iter().map(stay).collect()
    }

    /// A plan for all, from the rooms that they had before.
    fn planned(&self, was: &BTreeMap<(BookingId, usize), RoomIndex>) -> Planned {
        let (mut all, mut owners) = (Vec::new(), Vec::new());
        let mut stays: BTreeMap<BookingId, Vec<usize>> = BTreeMap::new();
        for (&booking, units) in &self.units {
            let Some(mut come) = self.room_stays(units) else {
                return Planned::No(vec![booking]);
            };
            for (unit, stay) in come.iter_mut().enumerate() {
                stay.previous = was.get(&(booking, unit)).copied();
                stays.entry(booking).or_default().push(owners.len());
                owners.push(booking);
            }
            all.extend(come);
        }
        match Plan::new(self.rooms.len(), all) {
            Ok(plan) => Planned::Yes {
                plan,
                owners,
                stays,
            },
            Err(fragmented) => {
                let blocked = fragmented.stays.iter().filter_map(|it| owners.get(*it));
                let blocked: BTreeSet<_> = blocked.copied().collect();
                Planned::No(blocked.into_iter().collect())
            }
        }
    }
}

#[cfg(test)]
mod tests;
