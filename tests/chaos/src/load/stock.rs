//! The little stock that clients fight for: some seats of a few screenings and some nights of two room types of the
//! demo's data, with their prices; and nights that only one client asks for.

use anyhow::{Context as _, ensure};
use banyan_history::{
    record::{Cell, Claim},
    wire,
};
use banyan_proto::reservation::v1::{
    self, cinema_service_client::CinemaServiceClient, hotel_service_client::HotelServiceClient,
};
use jiff::{ToSpan as _, Zoned, civil::Date};
use tonic::transport::Channel;

use crate::chance::Chance;

const SCREENINGS: usize = 3;
const SEATS: usize = 14;
/// Nights of each room type that all fight for.
const NIGHTS: usize = 5;
/// Nights that are one client's own.
const OWN_NIGHTS: usize = 2;
/// Far enough from today that no time zone makes a night pass during a run.
const FIRST_NIGHT_DAYS: i64 = 10;
const ROOM_TYPES: [&str; 2] = ["banyan-suite", "sea-view"];

/// What is fought for.
#[derive(Clone, Debug)]
pub(crate) struct Stock {
    /// The feed was so far when it was found: all of that is catalogue.
    pub(crate) sequence: u64,
    screenings: Vec<Screening>,
    room_types: Vec<RoomType>,
}

#[derive(Clone, Debug)]
struct Screening {
    name: String,
    seats: Vec<(String, i64)>,
}

#[derive(Clone, Debug)]
struct RoomType {
    name: String,
    capacity: u32,
    nights: Vec<(Date, i64)>,
}

/// What a client wants.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// Seats.
    Seats(v1::SeatSelection),
    /// Nights.
    Stay(v1::HotelStay),
}

impl Stock {
    /// What there is, asked of a service that has the demo's data.
    pub(crate) async fn find(channel: Channel) -> anyhow::Result<Self> {
        let screenings = screenings(CinemaServiceClient::new(channel.clone())).await?;
        let (room_types, sequence) = room_types(HotelServiceClient::new(channel)).await?;
        Ok(Self {
            sequence,
            screenings,
            room_types,
        })
    }

    /// All its cells.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let seats = self.screenings.iter().flat_map(|screening| {
            screening.seats.iter().map(|(seat, price)| Cell {
                cell: wire::seat_cell(&screening.name, seat),
                capacity: 1,
                price_minor: Some(*price),
            })
        });
        let nights = self.room_types.iter().flat_map(|room_type| {
            room_type.nights.iter().map(|(date, price)| Cell {
                cell: wire::night_cell(&room_type.name, &date.to_string()),
                capacity: room_type.capacity,
                price_minor: Some(*price),
            })
        });
        seats.chain(nights).collect()
    }

    /// Something that everybody wants.
    pub(super) fn wish(&self, chance: &mut Chance) -> Option<Wish> {
        if chance.percent(60) {
            let screening = chance.pick(&self.screenings)?;
            let first = chance.below(screening.seats.len());
            let count = 1 + chance.below(3);
            let seats = screening.seats.iter().cycle().skip(first).take(count);
            let seats = seats.map(|(seat, _)| seat.clone()).collect();
            return Some(seats_of(&screening.name, seats));
        }
        let room_type = chance.pick(&self.room_types)?;
        let first = chance.below(NIGHTS);
        let end = (first + 1 + chance.below(3)).min(NIGHTS);
        let rooms = 1 + i32::from(chance.percent(20));
        Some(room_type.stay(first, end, rooms))
    }

    /// Something of the same kind and venue as that.
    pub(super) fn wish_like(&self, stays: bool, chance: &mut Chance) -> Option<Wish> {
        let mut wishes = std::iter::repeat_with(|| self.wish(chance))
            .take(20)
            .flatten();
        wishes.find(|wish| matches!(wish, Wish::Stay(_)) == stays)
    }

    /// All rooms on all the nights that are one client's own.
    pub(super) fn own(&self) -> Option<Wish> {
        let room_type = self.room_types.first()?;
        let all = i32::try_from(room_type.capacity).ok()?;
        Some(room_type.stay(NIGHTS, NIGHTS + OWN_NIGHTS, all))
    }
}

