//! The feed: every change once, in order, from any position.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, feed_event::Event};
use sea_orm::{ConnectionTrait as _, Statement};
use tonic::Code;

use super::support::*;

fn sequence(event: &v1::FeedEvent) -> i64 {
    event.position.as_ref().unwrap().sequence
}

#[tokio::test]
async fn events_are_contiguous_in_order_and_can_be_resumed() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let held = service
            .hold(ALICE, suites("2026-12-01", "2026-12-03", 1))
            .await
            .unwrap()
            .booking
            .unwrap();
        service.confirm(ALICE, &held.name).await.unwrap();
        let all = service.events(None).await;
        assert!(all.iter().map(sequence).eq(1..=all.len() as i64));
        let mut times: Vec<_> = all
            .iter()
            .map(|event| event.decide_time.unwrap())
            .map(|it| (it.seconds, it.nanos))
            .collect();
        times.dedup();
        assert!(times.is_sorted());
        assert!(matches!(all[0].event, Some(Event::HotelChanged(_))));
        assert!(matches!(all[4].event, Some(Event::ScreeningChanged(_))));
        let Some(Event::BookingChanged(last)) = &all.last().unwrap().event else {
            panic!()
        };
        assert_eq!(
            (last.previous_state(), last.state()),
            (v1::booking::State::Held, v1::booking::State::Confirmed)
        );
        assert_eq!(last.items.len(), 2);

        let middle = all[all.len() / 2].position.clone();
        assert_eq!(service.events(middle).await, all[all.len() / 2 + 1..]);
    }
}

#[tokio::test]
async fn a_reader_hears_of_a_commit_as_it_happens() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let after = service.events(None).await.last().unwrap().position.clone();
        let mut stream = service
            .feed()
            .read(v1::ReadRequest {
                after: after.clone(),
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner();
        let first = tokio::time::timeout(LIMIT, stream.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!((first.events.len(), first.head), (0, after));
        service
            .hold(ALICE, suites("2026-12-01", "2026-12-03", 1))
            .await
            .unwrap();
        let news = tokio::time::timeout(LIMIT, stream.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(news.events.len(), 1);
    }
}

#[tokio::test]
async fn a_position_of_another_database_or_of_the_future_is_out_of_range() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let last = service
        .events(None)
        .await
        .last()
        .unwrap()
        .position
        .clone()
        .unwrap();
    for (incarnation, sequence, want) in [
        ("another", 1, "INCARNATION_CHANGED"),
        ("another", 0, "INCARNATION_CHANGED"),
        (
            last.incarnation.as_str(),
            last.sequence + 1,
            "POSITION_AHEAD",
        ),
    ] {
        let after = Some(v1::CommitPosition {
            incarnation: incarnation.to_owned(),
            sequence,
        });
        let refusal = service
            .feed()
            .read(v1::ReadRequest {
                after,
                ..Default::default()
            })
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.code(), reason(&refusal).as_str()),
            (Code::OutOfRange, want)
        );
    }
    let after = Some(v1::CommitPosition {
        incarnation: last.incarnation,
        sequence: -1,
    });
    let refusal = service
        .feed()
        .read(v1::ReadRequest {
            after,
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn there_is_room_for_64_readers_at_once() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let read = async || service.feed().read(v1::ReadRequest::default()).await;
    let mut readers = Vec::new();
    for _ in 0..64 {
        readers.push(read().await.unwrap());
    }
    let refused = read().await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    readers.pop();
    let freed = async { while read().await.is_err() {} };
    tokio::time::timeout(LIMIT, freed).await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_service_ends_the_stream() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let mut stream = service
        .feed()
        .read(v1::ReadRequest::default())
        .await
        .unwrap()
        .into_inner();
    tokio::time::timeout(LIMIT, stream.message())
        .await
        .unwrap()
        .unwrap();
    let stopping = tokio::spawn(service.stop());
    let ended = async { while let Ok(Some(_)) = stream.message().await {} };
    tokio::time::timeout(LIMIT, ended).await.unwrap();
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_message_has_at_most_a_thousand_events() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        // Nobody sells these nights: each is demand denied, an event of its own.
        for _ in 0..3 {
            let refused = service
                .hold(ALICE, suites("2030-01-01", "2031-01-01", 1))
                .await
                .unwrap_err();
            assert_eq!(reason(&refused), "NOT_SOLD");
            assert_eq!(cells(&refused).len(), 50);
        }
        let mut stream = service
            .feed()
            .read(v1::ReadRequest::default())
            .await
            .unwrap()
            .into_inner();
        let first = tokio::time::timeout(LIMIT, stream.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(first.events.len(), 1_000);
        assert!(first.head.unwrap().sequence > 1_000);
        let second = tokio::time::timeout(LIMIT, stream.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(sequence(&second.events[0]), 1_001);
    }
}

#[tokio::test]
async fn who_does_not_read_is_not_read_for_and_misses_nothing() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        for _ in 0..130 {
            let unsold = suites("2030-01-01", "2031-01-01", 1);
            service.hold(ALICE, unsold).await.unwrap_err();
        }
        let all = service.events(None).await;
        assert!(all.len() > 47_450);
        let opened = service.feed().read(v1::ReadRequest::default()).await;
        let mut stream = opened.unwrap().into_inner();
        // There is time to read all of it: somebody else does.
        assert_eq!(service.events(None).await.len(), all.len());
        let stopping = tokio::spawn(service.stop());
        let mut told = Vec::new();
        while let Ok(Some(message)) = stream.message().await {
            told.extend(message.events);
        }
        let database = stopping.await.unwrap();
        assert!(told.len() < all.len() / 4 * 3, "{} were kept", told.len());
        assert!(told == all[..told.len()]);

        let service = Service::start(database).await;
        let after = told.last().and_then(|it| it.position.clone());
        let rest = service.events(after).await;
        assert!(
            rest == all[told.len()..],
            "{} after {}",
            rest.len(),
            told.len()
        );
    }
}

