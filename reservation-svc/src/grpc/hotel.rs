//! HotelService: what hotels sell and what is free. Informs only; a number of statements that does not depend on how
//! much there is to tell.

use std::collections::HashMap;

use banyan_proto::reservation::v1::{self, hotel_service_server::HotelService};
use jiff::Timestamp;
use tonic::{Request, Response, Status};

use super::{page::Page, status};
use crate::{
    domain::{
        catalogue::{Hotel, RoomType},
        cell::{Block, Cell, CellKey, Slot},
        claim::{Nights, Stay},
        name::{HotelId, RoomTypeId},
        rate::{self, Rate},
        restriction::{self, Restriction},
    },
    inventory::Inventory,
    store::Session,
    wire,
};

const HOTEL: &str = "reservation.banyan/Hotel";
const ROOM_TYPE: &str = "reservation.banyan/RoomType";

/// Answers HotelService.
#[derive(Clone)]
pub(super) struct Hotels {
    inventory: Inventory,
}

impl Hotels {
    pub(super) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }
}

#[tonic::async_trait]
impl HotelService for Hotels {
    async fn list_hotels(
        &self,
        request: Request<v1::ListHotelsRequest>,
    ) -> Result<Response<v1::ListHotelsResponse>, Status> {
        let request = request.get_ref();
        let page = Page::parse("ListHotels", &[], request.page_size, &request.page_token)?;
        let session = self.inventory.store().read().await?;
        let hotels = session.hotels(page.after(), page.limit()).await?;
        let (hotels, next_page_token) = page.cut(hotels, |hotel| hotel.id.0.clone());
        Ok(Response::new(v1::ListHotelsResponse {
            hotels: hotels.into_iter().map(hotel_message).collect(),
            next_page_token,
        }))
    }

    async fn get_hotel(
        &self,
        request: Request<v1::GetHotelRequest>,
    ) -> Result<Response<v1::Hotel>, Status> {
        let id = status::named("name", &request.get_ref().name, HOTEL, HotelId::parse)?;
        let session = self.inventory.store().read().await?;
        Ok(Response::new(hotel_message(hotel(&session, &id).await?)))
    }

    async fn list_room_types(
        &self,
        request: Request<v1::ListRoomTypesRequest>,
    ) -> Result<Response<v1::ListRoomTypesResponse>, Status> {
        let request = request.get_ref();
        let parent = status::named("parent", &request.parent, HOTEL, HotelId::parse)?;
        let page = Page::parse(
            "ListRoomTypes",
            &[&request.parent],
            request.page_size,
            &request.page_token,
        )?;
        let session = self.inventory.store().read().await?;
        hotel(&session, &parent).await?;
        let found = session
            .room_types(&parent, page.after(), page.limit())
            .await?;
        let (found, next_page_token) = page.cut(found, |it| it.id.id.clone());
        Ok(Response::new(v1::ListRoomTypesResponse {
            room_types: found.into_iter().map(room_type_message).collect(),
            next_page_token,
        }))
    }

    async fn get_room_type(
        &self,
        request: Request<v1::GetRoomTypeRequest>,
    ) -> Result<Response<v1::RoomType>, Status> {
        let id = status::named(
            "name",
            &request.get_ref().name,
            ROOM_TYPE,
            RoomTypeId::parse,
        )?;
        let session = self.inventory.store().read().await?;
        let found = session.room_type(&id).await?;
        let found = found.ok_or_else(|| status::not_found(ROOM_TYPE, vec![id.to_string()]))?;
        Ok(Response::new(room_type_message(found)))
    }

