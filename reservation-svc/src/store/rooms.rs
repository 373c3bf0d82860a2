//! Rooms, who has which of them for certain, and the last plan.

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::OnConflict,
};

use super::{
    Session, StoreError, Write,
    bookings::{booking_id, from_row},
    entity::{booking, room, room_night, room_plan, room_type},
    error::During,
};
use crate::domain::{
    booking::{Booking, State},
    cell::{PoolId, Slot},
    lodging::{Pinned, Place},
    name::{BookingId, HotelId, RoomId, RoomTypeId},
};

/// Rows of one statement; both databases limit its parameters.
const ROWS_PER_STATEMENT: usize = 1_000;

/// A room for certain on a night.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomNight {
    /// Which room.
    pub(crate) room: RoomId,
    /// When.
    pub(crate) night: Slot,
    /// Whose.
    pub(crate) booking: BookingId,
}

/// What a batch changes of rooms.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoomChanges {
    /// Bookings that lose all the rooms that they had for certain.
    pub(crate) unpinned: Vec<BookingId>,
    /// Rooms for certain from now on.
    pub(crate) pinned: Vec<RoomNight>,
    /// Where the plan has changed.
    pub(crate) plan: Vec<Place>,
    /// Bookings that are not in the plan any more.
    pub(crate) unplanned: Vec<BookingId>,
}

impl Session {
    /// The numbers of the rooms of some room types, shorter ones first.
    pub(crate) async fn rooms_of(
        &self,
        pools: &[PoolId],
    ) -> Result<HashMap<PoolId, Vec<String>>, StoreError> {
        let mut found: HashMap<PoolId, Vec<String>> = HashMap::new();
        if pools.is_empty() {
            return Ok(found);
        }
        let rows = room::Entity::find()
            .filter(room::Column::Pool.is_in(pools.iter().map(|pool| pool.0)))
            .all(&self.transaction)
            .await;
        for row in rows.during("read rooms")? {
            found.entry(PoolId(row.pool)).or_default().push(row.number);
        }
        for numbers in found.values_mut() {
            numbers.sort_unstable_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        }
        Ok(found)
    }

    /// The room type of a room, if there is such a room.
    pub(crate) async fn room_type_of(&self, id: &RoomId) -> Result<Option<RoomTypeId>, StoreError> {
        let key = (id.hotel.0.clone(), id.number.clone());
        let found = room::Entity::find_by_id(key).one(&self.transaction).await;
        let Some(found) = found.during("find a room")? else {
            return Ok(None);
        };
        let room_type = room_type::Entity::find_by_id(found.pool);
        let room_type = room_type.one(&self.transaction).await;
        let room_type = room_type.during("find the room type of a room")?;
        Ok(room_type.map(|row| RoomTypeId {
            hotel: HotelId(row.hotel),
            id: row.id,
        }))
    }

    /// The rooms that are certain in some room types on nights from that one on.
    pub(crate) async fn pins_of(
        &self,
        room_types: &[RoomTypeId],
        from: Slot,
    ) -> Result<HashMap<RoomTypeId, Vec<Pinned>>, StoreError> {
        let mut found: HashMap<RoomTypeId, Vec<Pinned>> = HashMap::new();
        if room_types.is_empty() {
            return Ok(found);
        }
        let rows = booking::Entity::find()
            .select_only()
            .column(booking::Column::Resource)
            .column(booking::Column::CheckIn)
            .column(booking::Column::CheckOut)
            .filter(booking::Column::PinnedRooms.ne(""))
            .filter(lodges(room_types, from))
            .into_tuple::<(String, i64, i64)>()
            .all(&self.transaction)
            .await;
        for (resource, first, end) in rows.during("read pins")? {
            let wrong = |_| StoreError::corrupt("room type", &resource);
            let id = RoomTypeId::parse(&resource).map_err(wrong)?;
            let nights = Slot(first).max(from)..Slot(end);
            found.entry(id).or_default().push(Pinned { nights });
        }
        Ok(found)
    }

