//! Names of what is sold, parsed once at the edge so that the inside never meets a malformed one.
//!
//! A name is kept as the text it came as: it is the key of every fact. Ids are 1 to 128 characters without `/`
//! and control characters (PostgreSQL stores no NUL).

use std::fmt;

use jiff::{ToSpan as _, civil::Date};

const ID_LENGTH_MAX: usize = 128;

/// A text that is not the name, or the date, that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not of the form `{form}`")]
pub struct NameError {
    text: String,
    form: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $form:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// Parses the full resource name.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                if fits(text, $form) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError::new(text, $form))
                }
            }

            /// The full resource name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// `hotels/{hotel}`.
    HotelName,
    "hotels/{hotel}"
);
name!(
    /// `hotels/{hotel}/roomTypes/{room_type}`.
    RoomTypeName,
    "hotels/{hotel}/roomTypes/{room_type}"
);
name!(
    /// `cinemas/{cinema}/screenings/{screening}`.
    ScreeningName,
    "cinemas/{cinema}/screenings/{screening}"
);
name!(
    /// `cinemas/{cinema}`.
    CinemaName,
    "cinemas/{cinema}"
);
name!(
    /// `bookings/{booking}`.
    BookingName,
    "bookings/{booking}"
);

impl RoomTypeName {
    /// The hotel that the room type belongs to.
    #[must_use]
    pub fn hotel(&self) -> HotelName {
        let end = self.0.find("/roomTypes/").unwrap_or(self.0.len());
        HotelName(self.0[..end].to_owned())
    }
}

impl NameError {
    fn new(text: &str, form: &'static str) -> Self {
        Self {
            // A hostile name must not fill a log line.
            text: text.chars().take(200).collect(),
            form,
        }
    }
}

fn fits(text: &str, form: &str) -> bool {
    let mut parts = text.split('/');
    let fits = form.split('/').all(|wanted| match parts.next() {
        Some(part) if wanted.starts_with('{') => {
            (1..=ID_LENGTH_MAX).contains(&part.chars().count()) && !part.contains(char::is_control)
        }
        Some(part) => part == wanted,
        None => false,
    });
    fits && parts.next().is_none()
}

/// A hotel-local date, named by the evening it begins. Its text form sorts by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Night(Date);

impl Night {
    /// Parses exactly `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let error = || NameError::new(text, "YYYY-MM-DD");
        // jiff takes more forms than the contract does.
        if text.len() != 10 {
            return Err(error());
        }
        let night = Self(text.parse().map_err(|_| error())?);
        if night.to_string() == text {
            Ok(night)
        } else {
            Err(error())
        }
    }

    /// Every night from this one to the one before `end`, in order.
    pub fn until(self, end: Self) -> impl Iterator<Item = Self> {
        self.0
            .series(1.day())
            .take_while(move |date| *date < end.0)
            .map(Self)
    }

    /// How many nights from this one to `end`; negative if `end` is before.
    #[must_use]
    pub fn nights_until(self, end: Self) -> i64 {
        let days = |date: Date| date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
        days(end.0) - days(self.0)
    }
}

impl fmt::Display for Night {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn night(text: &str) -> Night {
        Night::parse(text).unwrap()
    }

    #[test]
    fn a_room_type_knows_its_hotel() {
        let name = RoomTypeName::parse("hotels/astra/roomTypes/double").unwrap();
        assert_eq!(name.hotel(), HotelName::parse("hotels/astra").unwrap());
    }

    #[test]
    fn other_forms_are_refused_with_the_form_that_is_wanted() {
        for text in [
            "",
            "hotels",
            "hotels/",
            "hotels/a/b",
            "Hotels/a",
            "hotels//",
        ] {
            let error = HotelName::parse(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`{text}` is not of the form `hotels/{{hotel}}`")
            );
        }
        assert!(ScreeningName::parse("cinemas/c/screenings/1").is_ok());
        assert!(ScreeningName::parse("cinemas/c/screenings/1/x").is_err());
    }

    #[test]
    fn nights_parse_from_one_form_only() {
        for text in [
            "2026-2-3",
            "20260203",
            "2026-02-30",
            "2026-02-03T00:00",
            "+002026-02-03",
        ] {
            assert!(Night::parse(text).is_err(), "{text}");
        }
        assert_eq!(night("2026-02-03").to_string(), "2026-02-03");
    }

    #[test]
    fn a_range_of_nights_excludes_its_end_and_crosses_leap_days() {
        let nights: Vec<String> = night("2028-02-28")
            .until(night("2028-03-01"))
            .map(|night| night.to_string())
            .collect();
        assert_eq!(nights, ["2028-02-28", "2028-02-29"]);
        assert_eq!(night("2028-02-28").nights_until(night("2028-03-01")), 2);
        assert_eq!(night("2028-03-01").nights_until(night("2028-02-28")), -2);
    }
}
