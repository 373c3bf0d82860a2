//! What goes with a booking: payments that come twice or too late, holds that last longer, prices and people that were
//! expected.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{
    self,
    booking::{PaymentState, State},
};
use jiff::SignedDuration;
use sea_orm::{ConnectionTrait as _, Statement};
use tonic::{Code, Status};

use super::support::*;

pub(crate) async fn pay(
    service: &Service,
    name: &str,
    reference: &str,
) -> Result<v1::Booking, Status> {
    let request = v1::ConfirmBookingRequest {
        name: name.to_owned(),
        payment_reference: reference.to_owned(),
        ..Default::default()
    };
    let answer = service.bookings().confirm_booking(by(ALICE, request)).await;
    Ok(answer?.into_inner().booking.unwrap())
}

async fn extend(service: &Service, name: &str, seconds: i64) -> Result<v1::Booking, Status> {
    let request = v1::ExtendHoldRequest {
        name: name.to_owned(),
        extension: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..Default::default()
    };
    let answer = service.bookings().extend_hold(by(ALICE, request)).await?;
    Ok(answer.into_inner().booking.unwrap())
}

async fn held(service: &Service) -> v1::Booking {
    let hold = service.hold(ALICE, suites("2026-12-01", "2026-12-03", 3));
    hold.await.unwrap().booking.unwrap()
}

#[tokio::test]
async fn a_payment_that_is_told_twice_confirms_once() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let name = held(&service).await.name;
        let first = pay(&service, &name, "p1").await.unwrap();
        assert_eq!(first.state(), State::Confirmed);
        assert_eq!(first.payment_state(), PaymentState::Paid);
        assert_eq!(first.payment_reference, "p1");

        assert_eq!(pay(&service, &name, "p1").await.unwrap(), first);
        let other = pay(&service, &name, "p2").await.unwrap_err();
        assert_eq!(other.code(), Code::FailedPrecondition);
        assert_eq!(reason(&other), "PAYMENT_REFERENCE_MISMATCH");
        let unpaid = service.confirm(ALICE, &name).await.unwrap_err();
        assert_eq!(reason(&unpaid), "BOOKING_STATE");
        assert_eq!(service.get(ALICE, &name).await.unwrap(), first);

        let wrong = pay(&service, &name, "a b").await.unwrap_err();
        assert_eq!(
            fields(&wrong),
            [("payment_reference".into(), "FORMAT".into())]
        );
    }
}

#[tokio::test]
async fn a_booking_that_was_confirmed_unpaid_takes_the_first_payment() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let name = held(&service).await.name;
        service.confirm(ALICE, &name).await.unwrap();
        let paid = pay(&service, &name, "p1").await.unwrap();
        assert_eq!(paid.payment_state(), PaymentState::Paid);
        assert_eq!(pay(&service, &name, "p1").await.unwrap(), paid);
    }
}

#[tokio::test]
async fn money_that_comes_too_late_is_to_be_paid_back() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let name = held(&service).await.name;
        service.clock.advance(SignedDuration::from_mins(10));
        for _ in 0..2 {
            let late = pay(&service, &name, "p1").await.unwrap_err();
            assert_eq!(late.code(), Code::FailedPrecondition);
            assert_eq!(reason(&late), "PAID_BUT_EXPIRED");
            assert!(decided_at(&late).is_some());
        }
        let booking = service.get(ALICE, &name).await.unwrap();
        assert_eq!(booking.state(), State::Expired);
        assert_eq!(booking.payment_state(), PaymentState::RefundDue);
        assert_eq!(booking.payment_reference, "p1");
        let other = pay(&service, &name, "p2").await.unwrap_err();
        assert_eq!(reason(&other), "PAYMENT_REFERENCE_MISMATCH");
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-03").await,
            [3, 3]
        );
        service.assert_sound().await;
        // The feed tells it once, after the hold has ended.
        let changes = service
            .events(None)
            .await
            .into_iter()
            .filter_map(|it| match it.event {
                Some(v1::feed_event::Event::BookingChanged(it)) if it.booking == name => Some(it),
                _ => None,
            });
        let told: Vec<_> = changes.map(|it| (it.state(), it.payment_state())).collect();
        let want = [
            (State::Held, PaymentState::None),
            (State::Expired, PaymentState::None),
            (State::Expired, PaymentState::RefundDue),
        ];
        assert_eq!(told, want);
    }
}

