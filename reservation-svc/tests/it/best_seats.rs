//! Seats together, chosen at the moment of the decision, and the rule that leaves no seat single.

use std::collections::HashSet;

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use futures::future::join_all;
use tonic::Status;

use super::support::*;

/// A screening in a hall of one row of so many seats, and an aisle after the fourth.
async fn screening(service: &Service, seats: i32, no_single_seats: bool) -> String {
    let mut rules = service.cinema_rules();
    let seat = |number| v1::HallSeat {
        row: "A".into(),
        number,
        x: if number > 4 { number } else { number - 1 },
        ..Default::default()
    };
    let hall = v1::CreateHallRequest {
        parent: "cinemas/grand-banyan".into(),
        hall: Some(v1::Hall {
            display_name: "Small".into(),
            seats: (1..=seats).map(seat).collect(),
            no_single_seats,
            ..Default::default()
        }),
    };
    let hall = rules.create_hall(hall).await.unwrap().into_inner();
    let movie = service.screening().await.movie;
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let start = service.clock_now().as_second() + 3_600;
    let request = v1::CreateScreeningRequest {
        parent: "cinemas/grand-banyan".into(),
        hall: hall.name,
        movie,
        start_time: time(start),
        end_time: time(start + 7_200),
        prices: vec![v1::CategoryPrice {
            category: "standard".into(),
            price: euro(900),
        }],
    };
    let made = rules.create_screening(request).await.unwrap();
    made.into_inner().name
}

fn best(screening: &str, count: i32) -> v1::SeatSelection {
    v1::SeatSelection {
        screening: screening.to_owned(),
        best: Some(v1::BestSeats {
            count,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn hold(selection: v1::SeatSelection) -> v1::HoldBookingRequest {
    v1::HoldBookingRequest {
        claim: Some(v1::hold_booking_request::Claim::Seats(selection)),
        ..Default::default()
    }
}

fn seats_of(booking: &v1::Booking) -> Vec<String> {
    match &booking.claim {
        Some(v1::booking::Claim::Seats(selection)) => selection.seats.clone(),
        claim => panic!("{claim:?}"),
    }
}

async fn take(service: &Service, screening: &str, count: i32) -> Result<Vec<String>, Status> {
    let answer = service.hold(ALICE, hold(best(screening, count))).await?;
    Ok(seats_of(&answer.booking.unwrap()))
}

#[tokio::test]
async fn those_who_ask_at_once_get_different_seats() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let name = service.screening().await.name;
        let holds = (0..40).map(|_| take(&service, &name, 2));
        let answers = join_all(holds).await;
        let seats: Vec<String> = answers.into_iter().flatten().flatten().collect();
        let distinct: HashSet<_> = seats.iter().collect();
        // 90 seats in hall 1, or 44 in hall 2, of which aisles may leave some alone.
        assert!(seats.len() >= 40, "{}", seats.len());
        assert_eq!(distinct.len(), seats.len());
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn seats_are_together_or_refused_as_not_together() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let name = screening(&service, 8, false).await;
        assert_eq!(take(&service, &name, 3).await.unwrap(), ["A2", "A3", "A4"]);
        assert_eq!(take(&service, &name, 3).await.unwrap(), ["A5", "A6", "A7"]);
        let refused = take(&service, &name, 2).await.unwrap_err();
        assert_eq!(reason(&refused), "SEATS_NOT_TOGETHER");
        assert_eq!(fact(&refused, "free").unwrap(), "2");
        let refused = take(&service, &name, 3).await.unwrap_err();
        assert_eq!(reason(&refused), "CELL_UNAVAILABLE");
        assert_eq!(cells(&refused).len(), 3);
        assert_eq!(take(&service, &name, 1).await.unwrap(), ["A1"]);
        assert_eq!(take(&service, &name, 1).await.unwrap(), ["A8"]);
        assert!(take(&service, &name, 1).await.is_err());
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn holds_that_ran_out_are_seats_to_choose_from() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let name = screening(&service, 4, false).await;
        take(&service, &name, 4).await.unwrap();
        service.clock.advance(jiff::SignedDuration::from_mins(10));
        assert_eq!(take(&service, &name, 4).await.unwrap().len(), 4);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_booking_moves_to_the_best_seats_with_its_own_among_them() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let name = screening(&service, 4, false).await;
        let booking = service.hold(ALICE, seats(&name, &["A2"])).await.unwrap();
        let request = v1::MoveBookingRequest {
            name: booking.booking.unwrap().name,
            claim: Some(v1::move_booking_request::Claim::Seats(best(&name, 4))),
            ..Default::default()
        };
        let moved = service
            .bookings()
            .move_booking(by(ALICE, request))
            .await
            .unwrap();
        let moved = moved.into_inner();
        assert_eq!(seats_of(&moved.booking.unwrap()), ["A1", "A2", "A3", "A4"]);
        assert_eq!(moved.price_difference_minor, 2_700);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn no_seat_is_left_single_where_the_hall_says_so() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let name = screening(&service, 8, true).await;
        let ask = |chosen: &'static [&str]| service.hold(ALICE, seats(&name, chosen));
        let refused = ask(&["A2"]).await.unwrap_err();
        assert_eq!(reason(&refused), "LEAVES_SINGLE_SEAT");
        assert_eq!(cells(&refused), [format!("{name}/seats/A1")]);
        // Two at each end leave none; then one of two is all that can be had.
        ask(&["A1", "A2"]).await.unwrap();
        ask(&["A3"]).await.unwrap();
        ask(&["A4"]).await.unwrap();
        assert_eq!(take(&service, &name, 3).await.unwrap(), ["A5", "A6", "A7"]);
        service.assert_sound().await;

        let lax = screening(&service, 8, false).await;
        service.hold(ALICE, seats(&lax, &["A2"])).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_wish_is_told() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let name = service.screening().await.name;
    let both = v1::SeatSelection {
        seats: vec!["A1".into()],
        ..best(&name, 2)
    };
    for (wrong, field, fault) in [
        (best(&name, 0), "seats.best.count", "RANGE"),
        (best(&name, 51), "seats.best.count", "RANGE"),
        (best(&name, 1_000), "seats.best.count", "RANGE"),
        (best("", 1), "seats.screening", "MISSING"),
        (both, "seats.seats", "RANGE"),
    ] {
        let status = service.hold(ALICE, hold(wrong)).await.unwrap_err();
        assert_eq!(fields(&status), [(field.to_owned(), fault.to_owned())]);
    }
    let unknown = "cinemas/grand-banyan/screenings/999999";
    let status = service
        .hold(ALICE, hold(best(unknown, 1)))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "NOT_FOUND");
}
