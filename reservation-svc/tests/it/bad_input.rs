//! What is wrong with a request, each with its answer: the field, what is not there, or the state that does not allow
//! it. Nothing of it leaves a trace.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use jiff::SignedDuration;
use tonic::{Code, Status};

use super::support::*;

const NOBODYS: &str = "bookings/00000000-0000-7000-8000-000000000000";

/// Every method that changes a booking, asked of that one under that etag.
async fn change(service: &Service, guest: &str, name: &str, etag: &str) -> Vec<Status> {
    let (name, etag) = (name.to_owned(), etag.to_owned());
    let mut bookings = service.bookings();
    let confirm = v1::ConfirmBookingRequest {
        name: name.clone(),
        etag: etag.clone(),
        ..Default::default()
    };
    let extend = v1::ExtendHoldRequest {
        name: name.clone(),
        etag: etag.clone(),
        ..Default::default()
    };
    let cancel = v1::CancelBookingRequest {
        name: name.clone(),
        etag: etag.clone(),
        ..Default::default()
    };
    let items = v1::CancelBookingItemsRequest {
        name: name.clone(),
        etag: etag.clone(),
        rooms: 1,
        ..Default::default()
    };
    let exchange = v1::MoveBookingRequest {
        name,
        etag,
        claim: Some(v1::move_booking_request::Claim::Stay(stay(
            "2027-02-01",
            "2027-02-02",
            1,
        ))),
        ..Default::default()
    };
    vec![
        bookings
            .confirm_booking(by(guest, confirm))
            .await
            .unwrap_err(),
        bookings.extend_hold(by(guest, extend)).await.unwrap_err(),
        bookings
            .cancel_booking(by(guest, cancel))
            .await
            .unwrap_err(),
        bookings
            .cancel_booking_items(by(guest, items))
            .await
            .unwrap_err(),
        bookings
            .move_booking(by(guest, exchange))
            .await
            .unwrap_err(),
    ]
}

#[track_caller]
fn all(refused: Vec<Status>, code: Code, want: &str) {
    for status in refused {
        assert_eq!((status.code(), reason(&status)), (code, want.to_owned()));
    }
}

