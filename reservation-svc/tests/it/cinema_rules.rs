//! Operators set up a cinema, and guests book what they have set up.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use prost_types::Timestamp;

use super::support::{ALICE, Service, euro, fields, reason, seats};

pub(crate) const CINEMA: &str = "cinemas/odeon";

pub(crate) fn price(category: &str, minor: i64) -> v1::CategoryPrice {
    v1::CategoryPrice {
        category: category.into(),
        price: euro(minor),
    }
}

fn time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().unwrap();
    Some(Timestamp {
        seconds: time.as_second(),
        nanos: 0,
    })
}

pub(crate) fn row(label: &str, seats: i32, y: i32, category: &str) -> Vec<v1::HallSeat> {
    let seat = |number| v1::HallSeat {
        row: label.into(),
        number,
        x: number - 1,
        y,
        category: category.into(),
        accessible: false,
    };
    (1..=seats).map(seat).collect()
}

pub(crate) fn cinema() -> v1::CreateCinemaRequest {
    v1::CreateCinemaRequest {
        cinema_id: "odeon".into(),
        cinema: Some(v1::Cinema {
            display_name: "Odeon".into(),
            time_zone: "Europe/Paris".into(),
            currency_code: "EUR".into(),
            city: "Paris".into(),
            ..Default::default()
        }),
    }
}

pub(crate) fn hall() -> v1::CreateHallRequest {
    let mut seats = row("A", 4, 0, "");
    seats.extend(row("B", 2, 1, "sofa"));
    v1::CreateHallRequest {
        parent: CINEMA.into(),
        hall: Some(v1::Hall {
            display_name: "Large".into(),
            seats,
            ..Default::default()
        }),
    }
}

/// A cinema with a hall and a movie; the names of both.
pub(crate) async fn set_up(service: &Service) -> (String, String) {
    let mut rules = service.cinema_rules();
    let made = rules.create_cinema(cinema()).await.unwrap().into_inner();
    assert_eq!(made.name, CINEMA);
    let hall = rules.create_hall(hall()).await.unwrap().into_inner();
    let movie = v1::CreateMovieRequest {
        movie: Some(v1::Movie {
            title: "Noon".into(),
            ..Default::default()
        }),
    };
    let movie = rules.create_movie(movie).await.unwrap().into_inner();
    (hall.name, movie.name)
}

pub(crate) fn screening(
    hall: &str,
    movie: &str,
    start: &str,
    end: &str,
) -> v1::CreateScreeningRequest {
    v1::CreateScreeningRequest {
        parent: CINEMA.into(),
        hall: hall.into(),
        movie: movie.into(),
        start_time: time(start),
        end_time: time(end),
        prices: vec![price("standard", 900), price("sofa", 1500)],
    }
}

#[tokio::test]
async fn what_operators_set_up_can_be_booked() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.cinema_rules();
        let (hall, movie) = set_up(&service).await;
        let request = screening(
            &hall,
            &movie,
            "2026-11-21T18:00:00Z",
            "2026-11-21T20:00:00Z",
        );
        let shown = rules.create_screening(request).await.unwrap().into_inner();
        assert_eq!((shown.capacity, shown.available_seats), (6, 6));
        assert_eq!(shown.from_price, euro(900));

        let held = service.hold(ALICE, seats(&shown.name, &["A1", "B1"])).await;
        let held = held.unwrap().booking.unwrap();
        assert_eq!(held.total_price, euro(2400));

        let set = v1::SetScreeningPricesRequest {
            name: shown.name.clone(),
            prices: vec![price("sofa", 2000)],
        };
        let priced = rules.set_screening_prices(set).await.unwrap().into_inner();
        assert_eq!((priced.from_price, priced.available_seats), (euro(2000), 1));
        let unsold = service.hold(ALICE, seats(&shown.name, &["A2"])).await;
        assert_eq!(reason(&unsold.unwrap_err()), "NOT_SOLD");
        assert_eq!(
            service.get(ALICE, &held.name).await.unwrap().total_price,
            euro(2400)
        );

        let gone = v1::RemoveScreeningRequest {
            name: shown.name.clone(),
        };
        let removed = rules.remove_screening(gone).await.unwrap().into_inner();
        let events = service.events(None).await;
        let last = events.last().unwrap();
        assert_eq!(last.position, removed.position);
        let unknown = service.hold(ALICE, seats(&shown.name, &["B2"])).await;
        assert_eq!(unknown.unwrap_err().code(), tonic::Code::NotFound);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_hall_shows_one_thing_at_a_time() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.cinema_rules();
        let (hall, movie) = set_up(&service).await;
        let at = |start: &str, end: &str| {
            screening(
                &hall,
                &movie,
                &format!("2026-11-21T{start}:00Z"),
                &format!("2026-11-21T{end}:00Z"),
            )
        };
        rules.create_screening(at("18:00", "20:00")).await.unwrap();
        for (start, end) in [("17:00", "18:01"), ("19:59", "21:00"), ("18:30", "19:00")] {
            let refused = rules.create_screening(at(start, end)).await.unwrap_err();
            assert_eq!(reason(&refused), "HALL_BUSY", "{start}");
        }
        rules.create_screening(at("20:00", "21:00")).await.unwrap();
        rules.create_screening(at("16:00", "18:00")).await.unwrap();
    }
}

