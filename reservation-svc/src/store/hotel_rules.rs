//! What operators set of hotels: rooms, rates and restrictions.

use std::{collections::HashMap, ops::Range};

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{
    Session, StoreError, Write,
    entity::{restriction, room},
    error::During,
    rows,
};
use crate::domain::{
    cell::{PoolId, Slot},
    name::HotelId,
    rate::Weekdays,
    restriction::Restriction,
};

impl Session {
    /// All restrictions of some room types, by room type in the order in which they were set.
    pub async fn restrictions_of(
        &self,
        pools: &[PoolId],
    ) -> Result<HashMap<PoolId, Vec<Restriction>>, StoreError> {
        if pools.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = restriction::Entity::find()
            .filter(restriction::Column::Pool.is_in(pools.iter().map(|pool| pool.0)))
            .order_by_asc(restriction::Column::Id)
            .all(&self.transaction)
            .await;
        let mut found: HashMap<PoolId, Vec<Restriction>> = HashMap::new();
        for row in rows.during("read restrictions")? {
            let of_pool = found.entry(PoolId(row.pool)).or_default();
            of_pool.push(rows::restriction(row));
        }
        Ok(found)
    }

    /// The restrictions of some room types that touch some dates, in the order in which they were set.
    pub async fn restrictions(
        &self,
        pools: &[PoolId],
        dates: &Range<Slot>,
    ) -> Result<Vec<Restriction>, StoreError> {
        let rows = restriction::Entity::find()
            .filter(restriction::Column::Pool.is_in(pools.iter().map(|pool| pool.0)))
            .filter(restriction::Column::FromDay.lt(dates.end.0))
            .filter(restriction::Column::ToDay.gt(dates.start.0))
            .order_by_asc(restriction::Column::Id)
            .all(&self.transaction)
            .await;
        let rows = rows.during("read restrictions")?.into_iter();
        Ok(rows.map(rows::restriction).collect())
    }

    /// Which of these numbers are rooms of the hotel.
    pub async fn rooms_numbered(
        &self,
        hotel: &HotelId,
        numbers: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let rows = room::Entity::find()
            .filter(room::Column::Hotel.eq(hotel.0.as_str()))
            .filter(room::Column::Number.is_in(numbers.iter().map(String::as_str)))
            .order_by_asc(room::Column::Number)
            .all(&self.transaction)
            .await;
        let rows = rows.during("read rooms")?.into_iter();
        Ok(rows.map(|row| row.number).collect())
    }
}

impl Write {
    /// Sets restrictions; rows that can never hold again are dropped.
    pub async fn insert_restriction(&self, it: &Restriction) -> Result<(), StoreError> {
        self.forget_covered("restrictions", it.pool, &it.dates, it.weekdays)
            .await?;
        let last: Option<i64> = restriction::Entity::find()
            .select_only()
            .column_as(restriction::Column::Id.max(), "last")
            .into_tuple::<Option<i64>>()
            .one(&self.transaction)
            .await
            .during("number restrictions")?
            .flatten();
        let row = restriction::ActiveModel {
            id: Set(last.unwrap_or(0) + 1),
            pool: Set(it.pool.0),
            from_day: Set(it.dates.start.0),
            to_day: Set(it.dates.end.0),
            weekdays: Set(it.weekdays.mask()),
            nights_min: Set(it.rules.nights_min),
            nights_max: Set(it.rules.nights_max),
            closed_to_arrival: Set(it.rules.closed_to_arrival),
            closed_to_departure: Set(it.rules.closed_to_departure),
            stop_sell: Set(it.rules.stop_sell),
            cut_off_hours: Set(it.rules.cut_off_hours),
            advance_days_min: Set(it.rules.advance_days_min),
            advance_days_max: Set(it.rules.advance_days_max),
        };
        let insert = restriction::Entity::insert(row);
        let done = insert.exec_without_returning(&self.transaction).await;
        done.during("set restrictions").map(drop)
    }

    /// Drops the rates that one over these nights and weekdays hides for ever.
    pub async fn forget_covered_rates(
        &self,
        pool: PoolId,
        nights: &Range<Slot>,
        weekdays: Weekdays,
    ) -> Result<(), StoreError> {
        self.forget_covered("rates", pool, nights, weekdays).await
    }

    /// Adds rooms to what a room type can sell: on every night, but for those before that one which somebody has
    /// touched.
    pub async fn add_capacity(
        &self,
        pool: PoolId,
        rooms: i64,
        from: Slot,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE room_types SET capacity = capacity + $2 WHERE pool = $1";
        let values = vec![pool.0.into(), rooms.into()];
        self.execute(sql, values, "add rooms to a room type")
            .await?;
        let sql = "UPDATE cells SET capacity = capacity + $2 WHERE pool = $1 AND slot >= $3";
        let values = vec![pool.0.into(), rooms.into(), from.0.into()];
        self.execute(sql, values, "add rooms to nights").await?;
        Ok(())
    }

    async fn forget_covered(
        &self,
        table: &'static str,
        pool: PoolId,
        dates: &Range<Slot>,
        weekdays: Weekdays,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "DELETE FROM {table} WHERE pool = $1 AND from_day >= $2 AND to_day <= $3 AND (weekdays & $4) = weekdays"
        );
        let values = vec![
            pool.0.into(),
            dates.start.0.into(),
            dates.end.0.into(),
            weekdays.mask().into(),
        ];
        self.execute(&sql, values, "forget what is hidden for ever")
            .await?;
        Ok(())
    }
}
