//! Stored columns to domain values and back.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    StoreError,
    entity::{cinema, hall, hotel, movie, rate, restriction, room_type, screening, seat},
};
use crate::domain::{
    catalogue::{Cinema, Hall, Hotel, Movie, RoomType, Screening, Seat},
    cell::{PoolId, Slot, night_of},
    money::Currency,
    name::{CinemaId, HotelId, MovieId, RoomTypeId, ScreeningId, SeatId},
    rate::{Rate, Weekdays},
    restriction::{Restriction, Rules},
};

/// Times are stored in microseconds since 1970, UTC.
pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

pub(super) fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|_| StoreError::corrupt("time", micros))
}

pub(super) fn day(slot: i64) -> Result<Date, StoreError> {
    night_of(Slot(slot)).ok_or_else(|| StoreError::corrupt("day", slot))
}

pub(super) fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::parse(code).ok_or_else(|| StoreError::corrupt("currency", code))
}

fn zone(name: &str) -> Result<TimeZone, StoreError> {
    TimeZone::get(name).map_err(|_| StoreError::corrupt("time zone", name))
}

pub(super) fn hotel(row: hotel::Model) -> Result<Hotel, StoreError> {
    Ok(Hotel {
        zone: zone(&row.time_zone)?,
        currency: currency(&row.currency)?,
        id: HotelId(row.id),
        display_name: row.display_name,
        zone_name: row.time_zone,
        address: row.address,
        description: row.description,
    })
}

pub(super) fn room_type(row: room_type::Model) -> RoomType {
    RoomType {
        id: RoomTypeId {
            hotel: HotelId(row.hotel),
            id: row.id,
        },
        pool: PoolId(row.pool),
        display_name: row.display_name,
        description: row.description,
        guests_max: row.max_guests,
        capacity: row.capacity,
    }
}

pub(super) fn rate(row: rate::Model) -> Rate {
    Rate {
        pool: PoolId(row.pool),
        nights: Slot(row.from_day)..Slot(row.to_day),
        weekdays: Weekdays::from_mask(row.weekdays),
        price_minor: row.price_minor,
    }
}

pub(super) fn restriction(row: restriction::Model) -> Restriction {
    Restriction {
        pool: PoolId(row.pool),
        dates: Slot(row.from_day)..Slot(row.to_day),
        weekdays: Weekdays::from_mask(row.weekdays),
        rules: Rules {
            nights_min: row.nights_min,
            nights_max: row.nights_max,
            closed_to_arrival: row.closed_to_arrival,
            closed_to_departure: row.closed_to_departure,
            stop_sell: row.stop_sell,
            cut_off_hours: row.cut_off_hours,
            advance_days_min: row.advance_days_min,
            advance_days_max: row.advance_days_max,
        },
    }
}

pub(super) fn cinema(row: cinema::Model) -> Result<Cinema, StoreError> {
    Ok(Cinema {
        zone: zone(&row.time_zone)?,
        currency: currency(&row.currency)?,
        id: CinemaId(row.id),
        display_name: row.display_name,
        zone_name: row.time_zone,
        city: row.city,
        address: row.address,
    })
}

pub(super) fn hall(row: hall::Model) -> Hall {
    Hall {
        number: row.id,
        cinema: CinemaId(row.cinema),
        display_name: row.display_name,
        no_single_seats: row.no_single_seats,
    }
}

pub(super) fn seat(row: seat::Model) -> Seat {
    Seat {
        pool: PoolId(row.pool),
        id: SeatId(row.id),
        index: row.idx,
        row: row.row_label,
        number: row.number,
        x: row.x,
        y: row.y,
        category: row.category,
        accessible: row.accessible,
    }
}

pub(super) fn movie(row: movie::Model) -> Movie {
    Movie {
        id: MovieId(row.id),
        title: row.title,
        description: row.description,
        image_uri: row.image_uri,
    }
}

pub(super) fn screening(row: screening::Model) -> Result<Screening, StoreError> {
    Ok(Screening {
        id: ScreeningId {
            cinema: CinemaId(row.cinema),
            number: row.id,
        },
        movie: MovieId(row.movie),
        hall: row.hall,
        starts_at: timestamp(row.starts_at)?,
        ends_at: timestamp(row.ends_at)?,
    })
}