    /// Everybody who sleeps in some room types on nights from that one on, by when they booked. Holds that have run out
    /// but are not tidied up are among them.
    pub(crate) async fn lodgers_of(
        &self,
        room_types: &[RoomTypeId],
        from: Slot,
    ) -> Result<Vec<Booking>, StoreError> {
        if room_types.is_empty() {
            return Ok(Vec::new());
        }
        let rows = booking::Entity::find()
            .filter(lodges(room_types, from))
            .order_by_asc(booking::Column::CreatedSequence)
            .all(&self.transaction)
            .await;
        let rows = rows.during("read lodgers")?.into_iter();
        rows.map(from_row).collect()
    }

    /// The last plan of those who sleep in some room types on nights from that one on.
    pub(crate) async fn plan_of(
        &self,
        room_types: &[RoomTypeId],
        from: Slot,
    ) -> Result<Vec<Place>, StoreError> {
        if room_types.is_empty() {
            return Ok(Vec::new());
        }
        let lodgers = booking::Entity::find()
            .select_only()
            .column(booking::Column::Id)
            .filter(lodges(room_types, from));
        let lodgers = sea_orm::QueryTrait::into_query(lodgers);
        let rows = room_plan::Entity::find()
            .filter(room_plan::Column::Booking.in_subquery(lodgers))
            .all(&self.transaction)
            .await;
        let rows = rows.during("read the last plan")?.into_iter();
        let place = |row: room_plan::Model| {
            Ok(Place {
                booking: booking_id(&row.booking)?,
                unit: usize::try_from(row.unit).unwrap_or(usize::MAX),
                room: row.room,
            })
        };
        rows.map(place).collect()
    }
}

impl Write {
    /// Writes what a batch changes of rooms.
    pub(crate) async fn apply_rooms(&self, changes: &RoomChanges) -> Result<(), StoreError> {
        for chunk in changes.unpinned.chunks(ROWS_PER_STATEMENT) {
            room_night::Entity::delete_many()
                .filter(room_night::Column::Booking.is_in(chunk.iter().map(|id| id.0.to_string())))
                .exec(&self.transaction)
                .await
                .during("unpin rooms")?;
        }
        for chunk in changes.pinned.chunks(ROWS_PER_STATEMENT) {
            let rows = chunk.iter().map(|it| room_night::ActiveModel {
                hotel: Set(it.room.hotel.0.clone()),
                room: Set(it.room.number.clone()),
                night: Set(it.night.0),
                booking: Set(it.booking.0.to_string()),
            });
            let insert = room_night::Entity::insert_many(rows);
            let done = insert.exec_without_returning(&self.transaction).await;
            done.during("pin rooms")?;
        }
        for chunk in changes.unplanned.chunks(ROWS_PER_STATEMENT) {
            room_plan::Entity::delete_many()
                .filter(room_plan::Column::Booking.is_in(chunk.iter().map(|id| id.0.to_string())))
                .exec(&self.transaction)
                .await
                .during("forget plans")?;
        }
        for chunk in changes.plan.chunks(ROWS_PER_STATEMENT) {
            let rows = chunk.iter().map(|it| room_plan::ActiveModel {
                booking: Set(it.booking.0.to_string()),
                unit: Set(i64::try_from(it.unit).unwrap_or(i64::MAX)),
                room: Set(it.room.clone()),
            });
            let key = [room_plan::Column::Booking, room_plan::Column::Unit];
            let replace = OnConflict::columns(key)
                .update_column(room_plan::Column::Room)
                .to_owned();
            let insert = room_plan::Entity::insert_many(rows).on_conflict(replace);
            let done = insert.exec_without_returning(&self.transaction).await;
            done.during("keep the plan")?;
        }
        Ok(())
    }
}

/// Bookings of those room types that need a room on a night from that one on.
fn lodges(room_types: &[RoomTypeId], from: Slot) -> Condition {
    let states = [State::Held, State::Confirmed, State::CheckedIn];
    Condition::all()
        .add(booking::Column::Resource.is_in(room_types.iter().map(ToString::to_string)))
        .add(booking::Column::CheckOut.is_not_null())
        .add(booking::Column::CheckOut.gt(from.0))
        .add(booking::Column::State.is_in(states.map(State::as_str)))
}
