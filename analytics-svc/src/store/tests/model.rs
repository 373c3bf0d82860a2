//! What the facts should be: one event at a time, nothing clever.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sea_orm::EntityTrait;

use super::super::{
    Store,
    tables::{
        cancellation_fees, hotels, night_claims, night_denials, room_types, screenings,
        seat_claims, seat_denials,
    },
};
use crate::domain::{
    change::{Booking, Cell, Change, Claim, Money},
    name::RoomTypeName,
};

/// All facts, sorted.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub(super) hotels: Vec<hotels::Model>,
    pub(super) room_types: Vec<room_types::Model>,
    pub(super) screenings: Vec<screenings::Model>,
    pub(super) night_claims: Vec<night_claims::Model>,
    pub(super) seat_claims: Vec<seat_claims::Model>,
    pub(super) night_denials: Vec<night_denials::Model>,
    pub(super) seat_denials: Vec<seat_denials::Model>,
    pub(super) cancellation_fees: Vec<cancellation_fees::Model>,
}

async fn rows<E: EntityTrait>(store: &Store) -> Vec<E::Model>
where
    E::Model: Ord,
{
    let mut rows = E::find().all(store.connection().unwrap()).await.unwrap();
    rows.sort();
    rows
}

pub(super) async fn facts(store: &Store) -> Facts {
    Facts {
        hotels: rows::<hotels::Entity>(store).await,
        room_types: rows::<room_types::Entity>(store).await,
        screenings: rows::<screenings::Entity>(store).await,
        night_claims: rows::<night_claims::Entity>(store).await,
        seat_claims: rows::<seat_claims::Entity>(store).await,
        night_denials: rows::<night_denials::Entity>(store).await,
        seat_denials: rows::<seat_denials::Entity>(store).await,
        cancellation_fees: rows::<cancellation_fees::Entity>(store).await,
    }
}

/// Everything that the events have said.
#[derive(Default)]
pub(super) struct Model {
    hotels: BTreeMap<String, hotels::Model>,
    room_types: BTreeMap<String, room_types::Model>,
    screenings: BTreeMap<String, screenings::Model>,
    bookings: BTreeMap<String, Booking>,
    refusals: Vec<(Cell, String, i64)>,
}

impl Model {
    pub(super) fn of(changes: &[Change]) -> Facts {
        let mut model = Self::default();
        for change in changes.iter().cloned() {
            model.take(change);
        }
        model.facts()
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Hotel(hotel) => {
                let row = hotels::Model {
                    name: hotel.name.to_string(),
                    display_name: hotel.display_name,
                    time_zone: hotel.time_zone,
                    currency_code: hotel.currency_code,
                };
                self.hotels.insert(row.name.clone(), row);
            }
            Change::RoomType(room_type) => {
                let row = room_types::Model {
                    name: room_type.name.to_string(),
                    hotel: room_type.name.hotel().to_string(),
                    capacity: room_type.capacity,
                };
                self.room_types.insert(row.name.clone(), row);
            }
            Change::Screening(screening) => {
                let row = screenings::Model {
                    name: screening.name.to_string(),
                    movie: screening.movie,
                    start_time_us: screening.start_time.map(Timestamp::as_microsecond),
                    capacity: screening.capacity,
                    removed: screening.removed,
                };
                self.screenings.insert(row.name.clone(), row);
            }
            Change::Booking(booking) => {
                self.bookings.insert(booking.name.to_string(), booking);
            }
            Change::Denied(denied) => {
                self.refusals
                    .push((denied.cell, denied.reason, denied.count));
            }
        }
    }

    fn facts(self) -> Facts {
        let mut facts = Facts {
            hotels: self.hotels.into_values().collect(),
            room_types: self.room_types.into_values().collect(),
            screenings: self.screenings.into_values().collect(),
            ..Facts::default()
        };
        for booking in self.bookings.into_values() {
            for (cell, claim) in &booking.items {
                facts.claim(&booking, cell, claim);
            }
            if let Some(fee) = booking.cancellation_fee.filter(|fee| fee.amount_minor > 0) {
                facts.cancellation_fees.push(cancellation_fees::Model {
                    booking: booking.name.to_string(),
                    venue: booking.venue,
                    currency_code: fee.currency_code,
                    amount_minor: fee.amount_minor,
                });
            }
        }
        for (cell, reason, requests) in self.refusals {
            facts.refuse(cell, reason, requests);
        }
        facts.night_claims.sort();
        facts.seat_claims.sort();
        facts.night_denials.sort();
        facts.seat_denials.sort();
        facts
    }
}

impl Facts {
    fn claim(&mut self, booking: &Booking, cell: &Cell, claim: &Claim) {
        let kind = booking.kind.as_str().to_owned();
        let state = booking.state.as_str().to_owned();
        let Money {
            currency_code,
            amount_minor,
        } = claim.price.clone();
        match cell {
            Cell::Night(room_type, night) => self.night_claims.push(night_claims::Model {
                booking: booking.name.to_string(),
                room_type: room_type.to_string(),
                night: night.to_string(),
                hotel: room_type.hotel().to_string(),
                kind,
                state,
                quantity: claim.quantity,
                currency_code,
                amount_minor,
            }),
            Cell::Seat(screening, seat) => self.seat_claims.push(seat_claims::Model {
                booking: booking.name.to_string(),
                screening: screening.to_string(),
                seat: seat.clone(),
                kind,
                state,
                quantity: claim.quantity,
                currency_code,
                amount_minor,
            }),
        }
    }

    fn refuse(&mut self, cell: Cell, reason: String, requests: i64) {
        match cell {
            Cell::Night(room_type, night) => {
                let (room_type, night) = (room_type.to_string(), night.to_string());
                let known = self.night_denials.iter_mut().find(|row| {
                    (&row.room_type, &row.night, &row.reason) == (&room_type, &night, &reason)
                });
                match known {
                    Some(row) => row.requests += requests,
                    None => self.night_denials.push(night_denials::Model {
                        hotel: RoomTypeName::parse(&room_type).unwrap().hotel().to_string(),
                        room_type,
                        night,
                        reason,
                        requests,
                    }),
                }
            }
            Cell::Seat(screening, seat) => {
                let screening = screening.to_string();
                let known = self.seat_denials.iter_mut().find(|row| {
                    (&row.screening, &row.seat, &row.reason) == (&screening, &seat, &reason)
                });
                match known {
                    Some(row) => row.requests += requests,
                    None => self.seat_denials.push(seat_denials::Model {
                        screening,
                        seat,
                        reason,
                        requests,
                    }),
                }
            }
        }
    }
}
