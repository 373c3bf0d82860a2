//! Writes a batch of effects: a constant number of statements, chunked only where bind limits ask for it.
//!
//! A booking's claims are deleted and written anew, never patched: the feed's snapshot is all there is to know of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sea_orm::{
    ActiveModelTrait, ColumnTrait as _, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::{
    During as _, StoreError,
    tables::{
        cancellation_fees, hotels, night_claims, night_denials, room_types, screenings,
        seat_claims, seat_denials,
    },
};
use crate::domain::{
    batch::{Batch, Cursor, Refused},
    change::{Booking, Cell, Claim, Hotel, RoomType, Screening},
};

/// Rows a statement: at 9 columns somewhat more than half of the 32,766 values that SQLite binds.
const ROWS_MAX: usize = 2_000;

/// What an application came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The cursor now.
    pub cursor: Cursor,
    /// Events that took effect.
    pub applied: u64,
    /// Events that had taken effect before.
    pub skipped: u64,
}

pub(super) async fn write(
    transaction: &DatabaseTransaction,
    batch: Batch,
) -> Result<(), StoreError> {
    upsert(
        transaction,
        batch.hotels.into_values().map(hotel).collect(),
        OnConflict::column(hotels::Column::Name)
            .update_columns([
                hotels::Column::DisplayName,
                hotels::Column::TimeZone,
                hotels::Column::CurrencyCode,
            ])
            .to_owned(),
        "write hotels",
    )
    .await?;
    upsert(
        transaction,
        batch.room_types.into_values().map(room_type).collect(),
        OnConflict::column(room_types::Column::Name)
            .update_column(room_types::Column::Capacity)
            .to_owned(),
        "write room types",
    )
    .await?;
    upsert(
        transaction,
        batch.screenings.into_values().map(screening).collect(),
        OnConflict::column(screenings::Column::Name)
            .update_columns([
                screenings::Column::Movie,
                screenings::Column::StartTimeUs,
                screenings::Column::Capacity,
                screenings::Column::Removed,
            ])
            .to_owned(),
        "write screenings",
    )
    .await?;
    claims(transaction, batch.bookings.into_values().collect()).await?;
    denials(transaction, batch.denied).await
}

pub(super) async fn clear(transaction: &DatabaseTransaction) -> Result<(), StoreError> {
    delete_all::<hotels::Entity>(transaction).await?;
    delete_all::<room_types::Entity>(transaction).await?;
    delete_all::<screenings::Entity>(transaction).await?;
    delete_all::<night_claims::Entity>(transaction).await?;
    delete_all::<seat_claims::Entity>(transaction).await?;
    delete_all::<cancellation_fees::Entity>(transaction).await?;
    delete_all::<night_denials::Entity>(transaction).await?;
    delete_all::<seat_denials::Entity>(transaction).await
}

async fn delete_all<E: EntityTrait>(transaction: &DatabaseTransaction) -> Result<(), StoreError> {
    E::delete_many()
        .exec(transaction)
        .await
        .during("clear the facts")?;
    Ok(())
}

async fn upsert<A>(
    transaction: &DatabaseTransaction,
    rows: Vec<A>,
    on_conflict: OnConflict,
    operation: &'static str,
) -> Result<(), StoreError>
where
    A: ActiveModelTrait + Send + Clone,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    for rows in rows.chunks(ROWS_MAX) {
        A::Entity::insert_many(rows.iter().cloned())
            .on_conflict(on_conflict.clone())
            .exec_without_returning(transaction)
            .await
            .during(operation)?;
    }
    Ok(())
}

async fn insert<A>(
    transaction: &DatabaseTransaction,
    rows: Vec<A>,
    operation: &'static str,
) -> Result<(), StoreError>
where
    A: ActiveModelTrait + Send + Clone,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    for rows in rows.chunks(ROWS_MAX) {
        A::Entity::insert_many(rows.iter().cloned())
            .exec_without_returning(transaction)
            .await
            .during(operation)?;
    }
    Ok(())
}

fn hotel(hotel: Hotel) -> hotels::ActiveModel {
    hotels::Model {
        name: hotel.name.to_string(),
        display_name: hotel.display_name,
        time_zone: hotel.time_zone,
        currency_code: hotel.currency_code,
    }
    .into_active_model()
}

fn room_type(room_type: RoomType) -> room_types::ActiveModel {
    room_types::Model {
        name: room_type.name.to_string(),
        hotel: room_type.name.hotel().to_string(),
        capacity: room_type.capacity,
    }
    .into_active_model()
}

fn screening(screening: Screening) -> screenings::ActiveModel {
    screenings::Model {
        name: screening.name.to_string(),
        movie: screening.movie,
        start_time_us: screening.start_time.map(Timestamp::as_microsecond),
        capacity: screening.capacity,
        removed: screening.removed,
    }
    .into_active_model()
}

