//! Reports follow the feed exactly, whatever happens to the stream or the process.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::{
    analytics::v1::OccupancyNight,
    reservation::v1::booking::{Kind, State},
    rpc,
};
use prost::Message as _;
use tonic::{Code, Status};

use crate::{
    feed_server::{Fault, Feed},
    script::{
        DOUBLE, HOTEL, SUITE, booking, cancelled, closed, denied, hotel, item, night, refusals,
        room_type, screening, seat, unsold,
    },
    service::{Service, eventually},
};

fn violations(status: &Status) -> Vec<(String, String)> {
    let details = rpc::Status::decode(status.details()).unwrap().details;
    let bad_request = details
        .iter()
        .find(|detail| detail.type_url.ends_with("google.rpc.BadRequest"))
        .unwrap();
    rpc::BadRequest::decode(bad_request.value.as_slice())
        .unwrap()
        .field_violations
        .into_iter()
        .map(|violation| (violation.field, violation.reason))
        .collect()
}

#[test]
fn a_hotels_occupancy_is_what_the_feed_said() {
    for database in TestDatabase::each() {
        let feed = Feed::new("a", 3);
        let service = Service::start(&database.url, &feed.serve());
        eventually("the database is migrated", || {
            let status = service.occupancy("2026-05-01", "2026-05-02").unwrap_err();
            (status.code() == Code::NotFound).then_some(())
        });
        let first = |quantity, amount| item(night(DOUBLE, "2026-05-01"), quantity, amount);
        let second = |quantity, amount| item(night(SUITE, "2026-05-02"), quantity, amount);
        feed.commit([
            // Room types may come before their hotel, claims before their room type.
            booking("b1", State::Held, vec![first(2, 20_000), second(1, 30_000)]),
            room_type(DOUBLE, 4),
            room_type(SUITE, 2),
            room_type(SUITE, 1),
            hotel(),
            booking(
                "b1",
                State::Confirmed,
                vec![first(2, 20_000), second(1, 30_000)],
            ),
            booking("b2", State::Held, vec![first(1, 9_000)]),
            booking("b3", State::Held, vec![first(1, 9_000)]),
            booking("b3", State::Expired, vec![]),
            booking("b4", State::Confirmed, vec![first(1, 8_000)]),
            booking("b4", State::NoShow, vec![first(1, 8_000)]),
            booking("b5", State::Confirmed, vec![first(1, 8_000)]),
            booking("b5", State::Cancelled, vec![]),
            denied(night(DOUBLE, "2026-05-01"), 2),
            denied(night(DOUBLE, "2026-05-01"), 3),
            denied(night(DOUBLE, "2026-06-01"), 7),
            unsold(night(DOUBLE, "2026-05-01"), 11),
            unsold(night(DOUBLE, "2026-05-03"), 13),
        ]);
        let report = eventually("everything is applied", || {
            let report = service.occupancy("2026-05-01", "2026-05-04").ok()?;
            let position = report.freshness.as_ref()?.position.as_ref()?;
            (position.sequence == feed.len()).then_some(report)
        });
        let wanted = |date: &str, sold, held, denied, occupancy| OccupancyNight {
            date: date.to_owned(),
            capacity: 5,
            sold,
            held,
            denied,
            occupancy,
            ..OccupancyNight::default()
        };
        assert_eq!(
            report.nights,
            [
                wanted("2026-05-01", 3, 1, 5, 0.6),
                wanted("2026-05-02", 1, 0, 0, 0.2),
                wanted("2026-05-03", 0, 0, 0, 0.0),
            ]
        );
        assert_eq!(
            (report.sold_room_nights, report.capacity_room_nights),
            (4, 15)
        );
        let revenue = report.room_revenue.unwrap();
        assert_eq!(
            (revenue.currency_code.as_str(), revenue.amount_minor),
            ("EUR", 58_000)
        );
        let freshness = report.freshness.unwrap();
        assert_eq!(freshness.lag, 0);
        assert_eq!(
            freshness.decide_time.unwrap().seconds,
            1_780_000_000 + feed.len() - 1
        );
        let unseen = service.occupancy_of("hotels/other", "2026-05-01", "2026-05-02");
        let unseen = unseen.unwrap_err();
        assert_eq!(unseen.code(), Code::NotFound);
        let details = rpc::Status::decode(unseen.details()).unwrap().details;
        let info = rpc::ErrorInfo::decode(details[0].value.as_slice()).unwrap();
        let resource = rpc::ResourceInfo::decode(details[1].value.as_slice()).unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("NOT_FOUND", "analytics.banyan")
        );
        assert_eq!(
            (
                resource.resource_type.as_str(),
                resource.resource_name.as_str()
            ),
            ("reservation.banyan/Hotel", "hotels/other")
        );
    }
}

