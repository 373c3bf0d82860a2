//! What venues sell, as it stands.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    cell::PoolId,
    money::Currency,
    name::{CinemaId, HotelId, MovieId, RoomTypeId, ScreeningId, SeatId},
};

/// How long a screening is taken to last where nobody says.
pub const SCREENING_HOURS: i64 = 3;

/// No screening lasts longer: what started earlier than that has ended.
pub const SCREENING_HOURS_MAX: i64 = 24;

/// A venue that sells nights.
#[derive(Clone, Debug)]
pub struct Hotel {
    /// Its name.
    pub id: HotelId,
    /// What guests call it.
    pub display_name: String,
    /// Where its civil dates are counted.
    pub zone: TimeZone,
    /// The zone's IANA name.
    pub zone_name: String,
    /// Of its prices.
    pub currency: Currency,
    /// In one line.
    pub address: String,
    /// A few sentences.
    pub description: String,
}

impl Hotel {
    /// The day it is there.
    pub fn today(&self, now: Timestamp) -> Date {
        now.to_zoned(self.zone.clone()).date()
    }
}

/// A kind of room.
#[derive(Clone, Debug)]
pub struct RoomType {
    /// Its name.
    pub id: RoomTypeId,
    /// Its pool.
    pub pool: PoolId,
    /// What guests call it.
    pub display_name: String,
    /// A few sentences.
    pub description: String,
    /// How many people sleep in one room.
    pub guests_max: i64,
    /// How many rooms are sold a night.
    pub capacity: i64,
}

/// A venue that sells seats.
#[derive(Clone, Debug)]
pub struct Cinema {
    /// Its name.
    pub id: CinemaId,
    /// What guests call it.
    pub display_name: String,
    /// Where its days are counted.
    pub zone: TimeZone,
    /// The zone's IANA name.
    pub zone_name: String,
    /// Of its prices.
    pub currency: Currency,
    /// The city it stands in.
    pub city: String,
    /// In one line.
    pub address: String,
}

/// A room with a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hall {
    /// Its number, unique among all cinemas.
    pub number: i64,
    /// Where it is.
    pub cinema: CinemaId,
    /// What it is called.
    pub display_name: String,
    /// A booking may not leave a single free seat where that can be avoided.
    pub no_single_seats: bool,
}

/// Where one sits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Its pool.
    pub pool: PoolId,
    /// Its id in the hall.
    pub id: SeatId,
    /// Its number in the hall from 0, as partners name it.
    pub index: i64,
    /// The row's label.
    pub row: String,
    /// The number in the row, from 1.
    pub number: i64,
    /// Column of a plan of the hall, from 0.
    pub x: i64,
    /// Line of a plan of the hall, from 0 at the screen.
    pub y: i64,
    /// What kind of seat it is; prices go by it.
    pub category: String,
    /// Whether a wheelchair gets there.
    pub accessible: bool,
}

/// What a cinema shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movie {
    /// Its name.
    pub id: MovieId,
    /// Its title.
    pub title: String,
    /// A few sentences.
    pub description: String,
    /// Address of a picture; may be empty.
    pub image_uri: String,
}

/// One showing of a movie in a hall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screening {
    /// Its name.
    pub id: ScreeningId,
    /// What is shown.
    pub movie: MovieId,
    /// The hall's number.
    pub hall: i64,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it has ended.
    pub ends_at: Timestamp,
}

impl Screening {
    /// Whether it has started.
    pub fn started(&self, now: Timestamp) -> bool {
        self.starts_at <= now
    }
}

/// The price of a category of seats, in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatPrice {
    /// Which seats.
    pub category: String,
    /// Price of one.
    pub price_minor: i64,
}
