//! Resource names (AIP-122) as types: parsed once at the edge, printed for answers and events.
//!
//! A name is either malformed (not of the collection's pattern: the caller's mistake) or names something that may or
//! may not exist. `bookings/no-uuid` has the pattern, so it is merely unknown.

use std::fmt;

use uuid::Uuid;

/// Longest part of a name between slashes, in bytes.
const SEGMENT_BYTES_MAX: usize = 63;

/// Why a text names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Not of this pattern at all.
    Malformed(&'static str),
    /// Of the pattern, but nothing can have this name.
    Unknown,
}

impl NameError {
    /// What is allowed instead, for people.
    pub fn allowed(self) -> String {
        match self {
            Self::Malformed(pattern) => format!("must be {pattern}"),
            Self::Unknown => "must be the name of something that is there".to_owned(),
        }
    }
}

/// `hotels/{hotel}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HotelId(pub String);

/// `hotels/{hotel}/roomTypes/{room_type}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoomTypeId {
    /// Whose room type.
    pub hotel: HotelId,
    /// The last part of the name.
    pub id: String,
}

/// `hotels/{hotel}/rooms/{room}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId {
    /// Whose room.
    pub hotel: HotelId,
    /// Its number there, the last part of the name.
    pub number: String,
}

/// `cinemas/{cinema}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CinemaId(pub String);

/// `movies/{movie}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MovieId(pub i64);

/// `cinemas/{cinema}/screenings/{screening}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScreeningId {
    /// Where it is shown.
    pub cinema: CinemaId,
    /// The last part of the name.
    pub number: i64,
}

/// `cinemas/{cinema}/halls/{hall}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HallId {
    /// Where it is.
    pub cinema: CinemaId,
    /// The last part of the name, unique among all cinemas.
    pub number: i64,
}

/// A seat's id in its hall, such as `F7`: 1 to 16 letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeatId(pub String);

/// `bookings/{booking}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BookingId(pub Uuid);

/// `waitlistEntries/{waitlist_entry}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub Uuid);

/// A place that sells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Venue {
    /// Sells nights.
    Hotel(HotelId),
    /// Sells seats.
    Cinema(CinemaId),
}

impl HotelId {
    const PATTERN: &str = "hotels/{hotel}";

    /// Parses `hotels/{hotel}`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        match segments(name).as_deref() {
            Some(["hotels", hotel]) => Ok(Self((*hotel).to_owned())),
            _ => Err(NameError::Malformed(Self::PATTERN)),
        }
    }
}

impl RoomTypeId {
    const PATTERN: &str = "hotels/{hotel}/roomTypes/{room_type}";

    /// Parses `hotels/{hotel}/roomTypes/{room_type}`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        match segments(name).as_deref() {
            Some(["hotels", hotel, "roomTypes", id]) => Ok(Self {
                hotel: HotelId((*hotel).to_owned()),
                id: (*id).to_owned(),
            }),
            _ => Err(NameError::Malformed(Self::PATTERN)),
        }
    }
}

impl RoomId {
    const PATTERN: &str = "hotels/{hotel}/rooms/{room}";

    /// Parses `hotels/{hotel}/rooms/{room}`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        match segments(name).as_deref() {
            Some(["hotels", hotel, "rooms", number]) => Ok(Self {
                hotel: HotelId((*hotel).to_owned()),
                number: (*number).to_owned(),
            }),
            _ => Err(NameError::Malformed(Self::PATTERN)),
        }
    }
}

impl CinemaId {
    const PATTERN: &str = "cinemas/{cinema}";

    /// Parses `cinemas/{cinema}`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        match segments(name).as_deref() {
            Some(["cinemas", cinema]) => Ok(Self((*cinema).to_owned())),
            _ => Err(NameError::Malformed(Self::PATTERN)),
        }
    }
}

impl MovieId {
    const PATTERN: &str = "movies/{movie}";

    /// Parses `movies/{movie}`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        match segments(name).as_deref() {
            Some(["movies", movie]) => Ok(Self(number(movie)?)),
            _ => Err(NameError::Malformed(Self::PATTERN)),
        }
    }
}

impl ScreeningId {
    const PATTERN: &str = "cinemas/{cinema}/screenings/{screening}";

    /// Parses `cinemas/{cinema}/screenings/{screening}`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        match segments(name).as_deref() {
            Some(["cinemas", cinema, "screenings", screening]) => Ok(Self {
                cinema: CinemaId((*cinema).to_owned()),
                number: number(screening)?,
            }),
            _ => Err(NameError::Malformed(Self::PATTERN)),
        }
    }

    /// Parses `cinemas/{cinema}/screenings/{screening}/seatMap`.
    pub fn parse_seat_map(name: &str) -> Result<Self, NameError> {
        let malformed = NameError::Malformed("cinemas/{cinema}/screenings/{screening}/seatMap");
        let screening = name.strip_suffix("/seatMap").ok_or(malformed)?;
        Self::parse(screening).map_err(|error| match error {
            NameError::Malformed(_) => malformed,
            NameError::Unknown => NameError::Unknown,
        })
    }
}

impl HallId {
    const PATTERN: &str = "cinemas/{cinema}/halls/{hall}";

    /// Parses `cinemas/{cinema}/halls/{hall}`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        match segments(name).as_deref() {
            Some(["cinemas", cinema, "halls", hall]) => Ok(Self {
                cinema: CinemaId((*cinema).to_owned()),
                number: number(hall)?,
            }),
            _ => Err(NameError::Malformed(Self::PATTERN)),
        }
    }
}

