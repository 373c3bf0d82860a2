//! Guests come, leave early or never come.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, booking::State, feed_event::Event};
use jiff::SignedDuration;
use tonic::{Code, Status};

use super::support::{ALICE, BOB, Service, fields, reason, suites};

pub(crate) fn suite(number: &str) -> String {
    format!("hotels/banyan-bay/rooms/{number}")
}

/// A confirmed stay.
pub(crate) async fn booked(
    service: &Service,
    guest: &str,
    check_in: &str,
    check_out: &str,
    rooms: i32,
) -> v1::Booking {
    let held = service
        .hold(guest, suites(check_in, check_out, rooms))
        .await
        .unwrap();
    let name = held.booking.unwrap().name;
    service.confirm(guest, &name).await.unwrap()
}

pub(crate) async fn check_in(
    service: &Service,
    name: &str,
    rooms: &[&str],
) -> Result<v1::Booking, Status> {
    let request = v1::CheckInRequest {
        name: name.into(),
        rooms: rooms.iter().map(|number| suite(number)).collect(),
        ..Default::default()
    };
    let answer = service.front_desk().check_in(request).await?.into_inner();
    Ok(answer.booking.unwrap())
}

pub(crate) async fn check_out(service: &Service, name: &str) -> Result<v1::Booking, Status> {
    let request = v1::CheckOutRequest {
        name: name.into(),
        ..Default::default()
    };
    let answer = service.front_desk().check_out(request).await?.into_inner();
    Ok(answer.booking.unwrap())
}

async fn no_show(service: &Service, name: &str) -> Result<v1::Booking, Status> {
    let request = v1::MarkNoShowRequest {
        name: name.into(),
        ..Default::default()
    };
    let answer = service.front_desk().mark_no_show(request).await?;
    Ok(answer.into_inner().booking.unwrap())
}

pub(crate) fn days(service: &Service, days: i64) {
    service.clock.advance(SignedDuration::from_hours(24 * days));
}

