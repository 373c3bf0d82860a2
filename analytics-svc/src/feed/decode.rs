//! From the contract's messages to the domain's events. What does not parse is an error, never left out.
//!
//! An event of a kind that this version does not know is an error as well: analytics is upgraded before reservations.

use std::collections::BTreeMap;

use banyan_proto::reservation::v1 as wire;

use crate::domain::{
    change::{
        Booking, BookingKind, BookingState, Cell, Change, Claim, Denied, Event, Hotel, Money,
        Position, RoomType, Screening,
    },
    name::{BookingName, HotelName, NameError, Night, RoomTypeName, ScreeningName},
};

/// An event that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("the event at sequence {sequence} is malformed")]
pub(super) struct DecodeError {
    sequence: i64,
    #[source]
    source: Problem,
}

/// What is wrong with an event.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("it has no {0}")]
    Missing(&'static str),
    #[error("it has a bad name")]
    Name(#[source] NameError),
    #[error("its kind is unknown to this version")]
    Kind,
    #[error("its booking state {0} is unknown to this version")]
    State(i32),
    #[error("its booking kind {0} is unknown to this version")]
    BookingKind(i32),
    #[error("its {0} is out of range")]
    Range(&'static str),
    #[error("it prices one cell in two currencies")]
    Currencies,
}

pub(super) fn events(events: Vec<wire::FeedEvent>) -> Result<Vec<Event>, DecodeError> {
    events
        .into_iter()
        .map(|event| {
            let sequence = event.position.as_ref().map_or(0, |at| at.sequence);
            self::event(event).map_err(|source| DecodeError { sequence, source })
        })
        .collect()
}

fn event(event: wire::FeedEvent) -> Result<Event, Problem> {
    let position = event.position.ok_or(Problem::Missing("position"))?;
    if position.incarnation.is_empty() {
        return Err(Problem::Missing("incarnation"));
    }
    let decide_time = event.decide_time.ok_or(Problem::Missing("decide_time"))?;
    Ok(Event {
        position: Position {
            incarnation: position.incarnation,
            sequence: position.sequence,
        },
        decide_time: crate::wire::instant(&decide_time).ok_or(Problem::Range("decide_time"))?,
        change: change(event.event.ok_or(Problem::Kind)?)?,
        snapshot: event.snapshot,
    })
}

fn change(event: wire::feed_event::Event) -> Result<Change, Problem> {
    use wire::feed_event::Event as Kind;
    Ok(match event {
        Kind::HotelChanged(hotel) => Change::Hotel(Hotel {
            name: HotelName::parse(&hotel.hotel).map_err(Problem::Name)?,
            display_name: hotel.display_name,
            time_zone: hotel.time_zone,
            currency_code: hotel.currency_code,
        }),
        Kind::RoomTypeChanged(room_type) => Change::RoomType(RoomType {
            name: RoomTypeName::parse(&room_type.room_type).map_err(Problem::Name)?,
            capacity: not_negative("capacity", i64::from(room_type.capacity))?,
        }),
        Kind::ScreeningChanged(screening) => Change::Screening(Screening {
            name: ScreeningName::parse(&screening.screening).map_err(Problem::Name)?,
            movie: screening.movie,
            start_time: screening
                .start_time
                .map(|start| crate::wire::instant(&start).ok_or(Problem::Range("start_time")))
                .transpose()?,
            capacity: not_negative("capacity", i64::from(screening.capacity))?,
            removed: screening.removed,
        }),
        Kind::BookingChanged(booking) => Change::Booking(Booking {
            name: BookingName::parse(&booking.booking).map_err(Problem::Name)?,
            venue: booking.venue,
            kind: kind(booking.kind)?,
            state: state(booking.state)?,
            items: items(booking.items)?,
            cancellation_fee: booking.cancellation_fee.map(fee).transpose()?,
        }),
        Kind::DemandDenied(denied) => Change::Denied(Denied {
            cell: cell(denied.cell)?,
            reason: denied.reason,
            count: match denied.count {
                count if count >= 1 => count,
                _ => return Err(Problem::Range("count")),
            },
        }),
    })
}

fn items(items: Vec<wire::BookingItem>) -> Result<BTreeMap<Cell, Claim>, Problem> {
    let mut claims: BTreeMap<Cell, Claim> = BTreeMap::new();
    for item in items {
        let price = item.price.unwrap_or_default();
        let claim = Claim {
            quantity: not_negative("quantity", i64::from(item.quantity))?,
            price: Money {
                currency_code: price.currency_code,
                amount_minor: not_negative("price", price.amount_minor)?,
            },
        };
        let cell = cell(item.cell)?;
        let Some(known) = claims.get_mut(&cell) else {
            claims.insert(cell, claim);
            continue;
        };
        if known.price.currency_code != claim.price.currency_code {
            return Err(Problem::Currencies);
        }
        known.quantity += claim.quantity;
        known.price.amount_minor = known
            .price
            .amount_minor
            .checked_add(claim.price.amount_minor)
            .ok_or(Problem::Range("price"))?;
    }
    Ok(claims)
}

fn cell(cell: Option<wire::CellRef>) -> Result<Cell, Problem> {
    use wire::cell_ref::Cell as Kind;
    match cell.and_then(|cell| cell.cell) {
        Some(Kind::Night(night)) => Ok(Cell::Night(
            RoomTypeName::parse(&night.room_type).map_err(Problem::Name)?,
            Night::parse(&night.date).map_err(Problem::Name)?,
        )),
        Some(Kind::Seat(seat)) => Ok(Cell::Seat(
            ScreeningName::parse(&seat.screening).map_err(Problem::Name)?,
            seat.seat,
        )),
        None => Err(Problem::Missing("cell")),
    }
}

fn state(state: i32) -> Result<BookingState, Problem> {
    use wire::booking::State;
    Ok(
        match State::try_from(state).map_err(|_| Problem::State(state))? {
            State::Unspecified => return Err(Problem::State(state)),
            State::Held => BookingState::Held,
            State::Confirmed => BookingState::Confirmed,
            State::Cancelled => BookingState::Cancelled,
            State::Expired => BookingState::Expired,
            State::CheckedIn => BookingState::CheckedIn,
            State::Completed => BookingState::Completed,
            State::NoShow => BookingState::NoShow,
        },
    )
}

fn kind(kind: i32) -> Result<BookingKind, Problem> {
    use wire::booking::Kind;
    Ok(
        match Kind::try_from(kind).map_err(|_| Problem::BookingKind(kind))? {
            // Events from before there were kinds do not tell.
            Kind::Unspecified | Kind::Guest => BookingKind::Guest,
            Kind::Block => BookingKind::Block,
            Kind::OutOfOrder => BookingKind::OutOfOrder,
        },
    )
}

fn fee(fee: wire::Money) -> Result<Money, Problem> {
    Ok(Money {
        amount_minor: not_negative("cancellation fee", fee.amount_minor)?,
        currency_code: fee.currency_code,
    })
}

fn not_negative(what: &'static str, value: i64) -> Result<i64, Problem> {
    if value < 0 {
        return Err(Problem::Range(what));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(seat: &str, currency_code: &str) -> wire::BookingItem {
        let seat = wire::SeatCell {
            screening: "cinemas/c/screenings/s".to_owned(),
            seat: seat.to_owned(),
        };
        wire::BookingItem {
            cell: Some(wire::CellRef {
                cell: Some(wire::cell_ref::Cell::Seat(seat)),
            }),
            quantity: 1,
            price: Some(wire::Money {
                currency_code: currency_code.to_owned(),
                amount_minor: 500,
            }),
        }
    }

    #[test]
    fn claims_of_one_cell_add_up_unless_their_currencies_differ() {
        let claims = items(vec![
            item("A1", "EUR"),
            item("A1", "EUR"),
            item("A2", "EUR"),
        ])
        .unwrap();
        let amounts: Vec<i64> = claims.values().map(|c| c.price.amount_minor).collect();
        assert_eq!(amounts, [1_000, 500]);
        assert!(items(vec![item("A1", "EUR"), item("A1", "USD")]).is_err());
    }

    #[test]
    fn kinds_of_bookings_are_told_apart_and_old_events_are_of_guests() {
        for (wire, want) in [
            (0, BookingKind::Guest),
            (1, BookingKind::Guest),
            (2, BookingKind::Block),
            (3, BookingKind::OutOfOrder),
        ] {
            assert_eq!(kind(wire).unwrap(), want);
        }
        let error = kind(4).unwrap_err().to_string();
        assert_eq!(error, "its booking kind 4 is unknown to this version");
    }

    #[test]
    fn an_event_of_a_later_version_names_its_sequence() {
        let event = wire::FeedEvent {
            position: Some(wire::CommitPosition {
                incarnation: "a".to_owned(),
                sequence: 9,
            }),
            decide_time: Some(prost_types::Timestamp::default()),
            event: None,
            ..wire::FeedEvent::default()
        };
        let error = events(vec![event]).unwrap_err();
        assert_eq!(
            crate::chain(&error),
            "the event at sequence 9 is malformed: its kind is unknown to this version"
        );
    }
}
