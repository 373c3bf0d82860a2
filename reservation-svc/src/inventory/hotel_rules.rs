//! What operators set of hotels. Each change takes the commit head like any decision, and raises the version of the
//! catalogue, so that every sale after it goes by it.

use super::{Commit, Inventory, Position, rejection::Rejection};
use crate::{
    domain::{
        catalogue::{Hotel, RoomType},
        cell::Slot,
        event::Event,
        name::{HotelId, RoomId, RoomTypeId},
        rate::Rate,
        restriction::Restriction,
        wait_entry::Line,
    },
    store::Write,
};

const HOTEL: &str = "reservation.banyan/Hotel";
const ROOM_TYPE: &str = "reservation.banyan/RoomType";
const ROOM: &str = "reservation.banyan/Room";

/// A room type to add, without rooms yet.
#[derive(Clone, Debug)]
pub struct NewRoomType {
    /// Its name.
    pub id: RoomTypeId,
    /// What guests call it.
    pub display_name: String,
    /// A few sentences.
    pub description: String,
    /// How many people sleep in one room.
    pub guests_max: i64,
}

impl Inventory {
    /// Adds a hotel; where.
    ///
    /// # Errors
    /// [`Rejection::Exists`] if there is one of that name.
    pub async fn create_hotel(&self, hotel: &Hotel) -> Result<Position, Rejection> {
        let mut turn = self.turn().await?;
        let created = create_hotel(&mut turn.commit, hotel).await;
        let ((), position) = turn.end(created).await?;
        Ok(position)
    }

    /// Adds a room type; it, and where.
    ///
    /// # Errors
    /// If the hotel is not there, or the room type is.
    pub async fn create_room_type(
        &self,
        new: NewRoomType,
    ) -> Result<(RoomType, Position), Rejection> {
        let mut turn = self.turn().await?;
        let created = create_room_type(&mut turn.commit, new).await;
        turn.end(created).await
    }

    /// Adds rooms to a room type, which sells so many more from today on; the room type, and where. Who waits for one is
    /// offered it first.
    ///
    /// # Errors
    /// If the room type is not there, or the hotel has a room of one of these numbers.
    pub async fn add_rooms(
        &self,
        id: &RoomTypeId,
        numbers: Vec<String>,
    ) -> Result<(RoomType, Position), Rejection> {
        let mut turn = self.turn().await?;
        let added = add_rooms(&mut turn.commit, id, numbers).await;
        turn.end(added).await
    }

    /// Sets the price of nights; where. Nobody waits for a night without one, and none ever loses its price.
    pub async fn set_rate(&self, rate: &Rate) -> Result<Position, Rejection> {
        let turn = self.turn().await?;
        let write = &turn.commit.write;
        write
            .forget_covered_rates(rate.pool, &rate.nights, rate.weekdays)
            .await?;
        write.insert_rates(std::slice::from_ref(rate)).await?;
        Ok(turn.finish().await?)
    }

    /// Sets under which restrictions nights of that room type are sold; where. Who waits is offered first what is sold
    /// from now on.
    pub async fn set_restriction(
        &self,
        id: RoomTypeId,
        restriction: &Restriction,
    ) -> Result<Position, Rejection> {
        let mut turn = self.turn().await?;
        turn.commit.write.insert_restriction(restriction).await?;
        turn.commit.serve(Line::RoomType(id)).await?;
        Ok(turn.finish().await?)
    }
}

async fn create_hotel(commit: &mut Commit, hotel: &Hotel) -> Result<(), Rejection> {
    if commit.write.hotel(&hotel.id).await?.is_some() {
        return Err(Rejection::exists(HOTEL, vec![hotel.id.to_string()]));
    }
    commit.write.insert_hotel(hotel).await?;
    commit.record(&Event::Hotel(hotel.clone()));
    Ok(())
}

async fn create_room_type(commit: &mut Commit, new: NewRoomType) -> Result<RoomType, Rejection> {
    existing_hotel(&commit.write, &new.id.hotel).await?;
    if commit.write.room_type(&new.id).await?.is_some() {
        return Err(Rejection::exists(ROOM_TYPE, vec![new.id.to_string()]));
    }
    let room_type = RoomType {
        id: new.id,
        pool: commit.next_pool(),
        display_name: new.display_name,
        description: new.description,
        guests_max: new.guests_max,
        capacity: 0,
    };
    let added = std::slice::from_ref(&room_type);
    commit.write.insert_room_types(added).await?;
    record(commit, &room_type);
    Ok(room_type)
}

async fn add_rooms(
    commit: &mut Commit,
    id: &RoomTypeId,
    numbers: Vec<String>,
) -> Result<RoomType, Rejection> {
    let write = &commit.write;
    let mut room_type = existing_room_type(write, id).await?;
    let hotel = existing_hotel(write, &id.hotel).await?;
    let there = write.rooms_numbered(&id.hotel, &numbers).await?;
    if !there.is_empty() {
        let name = |number| RoomId {
            hotel: id.hotel.clone(),
            number,
        };
        let names = there.into_iter().map(|number| name(number).to_string());
        return Err(Rejection::exists(ROOM, names.collect()));
    }
    let rooms = numbers.into_iter().map(|number| (number, room_type.pool));
    let rooms: Vec<_> = rooms.collect();
    let more = i64::try_from(rooms.len()).unwrap_or(0);
    let today = Slot::of_night(hotel.today(commit.now));
    write.insert_rooms(&id.hotel, &rooms).await?;
    write.add_capacity(room_type.pool, more, today).await?;
    room_type.capacity += more;
    record(commit, &room_type);
    commit.serve(Line::RoomType(room_type.id.clone())).await?;
    Ok(room_type)
}

fn record(commit: &mut Commit, room_type: &RoomType) {
    commit.record(&Event::RoomType {
        id: room_type.id.clone(),
        capacity: room_type.capacity,
    });
}

async fn existing_hotel(write: &Write, id: &HotelId) -> Result<Hotel, Rejection> {
    let found = write.hotel(id).await?;
    found.ok_or_else(|| Rejection::not_found(HOTEL, id))
}

async fn existing_room_type(write: &Write, id: &RoomTypeId) -> Result<RoomType, Rejection> {
    let found = write.room_type(id).await?;
    found.ok_or_else(|| Rejection::not_found(ROOM_TYPE, id))
}
