//! The sums that reports are made of, each report from one snapshot: its figures and its freshness agree.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, ExprTrait as _},
};

use super::{
    During as _, Store, StoreError, cursor,
    tables::{
        cancellation_fees, hotels, night_claims, night_denials, room_types, screenings,
        seat_claims, seat_denials,
    },
};
use crate::domain::{
    batch::Cursor,
    change::{BookingKind, BookingState, Money},
    metrics::Claims,
    name::{HotelName, Night, ScreeningName},
};

/// The reason of those who came too late. What is not sold was never to be had: that is no demand for more of it.
const CELL_UNAVAILABLE: &str = "CELL_UNAVAILABLE";

/// Sums over a hotel's nights.
#[derive(Debug, Clone)]
pub struct HotelFigures {
    /// What the hotel's money is.
    pub currency_code: String,
    /// Rooms a night, priced or not.
    pub capacity: i64,
    /// By night; nights without claims are absent.
    pub claims: BTreeMap<Night, Vec<Claims>>,
    /// Refused because they were taken, by night; nights without refusals are absent.
    pub denied: BTreeMap<Night, i64>,
    /// How far the feed had been applied.
    pub cursor: Cursor,
}

/// Sums over a screening's seats.
#[derive(Debug, Clone)]
pub struct ScreeningFigures {
    /// Seats, priced or not.
    pub capacity: i64,
    /// By state and currency.
    pub claims: Vec<Claims>,
    /// Refused because they were taken.
    pub denied: i64,
    /// How far the feed had been applied.
    pub cursor: Cursor,
}

impl Store {
    /// Sums over the nights from `start` to before `end`; `None` if the feed has not spoken of the hotel.
    pub async fn hotel_figures(
        &self,
        name: &HotelName,
        start: Night,
        end: Night,
    ) -> Result<Option<HotelFigures>, StoreError> {
        let snapshot = self.snapshot("begin reading a hotel's figures").await?;
        let hotel = hotels::Entity::find_by_id(name.as_str())
            .one(&snapshot)
            .await
            .during("read a hotel")?;
        let Some(hotel) = hotel else {
            return Ok(None);
        };
        Ok(Some(HotelFigures {
            currency_code: hotel.currency_code,
            capacity: rooms(&snapshot, name).await?,
            claims: claims_by_night(&snapshot, name, start, end).await?,
            denied: denied_by_night(&snapshot, name, start, end).await?,
            cursor: cursor::read(&snapshot).await?,
        }))
    }

    /// Sums over a screening's seats; `None` if the feed has not spoken of it.
    pub async fn screening_figures(
        &self,
        name: &ScreeningName,
    ) -> Result<Option<ScreeningFigures>, StoreError> {
        let snapshot = self.snapshot("begin reading a screening's figures").await?;
        let screening = screenings::Entity::find_by_id(name.as_str())
            .one(&snapshot)
            .await
            .during("read a screening")?;
        let Some(screening) = screening else {
            return Ok(None);
        };
        Ok(Some(ScreeningFigures {
            capacity: screening.capacity,
            claims: claims_of_seats(&snapshot, name).await?,
            denied: denied_seats(&snapshot, name).await?,
            cursor: cursor::read(&snapshot).await?,
        }))
    }

    /// Fees of a venue's bookings; none if the feed has not spoken of any.
    pub async fn fee_figures(&self, venue: &str) -> Result<FeeFigures, StoreError> {
        let snapshot = self.snapshot("begin reading a venue's fees").await?;
        let rows = cancellation_fees::Entity::find()
            .select_only()
            .column(cancellation_fees::Column::CurrencyCode)
            .column_as(sum(cancellation_fees::Column::AmountMinor), "amount_sum")
            .column_as(cancellation_fees::Column::Booking.count(), "bookings")
            .filter(cancellation_fees::Column::Venue.eq(venue))
            .group_by(cancellation_fees::Column::CurrencyCode)
            .order_by_asc(cancellation_fees::Column::CurrencyCode)
            .into_tuple::<(String, i64, i64)>()
            .all(&snapshot)
            .await
            .during("sum cancellation fees")?;
        let bookings = rows.iter().map(|(_, _, bookings)| bookings).sum();
        let fees = rows
            .into_iter()
            .map(|(currency_code, amount_minor, _)| Money {
                currency_code,
                amount_minor,
            })
            .collect();
        Ok(FeeFigures {
            fees,
            bookings,
            cursor: cursor::read(&snapshot).await?,
        })
    }
}

/// What cancelling bookings of a venue has cost in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeFigures {
    /// By currency.
    pub fees: Vec<Money>,
    /// Bookings with a fee.
    pub bookings: i64,
    /// How far the feed had been applied.
    pub cursor: Cursor,
}

/// A sum as a 64-bit integer, 0 over no rows: PostgreSQL would answer a numeric, both would answer NULL.
fn sum(column: impl ColumnTrait) -> Expr {
    Expr::expr(Expr::col(column).sum())
        .cast_as("BIGINT")
        .if_null(0_i64)
}

