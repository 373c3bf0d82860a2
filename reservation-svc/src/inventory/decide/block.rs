//! Rooms put aside for a group, and how guests pick them up.
//!
//! A block is a booking like any other: it has taken its cells, and is held until its release, when what is left of it
//! runs out like a hold. Whoever knows its name picks up from it, at the prices of the nights and whatever the
//! restrictions: the hotel has agreed to the group. What is cancelled later is free for everybody, not for the block.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::super::{
    command::Outcome, ledger::Ledger, lodgers, lookup, rejection::Rejection, stop::Stop,
};
use crate::domain::{
    agreement::Agreement,
    booking::{Booking, BookingKind, Item, State},
    cell::{CellKey, CellRef, Slot},
    claim::{Claim, Stay},
    name::BookingId,
    refusal::{Denial, Reason},
    request::Principal,
    violation::{Fault, Violation},
};

/// Puts rooms aside.
pub(super) fn decide(
    ledger: &mut Ledger,
    principal: &Principal,
    stay: &Stay,
    until: Timestamp,
    title: &str,
) -> Result<Outcome, Stop> {
    let claim = Claim::Stay(stay.clone());
    let mut offer = lookup::offer(ledger, &claim, false)?;
    // It is not sold, so that it needs no price.
    offer
        .cells
        .iter_mut()
        .for_each(|it| it.price_minor = Some(0));
    let taken = lookup::take(ledger, &offer, &HashMap::new())?;
    lodgers::fits(ledger, &claim, None)?;

    let id = BookingId(Uuid::now_v7());
    let booking = Booking {
        id,
        kind: BookingKind::Block,
        principal: principal.clone(),
        recorded_state: State::Held,
        claim,
        rooms: Vec::new(),
        venue: offer.venue,
        venue_display_name: offer.venue_display_name,
        title: match title {
            "" => offer.title,
            title => title.to_owned(),
        },
        starts_at: None,
        total: taken.total,
        agreement: Agreement::default(),
        expires_at: Some(until),
        created_at: ledger.now,
        updated_at: ledger.now,
        created_sequence: ledger.next_sequence(),
        updated_sequence: ledger.next_sequence(),
    };
    ledger.open(booking, None);
    ledger.take(id, taken.items);
    ledger.changed(id, None)
}

/// What a block gives to a claim of its rooms: all that it has of each night, if that is enough.
pub(super) fn share(
    ledger: &Ledger,
    block: BookingId,
    claim: &Claim,
) -> Result<HashMap<CellKey, i64>, Stop> {
    let is_open = |booking: &Booking| {
        booking.kind == BookingKind::Block && booking.state_at(ledger.now) == State::Held
    };
    let found = ledger.booking(block).filter(|it| is_open(&it.booking));
    let entry = found.ok_or_else(|| Rejection::not_found("reservation.banyan/Booking", block))?;
    let (Claim::Stay(stay), Claim::Stay(blocked)) = (claim, &entry.booking.claim) else {
        return Err(not_of_it("seats are in no block"));
    };
    if stay.room_type != blocked.room_type {
        return Err(not_of_it("must be a stay in the room type of the block"));
    }
    let slots = stay.nights.slots();
    let wanted = |item: &&Item| slots.contains(&item.key.slot);
    let items = entry.items.iter().filter(wanted);
    let share: HashMap<CellKey, i64> = items.map(|it| (it.key, it.quantity)).collect();
    let left = |date| {
        let of_night = share
            .iter()
            .filter(|(key, _)| key.slot == Slot::of_night(date));
        (date, of_night.map(|(_, quantity)| *quantity).sum::<i64>())
    };
    let nights: Vec<_> = stay.nights.iter().map(left).collect();
    let least = nights.iter().map(|(_, left)| *left).min().unwrap_or(0);
    if least >= stay.rooms {
        return Ok(share);
    }
    let message = format!("the block has {least} rooms left, {} wanted", stay.rooms);
    let lacking = nights.iter().filter(|(_, left)| *left < stay.rooms);
    let cells = lacking.map(|(date, left)| {
        let (room_type, date) = (stay.room_type.clone(), *date);
        let why = format!("{left} left in the block, {} wanted", stay.rooms);
        (CellRef::Night { room_type, date }, why)
    });
    let denial = Denial {
        cells: cells.collect(),
        ..Denial::new(Reason::CellUnavailable, message)
    };
    Err(denial.into())
}

/// Takes what is picked up out of a block.
pub(super) fn pick_up(ledger: &mut Ledger, block: BookingId, picked: &[Item]) {
    let Some(entry) = ledger.booking(block) else {
        return;
    };
    let picked_of = |key: CellKey| picked.iter().find(|it| it.key == key);
    let touched = entry.items.iter().filter(|it| picked_of(it.key).is_some());
    let mut rest: Vec<Item> = touched.cloned().collect();
    ledger.release_where(block, |it| picked_of(it.key).is_some());
    for item in &mut rest {
        item.quantity -= picked_of(item.key).map_or(0, |it| it.quantity);
    }
    rest.retain(|item| item.quantity > 0);
    for (number, item) in (ledger.head.last_item + 1..).zip(&mut rest) {
        item.number = number;
    }
    ledger.take(block, rest);
    let previous = ledger.change(block, |_| {});
    ledger.tell(block, previous);
}

