//! Seats are held to what the module says of them, and to brute force over all choices in small halls.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;

use super::*;
use crate::domain::{cell::PoolId, name::CinemaId};

fn screening() -> ScreeningId {
    ScreeningId {
        cinema: CinemaId("a".into()),
        number: 1,
    }
}

/// A hall drawn line by line from the screen: `.` a free seat, `x` a taken one, `a` an accessible one, `v` one of
/// another category, blanks are aisles; an empty line is a gangway.
fn hall(lines: &[&str]) -> (Vec<Seat>, HashSet<PoolId>) {
    let mut seats = Vec::new();
    let mut free = HashSet::new();
    for (y, line) in (0..).zip(lines) {
        let row = char::from(b'A' + u8::try_from(y).unwrap());
        let mut number = 0;
        for (x, mark) in (0..).zip(line.chars()).filter(|(_, mark)| *mark != ' ') {
            number += 1;
            let pool = PoolId(i64::try_from(seats.len()).unwrap());
            seats.push(Seat {
                pool,
                id: SeatId(format!("{row}{number}")),
                index: pool.0,
                row: row.to_string(),
                number,
                x,
                y,
                category: if mark == 'v' { "vip" } else { "standard" }.into(),
                accessible: mark == 'a',
            });
            if mark != 'x' {
                free.insert(pool);
            }
        }
    }
    (seats, free)
}

fn wish(count: usize) -> Wish {
    Wish {
        count,
        category: None,
        accessible: false,
    }
}

fn ask(lines: &[&str], wish: &Wish, no_single_seats: bool) -> Result<String, Denial> {
    let (seats, free) = hall(lines);
    let best = Plan::new(&seats).best(&screening(), wish, no_single_seats, |it| {
        free.contains(&it.pool)
    });
    let labels = |seats: Vec<SeatId>| seats.iter().map(ToString::to_string).collect::<Vec<_>>();
    best.map(|seats| labels(seats).join(" "))
}

#[track_caller]
fn check(lines: &[&str], count: usize, want: &str) {
    assert_eq!(ask(lines, &wish(count), false).unwrap(), want);
}

#[test]
fn the_middle_two_thirds_back_is_best() {
    let hall = [".......", ".......", ".......", "......."];
    check(&hall, 1, "C4");
    check(&hall, 3, "C3 C4 C5");
    check(&hall, 2, "C3 C4"); // As good as C4 C5: from left to right.
}

#[test]
fn where_every_block_leaves_a_single_seat_that_is_the_refusal() {
    // One seat of each row, one above the other, is the only choice; A1 and A3 would be left.
    let hall = ["...", "x.x", "x..", "..x"];
    check(&hall, 4, "A2 B2 C2 D2");
    let refused = ask(&hall, &wish(4), true).unwrap_err();
    assert_eq!(refused.reason, Reason::LeavesSingleSeat);
}

#[test]
fn an_aisle_parts_and_a_row_of_sofas_has_its_own_measure() {
    check(&[".. .."], 2, "A1 A2");
    let refused = ask(&[".. .."], &wish(3), false).unwrap_err();
    assert_eq!(refused.reason, Reason::SeatsNotTogether);
    let free_and_wanted = [("free", "4".into()), ("wanted", "3".into())];
    assert_eq!(refused.details, free_and_wanted);
    check(&[". . .  . . ."], 3, "A1 A2 A3");
    assert!(ask(&[". . .  . . ."], &wish(4), false).is_err());
}

#[test]
fn who_finds_no_room_in_one_row_gets_a_block_of_adjacent_rows() {
    check(&["...", "...", "..."], 4, "B1 B2 C1 C2");
    check(&["...", "..."], 5, "A1 A2 B1 B2 B3");
    check(&["x..", "..."], 5, "A2 A3 B1 B2 B3");
    check(&["...", "", "...", "..."], 6, "C1 C2 C3 D1 D2 D3");
    let rows = ["xxx", "x..", "", "..x"];
    assert_eq!(
        ask(&rows, &wish(3), false).unwrap_err().reason,
        Reason::SeatsNotTogether
    );
}

