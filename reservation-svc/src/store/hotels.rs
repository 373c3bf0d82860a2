//! Hotels, their room types and rates.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{
    Session, StoreError, Write,
    entity::{hotel, rate, room, room_type},
    error::During,
    rows,
};
use crate::domain::{
    catalogue::{Hotel, RoomType},
    cell::{PoolId, Slot},
    name::{HotelId, RoomTypeId},
    rate::Rate,
};

impl Session {
    /// Hotels after that id, by id.
    pub async fn hotels(&self, after: Option<&str>, limit: u64) -> Result<Vec<Hotel>, StoreError> {
        let mut query = hotel::Entity::find().order_by_asc(hotel::Column::Id);
        if let Some(after) = after {
            query = query.filter(hotel::Column::Id.gt(after));
        }
        let rows = query.limit(limit).all(&self.transaction).await;
        rows.during("list hotels")?
            .into_iter()
            .map(rows::hotel)
            .collect()
    }

    /// One hotel.
    pub async fn hotel(&self, id: &HotelId) -> Result<Option<Hotel>, StoreError> {
        let row = hotel::Entity::find_by_id(id.0.as_str())
            .one(&self.transaction)
            .await;
        row.during("read a hotel")?.map(rows::hotel).transpose()
    }

    /// Some hotels, those that exist.
    pub async fn hotels_of(&self, ids: &[HotelId]) -> Result<HashMap<HotelId, Hotel>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = hotel::Entity::find()
            .filter(hotel::Column::Id.is_in(ids.iter().map(|id| id.0.as_str())))
            .all(&self.transaction)
            .await;
        let hotels = rows.during("read hotels")?.into_iter().map(rows::hotel);
        hotels
            .map(|hotel| hotel.map(|hotel| (hotel.id.clone(), hotel)))
            .collect()
    }

    /// Some room types, those that exist.
    pub async fn room_types_of(
        &self,
        ids: &[RoomTypeId],
    ) -> Result<HashMap<RoomTypeId, RoomType>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        // Of their hotels all are read: an id alone is unique only within its hotel.
        let hotels: HashSet<_> = ids.iter().map(|id| id.hotel.0.as_str()).collect();
        let rows = room_type::Entity::find()
            .filter(room_type::Column::Hotel.is_in(hotels))
            .filter(room_type::Column::Id.is_in(ids.iter().map(|id| id.id.as_str())))
            .all(&self.transaction)
            .await;
        let wanted: HashSet<_> = ids.iter().collect();
        let found = rows
            .during("read room types")?
            .into_iter()
            .map(rows::room_type);
        Ok(found
            .filter(|room_type| wanted.contains(&room_type.id))
            .map(|room_type| (room_type.id.clone(), room_type))
            .collect())
    }

    /// All rates of some room types, by room type in the order in which they were set.
    pub async fn rates_of(
        &self,
        pools: &[PoolId],
    ) -> Result<HashMap<PoolId, Vec<Rate>>, StoreError> {
        if pools.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = rate::Entity::find()
            .filter(rate::Column::Pool.is_in(pools.iter().map(|pool| pool.0)))
            .order_by_asc(rate::Column::Id)
            .all(&self.transaction)
            .await;
        let mut rates: HashMap<PoolId, Vec<Rate>> = HashMap::new();
        for row in rows.during("read rates")? {
            rates
                .entry(PoolId(row.pool))
                .or_default()
                .push(rows::rate(row));
        }
        Ok(rates)
    }

    /// Room types of a hotel after that id, by id.
    pub async fn room_types(
        &self,
        hotel: &HotelId,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<RoomType>, StoreError> {
        let mut query = room_type::Entity::find()
            .filter(room_type::Column::Hotel.eq(hotel.0.as_str()))
            .order_by_asc(room_type::Column::Id);
        if let Some(after) = after {
            query = query.filter(room_type::Column::Id.gt(after));
        }
        let rows = query.limit(limit).all(&self.transaction).await;
        Ok(rows
            .during("list room types")?
            .into_iter()
            .map(rows::room_type)
            .collect())
    }

    /// One room type.
    pub async fn room_type(&self, id: &RoomTypeId) -> Result<Option<RoomType>, StoreError> {
        let row = room_type::Entity::find()
            .filter(room_type::Column::Hotel.eq(id.hotel.0.as_str()))
            .filter(room_type::Column::Id.eq(id.id.as_str()))
            .one(&self.transaction)
            .await;
        Ok(row.during("read a room type")?.map(rows::room_type))
    }

    /// The rates of some room types that touch some nights, in the order in which they were set.
    pub async fn rates(
        &self,
        pools: &[PoolId],
        nights: &Range<Slot>,
    ) -> Result<Vec<Rate>, StoreError> {
        let rows = rate::Entity::find()
            .filter(rate::Column::Pool.is_in(pools.iter().map(|pool| pool.0)))
            .filter(rate::Column::FromDay.lt(nights.end.0))
            .filter(rate::Column::ToDay.gt(nights.start.0))
            .order_by_asc(rate::Column::Id)
            .all(&self.transaction)
            .await;
        Ok(rows
            .during("read rates")?
            .into_iter()
            .map(rows::rate)
            .collect())
    }
}

