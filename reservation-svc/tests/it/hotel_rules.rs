//! Operators set up a hotel, its prices and its restrictions, and guests see and book what they have set.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use tonic::Code;

use super::support::{ALICE, SUITE, Service, fields, stay, suites};

pub(crate) const INN: &str = "hotels/inn";
pub(crate) const ATTIC: &str = "hotels/inn/roomTypes/attic";

fn euro(minor: i64) -> Option<v1::Money> {
    Some(v1::Money {
        currency_code: "EUR".into(),
        amount_minor: minor,
    })
}

pub(crate) fn hotel() -> v1::CreateHotelRequest {
    v1::CreateHotelRequest {
        hotel_id: "inn".into(),
        hotel: Some(v1::Hotel {
            display_name: "Inn".into(),
            time_zone: "Pacific/Auckland".into(),
            currency_code: "EUR".into(),
            ..Default::default()
        }),
    }
}

pub(crate) fn attic() -> v1::CreateRoomTypeRequest {
    v1::CreateRoomTypeRequest {
        parent: INN.into(),
        room_type_id: "attic".into(),
        room_type: Some(v1::RoomType {
            display_name: "Attic".into(),
            max_guests: 2,
            capacity: 99,
            ..Default::default()
        }),
    }
}

pub(crate) fn rooms(numbers: &[&str]) -> v1::AddRoomsRequest {
    v1::AddRoomsRequest {
        room_type: ATTIC.into(),
        numbers: numbers.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn rates(from: &str, to: &str, minor: i64) -> v1::SetRatesRequest {
    v1::SetRatesRequest {
        room_type: ATTIC.into(),
        from_date: from.into(),
        to_date: to.into(),
        weekdays: Vec::new(),
        price: euro(minor),
    }
}

pub(crate) fn restrict(
    from: &str,
    to: &str,
    restrictions: v1::Restrictions,
) -> v1::SetRestrictionsRequest {
    v1::SetRestrictionsRequest {
        room_type: SUITE.into(),
        from_date: from.into(),
        to_date: to.into(),
        weekdays: Vec::new(),
        restrictions: Some(restrictions),
    }
}

fn owned(found: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(field, why): &(&str, &str)| ((*field).to_owned(), (*why).to_owned());
    found.iter().map(owned).collect()
}

/// What is free of the attic on some nights, with the prices.
async fn attics(service: &Service, from: &str, to: &str) -> v1::RoomTypeAvailability {
    let request = v1::SearchAvailabilityRequest {
        hotel: INN.into(),
        check_in_date: from.into(),
        check_out_date: to.into(),
        ..Default::default()
    };
    let found = service.hotels().search_availability(request).await.unwrap();
    found.into_inner().room_types.remove(0)
}

#[tokio::test]
async fn a_hotel_that_has_been_set_up_is_sold() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.hotel_rules();
        let made = rules.create_hotel(hotel()).await.unwrap().into_inner();
        assert_eq!(made.name, INN);
        let made = rules.create_room_type(attic()).await.unwrap().into_inner();
        assert_eq!((made.name.as_str(), made.capacity), (ATTIC, 0));
        let made = rules.add_rooms(rooms(&["1", "2a"])).await.unwrap();
        assert_eq!(made.into_inner().capacity, 2);

        rules
            .set_rates(rates("2026-12-01", "2027-01-01", 5_000))
            .await
            .unwrap();
        let mut weekend = rates("2026-12-01", "2027-01-01", 8_000);
        weekend.weekdays = vec![v1::Weekday::Friday.into(), v1::Weekday::Saturday.into()];
        rules.set_rates(weekend).await.unwrap();
        // A Thursday and a Friday.
        let found = attics(&service, "2026-12-03", "2026-12-05").await;
        assert_eq!(
            (found.available_rooms, found.total_price),
            (2, euro(13_000))
        );

        let held = v1::HoldBookingRequest {
            claim: Some(v1::hold_booking_request::Claim::Stay(v1::HotelStay {
                room_type: ATTIC.into(),
                ..stay("2026-12-03", "2026-12-05", 2)
            })),
            ..Default::default()
        };
        let held = service.hold(ALICE, held).await.unwrap().booking.unwrap();
        assert_eq!(held.total_price, euro(26_000));

        // More rooms are sold on nights that somebody has booked, too.
        let more = rules.add_rooms(rooms(&["3"])).await.unwrap().into_inner();
        assert_eq!(more.capacity, 3);
        let found = attics(&service, "2026-12-03", "2026-12-05").await;
        assert_eq!(found.available_rooms, 1);
        // The price set last holds, for bookings from now on.
        rules
            .set_rates(rates("2026-12-01", "2027-01-01", 100))
            .await
            .unwrap();
        let found = attics(&service, "2026-12-03", "2026-12-05").await;
        assert_eq!(found.total_price, euro(200));
        let kept = service.get(ALICE, &held.name).await.unwrap();
        assert_eq!(kept.total_price, euro(26_000));

        let events = service.events(None).await;
        let capacities = events.iter().filter_map(|it| match &it.event {
            Some(v1::feed_event::Event::RoomTypeChanged(it)) if it.room_type == ATTIC => {
                Some(it.capacity)
            }
            _ => None,
        });
        assert_eq!(capacities.collect::<Vec<_>>(), [0, 2, 3]);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn restrictions_are_listed_by_night_as_set_last() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.hotel_rules();
        let long = v1::Restrictions {
            min_nights: 3,
            cut_off_hours: Some(0),
            ..Default::default()
        };
        let closed = v1::Restrictions {
            stop_sell: true,
            ..Default::default()
        };
        let week = restrict("2026-12-07", "2026-12-14", long);
        rules.set_restrictions(week).await.unwrap();
        let mut sunday = restrict("2026-12-01", "2027-01-01", closed);
        sunday.weekdays = vec![v1::Weekday::Sunday.into()];
        rules.set_restrictions(sunday).await.unwrap();
        let none = restrict("2026-12-09", "2026-12-13", v1::Restrictions::default());
        rules.set_restrictions(none).await.unwrap();

        let list = v1::ListRestrictionsRequest {
            parent: SUITE.into(),
            from_date: "2026-12-07".into(),
            to_date: "2026-12-20".into(),
        };
        let listed = rules.list_restrictions(list).await.unwrap().into_inner();
        let of = |date: &str, restrictions| v1::NightRestrictions {
            date: date.into(),
            restrictions: Some(restrictions),
        };
        let want = [
            of("2026-12-07", long),
            of("2026-12-08", long),
            of("2026-12-13", closed),
        ];
        assert_eq!(listed.nights, want);

        // What cannot be held as a whole is not shown as free.
        for (from, to, free) in [
            ("2026-12-07", "2026-12-08", false),
            ("2026-12-07", "2026-12-10", true),
            ("2026-12-12", "2026-12-14", false),
        ] {
            let request = v1::SearchAvailabilityRequest {
                hotel: "hotels/banyan-bay".into(),
                check_in_date: from.into(),
                check_out_date: to.into(),
                ..Default::default()
            };
            let found = service.hotels().search_availability(request).await.unwrap();
            let types = found.into_inner().room_types;
            let suite = types.iter().find(|it| it.room_type == SUITE).unwrap();
            assert_eq!(suite.available_rooms > 0, free, "{from}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_hotel_is_named() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let mut rules = service.hotel_rules();
    rules.create_hotel(hotel()).await.unwrap();
    rules.create_room_type(attic()).await.unwrap();
    rules.add_rooms(rooms(&["1"])).await.unwrap();

    for again in [
        rules.create_hotel(hotel()).await.unwrap_err(),
        rules.create_room_type(attic()).await.unwrap_err(),
        rules.add_rooms(rooms(&["2", "1"])).await.unwrap_err(),
    ] {
        assert_eq!(again.code(), Code::AlreadyExists);
    }
    let empty = v1::CreateHotelRequest::default();
    let found = fields(&rules.create_hotel(empty).await.unwrap_err());
    let want = [
        ("hotel_id", "MISSING"),
        ("hotel.display_name", "MISSING"),
        ("hotel.time_zone", "MISSING"),
        ("hotel.currency_code", "MISSING"),
    ];
    assert_eq!(found, owned(&want));

    let mut crowded = attic();
    crowded.room_type_id = "Loft".into();
    crowded.room_type.as_mut().unwrap().max_guests = 21;
    let found = fields(&rules.create_room_type(crowded).await.unwrap_err());
    let want = [
        ("room_type_id", "FORMAT"),
        ("room_type.max_guests", "RANGE"),
    ];
    assert_eq!(found, owned(&want));

    let found = fields(
        &rules
            .add_rooms(rooms(&["2", "2", "b c"]))
            .await
            .unwrap_err(),
    );
    assert_eq!(
        found,
        owned(&[("numbers[1]", "DUPLICATE"), ("numbers[2]", "FORMAT")])
    );
    let found = fields(&rules.add_rooms(rooms(&[])).await.unwrap_err());
    assert_eq!(found, owned(&[("numbers", "MISSING")]));

    let unknown = v1::AddRoomsRequest {
        room_type: "hotels/inn/roomTypes/cellar".into(),
        numbers: vec!["9".into()],
    };
    assert_eq!(
        rules.add_rooms(unknown).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn what_is_wrong_with_prices_and_restrictions_is_named() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let mut rules = service.hotel_rules();
    rules.create_hotel(hotel()).await.unwrap();
    rules.create_room_type(attic()).await.unwrap();

    let mut wrong = rates("2026-12-02", "2026-12-02", 1);
    wrong.weekdays = vec![1, 9, 1];
    wrong.price.as_mut().unwrap().currency_code = "USD".into();
    let found = fields(&rules.set_rates(wrong).await.unwrap_err());
    let want = [
        ("to_date", "RANGE"),
        ("weekdays[1]", "RANGE"),
        ("weekdays[2]", "DUPLICATE"),
        ("price.currency_code", "RANGE"),
    ];
    assert_eq!(found, owned(&want));

    let wrong = v1::Restrictions {
        min_nights: 9,
        max_nights: 3,
        cut_off_hours: Some(8_761),
        max_advance_days: -1,
        ..Default::default()
    };
    let wrong = restrict("2026-12-02", "12/03", wrong);
    let found = fields(&rules.set_restrictions(wrong).await.unwrap_err());
    let want = [
        ("to_date", "FORMAT"),
        ("restrictions.cut_off_hours", "RANGE"),
        ("restrictions.max_advance_days", "RANGE"),
        ("restrictions.max_nights", "RANGE"),
    ];
    assert_eq!(found, owned(&want));

    let list = v1::ListRestrictionsRequest {
        parent: SUITE.into(),
        from_date: "2026-12-01".into(),
        to_date: "2027-12-03".into(),
    };
    let found = fields(&rules.list_restrictions(list).await.unwrap_err());
    assert_eq!(found, owned(&[("to_date", "RANGE")]));
    service
        .hold(ALICE, suites("2026-12-01", "2026-12-02", 1))
        .await
        .unwrap();
}