#[tokio::test]
async fn a_wrong_field_is_named_and_nothing_is_done() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let before = service.events(None).await.len();
        let screening = service.screening().await.name;
        let many: Vec<String> = (0..1_000).map(|n| format!("A{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let contact = |contact| v1::HoldBookingRequest {
            contact: Some(contact),
            ..suites("2026-12-01", "2026-12-02", 1)
        };
        let long_name = contact(v1::Contact {
            display_name: "x".repeat(201),
            ..Default::default()
        });
        let long_mail = contact(v1::Contact {
            email: format!("{}@example.com", "x".repeat(254)),
            ..Default::default()
        });
        let long_id = v1::HoldBookingRequest {
            request_id: "x".repeat(129),
            ..suites("2026-12-01", "2026-12-02", 1)
        };
        let yen = v1::HoldBookingRequest {
            expected_total_price: Some(v1::Money {
                currency_code: "JPY".into(),
                amount_minor: 1,
            }),
            ..suites("2026-12-01", "2026-12-02", 1)
        };
        let (check_in, check_out) = ("stay.check_in_date", "stay.check_out_date");
        for (wrong, field, fault) in [
            (suites("2026-12-03", "2026-12-01", 1), check_out, "RANGE"),
            (suites("2026-12-01", "2026-12-01", 1), check_out, "RANGE"),
            (suites("2026-12-01", "2027-12-02", 1), check_out, "RANGE"),
            (suites("2026-11-19", "2026-11-21", 1), check_in, "RANGE"),
            (suites("2026-13-01", "2026-12-02", 1), check_in, "FORMAT"),
            (
                suites("2026-12-01", "2026-12-02", 51),
                "stay.rooms",
                "RANGE",
            ),
            (
                suites("2026-12-01", "2026-12-02", -1),
                "stay.rooms",
                "RANGE",
            ),
            (seats(&screening, &[]), "seats.seats", "MISSING"),
            (seats(&screening, &many), "seats.seats", "RANGE"),
            (
                seats(&screening, &["A1", "A1"]),
                "seats.seats[1]",
                "DUPLICATE",
            ),
            (long_name, "contact.display_name", "RANGE"),
            (long_mail, "contact.email", "RANGE"),
            (long_id, "request_id", "FORMAT"),
            (yen, "expected_total_price.currency_code", "RANGE"),
        ] {
            let status = service.hold(ALICE, wrong).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert_eq!(fields(&status), [(field.to_owned(), fault.to_owned())]);
        }
        assert_eq!(service.events(None).await.len(), before);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn what_is_unknown_or_anothers_is_not_found() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let hold = service.hold(ALICE, suites("2026-12-01", "2026-12-02", 2));
        let booking = hold.await.unwrap().booking.unwrap();
        let before = service.events(None).await.len();
        for (guest, name) in [(BOB, booking.name.as_str()), (ALICE, NOBODYS)] {
            all(
                change(&service, guest, name, "").await,
                Code::NotFound,
                "NOT_FOUND",
            );
        }
        let screening = service.screening().await.name;
        let other_type = v1::HoldBookingRequest {
            claim: Some(v1::hold_booking_request::Claim::Stay(v1::HotelStay {
                room_type: format!("{HOTEL}/roomTypes/none"),
                ..stay("2026-12-01", "2026-12-02", 1)
            })),
            ..Default::default()
        };
        for unknown in [
            other_type,
            seats("cinemas/grand-banyan/screenings/999999", &["A1"]),
            seats(&screening, &["A1", "Z99"]),
        ] {
            let status = service.hold(ALICE, unknown).await.unwrap_err();
            assert_eq!(
                (status.code(), reason(&status)),
                (Code::NotFound, "NOT_FOUND".into())
            );
        }
        assert_eq!(service.get(ALICE, &booking.name).await.unwrap(), booking);
        assert_eq!(service.events(None).await.len(), before);
    }
}

#[tokio::test]
async fn a_state_that_does_not_allow_it_is_a_failed_precondition() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let hold = service.hold(ALICE, suites("2026-12-01", "2026-12-02", 2));
        let old = hold.await.unwrap().booking.unwrap();
        all(
            change(&service, ALICE, &old.name, "0").await,
            Code::Aborted,
            "ETAG_MISMATCH",
        );

        service.cancel(ALICE, &old.name).await.unwrap();
        let refused = change(&service, ALICE, &old.name, "").await;
        all(refused, Code::FailedPrecondition, "BOOKING_STATE");

        let hold = service.hold(ALICE, suites("2026-12-01", "2026-12-02", 2));
        let lapsed = hold.await.unwrap().booking.unwrap();
        service.clock.advance(SignedDuration::from_mins(10));
        let refused = change(&service, ALICE, &lapsed.name, "").await;
        all(refused, Code::FailedPrecondition, "HOLD_EXPIRED");
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_clock_that_jumps_back_brings_nothing_back() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let all_suites = || service.hold(ALICE, suites("2026-12-01", "2026-12-02", 3));
        let first = all_suites().await.unwrap().booking.unwrap();
        service.clock.advance(SignedDuration::from_mins(10));
        // Its cells go to the next one, and so it is over for good.
        let second = all_suites().await.unwrap().booking.unwrap();
        service.clock.jump(SignedDuration::from_hours(-1));
        let late = service.confirm(ALICE, &first.name).await.unwrap_err();
        assert_eq!(reason(&late), "HOLD_EXPIRED");
        let full = all_suites().await.unwrap_err();
        assert_eq!(reason(&full), "CELL_UNAVAILABLE");
        // Decisions are never made before earlier ones.
        let hold = service
            .hold(ALICE, suites("2026-12-03", "2026-12-04", 1))
            .await;
        let third = hold.unwrap().booking.unwrap();
        assert_eq!(third.create_time, second.create_time);
        service.confirm(ALICE, &second.name).await.unwrap();
        service.assert_sound().await;
    }
}
