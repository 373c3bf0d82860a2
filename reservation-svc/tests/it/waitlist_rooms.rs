//! What becomes free though nobody gave it back, goes along the line like everything else.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, waitlist_entry::State};

use super::{
    front_desk::booked,
    front_desk_rooms::{fixed, pin, unpin},
    support::{ALICE, BOB, SUITE, Service, by, reason, stay, suites},
    waitlist::{CAROL, join, rooms, sell_out, state},
};

async fn add_room(service: &Service, number: &str) {
    let request = v1::AddRoomsRequest {
        room_type: SUITE.into(),
        numbers: vec![number.into()],
    };
    service.hotel_rules().add_rooms(request).await.unwrap();
}

#[tokio::test]
async fn rooms_that_are_added_are_offered_to_those_who_wait() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        sell_out(&service).await;
        let night = || rooms("2026-12-01", "2026-12-02", 1);
        let first = join(&service, BOB, night()).await.unwrap().name;
        let second = join(&service, CAROL, night()).await.unwrap().name;
        add_room(&service, "304").await;
        assert_eq!(state(&service, BOB, &first).await, State::Offered);
        assert_eq!(state(&service, CAROL, &second).await, State::Waiting);
        let newcomer = || service.hold(ALICE, suites("2026-12-01", "2026-12-02", 1));
        assert_eq!(reason(&newcomer().await.unwrap_err()), "CELL_UNAVAILABLE");
        add_room(&service, "305").await;
        assert_eq!(state(&service, CAROL, &second).await, State::Offered);
        add_room(&service, "306").await;
        newcomer().await.unwrap();
        // The feed tells of each offer, right after the rooms.
        let told = service.events(None).await.into_iter();
        let told = told.filter_map(|it| match it.event {
            Some(v1::feed_event::Event::BookingChanged(it)) => Some(it.state()),
            _ => None,
        });
        let held = told.filter(|it| *it == v1::booking::State::Held);
        assert_eq!(held.count(), 5, "two of Alice's, two offers, one more");
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_room_that_is_no_longer_certain_makes_an_offer() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let [_, late, _] = fixed(&service).await;
        let whole = || rooms("2026-12-01", "2026-12-05", 1);
        let waiting = join(&service, BOB, whole()).await.unwrap().name;
        unpin(&service, &late.name).await.unwrap();
        assert_eq!(state(&service, BOB, &waiting).await, State::Offered);
        let newcomer = service.hold(CAROL, suites("2026-12-01", "2026-12-05", 1));
        assert_eq!(reason(&newcomer.await.unwrap_err()), "CELL_UNAVAILABLE");
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn so_does_one_on_nights_that_nobody_waits_for_if_others_can_make_way() {
    for is_given_back in [false, true] {
        for database in TestDatabase::each() {
            let service = Service::start(database).await;
            // 301 is certain before and after, so that the last of these sleeps in another room for both of its nights.
            let mut last = String::new();
            for (from, to) in [("2026-12-01", "2026-12-02"), ("2026-12-03", "2026-12-04")] {
                last = booked(&service, ALICE, from, to, 1).await.name;
                pin(&service, &last, &["301"]).await.unwrap();
            }
            for from in ["2026-12-01", "2026-12-02"] {
                booked(&service, ALICE, from, "2026-12-04", 1).await;
            }
            let both = || suites("2026-12-01", "2026-12-03", 1);
            let refused = service.hold(CAROL, both()).await.unwrap_err();
            assert_eq!(reason(&refused), "ROOM_FRAGMENTED");
            let waiting = join(&service, BOB, rooms("2026-12-01", "2026-12-03", 1)).await;
            let waiting = waiting.unwrap().name;
            let changed = match is_given_back {
                true => service.cancel(ALICE, &last).await,
                false => unpin(&service, &last).await,
            };
            changed.unwrap();
            assert_eq!(state(&service, BOB, &waiting).await, State::Offered);
            let newcomer = service.hold(CAROL, both()).await.unwrap_err();
            assert_eq!(reason(&newcomer), "CELL_UNAVAILABLE");
            service.assert_sound().await;
        }
    }
}

#[tokio::test]
async fn so_does_a_stay_that_is_given_another_room_or_moved() {
    let whole = || rooms("2026-12-01", "2026-12-05", 1);
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let [_, late, _] = fixed(&service).await;
        let waiting = join(&service, BOB, whole()).await.unwrap().name;
        pin(&service, &late.name, &["301"]).await.unwrap();
        assert_eq!(state(&service, BOB, &waiting).await, State::Offered);
        service.assert_sound().await;
    }
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let [_, late, _] = fixed(&service).await;
        let waiting = join(&service, BOB, whole()).await.unwrap().name;
        // It keeps its nights, but is moved to no certain room.
        let request = v1::MoveBookingRequest {
            name: late.name.clone(),
            claim: Some(v1::move_booking_request::Claim::Stay(stay(
                "2026-12-03",
                "2026-12-05",
                1,
            ))),
            ..Default::default()
        };
        let moved = service.bookings().move_booking(by(ALICE, request)).await;
        assert!(moved.is_ok(), "{moved:?}");
        assert_eq!(state(&service, BOB, &waiting).await, State::Offered);
        service.assert_sound().await;
    }
}