impl Write {
    /// Adds a hotel.
    pub async fn insert_hotel(&self, hotel: &Hotel) -> Result<(), StoreError> {
        let row = hotel::ActiveModel {
            id: Set(hotel.id.0.clone()),
            display_name: Set(hotel.display_name.clone()),
            time_zone: Set(hotel.zone_name.clone()),
            currency: Set(hotel.currency.to_string()),
            address: Set(hotel.address.clone()),
            description: Set(hotel.description.clone()),
        };
        let done = hotel::Entity::insert(row)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("add a hotel").map(drop)
    }

    /// Adds room types.
    pub async fn insert_room_types(&self, room_types: &[RoomType]) -> Result<(), StoreError> {
        let rows = room_types.iter().map(|it| room_type::ActiveModel {
            pool: Set(it.pool.0),
            hotel: Set(it.id.hotel.0.clone()),
            id: Set(it.id.id.clone()),
            display_name: Set(it.display_name.clone()),
            description: Set(it.description.clone()),
            max_guests: Set(it.guests_max),
            capacity: Set(it.capacity),
        });
        let insert = room_type::Entity::insert_many(rows);
        let done = insert.exec_without_returning(&self.transaction).await;
        done.during("add room types").map(drop)
    }

    /// Adds the concrete rooms of a hotel: number and room type.
    pub async fn insert_rooms(
        &self,
        hotel: &HotelId,
        rooms: &[(String, PoolId)],
    ) -> Result<(), StoreError> {
        let rows = rooms.iter().map(|(number, pool)| room::ActiveModel {
            hotel: Set(hotel.0.clone()),
            number: Set(number.clone()),
            pool: Set(pool.0),
        });
        let done = room::Entity::insert_many(rows)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("add rooms").map(drop)
    }

    /// Sets rates, the last one given being the last one set.
    pub async fn insert_rates(&self, rates: &[Rate]) -> Result<(), StoreError> {
        let last: Option<i64> = rate::Entity::find()
            .select_only()
            .column_as(rate::Column::Id.max(), "last")
            .into_tuple::<Option<i64>>()
            .one(&self.transaction)
            .await
            .during("number rates")?
            .flatten();
        let rows = (last.unwrap_or(0) + 1..)
            .zip(rates)
            .map(|(id, it)| rate::ActiveModel {
                id: Set(id),
                pool: Set(it.pool.0),
                from_day: Set(it.nights.start.0),
                to_day: Set(it.nights.end.0),
                weekdays: Set(it.weekdays.mask()),
                price_minor: Set(it.price_minor),
            });
        let done = rate::Entity::insert_many(rows)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("set rates").map(drop)
    }
}