async fn rooms(snapshot: &DatabaseTransaction, hotel: &HotelName) -> Result<i64, StoreError> {
    let rooms = room_types::Entity::find()
        .select_only()
        .column_as(sum(room_types::Column::Capacity), "rooms")
        .filter(room_types::Column::Hotel.eq(hotel.as_str()))
        .into_tuple::<i64>()
        .one(snapshot)
        .await
        .during("sum a hotel's rooms")?;
    Ok(rooms.unwrap_or_default())
}

async fn claims_by_night(
    snapshot: &DatabaseTransaction,
    hotel: &HotelName,
    start: Night,
    end: Night,
) -> Result<BTreeMap<Night, Vec<Claims>>, StoreError> {
    let rows = night_claims::Entity::find()
        .select_only()
        .column(night_claims::Column::Night)
        .column(night_claims::Column::Kind)
        .column(night_claims::Column::State)
        .column(night_claims::Column::CurrencyCode)
        .column_as(sum(night_claims::Column::Quantity), "quantity_sum")
        .column_as(sum(night_claims::Column::AmountMinor), "amount_sum")
        .filter(night_claims::Column::Hotel.eq(hotel.as_str()))
        .filter(night_claims::Column::Night.gte(start.to_string()))
        .filter(night_claims::Column::Night.lt(end.to_string()))
        .group_by(night_claims::Column::Night)
        .group_by(night_claims::Column::Kind)
        .group_by(night_claims::Column::State)
        .group_by(night_claims::Column::CurrencyCode)
        .into_tuple::<(String, String, String, String, i64, i64)>()
        .all(snapshot)
        .await
        .during("sum claims of nights")?;
    let mut nights: BTreeMap<Night, Vec<Claims>> = BTreeMap::new();
    for (night, kind, state, currency_code, quantity, amount_minor) in rows {
        nights.entry(parse_night(&night)?).or_default().push(claims(
            &kind,
            &state,
            currency_code,
            quantity,
            amount_minor,
        )?);
    }
    Ok(nights)
}

async fn denied_by_night(
    snapshot: &DatabaseTransaction,
    hotel: &HotelName,
    start: Night,
    end: Night,
) -> Result<BTreeMap<Night, i64>, StoreError> {
    let rows = night_denials::Entity::find()
        .select_only()
        .column(night_denials::Column::Night)
        .column_as(sum(night_denials::Column::Requests), "requests_sum")
        .filter(night_denials::Column::Hotel.eq(hotel.as_str()))
        .filter(night_denials::Column::Reason.eq(CELL_UNAVAILABLE))
        .filter(night_denials::Column::Night.gte(start.to_string()))
        .filter(night_denials::Column::Night.lt(end.to_string()))
        .group_by(night_denials::Column::Night)
        .into_tuple::<(String, i64)>()
        .all(snapshot)
        .await
        .during("sum refused nights")?;
    rows.into_iter()
        .map(|(night, requests)| Ok((parse_night(&night)?, requests)))
        .collect()
}

async fn claims_of_seats(
    snapshot: &DatabaseTransaction,
    screening: &ScreeningName,
) -> Result<Vec<Claims>, StoreError> {
    let rows = seat_claims::Entity::find()
        .select_only()
        .column(seat_claims::Column::Kind)
        .column(seat_claims::Column::State)
        .column(seat_claims::Column::CurrencyCode)
        .column_as(sum(seat_claims::Column::Quantity), "quantity_sum")
        .column_as(sum(seat_claims::Column::AmountMinor), "amount_sum")
        .filter(seat_claims::Column::Screening.eq(screening.as_str()))
        .group_by(seat_claims::Column::Kind)
        .group_by(seat_claims::Column::State)
        .group_by(seat_claims::Column::CurrencyCode)
        .into_tuple::<(String, String, String, i64, i64)>()
        .all(snapshot)
        .await
        .during("sum claims of seats")?;
    rows.into_iter()
        .map(|(kind, state, currency_code, quantity, amount_minor)| {
            claims(&kind, &state, currency_code, quantity, amount_minor)
        })
        .collect()
}

async fn denied_seats(
    snapshot: &DatabaseTransaction,
    screening: &ScreeningName,
) -> Result<i64, StoreError> {
    let requests = seat_denials::Entity::find()
        .select_only()
        .column_as(sum(seat_denials::Column::Requests), "requests_sum")
        .filter(seat_denials::Column::Screening.eq(screening.as_str()))
        .filter(seat_denials::Column::Reason.eq(CELL_UNAVAILABLE))
        .into_tuple::<i64>()
        .one(snapshot)
        .await
        .during("sum refused seats")?;
    Ok(requests.unwrap_or_default())
}

fn parse_night(text: &str) -> Result<Night, StoreError> {
    Night::parse(text).map_err(|_| StoreError::Corrupt {
        what: "night",
        value: text.to_owned(),
    })
}

fn claims(
    kind: &str,
    state: &str,
    currency_code: String,
    quantity: i64,
    amount_minor: i64,
) -> Result<Claims, StoreError> {
    let state = BookingState::parse(state).ok_or_else(|| StoreError::Corrupt {
        what: "booking state",
        value: state.to_owned(),
    })?;
    let kind = BookingKind::parse(kind).ok_or_else(|| StoreError::Corrupt {
        what: "booking kind",
        value: kind.to_owned(),
    })?;
    Ok(Claims {
        kind,
        state,
        quantity,
        price: Money {
            currency_code,
            amount_minor,
        },
    })
}