#[tokio::test]
async fn a_hold_is_extended_up_to_an_hour_in_all() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let hold = held(&service).await;
        let longer = extend(&service, &hold.name, 1_800).await.unwrap();
        let lasts =
            |it: &v1::Booking| it.expire_time.unwrap().seconds - it.create_time.unwrap().seconds;
        assert_eq!((lasts(&hold), lasts(&longer)), (600, 2_400));
        assert_ne!(longer.etag, hold.etag);

        let refused = extend(&service, &hold.name, 1_201).await.unwrap_err();
        assert_eq!(reason(&refused), "HOLD_LIMIT");
        assert_eq!(fact(&refused, "left_seconds").unwrap(), "1200");
        assert_eq!(service.get(ALICE, &hold.name).await.unwrap(), longer);
        // What would have run out by the first time is still held.
        service.clock.advance(SignedDuration::from_mins(39));
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-03").await,
            [0, 0]
        );
        extend(&service, &hold.name, 1_200).await.unwrap();

        for seconds in [0, 3_601, -1] {
            let wrong = extend(&service, &hold.name, seconds).await.unwrap_err();
            assert_eq!(fields(&wrong), [("extension".into(), "RANGE".into())]);
        }
        service.clock.advance(SignedDuration::from_mins(21));
        let over = extend(&service, &hold.name, 1).await.unwrap_err();
        assert_eq!(reason(&over), "HOLD_EXPIRED");
        let next = held(&service).await.name;
        service.confirm(ALICE, &next).await.unwrap();
        let confirmed = extend(&service, &next, 1).await.unwrap_err();
        assert_eq!(reason(&confirmed), "BOOKING_STATE");
    }
}

#[tokio::test]
async fn another_price_than_was_shown_sells_nothing() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let price = held(&service).await.total_price.unwrap().amount_minor;
        let expecting = |minor, code: &str| v1::HoldBookingRequest {
            expected_total_price: Some(v1::Money {
                currency_code: code.into(),
                amount_minor: minor,
            }),
            ..suites("2027-01-11", "2027-01-12", 1)
        };
        let one = price / 6;
        let refused = service.hold(ALICE, expecting(one + 1, "EUR")).await;
        let refused = refused.unwrap_err();
        assert_eq!(reason(&refused), "PRICE_CHANGED");
        assert_eq!(
            fact(&refused, "expected_minor"),
            Some((one + 1).to_string())
        );
        assert!(fact(&refused, "total_minor").is_some());
        assert_eq!(service.free_suites("2027-01-11", "2027-01-12").await, [3]);
        let actual: i64 = fact(&refused, "total_minor").unwrap().parse().unwrap();
        let field = |text: &str| format!("expected_total_price.{text}");
        for (wrong, field, fault) in [
            (expecting(actual, "USD"), field("currency_code"), "RANGE"),
            (expecting(actual, "euro"), field("currency_code"), "FORMAT"),
            (expecting(-1, "EUR"), field("amount_minor"), "RANGE"),
        ] {
            let status = service.hold(ALICE, wrong).await.unwrap_err();
            assert_eq!(fields(&status), [(field, fault.to_owned())]);
        }
        let hold = service.hold(ALICE, expecting(actual, "EUR")).await.unwrap();
        let name = hold.booking.unwrap().name;

        let exchange = |minor| v1::MoveBookingRequest {
            name: name.clone(),
            claim: Some(v1::move_booking_request::Claim::Stay(stay(
                "2027-01-11",
                "2027-01-13",
                1,
            ))),
            expected_total_price: euro(minor),
            ..Default::default()
        };
        let refused = service
            .bookings()
            .move_booking(by(ALICE, exchange(actual)))
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(reason(&refused), "PRICE_CHANGED");
        let two: i64 = fact(&refused, "total_minor").unwrap().parse().unwrap();
        let moved = service
            .bookings()
            .move_booking(by(ALICE, exchange(two)))
            .await;
        let moved = moved.unwrap().into_inner();
        assert_eq!(moved.price_difference_minor, two - actual);
        assert_eq!(moved.previous_total_price, euro(actual));
    }
}

