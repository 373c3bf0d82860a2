//! Plans are held to their laws, and to brute force where that is feasible.

use proptest::prelude::*;

use super::*;

fn stay(first: i64, end: i64) -> RoomStay {
    RoomStay {
        nights: Slot(first)..Slot(end),
        pin: None,
        previous: None,
    }
}

fn pinned(first: i64, end: i64, room: usize) -> RoomStay {
    RoomStay {
        pin: Some(RoomIndex(room)),
        ..stay(first, end)
    }
}

/// That a plan is one: a room that there is for each stay, pins kept, no room twice on one night.
fn check(rooms: usize, stays: &[RoomStay], plan: &[RoomIndex]) {
    assert_eq!(plan.len(), stays.len());
    for (at, (one, room)) in stays.iter().zip(plan).enumerate() {
        assert!(room.0 < rooms, "stay {at} is in {room:?}");
        assert!(
            one.pin.is_none_or(|pin| pin == *room),
            "stay {at} left its pin"
        );
        for (other, there) in stays.iter().zip(plan).skip(at + 1) {
            let meets = one.nights.start < other.nights.end && other.nights.start < one.nights.end;
            assert!(
                !meets || room != there,
                "{one:?} and {other:?} are both in {room:?}"
            );
        }
    }
}

/// Whether there is a plan, by trying everything.
fn packs_by_force(rooms: usize, stays: &[RoomStay]) -> bool {
    fn place(rooms: usize, stays: &[RoomStay], plan: &mut Vec<usize>) -> bool {
        let Some(next) = stays.get(plan.len()) else {
            return true;
        };
        (0..rooms).any(|room| {
            let free = stays.iter().zip(&*plan).all(|(it, there)| {
                *there != room
                    || it.nights.end <= next.nights.start
                    || next.nights.end <= it.nights.start
            });
            if !free || next.pin.is_some_and(|pin| pin.0 != room) {
                return false;
            }
            plan.push(room);
            let done = place(rooms, stays, plan);
            plan.pop();
            done
        })
    }
    let mut order = stays.to_vec();
    order.sort_by_key(|it| (it.pin.is_none(), it.nights.start));
    place(rooms, &order, &mut Vec::new())
}

fn most_on_a_night(stays: &[RoomStay]) -> usize {
    let on = |night| stays.iter().filter(|it| it.nights.contains(&night)).count();
    stays
        .iter()
        .map(|it| on(it.nights.start))
        .max()
        .unwrap_or(0)
}

fn some_stays(count: usize, nights: i64, rooms: usize) -> impl Strategy<Value = Vec<RoomStay>> {
    let pin = prop::option::weighted(0.4, (0..rooms).prop_map(RoomIndex));
    let previous = prop::option::weighted(0.3, (0..rooms + 1).prop_map(RoomIndex));
    let one =
        (0..nights, 1..=nights / 2, pin, previous).prop_map(|(first, length, pin, previous)| {
            RoomStay {
                pin,
                previous,
                ..stay(first, first + length)
            }
        });
    prop::collection::vec(one, 0..=count)
}

