//! What a guest asks for: nights in a hotel or seats at a screening, within the limits of the contract.
//!
//! Limits that need the catalogue (a night that is over where the hotel stands, an unknown seat) are checked when
//! the claim is decided, not here.

use std::collections::HashSet;

use jiff::civil::Date;

use super::{
    cell::Slot,
    name::{NameError, RoomTypeId, ScreeningId, SeatId, Venue},
    seating::Wish,
    violation::{Fault, Violation},
};

/// Longest stay.
pub const NIGHTS_MAX: i64 = 365;
/// Most rooms in one booking.
pub const ROOMS_MAX: i32 = 50;
/// Most seats in one booking.
pub const SEATS_MAX: usize = 50;

/// What is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nights.
    Stay(Stay),
    /// Seats.
    Seats(SeatSelection),
}

/// What is asked for: a claim, or one that is chosen at the moment of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Exactly this.
    Claim(Claim),
    /// The best seats that are free.
    Best(BestSeats),
}

/// Seats to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BestSeats {
    /// At what.
    pub screening: ScreeningId,
    /// How many, and of which.
    pub wish: Wish,
}

impl From<Claim> for Ask {
    fn from(claim: Claim) -> Self {
        Self::Claim(claim)
    }
}

impl Ask {
    /// Where it is asked for.
    pub fn venue(&self) -> Venue {
        match self {
            Self::Claim(claim) => claim.venue(),
            Self::Best(best) => Venue::Cinema(best.screening.cinema.clone()),
        }
    }
}

impl BestSeats {
    /// Seats to be chosen, as the contract has them. What is wrong comes before that no screening has this name.
    pub fn parse(
        screening: &str,
        wish: Result<Wish, Violation>,
    ) -> Result<Result<Self, Unknown>, Vec<Violation>> {
        let screening = required_screening(screening);
        match (screening, wish) {
            (Ok(screening), Ok(wish)) => Ok(screening.map(|screening| Self { screening, wish })),
            (screening, wish) => {
                let violations = screening.err().into_iter().chain(wish.err());
                Err(violations.collect())
            }
        }
    }
}

/// Nights of a room type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// What to sleep in.
    pub room_type: RoomTypeId,
    /// Which nights.
    pub nights: Nights,
    /// How many rooms, 1 to [`ROOMS_MAX`].
    pub rooms: i64,
}

/// Seats at a screening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatSelection {
    /// Of what.
    pub screening: ScreeningId,
    /// Which, 1 to [`SEATS_MAX`], each once, in the order asked for.
    pub seats: Vec<SeatId>,
}

/// A run of 1 to [`NIGHTS_MAX`] nights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nights {
    check_in: Date,
    check_out: Date,
}

/// A name of the right form that nothing can have: the claim is sound, but on nothing that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What kind of thing would have it, such as `reservation.banyan/Screening`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
}

impl Claim {
    /// Where it is claimed.
    pub fn venue(&self) -> Venue {
        match self {
            Self::Stay(stay) => Venue::Hotel(stay.room_type.hotel.clone()),
            Self::Seats(seats) => Venue::Cinema(seats.screening.cinema.clone()),
        }
    }
}

impl Nights {
    /// The nights from check-in to check-out, both `YYYY-MM-DD`.
    pub fn parse(check_in: &str, check_out: &str) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let first = parse_date("check_in_date", check_in, &mut violations);
        let last = parse_date("check_out_date", check_out, &mut violations);
        if let (Some(check_in), Some(check_out)) = (first, last) {
            return Self::new(check_in, check_out).map_err(|violation| vec![violation]);
        }
        Err(violations)
    }

    /// The nights from check-in to check-out.
    pub fn new(check_in: Date, check_out: Date) -> Result<Self, Violation> {
        let nights = Self {
            check_in,
            check_out,
        };
        match nights.count() {
            ..=0 => Err(Violation::new(
                "check_out_date",
                Fault::Range,
                format!("must be after check_in_date {check_in}"),
            )),
            1..=NIGHTS_MAX => Ok(nights),
            count => Err(Violation::new(
                "check_out_date",
                Fault::Range,
                format!("must be at most {NIGHTS_MAX} nights after check_in_date, this is {count}"),
            )),
        }
    }

    /// The first night.
    pub fn check_in(&self) -> Date {
        self.check_in
    }

    /// The day of leaving.
    pub fn check_out(&self) -> Date {
        self.check_out
    }

    /// How many.
    pub fn count(&self) -> i64 {
        self.slots().end.0 - self.slots().start.0
    }

    /// Their slots.
    pub fn slots(&self) -> std::ops::Range<Slot> {
        Slot::of_night(self.check_in)..Slot::of_night(self.check_out)
    }

    /// Each night, in order.
    pub fn iter(&self) -> impl Iterator<Item = Date> + use<> {
        let end = self.check_out;
        std::iter::successors(Some(self.check_in), |night| night.tomorrow().ok())
            .take_while(move |night| *night < end)
    }

    /// That the first night is not over: `today` is the day in the hotel's time zone.
    pub fn not_before(&self, today: Date) -> Result<(), Violation> {
        if self.check_in < today {
            let description = format!("must not be before today, {today} at the hotel");
            return Err(Violation::new("check_in_date", Fault::Range, description));
        }
        Ok(())
    }
}

