//! Every answer to a change, refusals too, says where it was decided: at the last event that the feed has by then.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, feed_event::Event};
use tonic::{Code, Status};

use super::{
    cinema_rules, hotel_rules,
    support::{ALICE, BOB, SUITE, Service, by, decided_at, reason, replied_at, suites},
    waitlist,
};

const NOBODYS: &str = "bookings/00000000-0000-7000-8000-000000000000";

/// The last event of the feed.
async fn last(service: &Service) -> v1::FeedEvent {
    service.events(None).await.pop().unwrap()
}

/// That this was decided at the last event of the feed; what that event tells.
async fn told(service: &Service, at: v1::CommitPosition) -> Event {
    let last = last(service).await;
    assert_eq!(last.position, Some(at));
    last.event.unwrap()
}

/// That refusals of those codes were decided at the last event of the feed.
async fn refused<const N: usize>(service: &Service, refusals: [(Code, Option<Status>); N]) {
    let last = last(service).await;
    for (code, refusal) in refusals {
        let refusal = refusal.unwrap();
        assert_eq!(refusal.code(), code, "{refusal}");
        assert_eq!(decided_at(&refusal), last.position, "{refusal}");
    }
}

#[tokio::test]
async fn changes_of_a_hotel() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.hotel_rules();
        let made = rules.create_hotel(hotel_rules::hotel()).await.unwrap();
        let event = told(&service, replied_at(&made)).await;
        assert!(matches!(event, Event::HotelChanged(_)), "{event:?}");
        let attic = hotel_rules::attic();
        let made = rules.create_room_type(attic.clone()).await.unwrap();
        let event = told(&service, replied_at(&made)).await;
        assert!(matches!(event, Event::RoomTypeChanged(_)), "{event:?}");
        let rooms = hotel_rules::rooms(&["1", "2"]);
        let added = rules.add_rooms(rooms.clone()).await.unwrap();
        let Event::RoomTypeChanged(changed) = told(&service, replied_at(&added)).await else {
            panic!("no room type")
        };
        assert_eq!(changed.capacity, 2);

        // What leaves the feed as it is was decided at the same place.
        let rates = hotel_rules::rates("2026-12-01", "2026-12-02", 100);
        let set = rules.set_rates(rates).await.unwrap().into_inner();
        assert_eq!(set.position, Some(replied_at(&added)));

        let exists = [
            rules.create_hotel(hotel_rules::hotel()).await.err(),
            rules.create_room_type(attic).await.err(),
            rules.add_rooms(rooms).await.err(),
        ];
        refused(&service, exists.map(|it| (Code::AlreadyExists, it))).await;
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn changes_of_a_hotel_that_is_not_there() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.hotel_rules();
        let out_of_order = v1::TakeOutOfOrderRequest {
            room: "hotels/inn/rooms/1".into(),
            from_date: "2026-12-01".into(),
            to_date: "2026-12-02".into(),
            ..Default::default()
        };
        let restrictions = v1::SetRestrictionsRequest {
            room_type: hotel_rules::ATTIC.into(),
            ..hotel_rules::restrict("2026-12-01", "2026-12-02", v1::Restrictions::default())
        };
        let policy = v1::SetHotelCancellationPolicyRequest {
            hotel: hotel_rules::INN.into(),
            policy: None,
        };
        let rates = hotel_rules::rates("2026-12-01", "2026-12-02", 100);
        let unknown = [
            rules.create_room_type(hotel_rules::attic()).await.err(),
            rules.add_rooms(hotel_rules::rooms(&["1"])).await.err(),
            rules.set_rates(rates).await.err(),
            rules.set_restrictions(restrictions).await.err(),
            rules.set_hotel_cancellation_policy(policy).await.err(),
            service
                .front_desk()
                .take_out_of_order(out_of_order)
                .await
                .err(),
        ];
        refused(&service, unknown.map(|it| (Code::NotFound, it))).await;

        let told_by_itself = rules.create_hotel(v1::CreateHotelRequest::default());
        assert_eq!(decided_at(&told_by_itself.await.unwrap_err()), None);
    }
}