#[test]
fn only_what_guests_book_is_sold_and_what_is_out_of_order_is_not_for_sale() {
    for database in TestDatabase::each() {
        let feed = Feed::new("a", 4);
        let service = Service::start(&database.url, &feed.serve());
        let first = |quantity| item(night(DOUBLE, "2026-05-01"), quantity, 9_000);
        let second = |quantity| item(night(DOUBLE, "2026-05-02"), quantity, 9_000);
        feed.commit([
            hotel(),
            room_type(DOUBLE, 10),
            // Left after the first night, and gave the second one back.
            booking("b1", State::CheckedIn, vec![first(1), second(1)]),
            booking("b1", State::Completed, vec![first(1)]),
            booking("b2", State::NoShow, vec![first(1), second(1)]),
            closed("b3", Kind::Block, State::Held, vec![first(3), second(3)]),
            closed("b4", Kind::Block, State::Held, vec![first(2)]),
            closed("b4", Kind::Block, State::Expired, vec![]),
            closed("b5", Kind::OutOfOrder, State::Confirmed, vec![second(2)]),
            closed("b6", Kind::OutOfOrder, State::Cancelled, vec![]),
        ]);
        let report = eventually("everything is applied", || {
            let report = service.occupancy("2026-05-01", "2026-05-03").ok()?;
            let position = report.freshness.as_ref()?.position.as_ref()?;
            (position.sequence == feed.len()).then_some(report)
        });
        let wanted = [
            OccupancyNight {
                date: "2026-05-01".to_owned(),
                capacity: 10,
                sold: 2,
                occupancy: 0.2,
                blocked: 3,
                ..OccupancyNight::default()
            },
            OccupancyNight {
                date: "2026-05-02".to_owned(),
                capacity: 8,
                sold: 1,
                occupancy: 0.125,
                out_of_order: 2,
                blocked: 3,
                ..OccupancyNight::default()
            },
        ];
        assert_eq!(report.nights, wanted);
        assert_eq!(
            (report.sold_room_nights, report.capacity_room_nights),
            (3, 18)
        );
        assert_eq!(report.room_revenue.unwrap().amount_minor, 27_000);
    }
}

#[test]
fn fees_for_cancelling_are_revenue_of_their_own() {
    for database in TestDatabase::each() {
        let feed = Feed::new("a", 2);
        let service = Service::start(&database.url, &feed.serve());
        let first = |quantity| item(night(DOUBLE, "2026-05-01"), quantity, 9_000);
        feed.commit([
            hotel(),
            room_type(DOUBLE, 10),
            booking("b1", State::Confirmed, vec![first(2)]),
            // A part of it for 10, and then the rest of it for 30 in all.
            cancelled("b1", State::Confirmed, vec![first(1)], "EUR", 1_000),
            cancelled("b1", State::Cancelled, vec![], "EUR", 3_000),
            cancelled("b2", State::Cancelled, vec![], "EUR", 500),
            cancelled("b3", State::Cancelled, vec![], "EUR", 0),
            cancelled("b4", State::Confirmed, vec![first(1)], "USD", 70),
        ]);
        let report = eventually("everything is applied", || {
            let report = service.cancellation_fees(HOTEL).ok()?;
            let position = report.freshness.as_ref()?.position.as_ref()?;
            (position.sequence == feed.len()).then_some(report)
        });
        let fees: Vec<_> = report
            .fees
            .iter()
            .map(|fee| (fee.currency_code.as_str(), fee.amount_minor))
            .collect();
        assert_eq!((report.venue.as_str(), report.bookings), (HOTEL, 3));
        assert_eq!(fees, [("EUR", 3_500), ("USD", 70)]);
        let report = service.occupancy("2026-05-01", "2026-05-02").unwrap();
        assert_eq!(report.room_revenue.unwrap().amount_minor, 9_000);

        let none = service.cancellation_fees("cinemas/lux").unwrap();
        assert_eq!((none.fees.len(), none.bookings), (0, 0));
        for (venue, reason) in [
            ("", "MISSING"),
            ("hotels", "FORMAT"),
            ("cinemas/", "FORMAT"),
        ] {
            let refused = service.cancellation_fees(venue).unwrap_err();
            assert_eq!(violations(&refused), [("venue".into(), reason.into())]);
        }
    }
}

