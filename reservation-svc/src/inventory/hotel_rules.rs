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
    /// Adds a hotel.
    ///
    /// # Errors
    /// [`Rejection::Exists`] if there is one of that name.
    pub async fn create_hotel(&self, hotel: &Hotel) -> Result<(), Rejection> {
        let mut turn = self.turn().await?;
        if turn.commit.write.hotel(&hotel.id).await?.is_some() {
            return Err(exists(HOTEL, vec![hotel.id.to_string()]));
        }
        turn.commit.write.insert_hotel(hotel).await?;
        turn.commit.record(&Event::Hotel(hotel.clone()));
        turn.commit.head.catalogue_version += 1;
        Ok(turn.finish().await?)
    }

    /// Adds a room type.
    ///
    /// # Errors
    /// If the hotel is not there, or the room type is.
    pub async fn create_room_type(&self, new: NewRoomType) -> Result<RoomType, Rejection> {
        let mut turn = self.turn().await?;
        existing_hotel(&turn.commit.write, &new.id.hotel).await?;
        if turn.commit.write.room_type(&new.id).await?.is_some() {
            return Err(exists(ROOM_TYPE, vec![new.id.to_string()]));
        }
        let room_type = RoomType {
            id: new.id,
            pool: turn.commit.next_pool(),
            display_name: new.display_name,
            description: new.description,
            guests_max: new.guests_max,
            capacity: 0,
        };
        let added = std::slice::from_ref(&room_type);
        turn.commit.write.insert_room_types(added).await?;
        record(&mut turn.commit, &room_type);
        turn.finish().await?;
        Ok(room_type)
    }

    /// Adds rooms to a room type, which sells so many more from today on. Who waits for one is offered it first.
    ///
    /// # Errors
    /// If the room type is not there, or the hotel has a room of one of these numbers.
    pub async fn add_rooms(
        &self,
        id: &RoomTypeId,
        numbers: Vec<String>,
    ) -> Result<RoomType, Rejection> {
        let mut turn = self.turn().await?;
        let write = &turn.commit.write;
        let mut room_type = existing_room_type(write, id).await?;
        let hotel = existing_hotel(write, &id.hotel).await?;
        let there = write.rooms_numbered(&id.hotel, &numbers).await?;
        if !there.is_empty() {
            let name = |number| RoomId {
                hotel: id.hotel.clone(),
                number,
            };
            let names = there.into_iter().map(|number| name(number).to_string());
            return Err(exists(ROOM, names.collect()));
        }
        let rooms = numbers.into_iter().map(|number| (number, room_type.pool));
        let rooms: Vec<_> = rooms.collect();
        let more = i64::try_from(rooms.len()).unwrap_or(0);
        let today = Slot::of_night(hotel.today(turn.commit.now));
        write.insert_rooms(&id.hotel, &rooms).await?;
        write.add_capacity(room_type.pool, more, today).await?;
        room_type.capacity += more;
        record(&mut turn.commit, &room_type);
        let line = Line::RoomType(room_type.id.clone());
        turn.commit.serve(line).await?;
        turn.finish().await?;
        Ok(room_type)
    }

    /// Sets the price of nights; where. Nobody waits for a night without one, and none ever loses its price.
    pub async fn set_rate(&self, rate: &Rate) -> Result<Position, Rejection> {
        let mut turn = self.turn().await?;
        let write = &turn.commit.write;
        write
            .forget_covered_rates(rate.pool, &rate.nights, rate.weekdays)
            .await?;
        write.insert_rates(std::slice::from_ref(rate)).await?;
        turn.commit.head.catalogue_version += 1;
        let position = turn.commit.position();
        turn.finish().await?;
        Ok(position)
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
        turn.commit.head.catalogue_version += 1;
        turn.commit.serve(Line::RoomType(id)).await?;
        let position = turn.commit.position();
        turn.finish().await?;
        Ok(position)
    }
}

fn record(commit: &mut Commit, room_type: &RoomType) {
    commit.record(&Event::RoomType {
        id: room_type.id.clone(),
        capacity: room_type.capacity,
    });
    commit.head.catalogue_version += 1;
}

fn exists(kind: &'static str, names: Vec<String>) -> Rejection {
    Rejection::Exists { kind, names }
}

async fn existing_hotel(write: &Write, id: &HotelId) -> Result<Hotel, Rejection> {
    let found = write.hotel(id).await?;
    found.ok_or_else(|| Rejection::not_found(HOTEL, id))
}

async fn existing_room_type(write: &Write, id: &RoomTypeId) -> Result<RoomType, Rejection> {
    let found = write.room_type(id).await?;
    found.ok_or_else(|| Rejection::not_found(ROOM_TYPE, id))
}
