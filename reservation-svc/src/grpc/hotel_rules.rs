//! HotelRulesService: what operators set of hotels. Reached through the ops port only.

use std::collections::HashSet;

use banyan_proto::reservation::v1::{self, hotel_rules_service_server::HotelRulesService};
use jiff::civil::{Date, Weekday};
use tonic::{Request, Response, Status};

use super::{
    fields::Fields,
    hotel, policy,
    position::{position, reply},
    status,
};
use crate::{
    domain::{
        catalogue::{Hotel, RoomType},
        cell::Slot,
        name::{HotelId, RoomTypeId, Venue},
        rate::{Rate, Weekdays},
        restriction::{Restriction, Rules, rules_on},
        violation::Fault,
    },
    inventory::{Inventory, NewRoomType},
    wire,
};

const HOTEL: &str = "reservation.banyan/Hotel";
const ROOM_TYPE: &str = "reservation.banyan/RoomType";
const NAME_MAX: usize = 200;
const TEXT_MAX: usize = 5_000;
/// Nights of one list.
const LISTED_MAX: i64 = 366;
/// Rooms added at once.
const ROOMS_MAX: usize = 500;
/// Longest number of a room.
const NUMBER_MAX: usize = 20;
const GUESTS_MAX: i32 = 20;
const NIGHTS_MAX: i32 = 365;
const CUT_OFF_HOURS_MAX: i32 = 8_760;
const ADVANCE_DAYS_MAX: i32 = 730;

/// Answers HotelRulesService.
#[derive(Clone)]
pub(super) struct HotelRules {
    inventory: Inventory,
}

impl HotelRules {
    pub(super) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }

    async fn sold(&self, id: &RoomTypeId) -> Result<(Hotel, RoomType), Status> {
        let session = self.inventory.store().read().await?;
        let Some(room_type) = session.room_type(id).await? else {
            return Err(status::missing(&session, ROOM_TYPE, id).await);
        };
        Ok((hotel::hotel(&session, &id.hotel).await?, room_type))
    }
}

#[tonic::async_trait]
impl HotelRulesService for HotelRules {
    async fn create_hotel(
        &self,
        request: Request<v1::CreateHotelRequest>,
    ) -> Result<Response<v1::Hotel>, Status> {
        let request = request.into_inner();
        let given = request.hotel.unwrap_or_default();
        let mut fields = Fields::default();
        let id = HotelId(fields.id("hotel_id", &request.hotel_id));
        let display_name = fields.title("hotel.display_name", &given.display_name, NAME_MAX);
        let zone = fields.zone("hotel.time_zone", &given.time_zone);
        let currency = fields.currency("hotel.currency_code", &given.currency_code);
        let address = fields.text("hotel.address", &given.address, NAME_MAX);
        let description = fields.text("hotel.description", &given.description, TEXT_MAX);
        let currency = fields.end_with(currency)?;
        let hotel = Hotel {
            id,
            display_name,
            zone,
            zone_name: given.time_zone,
            currency,
            address,
            description,
        };
        let at = self.inventory.create_hotel(&hotel).await?;
        Ok(reply(hotel::hotel_message(hotel), &at))
    }

    async fn create_room_type(
        &self,
        request: Request<v1::CreateRoomTypeRequest>,
    ) -> Result<Response<v1::RoomType>, Status> {
        let request = request.into_inner();
        let hotel = status::named("parent", &request.parent, HOTEL, HotelId::parse)?;
        let given = request.room_type.unwrap_or_default();
        let mut fields = Fields::default();
        let id = fields.id("room_type_id", &request.room_type_id);
        let name = fields.title("room_type.display_name", &given.display_name, NAME_MAX);
        let text = fields.text("room_type.description", &given.description, TEXT_MAX);
        let guests = fields.within("room_type.max_guests", given.max_guests, 1, GUESTS_MAX);
        fields.end()?;
        let new = NewRoomType {
            id: RoomTypeId { hotel, id },
            display_name: name,
            description: text,
            guests_max: guests,
        };
        let (made, at) = self.inventory.create_room_type(new).await?;
        Ok(reply(hotel::room_type_message(made), &at))
    }

