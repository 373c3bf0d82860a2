//! The demo's hotel: three room types, twenty rooms, two years of rates.

use jiff::{
    ToSpan,
    civil::{Date, Weekday, date},
};

use super::{DemoError, World};
use crate::{
    domain::{
        catalogue::{Hotel, RoomType},
        cell::{PoolId, Slot},
        event::Event,
        name::{HotelId, RoomTypeId},
        rate::{Rate, Weekdays},
    },
    inventory::Commit,
};

struct Type {
    id: &'static str,
    name: &'static str,
    description: &'static str,
    guests_max: i64,
    rooms: &'static [&'static str],
    price_minor: i64,
}

const TYPES: &[Type] = &[
    Type {
        id: "garden-double",
        name: "Garden double",
        description: "A quiet room on the ground floor, with a door into the fig garden.",
        guests_max: 2,
        rooms: &[
            "101", "102", "103", "104", "105", "106", "107", "108", "109", "110",
        ],
        price_minor: 9_500,
    },
    Type {
        id: "sea-view",
        name: "Sea view",
        description: "Two beds, a balcony, and nothing but water in front of it.",
        guests_max: 3,
        rooms: &["201", "202", "203", "204", "205", "206", "207"],
        price_minor: 14_500,
    },
    Type {
        id: "banyan-suite",
        name: "Banyan suite",
        description: "Two rooms under the roof and a terrace as large as both.",
        guests_max: 4,
        rooms: &["301", "302", "303"],
        price_minor: 26_000,
    },
];

/// Makes the hotel.
pub(super) async fn create(commit: &mut Commit) -> Result<(), DemoError> {
    let hotel = hotel()?;
    let today = hotel.today(commit.now);
    let mut room_types = Vec::new();
    let mut rooms = Vec::new();
    let mut rates = Vec::new();
    for it in TYPES {
        let pool = commit.next_pool();
        rooms.extend(it.rooms.iter().map(|number| ((*number).to_owned(), pool)));
        rates.extend(rates_of(pool, it.price_minor, today));
        room_types.push(RoomType {
            id: RoomTypeId {
                hotel: hotel.id.clone(),
                id: it.id.to_owned(),
            },
            pool,
            display_name: it.name.to_owned(),
            description: it.description.to_owned(),
            guests_max: it.guests_max,
            capacity: i64::try_from(it.rooms.len()).unwrap_or(0),
        });
    }
    commit.write.insert_hotel(&hotel).await?;
    commit.write.insert_room_types(&room_types).await?;
    commit.write.insert_rooms(&hotel.id, &rooms).await?;
    commit.write.insert_rates(&rates).await?;
    commit.record(&Event::Hotel(hotel));
    for RoomType { id, capacity, .. } in room_types {
        commit.record(&Event::RoomType { id, capacity });
    }
    Ok(())
}

fn hotel() -> Result<Hotel, DemoError> {
    let world = World::lisbon()?;
    Ok(Hotel {
        id: HotelId("banyan-bay".to_owned()),
        display_name: "Banyan Bay".to_owned(),
        zone: world.zone,
        zone_name: world.zone_name.to_owned(),
        currency: world.currency,
        address: "Rua da Figueira 7, Lisbon".to_owned(),
        description: "A small hotel around an old fig tree, ten minutes from the ferry.".to_owned(),
    })
}

/// Two years of nights: a price for every day, more at weekends, and a quarter more in summer.
fn rates_of(pool: PoolId, price_minor: i64, today: Date) -> Vec<Rate> {
    let weekend = Weekdays::of(&[Weekday::Friday, Weekday::Saturday]);
    let weekend_minor = price_minor * 130 / 100;
    let rate = |from: Date, to: Date, weekdays, price_minor| Rate {
        pool,
        nights: Slot::of_night(from)..Slot::of_night(to),
        weekdays,
        price_minor,
    };
    let end = today.saturating_add(2.years());
    let mut rates = vec![
        rate(today, end, Weekdays::ALL, price_minor),
        rate(today, end, weekend, weekend_minor),
    ];
    for year in today.year()..=end.year() {
        let (from, to) = (date(year, 6, 15).max(today), date(year, 9, 15).min(end));
        if from < to {
            rates.push(rate(from, to, Weekdays::ALL, price_minor * 125 / 100));
            rates.push(rate(from, to, weekend, weekend_minor * 125 / 100));
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rate::price_of;

    #[test]
    fn every_night_of_two_years_has_a_price_and_weekends_cost_more() {
        let today = date(2026, 11, 21);
        let rates = rates_of(PoolId(1), 10_000, today);
        let price = |day: Date| price_of(&rates, PoolId(1), day);
        let mut day = today;
        while day < date(2028, 11, 21) {
            assert!(price(day).is_some(), "{day}");
            day = day.tomorrow().unwrap();
        }
        assert_eq!(price(date(2028, 11, 21)), None);
        assert_eq!(price(date(2026, 11, 26)), Some(10_000)); // Thursday
        assert_eq!(price(date(2026, 11, 27)), Some(13_000));
        assert_eq!(price(date(2027, 7, 1)), Some(12_500));
    }
}