#[test]
fn a_screenings_load_factor_outlives_its_removal() {
    for database in TestDatabase::each() {
        let feed = Feed::new("a", 100);
        let service = Service::start(&database.url, &feed.serve());
        let seats = |state, names: &[&str]| {
            let items = names
                .iter()
                .map(|name| item(seat(name), 1, 1_200))
                .collect();
            booking(names[0], state, items)
        };
        feed.commit([screening(4, false)]);
        assert_eq!(service.load_factor_at("a", 1).ticket_revenue, None);
        feed.commit([
            seats(State::Confirmed, &["A1", "A2"]),
            seats(State::Held, &["B1"]),
            denied(seat("A1"), 1),
            denied(seat("A2"), 4),
            unsold(seat("A1"), 8),
            screening(4, true),
        ]);
        let report = service.load_factor_at("a", feed.len());
        assert_eq!(
            (report.capacity, report.sold, report.held, report.denied),
            (4, 2, 1, 5)
        );
        assert!((report.load_factor - 0.5).abs() < f64::EPSILON);
        assert_eq!(report.ticket_revenue.unwrap().amount_minor, 2_400);
    }
}

#[test]
fn requests_that_make_no_sense_are_refused_with_every_violation() {
    let feed = Feed::new("a", 1);
    let database = TestDatabase::sqlite();
    let service = Service::start(&database.url, &feed.serve());
    let refused = |start: &str, end: &str| {
        let status = service.occupancy(start, end).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        violations(&status)
    };
    let pair = |field: &str, reason: &str| (field.to_owned(), reason.to_owned());
    assert_eq!(
        refused("2026-05-02", "2026-05-02"),
        [pair("end_date", "RANGE")]
    );
    assert_eq!(
        refused("2026-05-02", "2026-05-01"),
        [pair("end_date", "RANGE")]
    );
    assert_eq!(
        refused("2026-01-01", "2027-01-03"),
        [pair("end_date", "RANGE")]
    );
    assert_eq!(
        refused("", "tomorrow"),
        [pair("start_date", "MISSING"), pair("end_date", "FORMAT")]
    );
    let status = service.occupancy_of("hotel", "2026-05-01", "2026-05-02");
    assert_eq!(violations(&status.unwrap_err()), [pair("hotel", "FORMAT")]);
    eventually("366 nights are allowed", || {
        let status = service.occupancy("2026-01-01", "2027-01-02").unwrap_err();
        (status.code() == Code::NotFound).then_some(())
    });
}

#[test]
fn every_event_counts_once_under_cuts_and_redelivery() {
    for database in TestDatabase::each() {
        let feed = Feed::new("a", 7);
        feed.fault([
            Fault::CutAfter(1),
            Fault::CutAfter(10),
            Fault::Redeliver(5),
            Fault::Redeliver(30),
            Fault::CutAfter(3),
        ]);
        feed.commit([screening(10, false)]);
        feed.commit(refusals(99));
        let service = Service::start(&database.url, &feed.serve());
        let report = service.load_factor_at("a", 100);
        assert_eq!(report.denied, 99);
        assert_eq!(service.metric("analytics_feed_events_applied_total"), 100);
        assert!(service.metric("analytics_feed_events_redelivered_total") >= 5);
        assert!(service.metric("analytics_feed_reconnects_total") >= 5);
    }
}

#[test]
fn every_event_counts_once_across_kills() {
    for database in TestDatabase::each() {
        let feed = Feed::new("a", 5);
        let url = feed.serve();
        feed.commit([screening(10, false)]);
        for round in 1..=6 {
            let service = Service::start(&database.url, &url);
            feed.commit(refusals(40));
            // Killed somewhere in the middle of what it has just been given.
            eventually("something is applied", || {
                (service.metric("analytics_feed_position") > (round - 1) * 40).then_some(())
            });
            service.kill();
        }
        let service = Service::start(&database.url, &url);
        assert_eq!(service.load_factor_at("a", 241).denied, 240);
    }
}

