//! Holding, confirming, cancelling and moving: never sold twice, all or nothing, on both databases.

use std::collections::HashSet;

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, booking::State};
use banyan_reservation::inventory::Clock as _;
use futures::future::join_all;
use jiff::SignedDuration;
use sea_orm::ConnectionTrait as _;
use tonic::Code;

use super::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_who_want_three_rooms_at_once_exactly_three_get_one() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let holds = (0..50).map(|n| {
            let service = &service;
            async move {
                let guest = format!("guest-{n:02}-0123456789");
                service
                    .hold(&guest, suites("2026-12-01", "2026-12-03", 1))
                    .await
            }
        });
        let answers = join_all(holds).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (3, 47));
        for refusal in lost {
            assert_eq!(reason(&refusal.unwrap_err()), "CELL_UNAVAILABLE");
        }
        let sequences: HashSet<_> = won
            .into_iter()
            .map(|it| it.unwrap().position.unwrap().sequence)
            .collect();
        assert_eq!(sequences.len(), 3);
        let metrics = service.process.metrics().encode().unwrap();
        for line in [
            "reservation_commands_accepted_total 3",
            "reservation_commands_refused_total{reason=\"CELL_UNAVAILABLE\"} 47",
            "reservation_batch_commands_sum 50.0",
        ] {
            assert!(metrics.contains(line), "{metrics}");
        }
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-03").await,
            [0, 0]
        );
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_stay_is_all_or_nothing_and_the_refusal_names_the_nights() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        service
            .hold(BOB, suites("2026-12-02", "2026-12-03", 2))
            .await
            .unwrap();
        let refusal = service
            .hold(ALICE, suites("2026-12-01", "2026-12-04", 2))
            .await
            .unwrap_err();
        assert_eq!(refusal.code(), Code::FailedPrecondition);
        assert_eq!(cells(&refusal), [format!("{SUITE}/nights/2026-12-02")]);
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-04").await,
            [3, 1, 3]
        );

        let events = service.events(None).await;
        let info = tonic_types::StatusExt::get_error_details(&refusal)
            .error_info()
            .unwrap()
            .clone();
        // Refused on the state that the hold before left; told after everything else of the batch.
        let [.., before, denied] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(
            info.metadata["commit_sequence"],
            before.position.as_ref().unwrap().sequence.to_string()
        );
        let Some(v1::feed_event::Event::DemandDenied(denied)) = &denied.event else {
            panic!("{denied:?}");
        };
        assert_eq!(
            (denied.reason.as_str(), denied.count),
            ("CELL_UNAVAILABLE", 1)
        );
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_booking_lives_from_hold_to_cancellation() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut request = suites("2026-12-03", "2026-12-05", 2);
        request.contact = Some(v1::Contact {
            display_name: "Alice".into(),
            email: "alice@example.com".into(),
            phone: String::new(),
        });
        let held = service.hold(ALICE, request).await.unwrap().booking.unwrap();
        assert_eq!(held.state(), State::Held);
        assert_eq!(
            (held.venue.as_str(), held.title.as_str()),
            (HOTEL, "Banyan suite")
        );
        // A Thursday and a Friday, two rooms.
        assert_eq!(
            held.total_price.as_ref().unwrap().amount_minor,
            2 * (26_000 + 33_800)
        );
        assert!(held.expire_time.is_some());
        assert_eq!(service.get(ALICE, &held.name).await.unwrap(), held);

        let confirmed = service.confirm(ALICE, &held.name).await.unwrap();
        assert_eq!(
            (confirmed.state(), confirmed.expire_time),
            (State::Confirmed, None)
        );
        assert_ne!(confirmed.etag, held.etag);
        assert_eq!(confirmed.contact, held.contact);
        let again = service.confirm(ALICE, &held.name).await.unwrap_err();
        assert_eq!(reason(&again), "BOOKING_STATE");

        let cancelled = service.cancel(ALICE, &held.name).await.unwrap();
        assert_eq!(cancelled.state(), State::Cancelled);
        assert_eq!(cancelled.claim, held.claim);
        assert_eq!(
            reason(&service.cancel(ALICE, &held.name).await.unwrap_err()),
            "BOOKING_STATE"
        );
        assert_eq!(
            service.free_suites("2026-12-03", "2026-12-05").await,
            [3, 3]
        );
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_hold_that_has_run_out_stands_in_nobodys_way() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let held = service
            .hold(ALICE, suites("2026-12-01", "2026-12-02", 3))
            .await
            .unwrap()
            .booking
            .unwrap();
        assert_eq!(service.free_suites("2026-12-01", "2026-12-02").await, [0]);
        service.clock.advance(SignedDuration::from_mins(10));

        assert_eq!(service.free_suites("2026-12-01", "2026-12-02").await, [3]);
        let seen = service.get(ALICE, &held.name).await.unwrap();
        assert_eq!((seen.state(), seen.expire_time), (State::Expired, None));
        assert_eq!(
            reason(&service.confirm(ALICE, &held.name).await.unwrap_err()),
            "HOLD_EXPIRED"
        );

        service
            .hold(BOB, suites("2026-12-01", "2026-12-02", 3))
            .await
            .unwrap();
        let events = service.events(None).await;
        let states: Vec<_> = events
            .iter()
            .rev()
            .take(2)
            .map(|event| match &event.event {
                Some(v1::feed_event::Event::BookingChanged(it)) => (it.state(), it.items.len()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(states, [(State::Held, 1), (State::Expired, 0)]);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_move_may_reuse_its_own_cells_and_a_failed_one_changes_nothing() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let held = service
            .hold(ALICE, suites("2026-12-01", "2026-12-03", 3))
            .await
            .unwrap()
            .booking
            .unwrap();
        service
            .hold(BOB, suites("2026-12-04", "2026-12-05", 1))
            .await
            .unwrap();
        let to = |check_in: &str, check_out: &str, rooms| v1::MoveBookingRequest {
            name: held.name.clone(),
            claim: Some(v1::move_booking_request::Claim::Stay(stay(
                check_in, check_out, rooms,
            ))),
            ..Default::default()
        };

        let refusal = service
            .bookings()
            .move_booking(by(ALICE, to("2026-12-02", "2026-12-05", 3)))
            .await
            .unwrap_err();
        assert_eq!(cells(&refusal), [format!("{SUITE}/nights/2026-12-04")]);
        assert_eq!(service.get(ALICE, &held.name).await.unwrap(), held);
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-05").await,
            [0, 0, 3, 2]
        );

        let moved = service
            .bookings()
            .move_booking(by(ALICE, to("2026-12-02", "2026-12-05", 2)))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(moved.previous_total_price, held.total_price);
        let moved = moved.booking.unwrap();
        assert_eq!(
            (moved.state(), moved.expire_time),
            (State::Held, held.expire_time)
        );
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-05").await,
            [3, 1, 1, 0]
        );

        let mut elsewhere = to("2026-12-02", "2026-12-05", 1);
        elsewhere.claim = Some(v1::move_booking_request::Claim::Seats(v1::SeatSelection {
            screening: service.screening().await.name,
            seats: vec!["A1".into()],
            ..v1::SeatSelection::default()
        }));
        let refusal = service
            .bookings()
            .move_booking(by(ALICE, elsewhere))
            .await
            .unwrap_err();
        assert_eq!(
            fields(&refusal),
            [("seats.screening".into(), "RANGE".into())]
        );
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn an_old_etag_changes_nothing() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let held = service
        .hold(ALICE, suites("2026-12-01", "2026-12-02", 1))
        .await
        .unwrap()
        .booking
        .unwrap();
    let confirmed = service.confirm(ALICE, &held.name).await.unwrap();
    let cancel = |etag: &str| v1::CancelBookingRequest {
        name: held.name.clone(),
        etag: etag.to_owned(),
        ..Default::default()
    };
    let refusal = service
        .bookings()
        .cancel_booking(by(ALICE, cancel(&held.etag)))
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.code(), reason(&refusal).as_str()),
        (Code::Aborted, "ETAG_MISMATCH")
    );
    assert!(
        service
            .bookings()
            .cancel_booking(by(ALICE, cancel(&confirmed.etag)))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn guests_see_their_own_bookings_only() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let held = service
            .hold(ALICE, suites("2026-12-01", "2026-12-02", 1))
            .await
            .unwrap()
            .booking
            .unwrap();
        for refusal in [
            service.get(BOB, &held.name).await.unwrap_err(),
            service.confirm(BOB, &held.name).await.unwrap_err(),
            service.cancel(BOB, &held.name).await.unwrap_err(),
        ] {
            assert_eq!(refusal.code(), Code::NotFound);
        }
        let list = service
            .bookings()
            .list_bookings(by(BOB, v1::ListBookingsRequest::default()))
            .await
            .unwrap();
        assert!(list.into_inner().bookings.is_empty());
        let nobody = service
            .bookings()
            .list_bookings(v1::ListBookingsRequest::default())
            .await
            .unwrap_err();
        assert_eq!(nobody.code(), Code::Unauthenticated);
        assert_eq!(
            service.get(ALICE, &held.name).await.unwrap().state(),
            State::Held
        );
    }
}

