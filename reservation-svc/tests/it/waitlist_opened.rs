//! What operators open goes along the line before anybody new gets it.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, waitlist_entry::State};

use super::{
    cinema_rules::{CINEMA, price, row, screening, set_up},
    hotel_rules::restrict,
    support::{ALICE, BOB, Service, reason, seats, suites},
    waitlist::{CAROL, join, rooms, sell_out, state, together},
};

#[tokio::test]
async fn seats_that_get_a_price_are_offered_to_those_who_wait() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.cinema_rules();
        let (hall, movie) = set_up(&service).await;
        let mut request = screening(
            &hall,
            &movie,
            "2026-11-21T18:00:00Z",
            "2026-11-21T20:00:00Z",
        );
        request.prices = vec![price("standard", 900)];
        let shown = rules.create_screening(request).await.unwrap().into_inner();
        let all = service.hold(ALICE, seats(&shown.name, &["A1", "A2", "A3", "A4"]));
        all.await.unwrap();
        let waiting = join(&service, BOB, together(&shown.name, 2)).await;
        let waiting = waiting.unwrap().name;
        let set = v1::SetScreeningPricesRequest {
            name: shown.name.clone(),
            prices: vec![price("standard", 900), price("sofa", 1500)],
        };
        let priced = rules.set_screening_prices(set).await.unwrap().into_inner();
        assert_eq!(priced.available_seats, 0);
        assert_eq!(state(&service, BOB, &waiting).await, State::Offered);
        let newcomer = service.hold(CAROL, seats(&shown.name, &["B1", "B2"]));
        assert_eq!(reason(&newcomer.await.unwrap_err()), "CELL_UNAVAILABLE");
        service.assert_sound().await;
    }
}

/// A hall in whose one row nobody gets both sofas without leaving the first seat alone.
async fn strict_hall(service: &Service) -> String {
    let mut seats = row("A", 5, 0, "");
    for seat in &mut seats[1..3] {
        seat.category = "sofa".into();
    }
    let request = v1::CreateHallRequest {
        parent: CINEMA.into(),
        hall: Some(v1::Hall {
            display_name: "Strict".into(),
            no_single_seats: true,
            seats,
            ..Default::default()
        }),
    };
    let made = service.cinema_rules().create_hall(request).await;
    made.unwrap().into_inner().name
}

#[tokio::test]
async fn so_are_seats_once_single_ones_may_be_left_at_every_screening_of_the_hall() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.cinema_rules();
        let (_, movie) = set_up(&service).await;
        let hall = strict_hall(&service).await;
        let (mut shown, mut waiting) = (Vec::new(), Vec::new());
        for day in 21..24 {
            let (start, end) = (
                format!("2026-11-{day}T18:00:00Z"),
                format!("2026-11-{day}T20:00:00Z"),
            );
            let request = screening(&hall, &movie, &start, &end);
            let made = rules.create_screening(request).await.unwrap();
            shown.push(made.into_inner().name);
        }
        let sofas = ["A2", "A3"];
        let alone = service.hold(CAROL, seats(&shown[0], &sofas)).await;
        assert_eq!(reason(&alone.unwrap_err()), "LEAVES_SINGLE_SEAT");
        for shown in &shown[..2] {
            let mut request = together(shown, 2);
            if let Some(v1::join_waitlist_request::Claim::Seats(wanted)) = &mut request.claim {
                wanted.best.as_mut().unwrap().category = "sofa".into();
            }
            waiting.push(join(&service, BOB, request).await.unwrap().name);
        }
        let mut set = async |no_single_seats| {
            let name = hall.clone();
            let request = v1::SetHallRulesRequest {
                name,
                no_single_seats,
            };
            rules.set_hall_rules(request).await.unwrap();
        };
        set(true).await;
        for waiting in &waiting {
            assert_eq!(state(&service, BOB, waiting).await, State::Waiting);
        }
        set(false).await;
        for (waiting, shown) in waiting.iter().zip(&shown) {
            assert_eq!(state(&service, BOB, waiting).await, State::Offered);
            let newcomer = service.hold(CAROL, seats(shown, &sofas)).await;
            assert_eq!(reason(&newcomer.unwrap_err()), "CELL_UNAVAILABLE");
        }
        service.hold(CAROL, seats(&shown[2], &sofas)).await.unwrap();
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn so_are_nights_that_are_sold_again() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.hotel_rules();
        let (from, to) = ("2026-12-01", "2026-12-02");
        let [one, _] = sell_out(&service).await;
        let waiting = join(&service, BOB, rooms(from, to, 1)).await.unwrap().name;
        let stopped = v1::Restrictions {
            stop_sell: true,
            ..Default::default()
        };
        let stop = restrict(from, to, stopped);
        rules.set_restrictions(stop).await.unwrap();
        service.cancel(ALICE, &one).await.unwrap();
        assert_eq!(state(&service, BOB, &waiting).await, State::Waiting);
        let lift = restrict(from, to, v1::Restrictions::default());
        let lifted = rules.set_restrictions(lift).await.unwrap().into_inner();
        assert_eq!(state(&service, BOB, &waiting).await, State::Offered);
        let newcomer = service.hold(CAROL, suites(from, to, 1)).await;
        assert_eq!(reason(&newcomer.unwrap_err()), "CELL_UNAVAILABLE");
        // Whoever has read up to there knows of the offer.
        let events = service.events(lifted.position).await;
        let is_offer =
            |it: &v1::FeedEvent| matches!(it.event, Some(v1::feed_event::Event::BookingChanged(_)));
        assert!(!events.iter().any(is_offer), "{events:?}");
        service.assert_sound().await;
    }
}
