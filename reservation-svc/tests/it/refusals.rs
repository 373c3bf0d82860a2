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