#[test]
fn accessible_seats_are_kept_for_those_who_ask() {
    check(&["..a", "aaa"], 2, "A1 A2");
    check(&["x.a", "aaa"], 2, "A2 A3");
    let accessible = Wish {
        accessible: true,
        ..wish(2)
    };
    assert_eq!(ask(&["..a", "aaa"], &accessible, false).unwrap(), "B1 B2");
    let three = Wish {
        count: 5,
        ..accessible
    };
    let refused = ask(&["..a", "aaa"], &three, false).unwrap_err();
    assert_eq!(refused.reason, Reason::CellUnavailable);
}

#[test]
fn a_category_is_kept_to() {
    let vip = Wish {
        category: Some("vip".into()),
        ..wish(2)
    };
    assert_eq!(ask(&["vv....", "......"], &vip, false).unwrap(), "A1 A2");
    let unknown = Wish {
        category: Some("box".into()),
        ..wish(1)
    };
    let refused = ask(&["vv"], &unknown, false).unwrap_err();
    assert_eq!(refused.reason, Reason::CellUnavailable);
}

#[test]
fn the_best_leaves_no_single_seat() {
    // The middle would be best, but for the one seat beside it.
    assert_eq!(ask(&["......"], &wish(4), false).unwrap(), "A2 A3 A4 A5");
    assert_eq!(ask(&["......"], &wish(4), true).unwrap(), "A1 A2 A3 A4");
    assert_eq!(ask(&["......"], &wish(5), true).unwrap(), "A1 A2 A3 A4 A5");
    // Only seats of this category, and they are in the way of all others.
    let vip = Wish {
        category: Some("vip".into()),
        ..wish(2)
    };
    let refused = ask(&[".vv."], &vip, true).unwrap_err();
    assert_eq!(refused.reason, Reason::LeavesSingleSeat);
    let named: Vec<_> = refused.cells.iter().map(|(cell, _)| cell.label()).collect();
    assert_eq!(named, ["A1", "A4"]);
}

#[track_caller]
fn left(lines: &[&str], chosen: &[&str], want: &[&str]) {
    let (seats, free) = hall(lines);
    let chosen: Vec<_> = chosen.iter().map(|it| SeatId((*it).into())).collect();
    let plan = Plan::new(&seats);
    let single = plan.left_single(&chosen, |it| free.contains(&it.pool));
    let single: Vec<_> = single.iter().map(|it| it.id.to_string()).collect();
    assert_eq!(single, want);
}

#[test]
fn single_seats_that_can_be_avoided_are_named() {
    left(&["....."], &["A2"], &["A1"]);
    left(&["....."], &["A2", "A4"], &["A1", "A3", "A5"]);
    left(&["....."], &["A1", "A2"], &[]);
    left(&["..x.."], &["A1"], &[]); // One of two: unavoidable.
    left(&["..."], &["A1", "A2"], &[]);
    left(&["..."], &["A1", "A3"], &[]); // All but one of three: unavoidable.
    left(&["..."], &["A2"], &["A1", "A3"]);
    left(&[".x..."], &["A3"], &[]); // A1 was single before, and one of A4 and A5 goes with the other.
    left(&[".. ..."], &["A4"], &["A3", "A5"]);
    left(&["...", "..."], &["A2"], &["A1", "A3"]);
}

#[test]
fn wishes_have_limits() {
    assert!(Wish::parse(1, "", false).is_ok());
    assert!(Wish::parse(50, "vip", true).is_ok());
    for wrong in [0, -1, 51, 1000] {
        assert_eq!(Wish::parse(wrong, "", false).unwrap_err().field, "count");
    }
}

/// Every choice of so many seats.
fn subsets(seats: &[&Seat], count: usize) -> Vec<BTreeSet<usize>> {
    let all = 0u32..1 << seats.len();
    let chosen = |set: u32| {
        (0..seats.len())
            .filter(move |at| set >> at & 1 == 1)
            .collect()
    };
    all.filter(|set| set.count_ones() as usize == count)
        .map(chosen)
        .collect()
}

