//! What is on sale while the load lasts: one cinema with one hall of 1,000 seats and thousands of screenings, and one
//! hotel with one room type. Everything has a number, so that a claim can be made up without looking anything up.

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

/// `cinemas/{cinema}`.
pub const CINEMA: &str = "cinemas/load";
/// `hotels/{hotel}/roomTypes/{room_type}`.
pub const ROOM_TYPE: &str = "hotels/load/roomTypes/standard";
/// In the hall; their pools are 1 to this.
pub const SEATS: i64 = 1_000;
/// In a row of the hall.
const SEATS_PER_ROW: i64 = 40;
/// The room type's pool.
pub const ROOM_POOL: i64 = SEATS + 1;
/// Rooms of the room type: more than any run can sell.
pub const ROOMS: i64 = 100_000_000;
/// Of a seat and of a night.
pub const PRICE_MINOR: i64 = 1_200;
/// Of everything.
pub const CURRENCY: &str = "EUR";
/// The number of the first screening of bookings that were there before.
pub const FIRST_PAST_SCREENING: i64 = 1_000_001;

/// How many screenings there are of each kind.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue {
    /// Sold one after the other. Their numbers are 1 to this.
    pub hot: i64,
    /// Sold side by side. Their numbers come next.
    pub spread: i64,
}

impl Catalogue {
    /// What the benchmark sells: hours of the hottest screening, and 1,000 screenings side by side.
    pub const FULL: Self = Self {
        hot: 4_000,
        spread: 1_000,
    };
}

/// The name of a screening.
pub fn screening(number: i64) -> String {
    format!("{CINEMA}/screenings/{number}")
}

/// The number in the name of a screening.
pub fn screening_number(name: &str) -> Option<i64> {
    let number = name.strip_prefix(CINEMA)?.strip_prefix("/screenings/")?;
    number.parse().ok()
}

/// The id of a seat in the hall, by its place from 0.
pub fn seat(place: i64) -> String {
    let row = u8::try_from(place / SEATS_PER_ROW).unwrap_or(u8::MAX);
    let row = char::from(b'A'.saturating_add(row));
    format!("{row}{}", place % SEATS_PER_ROW + 1)
}

/// The pool of a seat, by its id.
pub fn seat_pool(id: &str) -> Option<i64> {
    let row = id.bytes().next()?.checked_sub(b'A')?;
    let number: i64 = id.get(1..)?.parse().ok()?;
    Some(i64::from(row) * SEATS_PER_ROW + number)
}

/// The night that everybody wants: it is ahead, whenever the load is run.
pub fn night(now: Timestamp) -> Date {
    let ahead = now.to_zoned(TimeZone::UTC).date();
    ahead.saturating_add(30.days())
}

/// A night's slot: days since 1970.
pub fn night_slot(night: Date) -> i64 {
    i64::from((night - jiff::civil::date(1970, 1, 1)).get_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_pools_of_seats_are_one_apart() {
        assert_eq!(
            (seat(0), seat(39), seat(40)),
            ("A1".into(), "A40".into(), "B1".into())
        );
        assert_eq!(seat(SEATS - 1), "Y40");
        for place in 0..SEATS {
            assert_eq!(seat_pool(&seat(place)), Some(place + 1));
        }
        assert_eq!(screening_number(&screening(7)), Some(7));
    }
}