#[tokio::test]
async fn who_leaves_early_pays_for_the_nights_slept() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let stay = booked(&service, ALICE, "2026-11-20", "2026-11-24", 2).await;
        let come = check_in(&service, &stay.name, &["303", "301"])
            .await
            .unwrap();
        assert_eq!(come.state(), State::CheckedIn);
        assert_eq!(come.rooms, [suite("303"), suite("301")]);
        assert_eq!(service.get(ALICE, &stay.name).await.unwrap(), come);
        let again = check_in(&service, &stay.name, &[]).await.unwrap_err();
        assert_eq!(reason(&again), "BOOKING_STATE");
        let cancelled = service.cancel(ALICE, &stay.name).await.unwrap_err();
        assert_eq!(reason(&cancelled), "BOOKING_STATE");

        days(&service, 2);
        let gone = check_out(&service, &stay.name).await.unwrap();
        assert_eq!(gone.state(), State::Completed);
        let Some(v1::booking::Claim::Stay(slept)) = &gone.claim else {
            panic!("a stay")
        };
        assert_eq!(slept.check_out_date, "2026-11-22");
        let paid = gone.total_price.as_ref().unwrap().amount_minor;
        let sold = stay.total_price.as_ref().unwrap().amount_minor;
        assert!(0 < paid && paid < sold, "{paid} of {sold}");
        let free = service.free_suites("2026-11-22", "2026-11-24").await;
        assert_eq!(free, [3, 3]);
        let again = check_out(&service, &stay.name).await.unwrap_err();
        assert_eq!(reason(&again), "BOOKING_STATE");

        let events = service.events(None).await;
        let Some(Event::BookingChanged(last)) = events.last().unwrap().event.clone() else {
            panic!("a booking")
        };
        assert_eq!(last.state(), State::Completed);
        assert_eq!(last.previous_state(), State::CheckedIn);
        assert_eq!(last.items.len(), 2, "the nights that were slept");
        // The rooms are free for the next ones on the same day.
        let next = booked(&service, BOB, "2026-11-22", "2026-11-23", 3).await;
        let come = check_in(&service, &next.name, &[]).await.unwrap();
        assert_eq!(come.rooms.len(), 3);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn who_leaves_on_the_day_of_coming_has_slept_no_night() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let stay = booked(&service, ALICE, "2026-11-20", "2026-11-22", 1).await;
        check_in(&service, &stay.name, &[]).await.unwrap();
        let gone = check_out(&service, &stay.name).await.unwrap();
        assert_eq!(gone.total_price.unwrap().amount_minor, 0);
        let free = service.free_suites("2026-11-20", "2026-11-22").await;
        assert_eq!(free, [3, 3]);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn who_never_came_pays_all_and_frees_what_is_left() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let stay = booked(&service, ALICE, "2026-11-20", "2026-11-23", 1).await;
        let early = no_show(&service, &stay.name).await.unwrap_err();
        assert_eq!(reason(&early), "BOOKING_STATE");
        days(&service, 1);
        let absent = no_show(&service, &stay.name).await.unwrap();
        assert_eq!(absent.state(), State::NoShow);
        assert_eq!(absent.total_price, stay.total_price);
        let free = service.free_suites("2026-11-21", "2026-11-23").await;
        assert_eq!(free, [3, 3]);
        for again in [
            no_show(&service, &stay.name).await,
            check_in(&service, &stay.name, &[]).await,
            check_out(&service, &stay.name).await,
        ] {
            assert_eq!(reason(&again.unwrap_err()), "BOOKING_STATE");
        }
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn nobody_comes_too_early_too_late_or_unconfirmed() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let stay = booked(&service, ALICE, "2026-11-21", "2026-11-22", 1).await;
        let early = check_in(&service, &stay.name, &[]).await.unwrap_err();
        assert_eq!(early.code(), Code::FailedPrecondition);
        assert_eq!(reason(&early), "BOOKING_STATE");
        let held = service
            .hold(ALICE, suites("2026-11-20", "2026-11-21", 1))
            .await;
        let held = held.unwrap().booking.unwrap();
        let refused = check_in(&service, &held.name, &[]).await.unwrap_err();
        assert_eq!(reason(&refused), "BOOKING_STATE");
        days(&service, 1);
        let lapsed = check_in(&service, &held.name, &[]).await.unwrap_err();
        assert_eq!(reason(&lapsed), "HOLD_EXPIRED");
        days(&service, 1);
        let late = check_in(&service, &stay.name, &[]).await.unwrap_err();
        assert_eq!(reason(&late), "BOOKING_STATE");
        // Who never came is found out later, too.
        let absent = no_show(&service, &stay.name).await.unwrap();
        assert_eq!(absent.state(), State::NoShow);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_check_in_is_said() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let stay = booked(&service, ALICE, "2026-11-20", "2026-11-21", 2).await;
        let wrong = |status: Status| {
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            fields(&status)
        };
        let fewer = check_in(&service, &stay.name, &["301"]).await.unwrap_err();
        assert_eq!(wrong(fewer), [("rooms".into(), "RANGE".into())]);
        let other = check_in(&service, &stay.name, &["301", "201"]).await;
        let want = [("rooms[1]".into(), "RANGE".into())];
        assert_eq!(wrong(other.unwrap_err()), want, "of another type");
        let twice = check_in(&service, &stay.name, &["301", "301"]).await;
        let want = [("rooms[1]".into(), "DUPLICATE".into())];
        assert_eq!(wrong(twice.unwrap_err()), want);
        let request = v1::CheckInRequest {
            name: stay.name.clone(),
            rooms: vec!["301".into()],
            etag: "x".repeat(200),
            request_id: "ä".into(),
        };
        let all = service.front_desk().check_in(request).await.unwrap_err();
        assert_eq!(wrong(all).len(), 3);

        let unknown = "bookings/018f4f3e-0000-7000-8000-000000000001";
        for name in [unknown, "bookings/x"] {
            let missing = check_in(&service, name, &[]).await.unwrap_err();
            assert_eq!(missing.code(), Code::NotFound);
            let missing = check_out(&service, name).await.unwrap_err();
            assert_eq!(missing.code(), Code::NotFound);
            let missing = no_show(&service, name).await.unwrap_err();
            assert_eq!(missing.code(), Code::NotFound);
        }
        let request = v1::CheckInRequest {
            name: stay.name.clone(),
            etag: "1".into(),
            ..Default::default()
        };
        let stale = service.front_desk().check_in(request).await.unwrap_err();
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
        let screening = service.screening().await.name;
        let seat = super::support::seats(&screening, &["A1"]);
        let seat = service.hold(ALICE, seat).await.unwrap().booking.unwrap();
        let seat = check_in(&service, &seat.name, &[]).await.unwrap_err();
        assert_eq!(reason(&seat), "BOOKING_STATE");
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_check_in_under_one_request_id_is_one() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let stay = booked(&service, ALICE, "2026-11-20", "2026-11-21", 1).await;
        let request = v1::CheckInRequest {
            name: stay.name.clone(),
            etag: stay.etag.clone(),
            request_id: "one".into(),
            ..Default::default()
        };
        let mut desk = service.front_desk();
        let first = desk.check_in(request.clone()).await.unwrap().into_inner();
        let second = desk.check_in(request).await.unwrap().into_inner();
        assert_eq!(first, second);
    }
}