/// How many rows a choice is spread over, if it is one that people sit together in.
fn together(seats: &[&Seat], chosen: &BTreeSet<usize>, count: usize) -> Option<usize> {
    let mut rows: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for seat in chosen.iter().map(|at| seats[*at]) {
        rows.entry(seat.y).or_default().push(seat.x);
    }
    let lines: Vec<_> = rows.keys().copied().collect();
    let contiguous = |row: &Vec<i64>| row.windows(2).all(|pair| pair[1] == pair[0] + 1);
    let adjacent = lines.windows(2).all(|pair| pair[1] == pair[0] + 1);
    if rows.len() > ROWS_MAX || !adjacent || !rows.values().all(contiguous) {
        return None;
    }
    let width = count.div_ceil(rows.len());
    let full = rows.values().find(|row| row.len() == width)?;
    let others = rows.values().filter(|row| *row != full);
    let within = |row: &&Vec<i64>| row.iter().all(|x| full.contains(x));
    let short: Vec<_> = others.collect();
    (short.len() <= 1 && short.iter().all(within)).then_some(rows.len())
}

/// Accessible seats, distance, categories: by the words of the module, in other numbers.
fn score(all: &[Seat], chosen: &[&Seat]) -> (usize, i64, i64) {
    let x = |seat: &&Seat| seat.x;
    let y = |seat: &&Seat| seat.y;
    let (left, right) = (
        all.iter().map(|it| x(&it)).min().unwrap(),
        all.iter().map(|it| x(&it)).max().unwrap(),
    );
    let (first, last) = (
        all.iter().map(|it| y(&it)).min().unwrap(),
        all.iter().map(|it| y(&it)).max().unwrap(),
    );
    let distance = |seat: &&Seat| {
        let dx = 3 * (2 * seat.x - (left + right));
        let dy = 2 * (3 * (seat.y - first) - 2 * (last - first));
        dx * dx + dy * dy
    };
    let rank = |seat: &&Seat| i64::from(seat.category != all[0].category);
    (
        chosen.iter().filter(|it| it.accessible).count(),
        chosen.iter().map(distance).sum(),
        chosen.iter().map(rank).sum(),
    )
}

fn small_hall() -> impl Strategy<Value = Vec<String>> {
    let seat = prop_oneof![5 => Just('.'), 2 => Just('x'), 1 => Just('a'), 1 => Just('v')];
    (1..5usize, 2..5usize).prop_flat_map(move |(rows, seats)| {
        let row = proptest::collection::vec(seat.clone(), seats);
        proptest::collection::vec(row.prop_map(String::from_iter), rows)
    })
}

/// What is left single by brute force: of each run of free seats, unless no choice of as many of it leaves none.
fn single_by_force(free: &[bool], chosen: &[bool]) -> Vec<usize> {
    let singles = |run: &std::ops::Range<usize>, set: u32| -> Vec<usize> {
        let left = |at: usize| run.contains(&at) && set >> (at - run.start) & 1 == 0;
        let alone = |at: &usize| left(*at) && !(*at > 0 && left(at - 1)) && !left(at + 1);
        run.clone().filter(alone).collect()
    };
    let mut found = Vec::new();
    let mut start = 0;
    while start < free.len() {
        let end = (start..free.len())
            .find(|at| !free[*at])
            .unwrap_or(free.len());
        let run = start..end;
        let set = run
            .clone()
            .rev()
            .fold(0, |set, at| set << 1 | u32::from(chosen[at]));
        let sets = 0u32..1 << run.len();
        let mut others = sets.filter(|other| other.count_ones() == set.count_ones());
        if set != 0 && others.any(|other| singles(&run, other).is_empty()) {
            found.extend(singles(&run, set));
        }
        start = end + 1;
    }
    found
}