impl Stay {
    /// A stay as the contract has it: dates as text, 0 rooms meaning one. What is wrong with it comes before that
    /// nothing has its name.
    pub fn parse(
        room_type: &str,
        check_in: &str,
        check_out: &str,
        rooms: i32,
    ) -> Result<Result<Self, Unknown>, Vec<Violation>> {
        let mut violations = Vec::new();
        let kind = "reservation.banyan/RoomType";
        let room_type = required_name("room_type", kind, room_type, RoomTypeId::parse)
            .map_err(|violation| violations.push(violation));
        let nights = Nights::parse(check_in, check_out).map_err(|them| violations.extend(them));
        if !(0..=ROOMS_MAX).contains(&rooms) {
            let description = format!("must be 1 to {ROOMS_MAX}, or 0 for one");
            violations.push(Violation::new("rooms", Fault::Range, description));
        }
        match (room_type, nights) {
            (Ok(room_type), Ok(nights)) if violations.is_empty() => {
                Ok(room_type.map(|room_type| Self {
                    room_type,
                    nights,
                    rooms: i64::from(rooms.max(1)),
                }))
            }
            _ => Err(violations),
        }
    }
}

impl SeatSelection {
    /// Seats as the contract has them. What is wrong with them comes before that no screening has this name.
    pub fn parse(
        screening: &str,
        seats: &[String],
    ) -> Result<Result<Self, Unknown>, Vec<Violation>> {
        let mut violations = Vec::new();
        let screening =
            required_screening(screening).map_err(|violation| violations.push(violation));
        let seats = parse_seats(seats, &mut violations);
        match screening {
            Ok(screening) if violations.is_empty() => {
                Ok(screening.map(|screening| Self { screening, seats }))
            }
            _ => Err(violations),
        }
    }
}

fn required_screening(name: &str) -> Result<Result<ScreeningId, Unknown>, Violation> {
    let kind = "reservation.banyan/Screening";
    required_name("screening", kind, name, ScreeningId::parse)
}