/// Stays that have a plan, which is their previous rooms; some of them pinned to it.
fn planted(rooms: usize, nights: i64) -> impl Strategy<Value = Vec<RoomStay>> {
    let piece = (
        1..8i64,
        prop::bool::weighted(0.85),
        prop::bool::weighted(0.15),
    );
    let row = prop::collection::vec(piece, 1..nights as usize);
    prop::collection::vec(row, rooms).prop_map(move |rows| {
        let mut stays = Vec::new();
        for (room, row) in rows.into_iter().enumerate() {
            let mut first = 0;
            for (length, occupied, is_pinned) in row {
                let end = (first + length).min(nights);
                if occupied && first < end {
                    stays.push(RoomStay {
                        pin: is_pinned.then_some(RoomIndex(room)),
                        previous: Some(RoomIndex(room)),
                        ..stay(first, end)
                    });
                }
                first = end;
            }
        }
        stays
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_few_stays_pack_exactly_if_brute_force_finds_a_plan(
        rooms in 1..5usize,
        stays in some_stays(10, 10, 4),
    ) {
        match pack(rooms, &stays) {
            Ok(plan) => check(rooms, &stays, &plan),
            Err(fragmented) => {
                prop_assert!(fragmented.proven, "gave up on {stays:?}");
                prop_assert!(!packs_by_force(rooms, &stays), "missed a plan of {stays:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn without_pins_all_pack_exactly_if_no_night_is_over_full(
        rooms in 1..30usize,
        mut stays in some_stays(120, 40, 30),
    ) {
        stays.iter_mut().for_each(|it| it.pin = None);
        match pack(rooms, &stays) {
            Ok(plan) => check(rooms, &stays, &plan),
            Err(fragmented) => {
                prop_assert!(fragmented.proven);
                prop_assert!(fragmented.stays.len() > rooms);
            }
        }
        prop_assert_eq!(pack(rooms, &stays).is_ok(), most_on_a_night(&stays) <= rooms);
    }

    #[test]
    fn a_plan_that_still_holds_is_kept(stays in planted(12, 40)) {
        let before: Vec<_> = stays.iter().filter_map(|it| it.previous).collect();
        prop_assert_eq!(pack(12, &stays), Ok(before));
    }

    #[test]
    fn what_was_planned_once_is_found_again_around_its_pins(mut stays in planted(12, 40)) {
        stays.iter_mut().for_each(|it| it.previous = None);
        // Bounded: a miss is allowed, a wrong plan or a wrong proof is not.
        match pack(12, &stays) {
            Ok(plan) => check(12, &stays, &plan),
            Err(fragmented) => prop_assert!(!fragmented.proven),
        }
    }

    #[test]
    fn equal_arguments_get_equal_plans(stays in some_stays(40, 20, 8)) {
        prop_assert_eq!(pack(8, &stays), pack(8, &stays));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_plan_that_is_kept_is_always_one_and_refuses_what_brute_force_refuses(
        rooms in 1..4usize,
        coming in some_stays(9, 9, 3),
        going in prop::collection::vec(prop::option::weighted(0.3, 0..9usize), 9),
    ) {
        let mut plan = Plan::new(rooms, Vec::new()).unwrap();
        let mut present: Vec<(usize, RoomStay)> = Vec::new();
        for (stay, going) in coming.into_iter().zip(going) {
            let gone = going.and_then(|at| (at < present.len()).then(|| present[at].0));
            let mut after = present.clone();
            after.retain(|(number, _)| Some(*number) != gone);
            let go: Vec<usize> = gone.into_iter().collect();
            match plan.exchange(&go, vec![stay.clone()]) {
                Ok(number) => {
                    after.push((number.start, stay));
                    present = after;
                }
                Err(fragmented) => {
                    prop_assert!(fragmented.proven);
                    after.push((usize::MAX, stay));
                    let all: Vec<_> = after.into_iter().map(|(_, it)| it).collect();
                    prop_assert!(!packs_by_force(rooms, &all));
                }
            }
            let stays: Vec<_> = present.iter().map(|(_, it)| it.clone()).collect();
            let places: Vec<_> = present.iter().filter_map(|(it, _)| plan.room(*it)).collect();
            check(rooms, &stays, &places);
        }
    }
}

#[test]
fn a_new_stay_changes_nobody_where_there_is_a_gap_for_it() {
    let mut stays = vec![stay(0, 3), stay(1, 4), stay(3, 6)];
    let before = pack(3, &stays).unwrap();
    for (it, room) in stays.iter_mut().zip(&before) {
        it.previous = Some(*room);
    }
    stays.push(stay(0, 6));
    let after = pack(3, &stays).unwrap();
    check(3, &stays, &after);
    assert_eq!(after[..3], before[..]);
}

#[test]
fn a_new_stay_moves_no_more_than_it_must() {
    let at = |first, end, room| RoomStay {
        previous: Some(RoomIndex(room)),
        ..stay(first, end)
    };
    // Each room is free on one of the two nights asked for; only the second room's guest must move.
    let mut stays = vec![at(0, 5, 0), at(5, 6, 1), at(0, 4, 2), at(6, 9, 2)];
    stays.push(stay(4, 6));
    let plan = pack(3, &stays).unwrap();
    check(3, &stays, &plan);
    let moved = stays
        .iter()
        .zip(&plan)
        .filter(|(it, room)| it.previous.is_some_and(|was| was != **room));
    assert!(moved.count() <= 1, "{plan:?}");
}

#[test]
fn two_pins_on_one_room_are_in_each_others_way() {
    let stays = [
        stay(0, 9),
        pinned(0, 3, 1),
        pinned(5, 6, 1),
        pinned(2, 5, 1),
    ];
    let fragmented = pack(3, &stays).unwrap_err();
    assert_eq!(
        fragmented,
        Fragmented {
            stays: vec![1, 3],
            proven: true
        }
    );
}

#[test]
fn a_pin_to_a_room_that_is_not_there_is_in_its_own_way() {
    let fragmented = pack(2, &[stay(0, 1), pinned(0, 1, 2)]).unwrap_err();
    assert_eq!(
        fragmented,
        Fragmented {
            stays: vec![1],
            proven: true
        }
    );
}

#[test]
fn too_many_on_one_night_are_all_in_the_way() {
    let stays = [stay(0, 2), stay(4, 5), stay(1, 3), stay(3, 5)];
    let fragmented = pack(1, &stays).unwrap_err();
    assert_eq!(
        fragmented,
        Fragmented {
            stays: vec![0, 2],
            proven: true
        }
    );
}

#[test]
fn pins_elsewhere_can_refuse_what_counts_would_grant() {
    // Room 1 is pinned on the first night and room 0 on the last, so the stays between cannot swap.
    let mut stays = vec![pinned(0, 1, 1), pinned(5, 6, 0), stay(0, 3), stay(4, 6)];
    assert!(pack(2, &stays).is_ok());
    stays.push(stay(2, 5));
    assert_eq!(most_on_a_night(&stays), 2);
    let fragmented = pack(2, &stays).unwrap_err();
    assert!(fragmented.proven);
    let last = stays.pop().unwrap();
    let mut plan = Plan::new(2, stays).unwrap();
    assert_eq!(plan.exchange(&[], vec![last]), Err(fragmented));
}

#[test]
fn a_pin_moves_whoever_is_there() {
    let mut plan = Plan::new(2, vec![stay(0, 4), stay(0, 2), stay(2, 4)]).unwrap();
    let was = plan.room(0).unwrap();
    let come = plan.exchange(&[1], vec![pinned(0, 2, was.0)]).unwrap();
    assert_eq!(plan.room(come.start), Some(was));
    assert_eq!(plan.room(0), Some(RoomIndex(1 - was.0)));
    assert_eq!(plan.room(2), Some(was));
    assert_eq!(plan.room(1), None);
}

#[test]
fn what_cannot_be_exchanged_leaves_the_plan_as_it_was() {
    let mut plan = Plan::new(2, vec![pinned(0, 4, 0), stay(0, 2), stay(2, 4)]).unwrap();
    let before: Vec<_> = (0..3).map(|it| plan.room(it)).collect();
    let fragmented = plan
        .exchange(&[2], vec![stay(2, 4), pinned(3, 5, 0)])
        .unwrap_err();
    assert_eq!(
        fragmented,
        Fragmented {
            stays: vec![0, 3, 4],
            proven: true
        }
    );
    assert_eq!((0..3).map(|it| plan.room(it)).collect::<Vec<_>>(), before);
    assert_eq!(plan.exchange(&[2], vec![stay(2, 4)]), Ok(3..4));
}

#[test]
fn nothing_packs_into_nothing() {
    assert_eq!(pack(0, &[]), Ok(Vec::new()));
    assert!(pack(0, &[stay(0, 1)]).is_err());
}
