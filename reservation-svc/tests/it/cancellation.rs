//! What cancelling costs: as agreed at the time of the sale, and only what the guest has accepted.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, booking::State, cancellation_policy::Fee};
use jiff::SignedDuration;
use sea_orm::ConnectionTrait as _;
use tonic::{Code, Status};

use super::support::*;

/// The clock stands at noon of 20 November; stays begin at 15:00 in Lisbon, which is UTC in winter.
const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn policy(service: &Service, policy: Option<v1::CancellationPolicy>) {
    let request = v1::SetHotelCancellationPolicyRequest {
        hotel: HOTEL.into(),
        policy,
    };
    let mut rules = service.hotel_rules();
    rules.set_hotel_cancellation_policy(request).await.unwrap();
}

fn until(hours: i32, fee: Fee) -> Option<v1::CancellationPolicy> {
    Some(v1::CancellationPolicy {
        free_until_hours: Some(hours),
        fee: Some(fee),
    })
}

async fn booked(service: &Service, rooms: i32) -> v1::Booking {
    let hold = service.hold(ALICE, suites("2026-12-01", "2026-12-03", rooms));
    let name = hold.await.unwrap().booking.unwrap().name;
    service.confirm(ALICE, &name).await.unwrap()
}

async fn cancel(
    service: &Service,
    name: &str,
    accepted_fee: Option<v1::Money>,
) -> Result<v1::Booking, Status> {
    let request = v1::CancelBookingRequest {
        name: name.to_owned(),
        accepted_fee,
        ..Default::default()
    };
    let answer = service.bookings().cancel_booking(by(ALICE, request)).await;
    Ok(answer?.into_inner().booking.unwrap())
}

async fn give_back(
    service: &Service,
    request: v1::CancelBookingItemsRequest,
) -> Result<v1::CancelBookingItemsResponse, Status> {
    let answer = service
        .bookings()
        .cancel_booking_items(by(ALICE, request))
        .await;
    Ok(answer?.into_inner())
}

fn total(booking: &v1::Booking) -> i64 {
    booking.total_price.as_ref().unwrap().amount_minor
}

#[tokio::test]
async fn a_fee_is_charged_only_once_it_is_accepted() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        policy(&service, until(48, Fee::Percent(50))).await;
        let free = booked(&service, 1).await;
        let terms = free.cancellation_terms.unwrap();
        assert_eq!(terms.free_until_time.unwrap().seconds, 1_795_964_400);
        assert_eq!(terms.fee, Some(v1::cancellation_terms::Fee::Percent(50)));
        let paid = booked(&service, 1).await;
        // What the venue decides later does not matter to bookings that there are.
        policy(&service, until(0, Fee::Percent(100))).await;

        let cancelled = cancel(&service, &free.name, None).await.unwrap();
        assert_eq!(cancelled.cancellation_fee, None);
        service
            .clock
            .advance(DAY * 9 + SignedDuration::from_hours(3));
        let fee = (total(&paid) + 1) / 2;
        for accepted in [None, euro(0), euro(fee - 1)] {
            let refused = cancel(&service, &paid.name, accepted).await.unwrap_err();
            assert_eq!(reason(&refused), "OUTSIDE_CANCELLATION_WINDOW");
            assert_eq!(fact(&refused, "fee_minor"), Some(fee.to_string()));
            assert_eq!(fact(&refused, "currency_code"), Some("EUR".into()));
        }
        assert_eq!(service.get(ALICE, &paid.name).await.unwrap(), paid);
        let dollars = Some(v1::Money {
            currency_code: "USD".into(),
            amount_minor: fee,
        });
        let wrong = cancel(&service, &paid.name, dollars).await.unwrap_err();
        let field = "accepted_fee.currency_code".to_owned();
        assert_eq!(fields(&wrong), [(field, "RANGE".to_owned())]);

        let cancelled = cancel(&service, &paid.name, euro(fee)).await.unwrap();
        assert_eq!(cancelled.state(), State::Cancelled);
        assert_eq!(cancelled.cancellation_fee, euro(fee));
        assert_eq!(service.get(ALICE, &paid.name).await.unwrap(), cancelled);
        let twice = cancel(&service, &paid.name, euro(fee)).await.unwrap_err();
        assert_eq!(reason(&twice), "BOOKING_STATE");
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-03").await,
            [3, 3]
        );
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn letting_a_hold_go_costs_nothing() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let never_free = v1::CancellationPolicy {
            free_until_hours: None,
            fee: Some(Fee::Percent(100)),
        };
        policy(&service, Some(never_free)).await;
        let hold = service
            .hold(ALICE, suites("2026-12-01", "2026-12-03", 1))
            .await;
        let name = hold.unwrap().booking.unwrap().name;
        let cancelled = cancel(&service, &name, None).await.unwrap();
        assert_eq!(cancelled.cancellation_fee, None);
        policy(&service, None).await;
        let free = booked(&service, 1).await.name;
        cancel(&service, &free, None).await.unwrap();
    }
}

