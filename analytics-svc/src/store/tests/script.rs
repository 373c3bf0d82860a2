//! Events of a small world, in any order.

use jiff::Timestamp;
use proptest::prelude::*;

use crate::domain::{
    change::{
        Booking, BookingKind, BookingState, Cell, Change, Claim, Denied, Event, Hotel, Money,
        Position, RoomType, Screening,
    },
    name::{BookingName, HotelName, Night, RoomTypeName, ScreeningName},
};

fn cell() -> impl Strategy<Value = Cell> {
    let night = (0..2, 0..2, 1..4).prop_map(|(hotel, room_type, day)| {
        let room_type = format!("hotels/h{hotel}/roomTypes/r{room_type}");
        let night = Night::parse(&format!("2026-05-0{day}")).unwrap();
        Cell::Night(RoomTypeName::parse(&room_type).unwrap(), night)
    });
    let seat = (0..2, 0..4).prop_map(|(screening, seat)| {
        let screening = format!("cinemas/c/screenings/{screening}");
        Cell::Seat(
            ScreeningName::parse(&screening).unwrap(),
            format!("A{seat}"),
        )
    });
    prop_oneof![night, seat]
}

fn claim() -> impl Strategy<Value = Claim> {
    (
        0..4_i64,
        prop::sample::select(vec!["EUR", "USD", ""]),
        0..9_i64,
    )
        .prop_map(|(quantity, currency, amount_minor)| Claim {
            quantity,
            price: Money {
                currency_code: currency.to_owned(),
                amount_minor,
            },
        })
}

fn money() -> impl Strategy<Value = Money> {
    let currency = prop::sample::select(vec!["EUR", "USD"]);
    (currency, 0..9_i64).prop_map(|(currency, amount_minor)| Money {
        currency_code: currency.to_owned(),
        amount_minor,
    })
}

fn booking() -> impl Strategy<Value = Change> {
    let states = prop::sample::select(vec![
        BookingState::Held,
        BookingState::Confirmed,
        BookingState::Cancelled,
        BookingState::Expired,
        BookingState::CheckedIn,
        BookingState::Completed,
        BookingState::NoShow,
    ]);
    let kinds = prop::sample::select(vec![
        BookingKind::Guest,
        BookingKind::Guest,
        BookingKind::Block,
        BookingKind::OutOfOrder,
    ]);
    let items = prop::collection::btree_map(cell(), claim(), 0..4);
    let fee = prop::option::of(money());
    (0..5, kinds, states, items, fee).prop_map(|(number, kind, state, items, fee)| {
        Change::Booking(Booking {
            name: BookingName::parse(&format!("bookings/b{number}")).unwrap(),
            venue: format!("hotels/h{}", number % 2),
            kind,
            state,
            items,
            cancellation_fee: fee,
        })
    })
}

/// Any change.
pub(super) fn change() -> impl Strategy<Value = Change> {
    let hotel = (0..2, "[a-z]{0,3}").prop_map(|(number, display_name)| {
        Change::Hotel(Hotel {
            name: HotelName::parse(&format!("hotels/h{number}")).unwrap(),
            display_name,
            time_zone: "UTC".to_owned(),
            currency_code: "EUR".to_owned(),
        })
    });
    let room_type = (0..2, 0..2, 0..9_i64).prop_map(|(hotel, room_type, capacity)| {
        let name = format!("hotels/h{hotel}/roomTypes/r{room_type}");
        Change::RoomType(RoomType {
            name: RoomTypeName::parse(&name).unwrap(),
            capacity,
        })
    });
    let screening = (0..2, 0..9_i64, any::<bool>()).prop_map(|(number, capacity, removed)| {
        Change::Screening(Screening {
            name: ScreeningName::parse(&format!("cinemas/c/screenings/{number}")).unwrap(),
            movie: "movies/m".to_owned(),
            start_time: (!removed).then_some(Timestamp::UNIX_EPOCH),
            capacity,
            removed,
        })
    });
    let reasons = prop::sample::select(vec!["CELL_UNAVAILABLE", "NOT_SOLD"]);
    let denied = (cell(), reasons, 1..4_i64).prop_map(|(cell, reason, count)| {
        Change::Denied(Denied {
            cell,
            reason: reason.to_owned(),
            count,
        })
    });
    prop_oneof![1 => hotel, 1 => room_type, 1 => screening, 5 => booking(), 3 => denied]
}

/// The feed of these changes.
pub(super) fn log(changes: &[Change]) -> Vec<Event> {
    let event = |(index, change): (usize, &Change)| Event {
        position: Position {
            incarnation: "a".to_owned(),
            sequence: i64::try_from(index).unwrap() + 1,
        },
        decide_time: Timestamp::from_second(i64::try_from(index).unwrap()).unwrap(),
        change: change.clone(),
        snapshot: false,
    };
    changes.iter().enumerate().map(event).collect()
}

/// What a snapshot of the feed has of these events: the last one of each thing, refusals added up.
pub(super) fn snapshot(events: &[Event]) -> Vec<Event> {
    let mut kept: Vec<(String, Event)> = Vec::new();
    for event in events {
        let thing = match &event.change {
            Change::Hotel(it) => it.name.to_string(),
            Change::RoomType(it) => it.name.to_string(),
            Change::Screening(it) => it.name.to_string(),
            Change::Booking(it) => it.name.to_string(),
            Change::Denied(it) => format!("{:?} {}", it.cell, it.reason),
        };
        let mut event = Event {
            snapshot: true,
            ..event.clone()
        };
        let known = kept.iter().position(|(known, _)| *known == thing);
        if let Some((_, known)) = known.map(|at| kept.remove(at))
            && let (Change::Denied(known), Change::Denied(denied)) =
                (&known.change, &mut event.change)
        {
            denied.count += known.count;
        }
        kept.push((thing, event));
    }
    kept.into_iter().map(|(_, event)| event).collect()
}