#[tokio::test]
async fn halls_are_listed_with_their_rules() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let mut rules = service.cinema_rules();
    let (hall, _) = set_up(&service).await;
    rules.create_hall(self::hall()).await.unwrap();
    let set = v1::SetHallRulesRequest {
        name: hall.clone(),
        no_single_seats: true,
    };
    rules.set_hall_rules(set).await.unwrap();
    let mut list = v1::ListHallsRequest {
        parent: CINEMA.into(),
        page_size: 1,
        ..Default::default()
    };
    let first = rules.list_halls(list.clone()).await.unwrap().into_inner();
    assert_eq!(first.halls[0].name, hall);
    assert!(first.halls[0].no_single_seats);
    list.page_token = first.next_page_token;
    let second = rules.list_halls(list).await.unwrap().into_inner();
    assert!(!second.halls[0].no_single_seats);
    assert_eq!(second.next_page_token, "");
}

#[tokio::test]
async fn what_is_wrong_with_a_cinema_is_named() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let mut rules = service.cinema_rules();
    let (hall, movie) = set_up(&service).await;

    let again = rules.create_cinema(cinema()).await.unwrap_err();
    assert_eq!(again.code(), tonic::Code::AlreadyExists);
    let empty = v1::CreateCinemaRequest::default();
    let found = fields(&rules.create_cinema(empty).await.unwrap_err());
    let want = [
        "cinema_id",
        "cinema.display_name",
        "cinema.time_zone",
        "cinema.currency_code",
    ];
    let missing = |it: &str| (it.to_owned(), "MISSING".to_owned());
    assert_eq!(found, want.map(missing));

    let mut twice = self::hall();
    let seats = &mut twice.hall.as_mut().unwrap().seats;
    seats[1] = seats[0].clone();
    let found = fields(&rules.create_hall(twice).await.unwrap_err());
    let duplicate = |it: &str| (it.to_owned(), "DUPLICATE".to_owned());
    let want = ["hall.seats[1].number", "hall.seats[1].x"];
    assert_eq!(found, want.map(duplicate));

    let mut wrong = screening(
        &hall,
        &movie,
        "2026-11-20T11:00:00Z",
        "2026-11-20T10:00:00Z",
    );
    wrong.prices[1] = v1::CategoryPrice {
        category: "standard".into(),
        price: Some(v1::Money {
            currency_code: "USD".into(),
            amount_minor: -1,
        }),
    };
    let found = fields(&rules.create_screening(wrong).await.unwrap_err());
    let want = [
        ("start_time", "RANGE"),
        ("end_time", "RANGE"),
        ("prices[1].category", "DUPLICATE"),
        ("prices[1].price.currency_code", "RANGE"),
        ("prices[1].price.amount_minor", "RANGE"),
    ];
    assert_eq!(found, want.map(|(field, why)| (field.into(), why.into())));

    let mut unknown = screening(
        &hall,
        &movie,
        "2026-11-21T11:00:00Z",
        "2026-11-21T12:00:00Z",
    );
    unknown.prices[0].category = "balcony".into();
    let found = fields(&rules.create_screening(unknown).await.unwrap_err());
    assert_eq!(
        found,
        [("prices[0].category".to_owned(), "RANGE".to_owned())]
    );

    let mut elsewhere = screening(
        &hall,
        &movie,
        "2026-11-21T11:00:00Z",
        "2026-11-21T12:00:00Z",
    );
    elsewhere.parent = "cinemas/grand-banyan".into();
    let found = fields(&rules.create_screening(elsewhere).await.unwrap_err());
    assert_eq!(found, [("hall".to_owned(), "RANGE".to_owned())]);
}
