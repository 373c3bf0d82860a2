//! What a refusal tells: its code, its reason and the facts that programs decide on.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use super::support::*;

#[tokio::test]
async fn a_screening_that_cannot_be_is_not_found_whoever_asks() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let screening = service.screening().await.name;
    let held = service.hold(ALICE, seats(&screening, &["A1"])).await;
    let booking = held.unwrap().booking.unwrap();
    for last in ["abc", "0", "01", "99999999999999999999"] {
        let name = format!("cinemas/grand-banyan/screenings/{last}");
        let seen = service
            .cinemas()
            .get_screening(v1::GetScreeningRequest { name: name.clone() })
            .await
            .unwrap_err();
        let held = service.hold(ALICE, seats(&name, &["A1"])).await;
        let exchange = v1::MoveBookingRequest {
            name: booking.name.clone(),
            claim: Some(v1::move_booking_request::Claim::Seats(v1::SeatSelection {
                screening: name.clone(),
                seats: vec!["A1".into()],
                ..v1::SeatSelection::default()
            })),
            ..Default::default()
        };
        let moved = service.bookings().move_booking(by(ALICE, exchange)).await;
        for refusal in [&held.unwrap_err(), &moved.unwrap_err()] {
            assert_eq!(refusal.code(), Code::NotFound, "{refusal}");
            assert_eq!(refusal.message(), seen.message());
            assert_eq!(refusal.details(), seen.details());
        }
    }
}

#[tokio::test]
async fn a_mistake_that_only_the_inventory_can_tell_says_where_it_was_decided() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let screening = service.screening().await.name;
        let held = service.hold(ALICE, suites("2026-12-01", "2026-12-02", 1));
        let held = held.await.unwrap();
        let booking = held.booking.unwrap().name;
        let exchange = v1::MoveBookingRequest {
            name: booking.clone(),
            claim: Some(v1::move_booking_request::Claim::Seats(v1::SeatSelection {
                screening: screening.clone(),
                seats: vec!["A1".into()],
                ..v1::SeatSelection::default()
            })),
            ..Default::default()
        };
        let elsewhere = service.bookings().move_booking(by(ALICE, exchange)).await;
        let unknown = "cinemas/grand-banyan/screenings/99999";
        for (refusal, code) in [
            (
                service.hold(ALICE, seats(unknown, &["A1"])).await.err(),
                Code::NotFound,
            ),
            (
                service.hold(ALICE, seats(&screening, &["Z99"])).await.err(),
                Code::NotFound,
            ),
            (service.cancel(BOB, &booking).await.err(), Code::NotFound),
            (
                service
                    .hold(ALICE, suites("2026-11-19", "2026-11-21", 1))
                    .await
                    .err(),
                Code::InvalidArgument,
            ),
            (elsewhere.err(), Code::InvalidArgument),
        ] {
            let refusal = refusal.unwrap();
            assert_eq!(refusal.code(), code, "{refusal}");
            assert_eq!(decided_at(&refusal), held.position, "{refusal}");
        }

        let told_by_itself = service.hold(ALICE, suites("2026-12-02", "2026-12-01", 1));
        assert_eq!(decided_at(&told_by_itself.await.unwrap_err()), None);
    }
}

#[tokio::test]
async fn a_refusal_over_many_cells_names_the_first_and_tells_how_many_there_are() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let all = || suites("2026-12-01", "2027-01-30", 3);
        let held = service.hold(BOB, all()).await.unwrap();
        let refusal = service.hold(ALICE, all()).await.unwrap_err();
        assert_eq!(reason(&refusal), "CELL_UNAVAILABLE");
        let details = refusal.get_error_details();
        let metadata = &details.error_info().unwrap().metadata;
        assert_eq!(metadata["cells"], "60");
        let named = cells(&refusal);
        assert_eq!(named.len(), 50);
        assert_eq!(named[0], format!("{SUITE}/nights/2026-12-01"));
        assert_eq!(named[49], format!("{SUITE}/nights/2027-01-19"));

        // In the same order of commits as the hold, and on the state that it left.
        let (first, then) = (held.position.unwrap(), decided_at(&refusal).unwrap());
        assert_eq!(then.incarnation, first.incarnation);
        assert!(!then.incarnation.is_empty() && then.sequence == first.sequence);
    }
}

#[tokio::test]
async fn decisions_of_every_code_say_where_they_were_made() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let request = v1::HoldBookingRequest {
            request_id: "one".into(),
            ..suites("2026-12-01", "2026-12-02", 1)
        };
        let held = service.hold(ALICE, request.clone()).await.unwrap();
        let other = v1::HoldBookingRequest {
            request_id: "one".into(),
            ..suites("2026-12-01", "2026-12-02", 2)
        };
        let reused = service.hold(ALICE, other).await.unwrap_err();
        let name = held.booking.unwrap().name;
        let stale = v1::CancelBookingRequest {
            name: name.clone(),
            etag: "old".into(),
            ..Default::default()
        };
        let stale = service.bookings().cancel_booking(by(ALICE, stale)).await;
        for (refusal, code) in [
            (reused, Code::AlreadyExists),
            (stale.unwrap_err(), Code::Aborted),
        ] {
            assert_eq!(refusal.code(), code, "{refusal}");
            assert_eq!(decided_at(&refusal), held.position, "{refusal}");
        }
        service.cancel(ALICE, &name).await.unwrap();
        let again = service.cancel(ALICE, &name).await.unwrap_err();
        assert_eq!(reason(&again), "BOOKING_STATE");
        let incarnation = decided_at(&again).map(|at| at.incarnation);
        assert_eq!(incarnation, held.position.map(|at| at.incarnation));
    }
}

#[tokio::test]
async fn without_a_guest_or_with_a_token_that_is_none_nothing_is_booked_or_shown() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let name = "bookings/00000000-0000-7000-8000-000000000000".to_owned();
    for (token, want) in [(None, "GUEST_MISSING"), (Some("short"), "GUEST_INVALID")] {
        let mut client = service.bookings();
        let hold = client.hold_booking(as_guest(token, suites("2026-12-01", "2026-12-02", 1)));
        let hold = hold.await.unwrap_err();
        let get = v1::GetBookingRequest { name: name.clone() };
        let get = client.get_booking(as_guest(token, get)).await;
        let list = v1::ListBookingsRequest::default();
        let list = client.list_bookings(as_guest(token, list)).await;
        for refusal in [hold, get.unwrap_err(), list.unwrap_err()] {
            assert_eq!(refusal.code(), Code::Unauthenticated, "{refusal}");
            assert_eq!(reason(&refusal), want);
            let details = refusal.get_error_details();
            assert_eq!(details.error_info().unwrap().domain, "reservation.banyan");
        }
    }
    assert_eq!(service.free_suites("2026-12-01", "2026-12-02").await, [3]);
}

fn as_guest<T>(token: Option<&str>, message: T) -> Request<T> {
    match token {
        Some(token) => by(token, message),
        None => Request::new(message),
    }
}