#[tokio::test]
async fn changes_of_a_cinema() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.cinema_rules();
        let before = last(&service).await.position.unwrap();
        let made = rules.create_cinema(cinema_rules::cinema()).await.unwrap();
        assert_eq!(replied_at(&made), before, "cinemas are not in the feed");
        let made = rules.create_hall(cinema_rules::hall()).await.unwrap();
        assert_eq!(replied_at(&made), before, "nor are halls");
        let hall = made.into_inner().name;
        let movie = v1::CreateMovieRequest {
            movie: Some(v1::Movie {
                title: "Noon".into(),
                ..Default::default()
            }),
        };
        let made = rules.create_movie(movie).await.unwrap();
        assert_eq!(replied_at(&made), before, "nor are movies");
        let movie = made.into_inner().name;

        let (start, end) = ("2026-11-21T18:00:00Z", "2026-11-21T20:00:00Z");
        let request = cinema_rules::screening(&hall, &movie, start, end);
        let made = rules.create_screening(request.clone()).await.unwrap();
        let at = replied_at(&made);
        assert_eq!(at.incarnation, before.incarnation);
        assert_eq!(at.sequence, before.sequence + 1);
        let event = told(&service, at.clone()).await;
        assert!(matches!(event, Event::ScreeningChanged(_)), "{event:?}");
        let prices = v1::SetScreeningPricesRequest {
            name: made.into_inner().name,
            prices: vec![cinema_rules::price("sofa", 2000)],
        };
        let set = rules.set_screening_prices(prices.clone()).await.unwrap();
        assert_eq!(replied_at(&set), at);
        let hall_rules = v1::SetHallRulesRequest {
            name: hall.clone(),
            no_single_seats: true,
        };
        let set = rules.set_hall_rules(hall_rules).await.unwrap();
        assert_eq!(replied_at(&set), at);

        let again = rules.create_cinema(cinema_rules::cinema()).await.err();
        let busy = rules.create_screening(request.clone()).await.err();
        let balcony = v1::SetScreeningPricesRequest {
            prices: vec![cinema_rules::price("balcony", 1)],
            ..prices
        };
        let balcony = rules.set_screening_prices(balcony).await.err();
        let unknown = v1::CreateScreeningRequest {
            movie: "movies/99999".into(),
            ..request
        };
        let unknown = rules.create_screening(unknown).await.err();
        let refusals = [
            (Code::AlreadyExists, again),
            (Code::FailedPrecondition, busy),
            (Code::InvalidArgument, balcony),
            (Code::NotFound, unknown),
        ];
        refused(&service, refusals).await;
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn changes_of_a_cinema_that_is_not_there() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut rules = service.cinema_rules();
        let name = "cinemas/odeon/screenings/99999";
        let prices = v1::SetScreeningPricesRequest {
            name: name.into(),
            prices: Vec::new(),
        };
        // Its cinema is there, it is not.
        let unknown = v1::SetScreeningPricesRequest {
            name: "cinemas/grand-banyan/screenings/99999".into(),
            prices: Vec::new(),
        };
        let hall_rules = v1::SetHallRulesRequest {
            name: "cinemas/odeon/halls/99999".into(),
            no_single_seats: true,
        };
        let policy = v1::SetCinemaCancellationPolicyRequest {
            cinema: cinema_rules::CINEMA.into(),
            policy: None,
        };
        let screening = cinema_rules::screening(
            "cinemas/odeon/halls/99999",
            "movies/1",
            "2026-11-21T18:00:00Z",
            "2026-11-21T20:00:00Z",
        );
        let gone = v1::RemoveScreeningRequest { name: name.into() };
        let unknown = [
            rules.create_hall(cinema_rules::hall()).await.err(),
            rules.set_hall_rules(hall_rules).await.err(),
            rules.create_screening(screening).await.err(),
            rules.set_screening_prices(prices).await.err(),
            rules.set_screening_prices(unknown).await.err(),
            rules.remove_screening(gone).await.err(),
            rules.set_cinema_cancellation_policy(policy).await.err(),
        ];
        refused(&service, unknown.map(|it| (Code::NotFound, it))).await;
    }
}

#[tokio::test]
async fn rooms_that_are_added_and_offered_are_at_the_offer() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        waitlist::sell_out(&service).await;
        let night = waitlist::rooms("2026-12-01", "2026-12-02", 1);
        waitlist::join(&service, BOB, night).await.unwrap();
        let request = v1::AddRoomsRequest {
            room_type: SUITE.into(),
            numbers: vec!["304".into()],
        };
        let added = service.hotel_rules().add_rooms(request).await.unwrap();
        let event = told(&service, replied_at(&added)).await;
        assert!(matches!(event, Event::BookingChanged(_)), "{event:?}");
        // A guest's answers are in the same order.
        let refused = service.hold(ALICE, suites("2026-12-01", "2026-12-02", 1));
        let refused = refused.await.unwrap_err();
        assert_eq!(reason(&refused), "CELL_UNAVAILABLE");
        let at = decided_at(&refused).unwrap();
        assert!(at.sequence >= replied_at(&added).sequence, "{at:?}");
    }
}

#[tokio::test]
async fn changes_of_contacts() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let held = service.hold(ALICE, suites("2026-12-01", "2026-12-02", 1));
        let held = held.await.unwrap();
        let name = held.booking.unwrap().name;
        let update = |name: &str, etag: &str| v1::UpdateContactRequest {
            name: name.into(),
            etag: etag.into(),
            contact: Some(v1::Contact {
                display_name: "Ada".into(),
                ..Default::default()
            }),
        };
        let erase = |name: &str| v1::EraseContactRequest { name: name.into() };
        let erase_guest = |name: &str| v1::EraseGuestContactRequest { name: name.into() };
        let (mut bookings, mut operators) = (service.bookings(), service.operators());

        let updated = bookings.update_contact(by(ALICE, update(&name, ""))).await;
        assert_eq!(Some(replied_at(&updated.unwrap())), held.position);
        for _ in 0..2 {
            let erased = bookings.erase_contact(by(ALICE, erase(&name))).await;
            assert_eq!(erased.unwrap().into_inner().position, held.position);
        }
        let erased = operators.erase_guest_contact(erase_guest(&name)).await;
        assert_eq!(erased.unwrap().into_inner().position, held.position);

        let stale = bookings.update_contact(by(ALICE, update(&name, "0"))).await;
        let late = bookings.update_contact(by(ALICE, update(&name, ""))).await;
        let foreign = bookings.update_contact(by(BOB, update(&name, ""))).await;
        let strangers = bookings.erase_contact(by(BOB, erase(&name))).await;
        let nobodys = operators.erase_guest_contact(erase_guest(NOBODYS)).await;
        let refusals = [
            (Code::Aborted, stale.err()),
            (Code::FailedPrecondition, late.err()),
            (Code::NotFound, foreign.err()),
            (Code::NotFound, strangers.err()),
            (Code::NotFound, nobodys.err()),
        ];
        refused(&service, refusals).await;
    }
}

#[tokio::test]
async fn trimming_the_feed() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let last = last(&service).await.position;
        let request = v1::TrimFeedRequest {
            before_time: Some(prost_types::Timestamp {
                seconds: service.clock_seconds(),
                nanos: 0,
            }),
        };
        let trimmed = service.feed_admin().trim_feed(request).await.unwrap();
        assert_eq!(trimmed.into_inner().position, last);
    }
}