    async fn search_availability(
        &self,
        request: Request<v1::SearchAvailabilityRequest>,
    ) -> Result<Response<v1::SearchAvailabilityResponse>, Status> {
        let request = request.get_ref();
        let id = status::named("hotel", &request.hotel, HOTEL, HotelId::parse)?;
        let nights = Nights::parse(&request.check_in_date, &request.check_out_date)
            .map_err(status::invalid)?;
        let page = Page::parse(
            "SearchAvailability",
            &[
                &request.hotel,
                &request.check_in_date,
                &request.check_out_date,
            ],
            request.page_size,
            &request.page_token,
        )?;
        let session = self.inventory.store().read().await?;
        let head = session.head().await?;
        let hotel = hotel(&session, &id).await?;
        let now = self.inventory.now();
        nights
            .not_before(hotel.today(now))
            .map_err(|it| status::invalid(vec![it]))?;

        let room_types = session.room_types(&id, page.after(), page.limit()).await?;
        let (room_types, next_page_token) = page.cut(room_types, |it| it.id.id.clone());
        let block = Block {
            pools: room_types.iter().map(|it| it.pool).collect(),
            slots: nights.slots(),
        };
        // The day of leaving may be restricted too.
        let dates = block.slots.start..block.slots.end.next();
        let calendar = Calendar {
            rates: session.rates(&block.pools, &block.slots).await?,
            restrictions: session.restrictions(&block.pools, &dates).await?,
            now,
            cells: session.cells(&block).await?,
            lapsed: session.lapsed(&block, now).await?,
        };
        let availability = room_types
            .iter()
            .map(|it| calendar.availability(&hotel, it, &nights));
        Ok(Response::new(v1::SearchAvailabilityResponse {
            room_types: availability.collect(),
            position: Some(wire::position(&head.incarnation, head.sequence)),
            next_page_token,
        }))
    }
}

/// What is known of some nights of a hotel.
struct Calendar {
    rates: Vec<Rate>,
    restrictions: Vec<Restriction>,
    now: Timestamp,
    cells: HashMap<CellKey, Cell>,
    lapsed: HashMap<CellKey, i64>,
}

impl Calendar {
    fn availability(
        &self,
        hotel: &Hotel,
        room_type: &RoomType,
        nights: &Nights,
    ) -> v1::RoomTypeAvailability {
        let mut available = i64::MAX;
        let mut total = Some(0);
        let mut entries = Vec::new();
        for date in nights.iter() {
            let key = CellKey {
                pool: room_type.pool,
                slot: Slot::of_night(date),
            };
            let free = self.free(key, room_type.capacity);
            let price = rate::price_of(&self.rates, room_type.pool, date);
            available = available.min(if price.is_some() { free } else { 0 });
            total = total.zip(price).map(|(total, price)| total + price);
            entries.push(v1::NightAvailability {
                date: date.to_string(),
                available_rooms: wire::small(free),
                price: price.map(|price| wire::amount(hotel.currency, price)),
            });
        }
        if !self.is_sold(hotel, room_type, nights) {
            available = 0;
        }
        v1::RoomTypeAvailability {
            room_type: room_type.id.to_string(),
            display_name: room_type.display_name.clone(),
            max_guests: wire::small(room_type.guests_max),
            nights: entries,
            available_rooms: wire::small(available),
            total_price: total.map(|total| wire::amount(hotel.currency, total)),
        }
    }

    /// Whether the restrictions let a stay over these nights be sold now.
    fn is_sold(&self, hotel: &Hotel, room_type: &RoomType, nights: &Nights) -> bool {
        let stay = Stay {
            room_type: room_type.id.clone(),
            nights: *nights,
            rooms: 1,
        };
        let checked = restriction::check(
            &stay,
            room_type.pool,
            &self.restrictions,
            self.now,
            &hotel.zone,
        );
        checked.is_ok()
    }

    fn free(&self, key: CellKey, capacity: i64) -> i64 {
        let untouched = Cell { capacity, taken: 0 };
        let mut cell = self.cells.get(&key).copied().unwrap_or(untouched);
        cell.taken -= self.lapsed.get(&key).copied().unwrap_or(0);
        cell.free()
    }
}

pub(super) async fn hotel(session: &Session, id: &HotelId) -> Result<Hotel, Status> {
    match session.hotel(id).await? {
        Some(hotel) => Ok(hotel),
        None => Err(status::missing(session, HOTEL, id).await),
    }
}

pub(super) fn hotel_message(it: Hotel) -> v1::Hotel {
    v1::Hotel {
        name: it.id.to_string(),
        display_name: it.display_name,
        time_zone: it.zone_name,
        currency_code: it.currency.to_string(),
        address: it.address,
        description: it.description,
    }
}

pub(super) fn room_type_message(it: RoomType) -> v1::RoomType {
    v1::RoomType {
        name: it.id.to_string(),
        display_name: it.display_name,
        description: it.description,
        max_guests: wire::small(it.guests_max),
        capacity: wire::small(it.capacity),
    }
}
