//! Loads who sleeps where, of the room types where a batch needs a plan to decide: those that the front desk is about,
//! and those where rooms are certain in such a way that counts alone do not tell whether a stay fits.
//!
//! Nothing at all as long as no room is certain anywhere: the commit head knows.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::super::{ledger::Ledger, needs::Needs};
use crate::{
    domain::{
        booking::{Booking, BookingKind, State},
        cell::{PoolId, Slot},
        claim::{Ask, Claim},
        lodging::{self, Lodging, Place},
        name::RoomTypeId,
    },
    store::{StoreError, Write},
};

/// Nights of a room type that somebody asks for.
pub(in crate::inventory) type Asked = (RoomTypeId, Range<Slot>);

/// The room types whose plans are needed whatever is certain there.
pub(in crate::inventory) fn planned(ledger: &Ledger, needs: &[Needs<'_>]) -> HashSet<RoomTypeId> {
    let mut planned = HashSet::new();
    for needs in needs.iter().filter(|it| it.plans) {
        let entries = needs.bookings.iter().filter_map(|id| ledger.booking(*id));
        for entry in entries {
            if let Claim::Stay(stay) = &entry.booking.claim {
                planned.insert(stay.room_type.clone());
            }
        }
        let asked = needs.claims.iter().filter_map(|ask| asked(ask));
        planned.extend(asked.map(|(room_type, _)| room_type));
    }
    planned
}

/// The stays that are asked for.
pub(in crate::inventory) fn stays(needs: &[Needs<'_>]) -> Vec<Asked> {
    let claims = needs.iter().flat_map(|it| &it.claims);
    claims.filter_map(|ask| asked(ask)).collect()
}

fn asked(ask: &Ask) -> Option<Asked> {
    match ask {
        Ask::Claim(Claim::Stay(stay)) => Some((stay.room_type.clone(), stay.nights.slots())),
        Ask::Claim(Claim::Seats(_)) | Ask::Best(_) => None,
    }
}

/// Loads the plans of those room types, and those that it takes to decide those stays and the stays that are waited
/// for. Holds that have run out but are not ended yet have no rooms for certain any more.
pub(in crate::inventory) async fn plans(
    write: &Write,
    ledger: &mut Ledger,
    mut planned: HashSet<RoomTypeId>,
    mut stays: Vec<Asked>,
) -> Result<(), StoreError> {
    planned.retain(|id| ledger.catalogue.room_type(id).is_some());
    // The day may have begun later at a hotel, but by less than a day.
    let from = Slot(ledger.now.as_second().div_euclid(86_400) - 1);
    if ledger.head.pinned > 0 {
        stays.extend(ledger.lines.waiting().filter_map(|it| asked(&it.ask)));
        stays.retain(|(id, _)| ledger.catalogue.room_type(id).is_some());
        let types: HashSet<_> = stays.iter().map(|(id, _)| id.clone()).collect();
        let types: Vec<_> = types.into_iter().collect();
        let mut pins = write.pins_of(&types, from).await?;
        for (id, nights) in stays {
            let certain = pins.get(&id).map_or(&[][..], Vec::as_slice);
            if lodging::needs_plan(certain, &nights) {
                planned.insert(id);
            }
        }
        for id in types {
            let certain = pins.remove(&id).unwrap_or_default();
            ledger.rooms.add_pins(id, certain);
        }
    }
    if planned.is_empty() {
        return Ok(());
    }
    add_plans(write, ledger, planned.into_iter().collect(), from).await
}

async fn add_plans(
    write: &Write,
    ledger: &mut Ledger,
    planned: Vec<RoomTypeId>,
    from: Slot,
) -> Result<(), StoreError> {
    let pools: HashMap<RoomTypeId, PoolId> = planned
        .iter()
        .filter_map(|id| Some((id.clone(), ledger.catalogue.room_type(id)?.room_type.pool)))
        .collect();
    let mut rooms = write
        .rooms_of(&pools.values().copied().collect::<Vec<_>>())
        .await?;
    let lodgers = write.lodgers_of(&planned, from).await?;
    let mut before = by_type(&lodgers, write.plan_of(&planned, from).await?);
    let now = ledger.now;
    let lapsed = |it: &&Booking| it.state_at(now) == State::Expired && !it.rooms.is_empty();
    let lapsed = lodgers.iter().filter(lapsed).map(|it| it.id);
    ledger.rooms.free(lapsed);
    let blocks = lodgers.iter().filter(|it| it.kind == BookingKind::Block);
    let blocks = blocks.map(|it| it.id).collect();
    super::bookings(write, ledger, blocks, false).await?;
    let mut units: HashMap<RoomTypeId, Vec<_>> = HashMap::new();
    for stored in &lodgers {
        let entry = ledger.booking(stored.id);
        // The ledger's is as it is now.
        let (booking, items) = match entry {
            Some(entry) => (&entry.booking, entry.items.as_slice()),
            None => (stored, &[][..]),
        };
        let Claim::Stay(stay) = &booking.claim else {
            continue;
        };
        let today = ledger.catalogue.hotel(&stay.room_type.hotel);
        let today = today.map_or(from, |it| Slot::of_night(it.today(ledger.now)));
        let units_of = lodging::units(booking, items, booking.state_at(ledger.now), today);
        let of_type = units.entry(stay.room_type.clone()).or_default();
        if !units_of.is_empty() {
            of_type.push((booking.id, units_of));
        }
    }
    for (id, pool) in pools {
        let before = before.remove(&id).unwrap_or_default();
        let rooms = rooms.remove(&pool).unwrap_or_default();
        let lodgers = units.remove(&id).unwrap_or_default();
        let lodging = Lodging::new(rooms, lodgers, &before);
        ledger.rooms.add_plan(id, lodging, before);
    }
    Ok(())
}

fn by_type(lodgers: &[Booking], places: Vec<Place>) -> HashMap<RoomTypeId, Vec<Place>> {
    let types: HashMap<_, _> = lodgers
        .iter()
        .filter_map(|it| match &it.claim {
            Claim::Stay(stay) => Some((it.id, &stay.room_type)),
            Claim::Seats(_) => None,
        })
        .collect();
    let mut found: HashMap<RoomTypeId, Vec<Place>> = HashMap::new();
    for place in places {
        if let Some(id) = types.get(&place.booking) {
            found.entry((*id).clone()).or_default().push(place);
        }
    }
    found
}
