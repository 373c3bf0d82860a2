//! Bookings, their contacts and items.

use std::collections::HashMap;

use jiff::Timestamp;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use uuid::Uuid;

use super::{
    Session, StoreError, agreement,
    entity::{booking, booking_contact, booking_item},
    error::During,
    rows::{currency, day, micros, timestamp},
};
use crate::domain::{
    booking::{Booking, BookingKind, Contact, Item, State},
    cell::{CellKey, CellRef, PoolId, Slot},
    claim::{Claim, Nights, SeatSelection, Stay},
    money::Money,
    name::{BookingId, RoomTypeId, ScreeningId, SeatId, Venue},
    request::Principal,
};

/// So much of a principal is in the index of bookings.
const PRINCIPAL_INDEXED_MAX: usize = 12;

/// A booking and who to reach about it.
#[derive(Clone, Debug)]
pub struct StoredBooking {
    /// The booking.
    pub booking: Booking,
    /// Nothing if none was given or it was erased.
    pub contact: Option<Contact>,
}

/// Which bookings.
#[derive(Clone, Debug, Default)]
pub struct BookingFilter {
    /// Only this one's.
    pub principal: Option<Principal>,
    /// Only at this venue.
    pub venue: Option<Venue>,
    /// Only those in this state for somebody who looks at that time.
    pub state: Option<(State, Timestamp)>,
    /// Only those made before that commit.
    pub before: Option<i64>,
}

impl Session {
    /// One booking.
    pub async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        let row = booking::Entity::find_by_id(id.0.to_string())
            .one(&self.transaction)
            .await;
        row.during("read a booking")?.map(from_row).transpose()
    }

    /// Bookings with their contacts, newest first.
    pub async fn bookings(
        &self,
        filter: &BookingFilter,
        limit: u64,
    ) -> Result<Vec<StoredBooking>, StoreError> {
        let rows = booking::Entity::find()
            .filter(condition(filter))
            .order_by_desc(booking::Column::CreatedSequence)
            .limit(limit)
            .all(&self.transaction)
            .await
            .during("list bookings")?;
        let mut contacts = self.contacts(rows.iter().map(|row| row.id.clone())).await?;
        rows.into_iter()
            .map(|row| {
                let contact = contacts.remove(&row.id);
                Ok(StoredBooking {
                    booking: from_row(row)?,
                    contact,
                })
            })
            .collect()
    }

    /// Who to reach about a booking.
    pub async fn contact(&self, id: BookingId) -> Result<Option<Contact>, StoreError> {
        let id = id.0.to_string();
        Ok(self.contacts([id.clone()]).await?.remove(&id))
    }

    async fn contacts(
        &self,
        ids: impl IntoIterator<Item = String>,
    ) -> Result<HashMap<String, Contact>, StoreError> {
        let rows = booking_contact::Entity::find()
            .filter(booking_contact::Column::Booking.is_in(ids))
            .all(&self.transaction)
            .await
            .during("read contacts")?;
        let contact = |row: booking_contact::Model| {
            let contact = Contact {
                display_name: row.display_name,
                email: row.email,
                phone: row.phone,
            };
            (row.booking, contact)
        };
        Ok(rows.into_iter().map(contact).collect())
    }
}

pub(super) fn booking_id(text: &str) -> Result<BookingId, StoreError> {
    let id = Uuid::try_parse(text).map_err(|_| StoreError::corrupt("booking id", text))?;
    Ok(BookingId(id))
}

fn condition(filter: &BookingFilter) -> Condition {
    use booking::Column;
    let mut condition = Condition::all();
    if let Some(principal) = &filter.principal {
        // The index has the beginning only; see its migration.
        let start: String = principal
            .as_str()
            .chars()
            .take(PRINCIPAL_INDEXED_MAX)
            .collect();
        let indexed = Expr::cust(format!("substr(principal, 1, {PRINCIPAL_INDEXED_MAX})"));
        condition = condition
            .add(indexed.eq(start))
            .add(Column::Principal.eq(principal.as_str()));
    }
    if let Some(venue) = &filter.venue {
        condition = condition.add(Column::Venue.eq(venue.to_string()));
    }
    if let Some(before) = filter.before {
        condition = condition.add(Column::CreatedSequence.lt(before));
    }
    let Some((state, now)) = filter.state else {
        return condition;
    };
    let recorded = Column::State.eq(state.as_str());
    match state {
        State::Held => condition
            .add(recorded)
            .add(Column::ExpiresAt.gt(micros(now))),
        // A hold that has run out but was not tidied up yet has expired all the same.
        State::Expired => condition.add(recorded.or(Column::ExpiresAt.lte(micros(now)))),
        _ => condition.add(recorded),
    }
}