/// Seat ids, 1 to [`SEATS_MAX`], each once.
pub fn parse_seats(seats: &[String], violations: &mut Vec<Violation>) -> Vec<SeatId> {
    if seats.is_empty() {
        violations.push(Violation::new(
            "seats",
            Fault::Missing,
            "must name at least one seat",
        ));
    }
    if seats.len() > SEATS_MAX {
        let description = format!(
            "must be at most {SEATS_MAX} seats, these are {}",
            seats.len()
        );
        violations.push(Violation::new("seats", Fault::Range, description));
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut parsed = Vec::with_capacity(seats.len());
    for (index, text) in seats.iter().enumerate() {
        let field = format!("seats[{index}]");
        match SeatId::parse(text) {
            None => violations.push(Violation::new(
                field,
                Fault::Format,
                "must be a seat id such as F7: 1 to 16 letters and digits",
            )),
            Some(seat) if !seen.insert(seat.clone()) => {
                violations.push(Violation::new(
                    field,
                    Fault::Duplicate,
                    format!("must name each seat once, {seat} is there twice"),
                ));
            }
            Some(seat) => parsed.push(seat),
        }
    }
    parsed
}

fn required_name<T>(
    field: &str,
    kind: &'static str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, NameError>,
) -> Result<Result<T, Unknown>, Violation> {
    if text.is_empty() {
        return Err(Violation::new(field, Fault::Missing, "must be given"));
    }
    match parse(text) {
        Ok(id) => Ok(Ok(id)),
        Err(NameError::Unknown) => Ok(Err(Unknown {
            kind,
            name: text.to_owned(),
        })),
        Err(error @ NameError::Malformed(_)) => {
            Err(Violation::new(field, Fault::Format, error.allowed()))
        }
    }
}

/// A civil date of the form `YYYY-MM-DD`, and no other form of ISO 8601.
pub fn parse_date(field: &str, text: &str, violations: &mut Vec<Violation>) -> Option<Date> {
    if text.is_empty() {
        violations.push(Violation::new(
            field,
            Fault::Missing,
            "must be given as YYYY-MM-DD",
        ));
        return None;
    }
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date = if shaped { text.parse().ok() } else { None };
    if date.is_none() {
        violations.push(Violation::new(
            field,
            Fault::Format,
            "must be a day of the form YYYY-MM-DD, such as 2026-12-24",
        ));
    }
    date
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[track_caller]
    fn faults(result: Result<impl Sized, Vec<Violation>>) -> Vec<(String, Fault)> {
        let violations = result.err().expect("must be refused");
        violations
            .into_iter()
            .map(|v| (v.field, v.reason))
            .collect()
    }

    #[test]
    fn nights_run_from_check_in_to_the_day_before_leaving() {
        let nights = Nights::parse("2028-02-28", "2028-03-01").unwrap();
        assert_eq!(nights.count(), 2);
        assert_eq!(
            nights.iter().collect::<Vec<_>>(),
            [date(2028, 2, 28), date(2028, 2, 29)]
        );
    }

    #[test]
    fn a_stay_has_1_to_365_nights() {
        assert_eq!(
            Nights::parse("2026-01-01", "2027-01-01").unwrap().count(),
            365
        );
        for (check_in, check_out) in [
            ("2026-01-01", "2027-01-02"),
            ("2026-01-02", "2026-01-01"),
            ("2026-01-01", "2026-01-01"),
        ] {
            assert_eq!(
                faults(Nights::parse(check_in, check_out)),
                [("check_out_date".into(), Fault::Range)]
            );
        }
    }

    #[test]
    fn dates_have_one_form() {
        for wrong in [
            "2026-1-01",
            "20260101",
            "2026-01-01T00:00",
            "2026-02-30",
            "01.01.2026",
            "2026-01-0١",
        ] {
            assert_eq!(
                faults(Nights::parse(wrong, "2026-03-03")),
                [("check_in_date".into(), Fault::Format)],
                "{wrong}"
            );
        }
        assert_eq!(
            faults(Nights::parse("", "2026-03-03")),
            [("check_in_date".into(), Fault::Missing)]
        );
    }

    #[test]
    fn all_mistakes_of_a_stay_are_reported_at_once() {
        assert_eq!(
            faults(Stay::parse("", "x", "2026-01-01", 51)),
            [
                ("room_type".into(), Fault::Missing),
                ("check_in_date".into(), Fault::Format),
                ("rooms".into(), Fault::Range)
            ]
        );
        assert_eq!(
            Stay::parse("hotels/a/roomTypes/b", "2026-01-01", "2026-01-02", 0)
                .unwrap()
                .unwrap()
                .rooms,
            1
        );
    }

    #[test]
    fn a_screening_that_cannot_be_is_unknown_unless_more_is_wrong() {
        let name = "cinemas/a/screenings/abc";
        let unknown = SeatSelection::parse(name, &["A1".into()]).unwrap();
        let screening = Unknown {
            kind: "reservation.banyan/Screening",
            name: name.into(),
        };
        assert_eq!(unknown, Err(screening));
        assert_eq!(
            faults(SeatSelection::parse(name, &[])),
            [("seats".into(), Fault::Missing)]
        );
    }

    #[test]
    fn seats_are_1_to_50_each_once() {
        let screening = "cinemas/a/screenings/1";
        let many: Vec<String> = (0..51).map(|n| format!("A{n}")).collect();
        assert!(SeatSelection::parse(screening, &many[..50]).is_ok());
        assert_eq!(
            faults(SeatSelection::parse(screening, &many)),
            [("seats".into(), Fault::Range)]
        );
        assert_eq!(
            faults(SeatSelection::parse(screening, &[])),
            [("seats".into(), Fault::Missing)]
        );
        let twice = ["A1".to_owned(), "A 2".to_owned(), "A1".to_owned()];
        assert_eq!(
            faults(SeatSelection::parse(screening, &twice)),
            [
                ("seats[1]".into(), Fault::Format),
                ("seats[2]".into(), Fault::Duplicate)
            ]
        );
    }
}