#[tokio::test]
async fn a_reader_is_never_led_over_a_gap() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let events = service.events(None).await;
        let position = events.last().unwrap().position.clone().unwrap();
        let (last, incarnation) = (position.sequence, position.incarnation);
        for lost in [7, last] {
            let sql = service.sql().await;
            let delete = format!("DELETE FROM outbox WHERE sequence = {lost}");
            sql.execute_unprepared(&delete).await.unwrap();
            let mut stream = service
                .feed()
                .read(v1::ReadRequest {
                    after: Some(v1::CommitPosition {
                        sequence: lost - 1,
                        incarnation: incarnation.clone(),
                    }),
                    ..Default::default()
                })
                .await
                .unwrap()
                .into_inner();
            let broken = tokio::time::timeout(LIMIT, stream.message()).await.unwrap();
            assert_eq!(broken.unwrap_err().code(), Code::Internal, "{lost}");
        }
    }
}

#[tokio::test]
async fn personal_data_stays_in_its_own_table() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut request = suites("2026-12-01", "2026-12-02", 1);
        request.request_id = "one".into();
        request.contact = Some(v1::Contact {
            display_name: "Secretive Alice".into(),
            email: "secret@example.com".into(),
            phone: "+351 555".into(),
        });
        let held = service.hold(ALICE, request.clone()).await.unwrap();
        let again = service.hold(ALICE, request).await.unwrap();
        assert_eq!(
            again.booking.unwrap().contact,
            held.booking.unwrap().contact
        );
        let sql = service.sql().await;
        for query in [
            "SELECT event AS bytes FROM outbox",
            "SELECT answer AS bytes FROM request_ids",
        ] {
            let statement = Statement::from_string(sql.get_database_backend(), query);
            for row in sql.query_all_raw(statement).await.unwrap() {
                let bytes: Vec<u8> = row.try_get("", "bytes").unwrap();
                let text = String::from_utf8_lossy(&bytes);
                for secret in ["Secretive", "secret@", "+351 555", ALICE] {
                    assert!(!text.contains(secret), "{query}");
                }
            }
        }
    }
}