fn not_of_it(description: &str) -> Stop {
    let violation = Violation::new("block", Fault::Range, description);
    Rejection::invalid(violation).into()
}

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;
    use jiff::{SignedDuration, civil::date};

    use super::super::super::{
        Action, Command, Rejection,
        testing::{Rig, hold},
    };
    use super::*;
    use crate::domain::{
        claim::{Ask, Nights},
        name::RoomTypeId,
    };

    /// All three suites of two nights until a day later.
    fn block(rooms: i64, rig: &Rig) -> Command {
        let room_type = RoomTypeId::parse("hotels/banyan-bay/roomTypes/banyan-suite");
        let stay = Stay {
            room_type: room_type.unwrap(),
            nights: Nights::new(date(2026, 12, 1), date(2026, 12, 3)).unwrap(),
            rooms,
        };
        let until = rig.inventory.now() + SignedDuration::from_hours(24);
        Command {
            principal: Principal::operator(),
            action: Action::Block {
                stay,
                until,
                title: "Wedding".into(),
            },
            ..hold("banyan-suite", 1)
        }
    }

    fn picking_up(block: BookingId, room_type: &str, rooms: i64) -> Command {
        let mut command = hold(room_type, rooms);
        if let Action::Hold(hold) = &mut command.action {
            hold.block = Some(block);
        }
        command
    }

    async fn submit(rig: &Rig, command: Command) -> Result<BookingId, Reason> {
        match rig.inventory.submit(command).await {
            Ok(outcome) => Ok(BookingId::parse(&outcome.booking.name).unwrap()),
            Err(Rejection::Refused(refusal)) => Err(refusal.reason),
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn rooms_left(rig: &Rig, block: BookingId) -> Vec<i64> {
        let session = rig.inventory.store().read().await.unwrap();
        let mut items = session.items_of(&[block]).await.unwrap();
        let items = items.remove(&block).unwrap_or_default();
        items.iter().map(|item| item.quantity).collect()
    }

    #[tokio::test]
    async fn a_block_is_for_those_who_know_it_until_its_release() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let group = submit(&rig, block(3, &rig)).await.unwrap();
            let other = submit(&rig, hold("banyan-suite", 1)).await;
            assert_eq!(other, Err(Reason::CellUnavailable));
            let picked = submit(&rig, picking_up(group, "banyan-suite", 2)).await;
            assert_eq!(rooms_left(&rig, group).await, [1, 1]);
            let more = submit(&rig, picking_up(group, "banyan-suite", 2)).await;
            assert_eq!(more, Err(Reason::CellUnavailable));
            // What a guest gives back is free for everybody.
            let release = Command {
                principal: Principal::operator(),
                action: Action::Release {
                    booking: picked.unwrap(),
                    etag: None,
                },
                ..hold("banyan-suite", 1)
            };
            submit(&rig, release).await.unwrap();
            submit(&rig, hold("banyan-suite", 2)).await.unwrap();
            submit(&rig, picking_up(group, "banyan-suite", 1))
                .await
                .unwrap();
            assert!(rooms_left(&rig, group).await.is_empty());
            // Past its release nobody picks up any more.
            rig.advance(SignedDuration::from_hours(24));
            let late = rig.inventory.submit(picking_up(group, "banyan-suite", 1));
            assert!(matches!(late.await, Err(Rejection::NotFound { .. })));
            let ended = rig.inventory.submit(hold("banyan-suite", 3)).await;
            assert!(ended.is_ok(), "every hold has run out: {ended:?}");
        }
    }

    #[tokio::test]
    async fn only_what_a_block_has_is_picked_up_from_it() {
        let rig = Rig::start(TestDatabase::sqlite()).await;
        let group = submit(&rig, block(1, &rig)).await.unwrap();
        let foreign = rig.inventory.submit(picking_up(group, "sea-view", 1)).await;
        assert!(matches!(foreign, Err(Rejection::Invalid { .. })));
        let guests = submit(&rig, hold("banyan-suite", 1)).await.unwrap();
        let no_block = rig
            .inventory
            .submit(picking_up(guests, "banyan-suite", 1))
            .await;
        assert!(matches!(no_block, Err(Rejection::NotFound { .. })));
        let mut longer = picking_up(group, "banyan-suite", 1);
        if let Action::Hold(hold) = &mut longer.action
            && let Ask::Claim(Claim::Stay(stay)) = &mut hold.claim
        {
            stay.nights = Nights::new(date(2026, 12, 1), date(2026, 12, 4)).unwrap();
        }
        assert_eq!(submit(&rig, longer).await, Err(Reason::CellUnavailable));
    }

    #[tokio::test]
    async fn the_nights_that_a_block_lacks_are_named() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let group = submit(&rig, block(2, &rig)).await.unwrap();
            let nights = |from, to, rooms| {
                let mut command = picking_up(group, "banyan-suite", rooms);
                if let Action::Hold(hold) = &mut command.action
                    && let Ask::Claim(Claim::Stay(stay)) = &mut hold.claim
                {
                    stay.nights = Nights::new(from, to).unwrap();
                }
                command
            };
            let first = nights(date(2026, 12, 1), date(2026, 12, 2), 1);
            submit(&rig, first).await.unwrap();
            let lacking = nights(date(2026, 12, 1), date(2026, 12, 4), 2);
            let refused = rig.inventory.submit(lacking).await;
            let Err(Rejection::Refused(refusal)) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(refusal.reason, Reason::CellUnavailable);
            let unmet = refusal.unmet.iter();
            let unmet: Vec<_> = unmet.map(|it| (&*it.label, &*it.description)).collect();
            let want = [
                ("2026-12-01", "1 left in the block, 2 wanted"),
                ("2026-12-03", "0 left in the block, 2 wanted"),
            ];
            assert_eq!(unmet, want);
        }
    }
}
