//! Events of a small world: one hotel with two room types, one screening.

use banyan_proto::reservation::v1::{
    BookingChanged, BookingItem, CellRef, DemandDenied, HotelChanged, Money, NightCell,
    RoomTypeChanged, ScreeningChanged, SeatCell,
    booking::{Kind, State},
    cell_ref::Cell,
    feed_event::Event,
};

pub(crate) const HOTEL: &str = "hotels/astra";
pub(crate) const DOUBLE: &str = "hotels/astra/roomTypes/double";
pub(crate) const SUITE: &str = "hotels/astra/roomTypes/suite";
pub(crate) const SCREENING: &str = "cinemas/lux/screenings/s1";

pub(crate) fn hotel() -> Event {
    Event::HotelChanged(HotelChanged {
        hotel: HOTEL.to_owned(),
        display_name: "Astra".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        currency_code: "EUR".to_owned(),
    })
}

pub(crate) fn room_type(room_type: &str, capacity: i32) -> Event {
    Event::RoomTypeChanged(RoomTypeChanged {
        room_type: room_type.to_owned(),
        capacity,
    })
}

pub(crate) fn screening(capacity: i32, removed: bool) -> Event {
    Event::ScreeningChanged(ScreeningChanged {
        screening: SCREENING.to_owned(),
        movie: "movies/solaris".to_owned(),
        start_time: Some(prost_types::Timestamp {
            seconds: 1_790_000_000,
            nanos: 0,
        }),
        capacity,
        removed,
    })
}

pub(crate) fn night(room_type: &str, date: &str) -> CellRef {
    CellRef {
        cell: Some(Cell::Night(NightCell {
            room_type: room_type.to_owned(),
            date: date.to_owned(),
        })),
    }
}

pub(crate) fn seat(seat: &str) -> CellRef {
    CellRef {
        cell: Some(Cell::Seat(SeatCell {
            screening: SCREENING.to_owned(),
            seat: seat.to_owned(),
        })),
    }
}

pub(crate) fn item(cell: CellRef, quantity: i32, amount_minor: i64) -> BookingItem {
    BookingItem {
        cell: Some(cell),
        quantity,
        price: Some(Money {
            currency_code: "EUR".to_owned(),
            amount_minor,
        }),
    }
}

pub(crate) fn booking(id: &str, state: State, items: Vec<BookingItem>) -> Event {
    Event::BookingChanged(BookingChanged {
        booking: format!("bookings/{id}"),
        venue: HOTEL.to_owned(),
        state: state.into(),
        items,
        ..BookingChanged::default()
    })
}

/// A booking that is no guest's.
pub(crate) fn closed(id: &str, kind: Kind, state: State, items: Vec<BookingItem>) -> Event {
    Event::BookingChanged(BookingChanged {
        booking: format!("bookings/{id}"),
        venue: HOTEL.to_owned(),
        kind: kind.into(),
        state: state.into(),
        items,
        ..BookingChanged::default()
    })
}

/// A booking that was cancelled, in whole or in part, for a fee.
pub(crate) fn cancelled(
    id: &str,
    state: State,
    items: Vec<BookingItem>,
    currency_code: &str,
    amount_minor: i64,
) -> Event {
    Event::BookingChanged(BookingChanged {
        booking: format!("bookings/{id}"),
        venue: HOTEL.to_owned(),
        kind: Kind::Guest.into(),
        state: state.into(),
        items,
        cancellation_fee: Some(Money {
            currency_code: currency_code.to_owned(),
            amount_minor,
        }),
        ..BookingChanged::default()
    })
}

/// Requests for a cell that was taken.
pub(crate) fn denied(cell: CellRef, count: i64) -> Event {
    refused(cell, "CELL_UNAVAILABLE", count)
}

/// Requests for a cell without a price.
pub(crate) fn unsold(cell: CellRef, count: i64) -> Event {
    refused(cell, "NOT_SOLD", count)
}

fn refused(cell: CellRef, reason: &str, count: i64) -> Event {
    Event::DemandDenied(DemandDenied {
        cell: Some(cell),
        reason: reason.to_owned(),
        count,
    })
}

/// `count` refusals of one seat: each event adds one, so an event that is lost or applied twice shows in the sum.
pub(crate) fn refusals(count: usize) -> Vec<Event> {
    (0..count).map(|_| denied(seat("A1"), 1)).collect()
}