impl RoomType {
    fn stay(&self, first: usize, end: usize, rooms: i32) -> Wish {
        let night = |index: usize| self.nights.get(index).map_or(Date::MIN, |(date, _)| *date);
        let check_out = night(end - 1).saturating_add(1.day());
        Wish::Stay(v1::HotelStay {
            room_type: self.name.clone(),
            check_in_date: night(first).to_string(),
            check_out_date: check_out.to_string(),
            rooms,
        })
    }
}

impl Wish {
    /// The cells that it claims.
    pub(super) fn claims(&self) -> Vec<Claim> {
        let claims = match self {
            Self::Seats(it) => wire::seats(it),
            Self::Stay(it) => wire::stay(it),
        };
        claims.unwrap_or_default()
    }
}

fn seats_of(screening: &str, seats: Vec<String>) -> Wish {
    let screening = screening.to_owned();
    Wish::Seats(v1::SeatSelection {
        screening,
        seats,
        ..v1::SeatSelection::default()
    })
}

async fn screenings(mut cinemas: CinemaServiceClient<Channel>) -> anyhow::Result<Vec<Screening>> {
    let all = cinemas
        .list_cinemas(v1::ListCinemasRequest::default())
        .await;
    let all = all.context("cannot list cinemas")?.into_inner().cinemas;
    let parent = all
        .into_iter()
        .next()
        .context("the demo has a cinema")?
        .name;
    let request = v1::ListScreeningsRequest {
        parent,
        page_size: 1_000,
        ..Default::default()
    };
    let listed = cinemas
        .list_screenings(request)
        .await
        .context("cannot list screenings")?;
    // The last ones, which do not begin before the run is over.
    let listed = listed
        .into_inner()
        .screenings
        .into_iter()
        .rev()
        .take(SCREENINGS);
    let mut found = Vec::new();
    for screening in listed {
        let name = format!("{}/seatMap", screening.name);
        let map = cinemas.get_seat_map(v1::GetSeatMapRequest { name }).await;
        let seats = map.context("cannot get a seat map")?.into_inner().seats;
        let seats = seats
            .into_iter()
            .filter_map(|seat| Some((seat.id, seat.price?.amount_minor)));
        found.push(Screening {
            name: screening.name,
            seats: seats.take(SEATS).collect(),
        });
    }
    ensure!(
        found.len() == SCREENINGS,
        "the demo has {} screenings",
        found.len()
    );
    Ok(found)
}

async fn room_types(
    mut hotels: HotelServiceClient<Channel>,
) -> anyhow::Result<(Vec<RoomType>, u64)> {
    let all = hotels.list_hotels(v1::ListHotelsRequest::default()).await;
    let all = all.context("cannot list hotels")?.into_inner().hotels;
    let hotel = all.into_iter().next().context("the demo has a hotel")?.name;
    let parent = hotel.clone();
    let request = v1::ListRoomTypesRequest {
        parent,
        ..Default::default()
    };
    let types = hotels
        .list_room_types(request)
        .await
        .context("cannot list room types")?;
    let types = types.into_inner().room_types;

    let first = Zoned::now().date().saturating_add(FIRST_NIGHT_DAYS.days());
    let nights = i64::try_from(NIGHTS + OWN_NIGHTS)?;
    let request = v1::SearchAvailabilityRequest {
        hotel: hotel.clone(),
        check_in_date: first.to_string(),
        check_out_date: first.saturating_add(nights.days()).to_string(),
        ..Default::default()
    };
    let free = hotels
        .search_availability(request)
        .await
        .context("cannot search")?;
    let free = free.into_inner();
    let sequence = free.position.context("a position")?.sequence.unsigned_abs();
    let free = free.room_types;
    let mut found = Vec::new();
    for name in ROOM_TYPES.map(|id| format!("{hotel}/roomTypes/{id}")) {
        let capacity = types
            .iter()
            .find(|it| it.name == name)
            .map(|it| it.capacity);
        let free = free.iter().find(|it| it.room_type == name);
        let nights = free.map_or(&[][..], |it| &it.nights).iter();
        let nights: Option<Vec<_>> = nights
            .map(|night| Some((night.date.parse().ok()?, night.price.as_ref()?.amount_minor)))
            .collect();
        let capacity = capacity
            .with_context(|| format!("the demo has {name}"))?
            .unsigned_abs();
        found.push(RoomType {
            name,
            capacity,
            nights: nights.context("every night is priced")?,
        });
    }
    Ok((found, sequence))
}