impl SeatId {
    /// A seat's id, or nothing if it is empty, too long or not of ASCII letters and digits.
    pub fn parse(id: &str) -> Option<Self> {
        let fits = (1..=16).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| Self(id.to_owned()))
    }
}

impl BookingId {
    const PATTERN: &str = "bookings/{booking}";

    /// Parses `bookings/{booking}`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        match segments(name).as_deref() {
            Some(["bookings", booking]) => uuid(booking).map(Self),
            _ => Err(NameError::Malformed(Self::PATTERN)),
        }
    }
}

impl EntryId {
    const PATTERN: &str = "waitlistEntries/{waitlist_entry}";

    /// Parses `waitlistEntries/{waitlist_entry}`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        match segments(name).as_deref() {
            Some(["waitlistEntries", entry]) => uuid(entry).map(Self),
            _ => Err(NameError::Malformed(Self::PATTERN)),
        }
    }
}

impl Venue {
    /// Parses `hotels/{hotel}` or `cinemas/{cinema}`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        HotelId::parse(name)
            .map(Self::Hotel)
            .or_else(|_| CinemaId::parse(name).map(Self::Cinema))
            .map_err(|_| NameError::Malformed("hotels/{hotel} or cinemas/{cinema}"))
    }
}

/// The parts between slashes, if all of them can be parts of a name.
fn segments(name: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = name.split('/').collect();
    let plain = |part: &&str| {
        (1..=SEGMENT_BYTES_MAX).contains(&part.len())
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
    };
    parts.iter().all(plain).then_some(parts)
}

fn uuid(text: &str) -> Result<Uuid, NameError> {
    match Uuid::try_parse(text) {
        // A UUID can be written in several ways; a name in one.
        Ok(id) if id.to_string() == text => Ok(id),
        _ => Err(NameError::Unknown),
    }
}

fn number(text: &str) -> Result<i64, NameError> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    match text.parse() {
        Ok(number) if canonical => Ok(number),
        _ => Err(NameError::Unknown),
    }
}

macro_rules! display {
    ($($type:ty: |$it:ident, $f:ident| $body:expr;)*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, $f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $it = self;
                $body
            }
        }
    )*};
}

display! {
    HotelId: |it, f| write!(f, "hotels/{}", it.0);
    RoomTypeId: |it, f| write!(f, "{}/roomTypes/{}", it.hotel, it.id);
    RoomId: |it, f| write!(f, "{}/rooms/{}", it.hotel, it.number);
    CinemaId: |it, f| write!(f, "cinemas/{}", it.0);
    MovieId: |it, f| write!(f, "movies/{}", it.0);
    ScreeningId: |it, f| write!(f, "{}/screenings/{}", it.cinema, it.number);
    HallId: |it, f| write!(f, "{}/halls/{}", it.cinema, it.number);
    SeatId: |it, f| f.write_str(&it.0);
    BookingId: |it, f| write!(f, "bookings/{}", it.0);
    EntryId: |it, f| write!(f, "waitlistEntries/{}", it.0);
    Venue: |it, f| match it {
        Venue::Hotel(hotel) => hotel.fmt(f),
        Venue::Cinema(cinema) => cinema.fmt(f),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_a_round_trip() {
        let name = "hotels/banyan-bay/roomTypes/sea_view";
        assert_eq!(RoomTypeId::parse(name).unwrap().to_string(), name);
        for name in [
            "cinemas/grand/screenings/12",
            "cinemas/g.r~and/screenings/1",
        ] {
            assert_eq!(ScreeningId::parse(name).unwrap().to_string(), name);
        }
        let name = "bookings/018f4f3e-0000-7000-8000-000000000001";
        assert_eq!(BookingId::parse(name).unwrap().to_string(), name);
        for name in ["hotels/a", "cinemas/a"] {
            assert_eq!(Venue::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_wrong_pattern_is_malformed_and_an_impossible_id_unknown() {
        for name in [
            "",
            "hotels",
            "hotels/",
            "hotels/a/b",
            "Hotels/a",
            "hotels/a b",
            "hotels/ä",
            "/hotels/a",
        ] {
            assert_eq!(
                HotelId::parse(name),
                Err(NameError::Malformed("hotels/{hotel}")),
                "{name}"
            );
        }
        assert_eq!(MovieId::parse("movies/x"), Err(NameError::Unknown));
        assert_eq!(MovieId::parse("movies/01"), Err(NameError::Unknown));
        assert_eq!(MovieId::parse("movies/-1"), Err(NameError::Unknown));
        assert_eq!(
            MovieId::parse("movies/99999999999999999999"),
            Err(NameError::Unknown)
        );
        assert_eq!(BookingId::parse("bookings/x"), Err(NameError::Unknown));
        assert_eq!(
            HotelId::parse(&format!("hotels/{}", "a".repeat(64))),
            Err(NameError::Malformed("hotels/{hotel}"))
        );
        assert_eq!(
            ScreeningId::parse_seat_map("cinemas/a/screenings/1"),
            Err(NameError::Malformed(
                "cinemas/{cinema}/screenings/{screening}/seatMap"
            ))
        );
    }

    #[test]
    fn a_booking_has_one_name() {
        for other in [
            "018F4F3E-0000-7000-8000-000000000001",
            "018f4f3e000070008000000000000001",
        ] {
            let name = format!("bookings/{other}");
            assert_eq!(BookingId::parse(&name), Err(NameError::Unknown), "{name}");
        }
    }
}
