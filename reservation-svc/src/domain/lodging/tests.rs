//! Bookings get rooms, and counts suffice exactly where it is said that they do.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::packing::pack;

fn id(number: u128) -> BookingId {
    BookingId(Uuid::from_u128(number))
}

fn unit(first: i64, end: i64) -> Unit {
    Unit {
        nights: Slot(first)..Slot(end),
        pin: None,
    }
}

fn pinned(first: i64, end: i64, room: &str) -> Unit {
    Unit {
        pin: Some(room.to_owned()),
        ..unit(first, end)
    }
}

fn rooms(numbers: &[&str]) -> Vec<String> {
    numbers.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_left_of_a_block_is_runs_of_nights() {
    let left = vec![(Slot(3), 2), (Slot(1), 2), (Slot(2), 1), (Slot(5), 1)];
    let mut found = runs(left);
    found.sort_by_key(|it| (it.nights.start, it.nights.end));
    assert_eq!(found, [unit(1, 2), unit(1, 4), unit(3, 4), unit(5, 6)]);
    assert_eq!(runs(Vec::new()), []);
    assert_eq!(runs(vec![(Slot(1), 0), (Slot(2), 1)]), [unit(2, 3)]);
}

#[test]
fn a_plan_changes_no_more_than_it_must() {
    let before = [Place {
        booking: id(1),
        unit: 0,
        room: "12".into(),
    }];
    let lodgers = [(id(1), vec![unit(0, 4)]), (id(2), vec![unit(1, 2)])];
    let mut lodging = Lodging::new(rooms(&["11", "12"]), lodgers, &before);
    assert_eq!(lodging.rooms_of(id(1)), ["12"]);
    assert_eq!(lodging.rooms_of(id(2)), ["11"]);
    lodging.replace(id(3), vec![unit(2, 4)]).unwrap();
    assert_eq!(lodging.rooms_of(id(3)), ["11"]);
    assert_eq!(lodging.places().len(), 3);
}

#[test]
fn who_is_in_the_way_is_named_and_nothing_changes() {
    let lodgers = [
        (id(1), vec![pinned(0, 1, "2")]),
        (id(2), vec![pinned(5, 6, "1")]),
        (id(3), vec![unit(0, 3)]),
        (id(4), vec![unit(4, 6)]),
    ];
    let mut lodging = Lodging::new(rooms(&["1", "2"]), lodgers, &[]);
    let before = lodging.places();
    let refused = lodging.replace(id(5), vec![unit(2, 5)]).unwrap_err();
    // Dealt out in order of arrival, 4 is left over, and of its rooms 2 has one.
    assert_eq!(refused.bookings, [id(2)]);
    assert_eq!(lodging.places(), before);
    lodging.note(id(4), Vec::new());
    lodging.replace(id(5), vec![unit(2, 5)]).unwrap();
    let gone = lodging.replace(id(6), vec![pinned(7, 8, "9")]).unwrap_err();
    assert!(gone.bookings.is_empty());
}

#[test]
fn where_there_is_no_plan_only_leaving_helps() {
    let lodgers = [
        (id(1), vec![pinned(0, 2, "1")]),
        (id(2), vec![pinned(1, 3, "1")]),
    ];
    let mut lodging = Lodging::new(rooms(&["1", "2"]), lodgers, &[]);
    let blocked = lodging.is_planned().unwrap_err();
    assert_eq!(blocked.bookings, [id(1), id(2)]);
    assert_eq!(lodging.replace(id(3), vec![unit(5, 6)]), Err(blocked));
    lodging.note(id(2), Vec::new());
    assert_eq!(lodging.is_planned(), Ok(()));
    lodging.replace(id(3), vec![unit(5, 6)]).unwrap();
}

#[derive(Clone, Debug)]
struct Sold {
    first: i64,
    length: i64,
    pin: Option<usize>,
}

fn sold() -> impl Strategy<Value = Sold> {
    let pin = prop::option::weighted(0.3, 0..3usize);
    (0..10i64, 1..5i64, pin).prop_map(|(first, length, pin)| Sold { first, length, pin })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        max_global_rejects: 100_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn counts_are_enough_unless_a_plan_is_needed(
        stays in prop::collection::vec(sold(), 0..9),
        sale in (0..10i64, 1..5i64),
    ) {
        let room_stay = |it: &Sold| RoomStay {
            nights: Slot(it.first)..Slot(it.first + it.length),
            pin: it.pin.map(RoomIndex),
            previous: None,
        };
        let mut all: Vec<RoomStay> = Vec::new();
        for stay in &stays {
            all.push(room_stay(stay));
            if pack(3, &all).is_err() {
                all.pop();
            }
        }
        let nights = Slot(sale.0)..Slot(sale.0 + sale.1);
        let pins = all.iter().filter(|it| it.pin.is_some());
        let pins: Vec<_> = pins.map(|it| Pinned { nights: it.nights.clone() }).collect();
        let full = (nights.start.0..nights.end.0).any(|night| {
            all.iter().filter(|it| it.nights.contains(&Slot(night))).count() >= 3
        });
        prop_assume!(!full && !needs_plan(&pins, &nights));
        all.push(RoomStay { nights, pin: None, previous: None });
        prop_assert!(pack(3, &all).is_ok());
    }
}