pub(super) fn to_row(it: &Booking) -> booking::Model {
    let mut row = booking::Model {
        id: it.id.0.to_string(),
        principal: it.principal.as_str().to_owned(),
        state: it.recorded_state.as_str().to_owned(),
        venue: it.venue.to_string(),
        venue_display_name: it.venue_display_name.clone(),
        title: it.title.clone(),
        resource: String::new(),
        check_in: None,
        check_out: None,
        rooms: None,
        seats: None,
        starts_at: it.starts_at.map(micros),
        currency: it.total.currency.to_string(),
        total_minor: it.total.minor,
        expires_at: it.expires_at.map(micros),
        created_at: micros(it.created_at),
        updated_at: micros(it.updated_at),
        created_sequence: it.created_sequence,
        updated_sequence: it.updated_sequence,
        kind: it.kind.as_str().to_owned(),
        agreement: agreement::to_text(&it.agreement),
        pinned_rooms: it.rooms.join(","),
    };
    match &it.claim {
        Claim::Stay(stay) => {
            row.resource = stay.room_type.to_string();
            row.check_in = Some(stay.nights.slots().start.0);
            row.check_out = Some(stay.nights.slots().end.0);
            row.rooms = Some(stay.rooms);
        }
        Claim::Seats(selection) => {
            let seats: Vec<_> = selection.seats.iter().map(|seat| seat.0.as_str()).collect();
            row.resource = selection.screening.to_string();
            row.seats = Some(seats.join(","));
        }
    }
    row
}

pub(super) fn from_row(row: booking::Model) -> Result<Booking, StoreError> {
    let claim = claim(&row)?;
    Ok(Booking {
        id: booking_id(&row.id)?,
        kind: BookingKind::parse(&row.kind)
            .ok_or_else(|| StoreError::corrupt("kind", &row.kind))?,
        principal: Principal::stored(row.principal),
        recorded_state: State::parse(&row.state)
            .ok_or_else(|| StoreError::corrupt("state", &row.state))?,
        venue: claim.venue(),
        claim,
        rooms: room_numbers(&row.pinned_rooms),
        venue_display_name: row.venue_display_name,
        title: row.title,
        starts_at: row.starts_at.map(timestamp).transpose()?,
        total: Money::new(currency(&row.currency)?, row.total_minor),
        agreement: agreement::from_text(row.agreement.as_deref())?,
        expires_at: row.expires_at.map(timestamp).transpose()?,
        created_at: timestamp(row.created_at)?,
        updated_at: timestamp(row.updated_at)?,
        created_sequence: row.created_sequence,
        updated_sequence: row.updated_sequence,
    })
}

fn room_numbers(text: &str) -> Vec<String> {
    let numbers = text.split(',').filter(|number| !number.is_empty());
    numbers.map(str::to_owned).collect()
}

fn claim(row: &booking::Model) -> Result<Claim, StoreError> {
    let wrong = || StoreError::corrupt("claim of booking", &row.id);
    if let Some(seats) = &row.seats {
        return Ok(Claim::Seats(SeatSelection {
            screening: ScreeningId::parse(&row.resource).map_err(|_| wrong())?,
            seats: seats
                .split(',')
                .map(|seat| SeatId(seat.to_owned()))
                .collect(),
        }));
    }
    let (Some(check_in), Some(check_out), Some(rooms)) = (row.check_in, row.check_out, row.rooms)
    else {
        return Err(wrong());
    };
    Ok(Claim::Stay(Stay {
        room_type: RoomTypeId::parse(&row.resource).map_err(|_| wrong())?,
        nights: Nights::new(day(check_in)?, day(check_out)?).map_err(|_| wrong())?,
        rooms,
    }))
}

/// The item of a booking of that resource, which sells seats or nights.
pub(super) fn item(
    resource: &str,
    sells_seats: bool,
    row: booking_item::Model,
) -> Result<Item, StoreError> {
    let wrong = |_| StoreError::corrupt("resource of a booking", resource);
    let cell = match sells_seats {
        true => CellRef::Seat {
            screening: ScreeningId::parse(resource).map_err(wrong)?,
            seat: SeatId(row.cell),
        },
        false => CellRef::Night {
            room_type: RoomTypeId::parse(resource).map_err(wrong)?,
            date: day(row.slot)?,
        },
    };
    Ok(Item {
        number: row.id,
        key: CellKey {
            pool: PoolId(row.pool),
            slot: Slot(row.slot),
        },
        cell,
        quantity: row.quantity,
        price_minor: row.price_minor,
    })
}