    async fn add_rooms(
        &self,
        request: Request<v1::AddRoomsRequest>,
    ) -> Result<Response<v1::RoomType>, Status> {
        let request = request.into_inner();
        let id = room_type("room_type", &request.room_type)?;
        let mut fields = Fields::default();
        check_numbers(&mut fields, &request.numbers);
        fields.end()?;
        let (changed, at) = self.inventory.add_rooms(&id, request.numbers).await?;
        Ok(reply(hotel::room_type_message(changed), &at))
    }

    async fn set_rates(
        &self,
        request: Request<v1::SetRatesRequest>,
    ) -> Result<Response<v1::SetRatesResponse>, Status> {
        let request = request.get_ref();
        let id = room_type("room_type", &request.room_type)?;
        let (hotel, room_type) = self.sold(&id).await?;
        let mut fields = Fields::default();
        let dates = fields.dates(&request.from_date, &request.to_date);
        let weekdays = weekdays(&mut fields, &request.weekdays);
        let price_minor = fields.price("price", request.price.as_ref(), hotel.currency);
        let (from, to) = fields.end_with(dates)?;
        let rate = Rate {
            pool: room_type.pool,
            nights: Slot::of_night(from)..Slot::of_night(to),
            weekdays,
            price_minor,
        };
        let position = position(&self.inventory.set_rate(&rate).await?);
        Ok(Response::new(v1::SetRatesResponse { position }))
    }

    async fn set_restrictions(
        &self,
        request: Request<v1::SetRestrictionsRequest>,
    ) -> Result<Response<v1::SetRestrictionsResponse>, Status> {
        let request = request.get_ref();
        let id = room_type("room_type", &request.room_type)?;
        let (_, room_type) = self.sold(&id).await?;
        let mut fields = Fields::default();
        let dates = fields.dates(&request.from_date, &request.to_date);
        let weekdays = weekdays(&mut fields, &request.weekdays);
        let rules = rules(&mut fields, request.restrictions.as_ref());
        let (from, to) = fields.end_with(dates)?;
        let restriction = Restriction {
            pool: room_type.pool,
            dates: Slot::of_night(from)..Slot::of_night(to),
            weekdays,
            rules,
        };
        let set = self.inventory.set_restriction(id, &restriction).await?;
        let position = position(&set);
        Ok(Response::new(v1::SetRestrictionsResponse { position }))
    }

    async fn list_restrictions(
        &self,
        request: Request<v1::ListRestrictionsRequest>,
    ) -> Result<Response<v1::ListRestrictionsResponse>, Status> {
        let request = request.get_ref();
        let id = room_type("parent", &request.parent)?;
        let (_, room_type) = self.sold(&id).await?;
        let mut fields = Fields::default();
        let dates = fields.dates_within(&request.from_date, &request.to_date, LISTED_MAX);
        let (from, to) = fields.end_with(dates)?;
        let slots = Slot::of_night(from)..Slot::of_night(to);
        let session = self.inventory.store().read().await?;
        let set = session.restrictions(&[room_type.pool], &slots).await?;
        let days = std::iter::successors(Some(from), |day| day.tomorrow().ok());
        let nights = days.take_while(|day| *day < to).filter_map(|day| {
            let rules = rules_on(&set, room_type.pool, day);
            (!rules.are_none()).then(|| night(day, &rules))
        });
        Ok(Response::new(v1::ListRestrictionsResponse {
            nights: nights.collect(),
        }))
    }

    async fn set_hotel_cancellation_policy(
        &self,
        request: Request<v1::SetHotelCancellationPolicyRequest>,
    ) -> Result<Response<v1::SetHotelCancellationPolicyResponse>, Status> {
        let message = request.get_ref();
        let hotel = status::named("hotel", &message.hotel, HOTEL, HotelId::parse)?;
        let venue = Venue::Hotel(hotel);
        let policy = policy::parse(&venue, message.policy.as_ref())?;
        let at = self
            .inventory
            .set_cancellation_policy(&venue, policy)
            .await?;
        Ok(Response::new(v1::SetHotelCancellationPolicyResponse {
            position: position(&at),
        }))
    }
}