async fn claims(
    transaction: &DatabaseTransaction,
    bookings: Vec<Booking>,
) -> Result<(), StoreError> {
    let names: Vec<&str> = bookings
        .iter()
        .map(|booking| booking.name.as_str())
        .collect();
    for names in names.chunks(ROWS_MAX) {
        night_claims::Entity::delete_many()
            .filter(night_claims::Column::Booking.is_in(names.iter().copied()))
            .exec(transaction)
            .await
            .during("replace claims of nights")?;
        seat_claims::Entity::delete_many()
            .filter(seat_claims::Column::Booking.is_in(names.iter().copied()))
            .exec(transaction)
            .await
            .during("replace claims of seats")?;
        cancellation_fees::Entity::delete_many()
            .filter(cancellation_fees::Column::Booking.is_in(names.iter().copied()))
            .exec(transaction)
            .await
            .during("replace cancellation fees")?;
    }
    let (mut nights, mut seats) = (Vec::new(), Vec::new());
    for booking in &bookings {
        for (cell, claim) in &booking.items {
            row_of_claim(booking, cell, claim, &mut nights, &mut seats);
        }
    }
    let fees = bookings.into_iter().filter_map(fee).collect();
    insert(transaction, nights, "write claims of nights").await?;
    insert(transaction, seats, "write claims of seats").await?;
    insert(transaction, fees, "write cancellation fees").await
}

fn fee(booking: Booking) -> Option<cancellation_fees::ActiveModel> {
    let fee = booking.cancellation_fee?;
    let row = cancellation_fees::Model {
        booking: booking.name.to_string(),
        venue: booking.venue,
        currency_code: fee.currency_code,
        amount_minor: fee.amount_minor,
    };
    (row.amount_minor > 0).then(|| row.into_active_model())
}

fn row_of_claim(
    booking: &Booking,
    cell: &Cell,
    claim: &Claim,
    nights: &mut Vec<night_claims::ActiveModel>,
    seats: &mut Vec<seat_claims::ActiveModel>,
) {
    let kind = booking.kind.as_str().to_owned();
    let state = booking.state.as_str().to_owned();
    let booking = booking.name.to_string();
    let Claim { quantity, price } = claim.clone();
    match cell {
        Cell::Night(room_type, night) => nights.push(
            night_claims::Model {
                booking,
                night: night.to_string(),
                hotel: room_type.hotel().to_string(),
                room_type: room_type.to_string(),
                kind,
                state,
                quantity,
                currency_code: price.currency_code,
                amount_minor: price.amount_minor,
            }
            .into_active_model(),
        ),
        Cell::Seat(screening, seat) => seats.push(
            seat_claims::Model {
                booking,
                screening: screening.to_string(),
                seat: seat.clone(),
                kind,
                state,
                quantity,
                currency_code: price.currency_code,
                amount_minor: price.amount_minor,
            }
            .into_active_model(),
        ),
    }
}

/// Counts refusals: on top of what is known, or in place of it.
async fn denials(
    transaction: &DatabaseTransaction,
    denied: BTreeMap<(Cell, String), Refused>,
) -> Result<(), StoreError> {
    let (in_all, more): (Vec<_>, Vec<_>) =
        denied.into_iter().partition(|(_, refused)| refused.in_all);
    for (denied, sum) in [
        (in_all, "excluded.requests"),
        (more, "{table}.requests + excluded.requests"),
    ] {
        let (nights, seats) = rows_of_denials(denied);
        let keys = [
            night_denials::Column::RoomType,
            night_denials::Column::Night,
            night_denials::Column::Reason,
        ];
        let sum_of_nights = Expr::cust(sum.replace("{table}", "night_denials"));
        let counted = OnConflict::columns(keys)
            .value(night_denials::Column::Requests, sum_of_nights)
            .to_owned();
        upsert(transaction, nights, counted, "count refused nights").await?;
        let keys = [
            seat_denials::Column::Screening,
            seat_denials::Column::Seat,
            seat_denials::Column::Reason,
        ];
        let sum_of_seats = Expr::cust(sum.replace("{table}", "seat_denials"));
        let counted = OnConflict::columns(keys)
            .value(seat_denials::Column::Requests, sum_of_seats)
            .to_owned();
        upsert(transaction, seats, counted, "count refused seats").await?;
    }
    Ok(())
}

fn rows_of_denials(
    denied: Vec<((Cell, String), Refused)>,
) -> (
    Vec<night_denials::ActiveModel>,
    Vec<seat_denials::ActiveModel>,
) {
    let (mut nights, mut seats) = (Vec::new(), Vec::new());
    for ((cell, reason), refused) in denied {
        let requests = refused.count;
        match cell {
            Cell::Night(room_type, night) => nights.push(
                night_denials::Model {
                    night: night.to_string(),
                    hotel: room_type.hotel().to_string(),
                    room_type: room_type.to_string(),
                    reason,
                    requests,
                }
                .into_active_model(),
            ),
            Cell::Seat(screening, seat) => seats.push(
                seat_denials::Model {
                    screening: screening.to_string(),
                    seat,
                    reason,
                    requests,
                }
                .into_active_model(),
            ),
        }
    }
    (nights, seats)
}
