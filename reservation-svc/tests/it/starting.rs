//! Starting: without a database, twice at once, and again after a while.

use banyan_mesh::{
    process::Process,
    testing::{Postgres, TestDatabase},
};
use banyan_proto::reservation::v1::{
    self, booking_service_client::BookingServiceClient, hotel_service_client::HotelServiceClient,
};
use jiff::SignedDuration;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::support::*;

#[tokio::test]
async fn without_its_database_the_service_says_when_to_try_again() {
    let process = Process::new();
    let clock = TestClock::at(START);
    let channel = Service::serve("postgres://nobody@127.0.0.1:1/none", &clock, &process).await;
    let refusal = HotelServiceClient::new(channel)
        .list_hotels(v1::ListHotelsRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable);
    assert!(
        refusal
            .get_error_details()
            .retry_info()
            .unwrap()
            .retry_delay
            .is_some()
    );
    assert!(!process.readiness().is_ready());
    process.stop(LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_start_together_on_an_empty_postgresql_make_the_demo_once() {
    let database = TestDatabase::each()
        .into_iter()
        .find(|it| it.url.starts_with("postgres"));
    let Some(database) = database else { return };
    let (clock, other) = (TestClock::at(START), Process::new());
    let url = database.url.clone();
    let starting = Service::serve(&url, &clock, &other);
    let (service, _) = tokio::join!(Service::start(database), starting);
    let mut ready = other.readiness().watch();
    tokio::time::timeout(LIMIT, ready.wait_for(|ready| *ready))
        .await
        .unwrap()
        .unwrap();
    let hotels = service
        .hotels()
        .list_hotels(v1::ListHotelsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .hotels;
    assert_eq!(hotels.len(), 1);
    let movies = service
        .cinemas()
        .list_movies(v1::ListMoviesRequest::default())
        .await
        .unwrap()
        .into_inner()
        .movies;
    assert_eq!(movies.len(), 6);
    other.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_later_start_keeps_what_is_there_and_tops_the_programme_up() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let held = service
            .hold(ALICE, suites("2026-12-24", "2026-12-26", 1))
            .await
            .unwrap()
            .booking
            .unwrap();
        let before = service.events(None).await;
        let clock = service.clock.clone();
        clock.advance(SignedDuration::from_hours(24 * 30));
        let service = Service::start_at(service.stop().await, clock).await;
        assert_eq!(
            service.get(ALICE, &held.name).await.unwrap().name,
            held.name
        );
        let list = |date: &str| v1::ListScreeningsRequest {
            parent: "cinemas/grand-banyan".into(),
            date: date.to_owned(),
            ..Default::default()
        };
        for date in ["2026-12-21", "2026-12-26", "2026-12-27"] {
            let day = service
                .cinemas()
                .list_screenings(list(date))
                .await
                .unwrap()
                .into_inner()
                .screenings;
            assert_eq!(day.len(), 8, "{date}");
        }
        let after = service.events(None).await;
        assert_eq!(after[..before.len()], before);
        let hotels = after
            .iter()
            .filter(|it| matches!(it.event, Some(v1::feed_event::Event::HotelChanged(_))));
        assert_eq!(hotels.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_crashes_is_waited_for_and_what_was_acknowledged_is_there() {
    if std::env::var("BANYAN_TEST_POSTGRES").as_deref() == Ok("off") {
        return;
    }
    let mut postgres = Postgres::start();
    let (clock, process) = (TestClock::at(START), Process::new());
    let channel = Service::serve(&postgres.fresh_database(), &clock, &process).await;
    let mut ready = process.readiness().watch();
    tokio::time::timeout(LIMIT, ready.wait_for(|ready| *ready))
        .await
        .unwrap()
        .unwrap();
    let mut bookings = BookingServiceClient::new(channel);
    let held = bookings
        .hold_booking(by(ALICE, suites("2026-12-01", "2026-12-02", 1)))
        .await
        .unwrap()
        .into_inner();
    let name = held.booking.unwrap().name;

    postgres.kill();
    let away = bookings
        .hold_booking(by(ALICE, suites("2026-12-01", "2026-12-02", 1)))
        .await
        .unwrap_err();
    assert_eq!(away.code(), Code::Unavailable, "{away}");
    assert!(away.get_error_details().retry_info().is_some());

    postgres.restart();
    let found = async {
        loop {
            match bookings
                .get_booking(by(ALICE, v1::GetBookingRequest { name: name.clone() }))
                .await
            {
                Ok(found) => return found.into_inner(),
                Err(refusal) => assert_eq!(refusal.code(), Code::Unavailable, "{refusal}"),
            }
        }
    };
    let found = tokio::time::timeout(LIMIT, found).await.unwrap();
    assert_eq!(found.state(), v1::booking::State::Held);
    process.stop(LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_on_one_database_never_sell_twice_and_tell_of_each_other() {
    let database = TestDatabase::each()
        .into_iter()
        .find(|it| it.url.starts_with("postgres"));
    let Some(database) = database else { return };
    let service = Service::start(database).await;
    let process = Process::new();
    let channel = Service::serve(&service.database.url, &service.clock, &process).await;
    let mut ready = process.readiness().watch();
    tokio::time::timeout(LIMIT, ready.wait_for(|ready| *ready))
        .await
        .unwrap()
        .unwrap();
    let here = service.bookings();
    let there = BookingServiceClient::new(channel);
    let holds = (0..20).map(|n| {
        let mut client = if n % 2 == 0 {
            here.clone()
        } else {
            there.clone()
        };
        async move {
            let request = by(ALICE, suites("2026-12-01", "2026-12-02", 1));
            client.hold_booking(request).await
        }
    });
    let answers = futures::future::join_all(holds).await;
    let won: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won.len(), 3);
    service.assert_sound().await;

    // Whoever decided, each replica tells all of it.
    let last = won
        .iter()
        .map(|it| it.get_ref().position.as_ref().unwrap().sequence);
    let events = service.events(None).await;
    assert!(last.max().unwrap() <= events.len() as i64);
    process.stop(LIMIT).await.unwrap();
}