fn room_type(field: &str, name: &str) -> Result<RoomTypeId, Status> {
    status::named(field, name, ROOM_TYPE, RoomTypeId::parse)
}

fn check_numbers(fields: &mut Fields, numbers: &[String]) {
    if !(1..=ROOMS_MAX).contains(&numbers.len()) {
        let fault = match numbers.len() {
            0 => Fault::Missing,
            _ => Fault::Range,
        };
        fields.wrong("numbers", fault, format!("must be 1 to {ROOMS_MAX} rooms"));
        return;
    }
    let mut seen = HashSet::new();
    for (at, number) in numbers.iter().enumerate() {
        let field = format!("numbers[{at}]");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let fits = (1..=NUMBER_MAX).contains(&number.len()) && number.bytes().all(plain);
        if !fits {
            let description = format!("must be 1 to {NUMBER_MAX} letters, digits and -");
            fields.wrong(&field, Fault::Format, description);
        } else if !seen.insert(number) {
            fields.wrong(&field, Fault::Duplicate, "must be there once");
        }
    }
}

/// Days of the week, all of them where none is given.
fn weekdays(fields: &mut Fields, given: &[i32]) -> Weekdays {
    let mut days = Vec::with_capacity(given.len());
    for (at, number) in given.iter().enumerate() {
        let field = format!("weekdays[{at}]");
        match weekday(*number) {
            None => fields.wrong(&field, Fault::Range, "must be a day of the week"),
            Some(day) if days.contains(&day) => {
                fields.wrong(&field, Fault::Duplicate, "must be there once");
            }
            Some(day) => days.push(day),
        }
    }
    match days.is_empty() {
        true => Weekdays::ALL,
        false => Weekdays::of(&days),
    }
}

fn weekday(number: i32) -> Option<Weekday> {
    // Numbered from Monday, 1, as ISO 8601 does.
    let number = i8::try_from(number).ok()?;
    Weekday::from_monday_one_offset(number).ok()
}

fn rules(fields: &mut Fields, given: Option<&v1::Restrictions>) -> Rules {
    let Some(it) = given else {
        fields.wrong("restrictions", Fault::Missing, "must be given");
        return Rules::default();
    };
    let mut number = |name: &str, value: i32, max: i32| {
        fields.within(&format!("restrictions.{name}"), value, 0, max)
    };
    let rules = Rules {
        nights_min: number("min_nights", it.min_nights, NIGHTS_MAX),
        nights_max: number("max_nights", it.max_nights, NIGHTS_MAX),
        closed_to_arrival: it.closed_to_arrival,
        closed_to_departure: it.closed_to_departure,
        stop_sell: it.stop_sell,
        cut_off_hours: it
            .cut_off_hours
            .map(|hours| number("cut_off_hours", hours, CUT_OFF_HOURS_MAX)),
        advance_days_min: number("min_advance_days", it.min_advance_days, ADVANCE_DAYS_MAX),
        advance_days_max: number("max_advance_days", it.max_advance_days, ADVANCE_DAYS_MAX),
    };
    for (name, least, most) in [
        ("nights", rules.nights_min, rules.nights_max),
        (
            "advance_days",
            rules.advance_days_min,
            rules.advance_days_max,
        ),
    ] {
        if most > 0 && least > most {
            let field = format!("restrictions.max_{name}");
            let description = format!("must be 0 or at least min_{name}, {least}");
            fields.wrong(&field, Fault::Range, description);
        }
    }
    rules
}

fn night(date: Date, rules: &Rules) -> v1::NightRestrictions {
    let restrictions = v1::Restrictions {
        min_nights: wire::small(rules.nights_min),
        max_nights: wire::small(rules.nights_max),
        closed_to_arrival: rules.closed_to_arrival,
        closed_to_departure: rules.closed_to_departure,
        stop_sell: rules.stop_sell,
        cut_off_hours: rules.cut_off_hours.map(wire::small),
        min_advance_days: wire::small(rules.advance_days_min),
        max_advance_days: wire::small(rules.advance_days_max),
    };
    v1::NightRestrictions {
        date: date.to_string(),
        restrictions: Some(restrictions),
    }
}
