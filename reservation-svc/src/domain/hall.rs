//! A hall as an operator draws it: every seat with its row, number and place, each of them once.

use std::collections::HashSet;

use super::{
    catalogue::Seat,
    cell::PoolId,
    name::SeatId,
    violation::{Fault, Violation},
};

/// Seats of a hall, at most.
pub const SEATS_MAX: usize = 5_000;
/// Longest label of a row, in letters and digits.
const ROW_MAX: usize = 8;
/// Numbers in a row, from 1.
const NUMBER_MAX: i64 = 999;
/// Columns and lines of the plan, from 0.
const PLACE_MAX: i64 = 999;
/// Longest category.
const CATEGORY_MAX: usize = 32;
/// What a seat is where nobody has said.
const CATEGORY_DEFAULT: &str = "standard";

/// A seat as drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrawnSeat {
    /// The row's label.
    pub row: String,
    /// The number in the row.
    pub number: i64,
    /// Column of the plan.
    pub x: i64,
    /// Line of the plan.
    pub y: i64,
    /// What kind of seat it is; empty for the usual one.
    pub category: String,
    /// Whether a wheelchair gets there.
    pub accessible: bool,
}

/// A whole hall, sound in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HallPlan {
    seats: Vec<DrawnSeat>,
}

impl HallPlan {
    /// A hall of these seats, or everything that is wrong with them.
    pub fn parse(mut seats: Vec<DrawnSeat>) -> Result<Self, Vec<Violation>> {
        if !(1..=SEATS_MAX).contains(&seats.len()) {
            let fault = if seats.is_empty() {
                Fault::Missing
            } else {
                Fault::Range
            };
            let description = format!("must be 1 to {SEATS_MAX} seats");
            return Err(vec![Violation::new("seats", fault, description)]);
        }
        let mut violations = Vec::new();
        let (mut ids, mut places) = (HashSet::new(), HashSet::new());
        for (at, seat) in seats.iter_mut().enumerate() {
            if seat.category.is_empty() {
                CATEGORY_DEFAULT.clone_into(&mut seat.category);
            }
            let mut wrong = |field: &str, fault, description: &str| {
                violations.push(Violation::new(
                    format!("seats[{at}].{field}"),
                    fault,
                    description,
                ));
            };
            check(seat, &mut wrong);
            if !ids.insert(id(seat)) {
                wrong("number", Fault::Duplicate, "must be once in a row");
            }
            if !places.insert((seat.x, seat.y)) {
                wrong("x", Fault::Duplicate, "no two seats have the same place");
            }
        }
        match violations.is_empty() {
            true => Ok(Self { seats }),
            false => Err(violations),
        }
    }

    /// Its seats with a pool each, numbered by rows from the screen and numbers in them.
    pub fn seats(self, mut pool: impl FnMut() -> PoolId) -> Vec<Seat> {
        let mut seats = self.seats;
        seats.sort_by(|a, b| (a.y, &a.row, a.number).cmp(&(b.y, &b.row, b.number)));
        let seat = |(index, it): (usize, DrawnSeat)| Seat {
            pool: pool(),
            id: SeatId(id(&it)),
            index: i64::try_from(index).unwrap_or(i64::MAX),
            row: it.row,
            number: it.number,
            x: it.x,
            y: it.y,
            category: it.category,
            accessible: it.accessible,
        };
        seats.into_iter().enumerate().map(seat).collect()
    }
}

/// Whether a text can be a category of seats.
pub fn is_category(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=CATEGORY_MAX).contains(&text.len()) && text.bytes().all(plain)
}

fn check(seat: &DrawnSeat, wrong: &mut impl FnMut(&str, Fault, &str)) {
    let row = seat.row.as_bytes();
    if !(1..=ROW_MAX).contains(&row.len()) || !row.iter().all(u8::is_ascii_alphanumeric) {
        wrong("row", Fault::Format, "must be 1 to 8 letters and digits");
    }
    // `A1` + `1` and `A` + `11` would be one id.
    if row.last().is_some_and(u8::is_ascii_digit) {
        wrong("row", Fault::Format, "must not end with a digit");
    }
    if !(1..=NUMBER_MAX).contains(&seat.number) {
        wrong("number", Fault::Range, "must be 1 to 999");
    }
    for (field, place) in [("x", seat.x), ("y", seat.y)] {
        if !(0..=PLACE_MAX).contains(&place) {
            wrong(field, Fault::Range, "must be 0 to 999");
        }
    }
    if !is_category(&seat.category) {
        wrong("category", Fault::Format, "must be 1 to 32 of a-z, 0-9, -");
    }
}

fn id(seat: &DrawnSeat) -> String {
    format!("{}{}", seat.row, seat.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(row: &str, number: i64, x: i64) -> DrawnSeat {
        DrawnSeat {
            row: row.into(),
            number,
            x,
            ..DrawnSeat::default()
        }
    }

    #[track_caller]
    fn refused(seats: Vec<DrawnSeat>, want: &[(&str, Fault)]) {
        let violations = HallPlan::parse(seats).unwrap_err();
        let found: Vec<_> = violations
            .iter()
            .map(|it| (it.field.as_str(), it.reason))
            .collect();
        assert_eq!(found, want);
    }

    #[test]
    fn seats_are_numbered_by_line_and_number() {
        let mut far = seat("A", 1, 0);
        far.y = 1;
        let plan = HallPlan::parse(vec![far, seat("B", 2, 1), seat("B", 1, 0)]).unwrap();
        let seats = plan.seats(|| PoolId(1));
        let ids: Vec<_> = seats
            .iter()
            .map(|it| (it.index, it.id.0.as_str()))
            .collect();
        assert_eq!(ids, [(0, "B1"), (1, "B2"), (2, "A1")]);
        assert!(seats.iter().all(|it| it.category == "standard"));
    }

    #[test]
    fn what_is_wrong_is_named_seat_by_seat() {
        refused(vec![], &[("seats", Fault::Missing)]);
        refused(
            vec![DrawnSeat::default(); SEATS_MAX + 1],
            &[("seats", Fault::Range)],
        );
        let mut wrong = seat("", 0, 1000);
        wrong.category = "So fa".into();
        let want = [
            ("seats[0].row", Fault::Format),
            ("seats[0].number", Fault::Range),
            ("seats[0].x", Fault::Range),
            ("seats[0].category", Fault::Format),
        ];
        refused(vec![wrong], &want);
    }

    #[test]
    fn no_two_seats_have_one_id_or_one_place() {
        let twice = vec![seat("A", 1, 0), seat("A", 1, 1), seat("A", 2, 1)];
        let want = [
            ("seats[1].number", Fault::Duplicate),
            ("seats[2].x", Fault::Duplicate),
        ];
        refused(twice, &want);
        refused(vec![seat("A1", 1, 0)], &[("seats[0].row", Fault::Format)]);
    }
}