#[test]
fn every_event_counts_once_with_two_replicas() {
    let database = TestDatabase::postgres();
    let feed = Feed::new("a", 2);
    let url = feed.serve();
    feed.commit([screening(10, false)]);
    let replicas = [(); 2].map(|()| Service::start(&database.url, &url));
    for _ in 0..20 {
        feed.commit(refusals(10));
    }
    for replica in &replicas {
        assert_eq!(replica.load_factor_at("a", 201).denied, 200);
    }
    let applied = replicas
        .iter()
        .map(|replica| replica.metric("analytics_feed_events_applied_total"));
    assert_eq!(applied.sum::<i64>(), 201);
}

#[test]
fn an_event_that_is_left_out_stops_the_progress_until_it_comes() {
    let database = TestDatabase::sqlite();
    let feed = Feed::new("a", 10);
    feed.fault([Fault::Gap, Fault::CutAfter(4), Fault::Gap]);
    feed.commit([screening(10, false)]);
    feed.commit(refusals(9));
    let service = Service::start(&database.url, &feed.serve());
    assert_eq!(service.load_factor_at("a", 10).denied, 9);
    assert_eq!(feed.streams(), 4);
}

#[test]
fn another_incarnation_is_built_anew_from_zero() {
    for database in TestDatabase::each() {
        let feed = Feed::new("a", 10);
        feed.commit([hotel(), screening(10, false)]);
        feed.commit(refusals(18));
        let service = Service::start(&database.url, &feed.serve());
        assert_eq!(service.load_factor_at("a", 20).denied, 18);

        // Shorter than what was applied, as a restored backup is.
        let mut log = vec![screening(8, false)];
        log.extend(refusals(3));
        feed.become_another("b", log);
        let report = service.load_factor_at("b", 4);
        assert_eq!((report.capacity, report.denied), (8, 3));
        assert_eq!(service.metric("analytics_feed_rebuilds_total"), 1);
        let gone = service
            .occupancy_of(HOTEL, "2026-05-01", "2026-05-02")
            .unwrap_err();
        assert_eq!(gone.code(), Code::NotFound);
    }
}

#[test]
fn a_trimmed_feed_is_followed_from_wherever_one_stands_and_through_cuts() {
    for (behind, fresh) in TestDatabase::each().into_iter().zip(TestDatabase::each()) {
        let feed = Feed::new("a", 2);
        let url = feed.serve();
        let seats = |number: usize, state| {
            let seats = vec![item(seat(&format!("B{number}")), 1, 900)];
            booking(&format!("b{number}"), state, seats)
        };
        let refused = |number: usize| denied(seat(&format!("A{}", number % 3)), 1);
        let round = |state| (0..10).flat_map(move |n| [seats(n, state), refused(n)]);
        feed.commit([screening(40, false)]);
        feed.commit(round(State::Held));
        let service = Service::start(&behind.url, &url);
        service.load_factor_at("a", feed.len());
        service.kill();

        feed.commit(round(State::Confirmed));
        feed.trim(35);
        feed.commit(round(State::CheckedIn).take(7));
        for database in [&behind, &fresh] {
            feed.fault([Fault::CutAfter(1), Fault::CutAfter(5), Fault::Redeliver(3)]);
            let service = Service::start(&database.url, &url);
            let report = service.load_factor_at("a", feed.len());
            assert_eq!((report.sold, report.denied), (10, 23));
            assert_eq!(report.ticket_revenue.unwrap().amount_minor, 9_000);
            assert_eq!(service.metric("analytics_feed_rebuilds_total"), 0);
        }
    }
}

#[test]
fn a_feed_that_is_away_is_shown_and_followed_once_it_is_back() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let database = TestDatabase::sqlite();
    let service = Service::start(&database.url, &format!("http://{address}"));
    let down = || {
        let report = service.process().readiness().report();
        let feed = report
            .dependencies
            .into_iter()
            .find(|d| d.name == "reservation feed");
        feed.unwrap().reason
    };
    eventually("the feed is shown as down", || {
        down().filter(|reason| reason.contains("Unavailable"))
    });
    eventually("the service is ready all the same", || {
        service.process().readiness().is_ready().then_some(())
    });

    let feed = Feed::new("a", 10);
    feed.commit([screening(10, false)]);
    feed.serve_on(std::net::TcpListener::bind(address).unwrap());
    service.load_factor_at("a", 1);
    eventually("the feed is shown as up", || down().is_none().then_some(()));
}