#[tokio::test]
async fn rooms_that_are_given_back_are_paid_for_alone() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        policy(&service, until(48, Fee::Nights(1))).await;
        let booking = booked(&service, 3).await;
        let part = |rooms, fee| v1::CancelBookingItemsRequest {
            name: booking.name.clone(),
            rooms,
            accepted_fee: euro(fee),
            ..Default::default()
        };
        let answer = give_back(&service, part(1, 0)).await.unwrap();
        let left = answer.booking.unwrap();
        assert_eq!(answer.previous_total_price, booking.total_price);
        assert_eq!(total(&left), total(&booking) / 3 * 2);
        assert_eq!(left.state(), State::Confirmed);
        let Some(v1::booking::Claim::Stay(claim)) = &left.claim else {
            panic!("{left:?}")
        };
        assert_eq!(claim.rooms, 2);
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-03").await,
            [1, 1]
        );

        service.clock.advance(DAY * 10);
        let refused = give_back(&service, part(1, 0)).await.unwrap_err();
        let fee: i64 = fact(&refused, "fee_minor").unwrap().parse().unwrap();
        let night = total(&booking) / 6;
        assert!(
            (night * 9 / 10..night * 11 / 10).contains(&fee),
            "{fee} {night}"
        );
        let answer = give_back(&service, part(1, fee)).await.unwrap();
        assert_eq!(answer.booking.unwrap().cancellation_fee, euro(fee));
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-03").await,
            [2, 2]
        );
        service.assert_sound().await;

        let both = v1::CancelBookingItemsRequest {
            seats: vec!["A1".into()],
            ..part(1, fee)
        };
        let seats = v1::CancelBookingItemsRequest {
            seats: vec!["A1".into()],
            ..part(0, fee)
        };
        for (wrong, field, fault) in [
            (part(1, fee), "rooms", "RANGE"),
            (part(-1, fee), "rooms", "RANGE"),
            (part(0, fee), "seats", "MISSING"),
            (both, "rooms", "RANGE"),
            (seats, "seats", "RANGE"),
        ] {
            let status = give_back(&service, wrong).await.unwrap_err();
            assert_eq!(fields(&status), [(field.to_owned(), fault.to_owned())]);
        }
        // The rest goes as a whole, and all that was paid adds up.
        let cancelled = cancel(&service, &booking.name, euro(fee)).await.unwrap();
        assert_eq!(cancelled.cancellation_fee, euro(2 * fee));
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-03").await,
            [3, 3]
        );
    }
}

#[tokio::test]
async fn seats_are_given_back_one_by_one() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let screening = service.screening().await.name;
        let hold = service
            .hold(ALICE, seats(&screening, &["B1", "B2", "B3"]))
            .await;
        let booking = hold.unwrap().booking.unwrap();
        let part = |seats: &[&str]| v1::CancelBookingItemsRequest {
            name: booking.name.clone(),
            seats: seats.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        let left = give_back(&service, part(&["B2"])).await.unwrap();
        let left = left.booking.unwrap();
        let Some(v1::booking::Claim::Seats(claim)) = &left.claim else {
            panic!("{left:?}")
        };
        assert_eq!(claim.seats, ["B1", "B3"]);
        assert_eq!(total(&left), total(&booking) / 3 * 2);
        service.hold(BOB, seats(&screening, &["B2"])).await.unwrap();
        let taken = service.hold(BOB, seats(&screening, &["B1"])).await;
        assert_eq!(reason(&taken.unwrap_err()), "CELL_UNAVAILABLE");

        let rooms = v1::CancelBookingItemsRequest {
            rooms: 1,
            ..part(&[])
        };
        for (wrong, field, fault) in [
            (part(&["B2"]), "seats[0]", "RANGE"),
            (part(&["B1", "B1"]), "seats[1]", "DUPLICATE"),
            (part(&["B 1"]), "seats[0]", "FORMAT"),
            (part(&["B1", "B3"]), "seats", "RANGE"),
            (rooms, "rooms", "RANGE"),
        ] {
            let status = give_back(&service, wrong).await.unwrap_err();
            assert_eq!(fields(&status), [(field.to_owned(), fault.to_owned())]);
        }
        assert_eq!(service.get(ALICE, &booking.name).await.unwrap(), left);
        service.cancel(ALICE, &booking.name).await.unwrap();
        service.assert_sound().await;
        let gone = give_back(&service, part(&["B1"])).await.unwrap_err();
        assert_eq!(reason(&gone), "BOOKING_STATE");
    }
}