#[tokio::test]
async fn a_move_takes_and_gives_back_the_difference_only() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        // Tuesday and Wednesday to Wednesday and Thursday, which cost the same.
        let hold = service.hold(ALICE, suites("2026-12-01", "2026-12-03", 2));
        let name = hold.await.unwrap().booking.unwrap().name;
        let exchange = v1::MoveBookingRequest {
            name: name.clone(),
            claim: Some(v1::move_booking_request::Claim::Stay(stay(
                "2026-12-02",
                "2026-12-04",
                2,
            ))),
            ..Default::default()
        };
        let moved = service.bookings().move_booking(by(ALICE, exchange)).await;
        assert_eq!(moved.unwrap().into_inner().price_difference_minor, 0);
        let sql = service.sql().await;
        let statement = Statement::from_string(
            sql.get_database_backend(),
            "SELECT slot, released_sequence IS NULL AS kept FROM booking_items ORDER BY slot",
        );
        let rows = sql.query_all_raw(statement).await.unwrap();
        let kept = rows.iter().map(|row| row.try_get("", "kept").unwrap());
        assert_eq!(kept.collect::<Vec<bool>>(), [false, true, true]);
        let free = service.free_suites("2026-12-01", "2026-12-04").await;
        assert_eq!(free, [3, 1, 1]);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn more_people_than_the_rooms_take_get_none() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let party = |adults, children| Some(v1::Party { adults, children });
        let hold = |rooms, party| v1::HoldBookingRequest {
            party,
            ..suites("2026-12-01", "2026-12-02", rooms)
        };
        let refused = service.hold(ALICE, hold(1, party(4, 1))).await.unwrap_err();
        assert_eq!(reason(&refused), "PARTY_TOO_LARGE");
        assert_eq!(fact(&refused, "guests_max").unwrap(), "4");
        let booked = service.hold(ALICE, hold(2, party(4, 1))).await.unwrap();
        let booked = booked.booking.unwrap();
        assert_eq!(booked.party, party(4, 1));
        assert_eq!(
            service.get(ALICE, &booked.name).await.unwrap().party,
            party(4, 1)
        );

        let smaller = v1::MoveBookingRequest {
            name: booked.name,
            claim: Some(v1::move_booking_request::Claim::Stay(stay(
                "2026-12-01",
                "2026-12-02",
                1,
            ))),
            ..Default::default()
        };
        let refused = service.bookings().move_booking(by(ALICE, smaller)).await;
        assert_eq!(reason(&refused.unwrap_err()), "PARTY_TOO_LARGE");

        let screening = service.screening().await.name;
        let at_the_movies = v1::HoldBookingRequest {
            party: party(1, 0),
            ..seats(&screening, &["A1"])
        };
        for (wrong, field) in [
            (hold(1, party(0, 1)), "party.adults"),
            (hold(1, party(1, -1)), "party.children"),
            (at_the_movies, "party"),
        ] {
            let status = service.hold(ALICE, wrong).await.unwrap_err();
            assert_eq!(fields(&status), [(field.to_owned(), "RANGE".to_owned())]);
        }
    }
}

#[tokio::test]
async fn the_history_of_a_booking_is_told_in_order_and_page_by_page() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let name = held(&service).await.name;
        extend(&service, &name, 60).await.unwrap();
        service.confirm(ALICE, &name).await.unwrap();
        let cancelled = service.cancel(ALICE, &name).await.unwrap();
        let list = |page_size, page_token: &str| v1::ListBookingChangesRequest {
            parent: name.clone(),
            page_size,
            page_token: page_token.to_owned(),
        };
        let all = service
            .bookings()
            .list_booking_changes(by(ALICE, list(0, "")))
            .await;
        let all = all.unwrap().into_inner();
        let states: Vec<_> = all.changes.iter().map(|it| it.state()).collect();
        let want = [State::Held, State::Held, State::Confirmed, State::Cancelled];
        assert_eq!(states, want);
        let cells: Vec<_> = all.changes.iter().map(|it| it.cells.len()).collect();
        assert_eq!(cells, [2, 2, 2, 0]);
        assert_eq!(
            all.changes[0].cells[0],
            format!("{SUITE}/nights/2026-12-01")
        );
        let last = all.changes[3].position.as_ref().unwrap().sequence;
        assert_eq!(cancelled.etag, last.to_string());

        let mut paged = Vec::new();
        let mut token = String::new();
        loop {
            let mut bookings = service.bookings();
            let page = bookings.list_booking_changes(by(ALICE, list(3, &token)));
            let page = page.await.unwrap().into_inner();
            paged.extend(page.changes);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(paged, all.changes);
        let foreign = service
            .bookings()
            .list_booking_changes(by(BOB, list(0, "")))
            .await;
        assert_eq!(foreign.unwrap_err().code(), Code::NotFound);
        let wrong = service
            .bookings()
            .list_booking_changes(by(ALICE, list(0, "x")))
            .await;
        assert_eq!(
            fields(&wrong.unwrap_err()),
            [("page_token".into(), "FORMAT".into())]
        );
    }
}
