//! Money that comes when there is nothing left to confirm is recorded, and told to be paid back.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{
    self,
    booking::{PaymentState, State},
};
use jiff::SignedDuration;
use tonic::Code;

use super::{agreements::pay, support::*};

/// Pays for a booking for which it is too late, and again; what is to be paid back.
async fn pay_too_late(service: &Service, name: &str, state: State) -> i64 {
    let mut refund = None;
    for _ in 0..2 {
        let late = pay(service, name, "p1").await.unwrap_err();
        assert_eq!(late.code(), Code::FailedPrecondition);
        assert_eq!(reason(&late), "PAID_BUT_EXPIRED");
        assert!(decided_at(&late).is_some());
        refund = fact(&late, "refund_minor");
    }
    let other = pay(service, name, "p2").await.unwrap_err();
    assert_eq!(reason(&other), "PAYMENT_REFERENCE_MISMATCH");
    let booking = service.get(ALICE, name).await.unwrap();
    assert_eq!(booking.state(), state);
    assert_eq!(booking.payment_state(), PaymentState::RefundDue);
    assert_eq!(booking.payment_reference, "p1");
    service.assert_sound().await;
    refund.unwrap().parse().unwrap()
}

fn total(booking: &v1::Booking) -> i64 {
    let total = booking.total_price.as_ref();
    total.unwrap().amount_minor
}

fn advance_to(service: &Service, seconds: i64) {
    let wait = seconds - service.clock_seconds();
    service.clock.advance(SignedDuration::from_secs(wait));
}

#[tokio::test]
async fn a_screening_that_has_started_meanwhile() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let screening = service.screening().await;
        let starts = screening.start_time.unwrap().seconds;
        advance_to(&service, starts - 300);
        let hold = service.hold(ALICE, seats(&screening.name, &["A1"])).await;
        let hold = hold.unwrap().booking.unwrap();
        assert!(hold.expire_time.unwrap().seconds > starts);
        advance_to(&service, starts);
        let unpaid = service.confirm(ALICE, &hold.name).await.unwrap_err();
        assert_eq!(reason(&unpaid), "SCREENING_STARTED");
        let refund = pay_too_late(&service, &hold.name, State::Expired).await;
        assert_eq!(refund, total(&hold));
    }
}

#[tokio::test]
async fn a_stay_that_is_over_meanwhile() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        // Five minutes before the next day begins in Lisbon, where it is UTC in winter.
        let midnight: jiff::Timestamp = "2026-12-02T00:00:00Z".parse().unwrap();
        advance_to(&service, midnight.as_second() - 300);
        let hold = service.hold(ALICE, suites("2026-12-01", "2026-12-02", 1));
        let hold = hold.await.unwrap().booking.unwrap();
        advance_to(&service, midnight.as_second());
        let refund = pay_too_late(&service, &hold.name, State::Expired).await;
        assert_eq!(refund, total(&hold));
    }
}

#[tokio::test]
async fn a_hold_that_was_released_or_cancelled_meanwhile() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let held = async || {
            let hold = service.hold(ALICE, suites("2026-12-01", "2026-12-02", 1));
            hold.await.unwrap().booking.unwrap()
        };
        let (released, cancelled) = (held().await, held().await);
        let release = v1::ReleaseBookingRequest {
            name: released.name.clone(),
            ..Default::default()
        };
        service.operators().release_booking(release).await.unwrap();
        service.cancel(ALICE, &cancelled.name).await.unwrap();
        for hold in [released, cancelled] {
            let refund = pay_too_late(&service, &hold.name, State::Cancelled).await;
            assert_eq!(refund, total(&hold));
        }
        // What was paid before it was given back is nobody's to confirm.
        let paid = held().await;
        pay(&service, &paid.name, "p1").await.unwrap();
        service.cancel(ALICE, &paid.name).await.unwrap();
        let again = pay(&service, &paid.name, "p1").await.unwrap_err();
        assert_eq!(reason(&again), "BOOKING_STATE");
        let paid = service.get(ALICE, &paid.name).await.unwrap();
        assert_eq!(paid.payment_state(), PaymentState::Paid);
    }
}
