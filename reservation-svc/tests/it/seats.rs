//! Seat maps: shown as available is what a hold would get, and nothing else.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, seat::State};
use banyan_reservation::inventory::Clock as _;
use jiff::SignedDuration;
use sea_orm::ConnectionTrait as _;

use super::support::*;

/// The seats of a screening that are in that state, and how many the screening says can be held.
async fn seats_in(service: &Service, screening: &str, state: State) -> (Vec<v1::Seat>, i32) {
    let map = v1::GetSeatMapRequest {
        name: format!("{screening}/seatMap"),
    };
    let map = service.cinemas().get_seat_map(map).await.unwrap();
    let mut seats = map.into_inner().seats;
    seats.retain(|seat| seat.state() == state);
    let seen = v1::GetScreeningRequest {
        name: screening.to_owned(),
    };
    let seen = service.cinemas().get_screening(seen).await.unwrap();
    (seats, seen.into_inner().available_seats)
}

#[tokio::test]
async fn only_seats_that_can_be_held_are_shown_as_available() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let screening = service.screening().await;
        let (name, number) = (&screening.name, screening.name.rsplit('/').next().unwrap());
        service.hold(ALICE, seats(name, &["A1"])).await.unwrap();
        let unprice = format!(
            "DELETE FROM screening_prices WHERE screening = {number} AND category = 'sofa'; \
             UPDATE commit_head SET catalogue_version = catalogue_version + 1"
        );
        let sql = service.sql().await;
        sql.execute_unprepared(&unprice).await.unwrap();
        let (unsold, _) = seats_in(&service, name, State::NotSold).await;
        assert!(!unsold.is_empty());
        assert!(
            unsold
                .iter()
                .all(|seat| seat.category == "sofa" && seat.price.is_none())
        );
        let (available, counted) = seats_in(&service, name, State::Available).await;
        assert_eq!(
            available.len() + unsold.len() + 1,
            screening.capacity as usize
        );
        assert_eq!(available.len(), counted as usize);
        let wanted = |seat: &v1::Seat| service.hold(BOB, seats(name, &[&seat.id]));
        assert_eq!(reason(&wanted(&unsold[0]).await.unwrap_err()), "NOT_SOLD");
        wanted(&available[0]).await.unwrap();

        let wait = screening.start_time.unwrap().seconds - service.clock.now().as_second();
        service.clock.advance(SignedDuration::from_secs(wait - 1));
        let (available, counted) = seats_in(&service, name, State::Available).await;
        assert_eq!(available.len(), counted as usize);
        assert!(counted > 0);
        let held = service.hold(BOB, seats(name, &["A1"])).await.unwrap();
        let held = held.booking.unwrap().name;
        service.confirm(BOB, &held).await.unwrap();
        service.clock.advance(SignedDuration::from_secs(1));
        assert_eq!(
            seats_in(&service, name, State::Available).await,
            (vec![], 0)
        );
        let (taken, _) = seats_in(&service, name, State::Taken).await;
        assert_eq!(
            taken
                .iter()
                .map(|seat| seat.id.as_str())
                .collect::<Vec<_>>(),
            ["A1"]
        );
        let (unsold, _) = seats_in(&service, name, State::NotSold).await;
        assert_eq!(unsold.len() + 1, screening.capacity as usize);
        assert_eq!(
            reason(&wanted(&available[0]).await.unwrap_err()),
            "SCREENING_STARTED"
        );
    }
}

#[tokio::test]
async fn a_screening_without_a_price_has_none_to_show() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let name = service.screening().await.name;
    let number = name.rsplit('/').next().unwrap();
    let statement = format!("DELETE FROM screening_prices WHERE screening = {number}");
    let sql = service.sql().await;
    sql.execute_unprepared(&statement).await.unwrap();
    let seen = service
        .cinemas()
        .get_screening(v1::GetScreeningRequest { name })
        .await
        .unwrap()
        .into_inner();
    assert_eq!((seen.from_price, seen.available_seats), (None, 0));
}