proptest! {
    #[test]
    fn the_best_is_what_brute_force_finds(lines in small_hall(), count in 1..7usize) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (seats, free) = hall(&lines);
        let open: Vec<&Seat> = seats.iter().filter(|seat| free.contains(&seat.pool)).collect();
        let best = Plan::new(&seats).best(&screening(), &wish(count), false, |it| free.contains(&it.pool));

        let sets = subsets(&open, count.min(open.len() + 1));
        let choices = sets.iter().filter_map(|set| {
            let rows = together(&open, set, count)?;
            let chosen: Vec<_> = set.iter().map(|at| open[*at]).collect();
            Some((rows, score(&seats, &chosen)))
        });
        match (best, choices.min()) {
            (Ok(best), Some((rows, least))) => {
                let ids: HashSet<_> = best.iter().collect();
                let chosen: Vec<_> = open.iter().copied().filter(|it| ids.contains(&it.id)).collect();
                prop_assert_eq!((chosen.len(), best.len()), (count, count));
                prop_assert_eq!(score(&seats, &chosen), least);
                prop_assert_eq!(chosen.iter().map(|it| it.y).collect::<HashSet<_>>().len(), rows);
            }
            (Err(denial), None) => {
                let lacking = open.len() < count;
                let want = if lacking { Reason::CellUnavailable } else { Reason::SeatsNotTogether };
                prop_assert_eq!(denial.reason, want);
            }
            (best, choice) => prop_assert!(false, "{best:?} {choice:?}"),
        }
    }

    #[test]
    fn the_order_in_which_seats_are_listed_decides_nothing(
        lines in small_hall(),
        count in 1..5usize,
        rotate in 0..9usize,
    ) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (mut seats, free) = hall(&lines);
        let ask = |seats: &[Seat]| Plan::new(seats).best(&screening(), &wish(count), true, |it| free.contains(&it.pool));
        let before = ask(&seats);
        let places = seats.len();
        seats.rotate_left(rotate % places);
        prop_assert_eq!(before, ask(&seats));
    }

    #[test]
    fn what_is_chosen_where_single_seats_are_not_allowed_leaves_none(lines in small_hall(), count in 1..7usize) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (seats, free) = hall(&lines);
        let plan = Plan::new(&seats);
        let is_free = |it: &Seat| free.contains(&it.pool);
        let denial = match plan.best(&screening(), &wish(count), true, is_free) {
            Ok(best) => {
                prop_assert!(plan.left_single(&best, is_free).is_empty());
                return Ok(());
            }
            Err(denial) => denial,
        };
        let open: Vec<&Seat> = seats.iter().filter(|seat| is_free(seat)).collect();
        let sets = subsets(&open, count.min(open.len() + 1));
        let choices: Vec<_> = sets.iter().filter(|set| together(&open, set, count).is_some()).collect();
        prop_assert_eq!(denial.reason == Reason::LeavesSingleSeat, !choices.is_empty());
        for set in choices {
            let chosen: Vec<_> = set.iter().map(|at| open[*at].id.clone()).collect();
            prop_assert!(!plan.left_single(&chosen, is_free).is_empty(), "{chosen:?}");
        }
    }

    #[test]
    fn the_rule_refuses_what_can_be_avoided_and_nothing_else(
        marks in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..9),
    ) {
        let line: String = marks.iter().map(|(free, _)| if *free { '.' } else { 'x' }).collect();
        let (seats, open) = hall(&[&line]);
        let free: Vec<_> = marks.iter().map(|it| it.0).collect();
        let chosen: Vec<_> = marks.iter().map(|it| it.0 && it.1).collect();
        let names: Vec<_> = seats.iter().zip(&chosen).filter(|it| *it.1).map(|it| it.0.id.clone()).collect();
        let plan = Plan::new(&seats);
        let single: Vec<_> = plan.left_single(&names, |it| open.contains(&it.pool)).iter().map(|it| it.index).collect();
        let want: Vec<_> = single_by_force(&free, &chosen).iter().map(|at| i64::try_from(*at).unwrap()).collect();
        prop_assert_eq!(single, want);
    }
}
