//! Operators restrict what is sold, and end bookings; guests are told why.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use tonic::Code;

use super::support::{ALICE, SUITE, Service, reason, suites};

async fn restrict(service: &Service, from: &str, to: &str, restrictions: v1::Restrictions) {
    let request = v1::SetRestrictionsRequest {
        room_type: SUITE.into(),
        from_date: from.into(),
        to_date: to.into(),
        restrictions: Some(restrictions),
        ..Default::default()
    };
    let set = service.hotel_rules().set_restrictions(request).await;
    assert!(set.unwrap().into_inner().position.is_some());
}

#[tokio::test]
async fn a_stay_that_breaks_a_restriction_is_refused_and_a_move_to_it_too() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let arrival = |nights: i32| v1::Restrictions {
            min_nights: nights,
            ..Default::default()
        };
        restrict(&service, "2026-12-01", "2026-12-05", arrival(3)).await;
        let short = service
            .hold(ALICE, suites("2026-12-01", "2026-12-03", 1))
            .await;
        let short = short.unwrap_err();
        assert_eq!(
            (short.code(), reason(&short).as_str()),
            (Code::FailedPrecondition, "MIN_STAY")
        );
        let long = service
            .hold(ALICE, suites("2026-12-01", "2026-12-04", 1))
            .await;
        let long = long.unwrap().booking.unwrap();

        let closed = v1::Restrictions {
            stop_sell: true,
            ..Default::default()
        };
        restrict(&service, "2026-12-10", "2026-12-11", closed).await;
        let stopped = service
            .hold(ALICE, suites("2026-12-09", "2026-12-12", 1))
            .await;
        assert_eq!(reason(&stopped.unwrap_err()), "STOP_SELL");
        let moved = v1::MoveBookingRequest {
            name: long.name.clone(),
            claim: Some(v1::move_booking_request::Claim::Stay(super::support::stay(
                "2026-12-09",
                "2026-12-12",
                1,
            ))),
            ..Default::default()
        };
        let moved = service
            .bookings()
            .move_booking(super::support::by(ALICE, moved))
            .await;
        assert_eq!(reason(&moved.unwrap_err()), "STOP_SELL");
        assert_eq!(service.get(ALICE, &long.name).await.unwrap(), long);
    }
}

/// Every restriction, first as it is broken by a stay of two nights that begins in eleven days, then as it is not.
fn each_restriction() -> Vec<(&'static str, v1::Restrictions, v1::Restrictions)> {
    type Set = fn(&mut v1::Restrictions, i32);
    let each: [(&str, Set, [i32; 2]); 8] = [
        ("MIN_STAY", |it, n| it.min_nights = n, [3, 2]),
        ("MAX_STAY", |it, n| it.max_nights = n, [1, 2]),
        (
            "CLOSED_TO_ARRIVAL",
            |it, n| it.closed_to_arrival = n > 0,
            [1, 0],
        ),
        (
            "CLOSED_TO_DEPARTURE",
            |it, n| it.closed_to_departure = n > 0,
            [1, 0],
        ),
        ("STOP_SELL", |it, n| it.stop_sell = n > 0, [1, 0]),
        ("CUT_OFF", |it, n| it.cut_off_hours = Some(n), [500, 24]),
        ("ADVANCE_WINDOW", |it, n| it.min_advance_days = n, [12, 11]),
        ("ADVANCE_WINDOW", |it, n| it.max_advance_days = n, [10, 11]),
    ];
    let each = each.into_iter().map(|(reason, set, [broken, kept])| {
        let with = |value| {
            let mut restrictions = v1::Restrictions::default();
            set(&mut restrictions, value);
            restrictions
        };
        (reason, with(broken), with(kept))
    });
    each.collect()
}

#[tokio::test]
async fn every_restriction_that_is_set_is_obeyed() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let stay = || suites("2026-12-01", "2026-12-03", 1);
        for (wanted, broken, kept) in each_restriction() {
            // The day of leaving, too.
            restrict(&service, "2026-12-01", "2026-12-04", broken).await;
            let refused = service.hold(ALICE, stay()).await.unwrap_err();
            let refused = (refused.code(), reason(&refused));
            assert_eq!(refused, (Code::FailedPrecondition, wanted.to_owned()));
            restrict(&service, "2026-12-01", "2026-12-04", kept).await;
            let held = service.hold(ALICE, stay()).await.expect(wanted);
            let release = v1::ReleaseBookingRequest {
                name: held.booking.unwrap().name,
                ..Default::default()
            };
            service.operators().release_booking(release).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_operator_ends_any_booking_once() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let held = service
            .hold(ALICE, suites("2026-12-01", "2026-12-03", 3))
            .await;
        let held = held.unwrap().booking.unwrap();
        let release = |etag: &str| v1::ReleaseBookingRequest {
            name: held.name.clone(),
            etag: etag.into(),
            ..Default::default()
        };
        let stale = service.operators().release_booking(release("0")).await;
        assert_eq!(reason(&stale.unwrap_err()), "ETAG_MISMATCH");
        let ended = service
            .operators()
            .release_booking(release(&held.etag))
            .await;
        let ended = ended.unwrap().into_inner().booking.unwrap();
        assert_eq!(ended.state(), v1::booking::State::Cancelled);
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-03").await,
            [3, 3]
        );
        let again = service.operators().release_booking(release("")).await;
        assert_eq!(reason(&again.unwrap_err()), "BOOKING_STATE");
        let mut unknown = release("");
        unknown.name = "bookings/018f4f3e-0000-7000-8000-000000000001".into();
        let unknown = service.operators().release_booking(unknown).await;
        assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
        service.assert_sound().await;
    }
}
