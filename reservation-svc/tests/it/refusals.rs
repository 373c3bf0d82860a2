//! What a refusal tells: its code, its reason and the facts that programs decide on.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use tonic::Code;

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
                start_time: None,
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
                start_time: None,
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
