//! What a guest asks for: nights in a hotel or seats at a screening, within the limits of the contract.
//!
//! Limits that need the catalogue (a night that is over where the hotel stands, an unknown seat) are checked when
//! the claim is decided, not here.

mod nights;

use std::collections::HashSet;

use super::{
    name::{NameError, RoomTypeId, ScreeningId, SeatId, Venue},
    seating::Wish,
    violation::{Fault, Violation},
};
pub use nights::{NIGHTS_MAX, Nights, parse_date};

/// Most rooms in one booking.
pub const ROOMS_MAX: i32 = 50;
/// Most seats in one booking.
pub const SEATS_MAX: usize = 50;

/// What is claimed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// Nights.
    Stay(Stay),
    /// Seats.
    Seats(SeatSelection),
}

/// What is asked for: a claim, or one that is chosen at the moment of the decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Exactly this.
    Claim(Claim),
    /// The best seats that are free.
    Best(BestSeats),
}

/// Seats to be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stay {
    /// What to sleep in.
    pub room_type: RoomTypeId,
    /// Which nights.
    pub nights: Nights,
    /// How many rooms, 1 to [`ROOMS_MAX`].
    pub rooms: i64,
}

/// Seats at a screening.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeatSelection {
    /// Of what.
    pub screening: ScreeningId,
    /// Which, 1 to [`SEATS_MAX`], each once, in the order asked for.
    pub seats: Vec<SeatId>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    pub(super) fn faults(result: Result<impl Sized, Vec<Violation>>) -> Vec<(String, Fault)> {
        let violations = result.err().expect("must be refused");
        violations
            .into_iter()
            .map(|v| (v.field, v.reason))
            .collect()
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