#[tokio::test]
async fn the_database_itself_refuses_a_cell_over_its_capacity() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        service
            .hold(ALICE, suites("2026-12-01", "2026-12-02", 3))
            .await
            .unwrap();
        let sql = service.sql().await;
        for change in ["taken = taken + 1", "taken = -1", "capacity = taken - 1"] {
            let refused = sql
                .execute_unprepared(&format!("UPDATE cells SET {change}"))
                .await;
            let error = refused.unwrap_err().to_string();
            assert!(error.to_lowercase().contains("check"), "{error}");
        }
    }
}

#[tokio::test]
async fn the_database_itself_refuses_a_price_beyond_a_million_million() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let sql = service.sql().await;
        for table in ["rates", "screening_prices"] {
            let set = |price: i64| format!("UPDATE {table} SET price_minor = {price}");
            for price in [0, 1_000_000_000_000] {
                sql.execute_unprepared(&set(price)).await.unwrap();
            }
            for price in [-1, 1_000_000_000_001] {
                let refused = sql.execute_unprepared(&set(price)).await;
                let error = refused.unwrap_err().to_string();
                assert!(error.to_lowercase().contains("check"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn seats_are_sold_once_and_a_screening_that_has_started_not_at_all() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let screening = service.screening().await;
        let held = service
            .hold(ALICE, seats(&screening.name, &["A2", "A1"]))
            .await
            .unwrap()
            .booking
            .unwrap();
        assert_eq!(held.venue, "cinemas/grand-banyan");
        let Some(v1::booking::Claim::Seats(claim)) = &held.claim else {
            panic!("{held:?}")
        };
        assert_eq!(
            (claim.seats.join(","), claim.start_time),
            ("A2,A1".into(), screening.start_time)
        );

        let refusal = service
            .hold(BOB, seats(&screening.name, &["A3", "A1"]))
            .await
            .unwrap_err();
        assert_eq!(cells(&refusal), [format!("{}/seats/A1", screening.name)]);
        let unknown = service
            .hold(BOB, seats(&screening.name, &["A3", "Z1", "Z2"]))
            .await
            .unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
        assert!(unknown.message().contains("Z1") && unknown.message().contains("Z2"));

        let map = v1::GetSeatMapRequest {
            name: format!("{}/seatMap", screening.name),
        };
        let map = service
            .cinemas()
            .get_seat_map(map)
            .await
            .unwrap()
            .into_inner();
        let taken: Vec<_> = map
            .seats
            .iter()
            .filter(|seat| seat.state() == v1::seat::State::Taken)
            .map(|seat| seat.id.as_str())
            .collect();
        assert_eq!(taken, ["A1", "A2"]);
        let seen = v1::GetScreeningRequest {
            name: screening.name.clone(),
        };
        let seen = service
            .cinemas()
            .get_screening(seen)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(seen.available_seats, screening.available_seats - 2);

        let wait = screening.start_time.unwrap().seconds
            - banyan_reservation::inventory::Clock::now(&*service.clock).as_second();
        service.clock.advance(SignedDuration::from_secs(wait));
        let refusal = service
            .hold(BOB, seats(&screening.name, &["A3"]))
            .await
            .unwrap_err();
        assert_eq!(reason(&refusal), "SCREENING_STARTED");
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_booking_reads_as_it_was_answered_to_the_last_digit() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut request = suites("2026-12-01", "2026-12-02", 1);
        request.hold_duration = Some(prost_types::Duration {
            seconds: 60,
            nanos: 123_456_789,
        });
        let held = service.hold(ALICE, request).await.unwrap().booking.unwrap();
        assert_eq!(service.get(ALICE, &held.name).await.unwrap(), held);
    }
}

#[tokio::test]
async fn what_has_begun_for_good_is_not_changed_any_more() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let screening = service.screening().await;
        let book = async |seat: &str| {
            let mut hold = seats(&screening.name, &[seat]);
            hold.hold_duration = Some(prost_types::Duration {
                seconds: 3_600,
                nanos: 0,
            });
            let held = service.hold(ALICE, hold).await.unwrap();
            held.booking.unwrap().name
        };
        let wait = screening.start_time.unwrap().seconds - service.clock.now().as_second();
        service.clock.advance(SignedDuration::from_secs(wait - 1));
        let (held, confirmed) = (book("A1").await, book("A2").await);
        service.confirm(ALICE, &confirmed).await.unwrap();
        service.clock.advance(SignedDuration::from_secs(1));
        let elsewhere = service.screening().await;
        let mut moved = v1::MoveBookingRequest {
            name: confirmed.clone(),
            ..Default::default()
        };
        moved.claim = Some(v1::move_booking_request::Claim::Seats(v1::SeatSelection {
            screening: elsewhere.name,
            seats: vec!["A1".into()],
            ..v1::SeatSelection::default()
        }));
        let moved = service.bookings().move_booking(by(ALICE, moved)).await;
        for refused in [
            moved.map(drop),
            service.confirm(ALICE, &held).await.map(drop),
            service.cancel(ALICE, &held).await.map(drop),
            service.cancel(ALICE, &confirmed).await.map(drop),
        ] {
            let refused = refused.unwrap_err();
            assert_eq!(reason(&refused), "SCREENING_STARTED", "{refused}");
        }

        let stay = suites("2026-12-01", "2026-12-02", 1);
        let stay = service.hold(ALICE, stay).await.unwrap().booking.unwrap();
        service.confirm(ALICE, &stay.name).await.unwrap();
        // To the last night's last moment in Lisbon, where it is UTC in winter.
        let end: jiff::Timestamp = "2026-12-02T00:00:00Z".parse().unwrap();
        let wait = end.as_second() - service.clock.now().as_second();
        service.clock.advance(SignedDuration::from_secs(wait));
        let over = service.cancel(ALICE, &stay.name).await.unwrap_err();
        assert_eq!(
            (over.code(), reason(&over).as_str()),
            (Code::FailedPrecondition, "BOOKING_STATE")
        );
        service.assert_sound().await;
    }
}
