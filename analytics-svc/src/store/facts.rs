//! Writes a batch of effects: a constant number of statements, chunked only where bind limits ask for it.
//!
//! A booking's claims are deleted and written anew, never patched: the feed's snapshot is all there is to know of it.

use jiff::Timestamp;
use sea_orm::{
    ActiveModelTrait, ColumnTrait as _, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::{
    During as _, StoreError,
    tables::{
        hotels, night_claims, night_denials, room_types, screenings, seat_claims, seat_denials,
    },
};
use crate::domain::{
    batch::{Batch, Cursor},
    change::{Booking, BookingState, Cell, Claim, Hotel, RoomType, Screening},
    name::BookingName,
};

/// Rows a statement: at 8 columns half of the 32,766 values that SQLite binds.
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
    }
    let (mut nights, mut seats) = (Vec::new(), Vec::new());
    for booking in bookings {
        for (cell, claim) in booking.items {
            row_of_claim(
                &booking.name,
                booking.state,
                cell,
                claim,
                &mut nights,
                &mut seats,
            );
        }
    }
    insert(transaction, nights, "write claims of nights").await?;
    insert(transaction, seats, "write claims of seats").await
}

fn row_of_claim(
    booking: &BookingName,
    state: BookingState,
    cell: Cell,
    claim: Claim,
    nights: &mut Vec<night_claims::ActiveModel>,
    seats: &mut Vec<seat_claims::ActiveModel>,
) {
    let booking = booking.to_string();
    let state = state.as_str().to_owned();
    let Claim { quantity, price } = claim;
    match cell {
        Cell::Night(room_type, night) => nights.push(
            night_claims::Model {
                booking,
                night: night.to_string(),
                hotel: room_type.hotel().to_string(),
                room_type: room_type.to_string(),
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
                seat,
                state,
                quantity,
                currency_code: price.currency_code,
                amount_minor: price.amount_minor,
            }
            .into_active_model(),
        ),
    }
}

async fn denials(
    transaction: &DatabaseTransaction,
    denied: std::collections::BTreeMap<(Cell, String), i64>,
) -> Result<(), StoreError> {
    let (mut nights, mut seats) = (Vec::new(), Vec::new());
    for ((cell, reason), requests) in denied {
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
    upsert(
        transaction,
        nights,
        OnConflict::columns([
            night_denials::Column::RoomType,
            night_denials::Column::Night,
            night_denials::Column::Reason,
        ])
        .value(
            night_denials::Column::Requests,
            Expr::cust("night_denials.requests + excluded.requests"),
        )
        .to_owned(),
        "count refused nights",
    )
    .await?;
    upsert(
        transaction,
        seats,
        OnConflict::columns([
            seat_denials::Column::Screening,
            seat_denials::Column::Seat,
            seat_denials::Column::Reason,
        ])
        .value(
            seat_denials::Column::Requests,
            Expr::cust("seat_denials.requests + excluded.requests"),
        )
        .to_owned(),
        "count refused seats",
    )
    .await
}