#[tokio::test]
async fn nobody_gets_out_of_a_fee_by_moving_first() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        policy(&service, until(48, Fee::Percent(50))).await;
        let booking = booked(&service, 1).await;
        service.clock.advance(DAY * 10);
        let later = v1::MoveBookingRequest {
            name: booking.name.clone(),
            claim: Some(v1::move_booking_request::Claim::Stay(stay(
                "2027-03-01",
                "2027-03-03",
                1,
            ))),
            ..Default::default()
        };
        let moved = service
            .bookings()
            .move_booking(by(ALICE, later))
            .await
            .unwrap();
        let terms = moved
            .into_inner()
            .booking
            .unwrap()
            .cancellation_terms
            .unwrap();
        assert_eq!(terms.free_until_time, None);
        let refused = cancel(&service, &booking.name, None).await.unwrap_err();
        assert_eq!(reason(&refused), "OUTSIDE_CANCELLATION_WINDOW");
    }
}

#[tokio::test]
async fn policies_are_checked_before_they_hold() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let hotel = |hotel: &str, policy| v1::SetHotelCancellationPolicyRequest {
        hotel: hotel.into(),
        policy,
    };
    for (wrong, field) in [
        (until(-1, Fee::Percent(1)), "policy.free_until_hours"),
        (until(8_761, Fee::Percent(1)), "policy.free_until_hours"),
        (until(0, Fee::Percent(101)), "policy.percent"),
        (until(0, Fee::Nights(0)), "policy.nights"),
    ] {
        let mut rules = service.hotel_rules();
        let status = rules
            .set_hotel_cancellation_policy(hotel(HOTEL, wrong))
            .await;
        assert_eq!(
            fields(&status.unwrap_err()),
            [(field.into(), "RANGE".into())]
        );
    }
    let mut rules = service.hotel_rules();
    let unknown = rules
        .set_hotel_cancellation_policy(hotel("hotels/none", None))
        .await;
    assert_eq!(reason(&unknown.unwrap_err()), "NOT_FOUND");
    let cinema = v1::SetCinemaCancellationPolicyRequest {
        cinema: "cinemas/grand-banyan".into(),
        policy: until(2, Fee::Nights(1)),
    };
    let mut rules = service.cinema_rules();
    let status = rules.set_cinema_cancellation_policy(cinema.clone()).await;
    assert_eq!(
        fields(&status.unwrap_err()),
        [("policy.nights".into(), "RANGE".into())]
    );
    let percent = v1::SetCinemaCancellationPolicyRequest {
        policy: until(2, Fee::Percent(10)),
        ..cinema
    };
    rules.set_cinema_cancellation_policy(percent).await.unwrap();
    let screening = service.screening().await;
    let hold = service.hold(ALICE, seats(&screening.name, &["A1"])).await;
    let terms = hold.unwrap().booking.unwrap().cancellation_terms.unwrap();
    let two_hours_before = screening.start_time.unwrap().seconds - 7_200;
    assert_eq!(terms.free_until_time.unwrap().seconds, two_hours_before);
}

#[tokio::test]
async fn a_venue_is_not_sold_from_before_its_policy_is_known() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        policy(&service, until(48, Fee::Percent(50))).await;
        let cinema = v1::SetCinemaCancellationPolicyRequest {
            cinema: "cinemas/grand-banyan".into(),
            policy: until(2, Fee::Percent(10)),
        };
        let mut rules = service.cinema_rules();
        rules.set_cinema_cancellation_policy(cinema).await.unwrap();
        let screening = service.screening().await.name;
        let hold_each = async || {
            let room = service.hold(ALICE, suites("2026-12-01", "2026-12-03", 1));
            let seat = service.hold(ALICE, seats(&screening, &["A1"]));
            [room.await, seat.await]
        };
        let sql = service.sql().await;
        // Reading the catalogue ends where the venue is read and its policy is not.
        let away = "ALTER TABLE cancellation_policies RENAME TO away";
        sql.execute_unprepared(away).await.unwrap();
        for held in hold_each().await {
            assert_eq!(held.unwrap_err().code(), Code::Internal);
        }
        let back = "ALTER TABLE away RENAME TO cancellation_policies";
        sql.execute_unprepared(back).await.unwrap();
        for (held, percent) in hold_each().await.into_iter().zip([50, 10]) {
            let terms = held.unwrap().booking.unwrap().cancellation_terms.unwrap();
            let fee = v1::cancellation_terms::Fee::Percent(percent);
            assert_eq!(terms.fee, Some(fee));
        }
        sql.close().await.unwrap();
    }
}
