//! Trimming the feed: who keeps the last state of each thing comes to the same, whether it has read every event, the
//! snapshot and the rest, or some of both.

use std::{collections::BTreeMap, num::NonZeroU32};

use banyan_mesh::{
    client::{ClientSettings, channel},
    database::DatabaseSettings,
    process::Process,
    testing::TestDatabase,
};
use banyan_proto::reservation::v1::{
    self, feed_event::Event, feed_service_client::FeedServiceClient,
};
use banyan_reservation::Settings;
use jiff::{SignedDuration, Timestamp};
use prost::Message as _;
use sea_orm::{ConnectionTrait as _, Statement};
use tonic::{Code, Status, Streaming};

use super::support::*;

/// What a consumer that keeps last states knows.
#[derive(Debug, Default, PartialEq)]
struct Known {
    last: BTreeMap<String, v1::FeedEvent>,
    denied: BTreeMap<String, i64>,
    position: Option<v1::CommitPosition>,
    decide_time: Option<prost_types::Timestamp>,
}

impl Known {
    fn of(events: Vec<v1::FeedEvent>) -> Self {
        let mut known = Self::default();
        events.into_iter().for_each(|event| known.take(event));
        known
    }

    fn sequence(&self) -> i64 {
        self.position.as_ref().map_or(0, |it| it.sequence)
    }

    fn take(&mut self, mut event: v1::FeedEvent) {
        let sequence = event.position.as_ref().unwrap().sequence;
        let is_snapshot = std::mem::take(&mut event.snapshot);
        if is_snapshot {
            assert!(sequence > self.sequence(), "a snapshot rises");
        } else {
            assert_eq!(sequence, self.sequence() + 1, "nothing is left out");
        }
        self.position.clone_from(&event.position);
        self.decide_time = event.decide_time;
        let name = match event.event.as_ref().unwrap() {
            Event::HotelChanged(it) => it.hotel.clone(),
            Event::RoomTypeChanged(it) => it.room_type.clone(),
            Event::ScreeningChanged(it) => it.screening.clone(),
            Event::BookingChanged(it) => it.booking.clone(),
            Event::DemandDenied(it) => {
                let counted = self.denied.entry(format!("{:?} {}", it.cell, it.reason));
                let count = counted.or_default();
                *count = if is_snapshot { 0 } else { *count } + it.count;
                return;
            }
        };
        self.last.insert(name, event);
    }
}

type Stream = Streaming<v1::ReadResponse>;

async fn open(
    feed: &mut FeedServiceClient<tonic::transport::Channel>,
    after: Option<v1::CommitPosition>,
    takes_snapshot: bool,
) -> Result<Stream, Status> {
    let request = v1::ReadRequest {
        after,
        takes_snapshot,
    };
    feed.read(request).await.map(tonic::Response::into_inner)
}

async fn next(stream: &mut Stream) -> Result<v1::ReadResponse, Status> {
    let message = tokio::time::timeout(LIMIT, stream.message()).await.unwrap();
    message.map(Option::unwrap)
}

/// Reads until the head that the stream tells is reached.
async fn read_on(stream: &mut Stream, known: &mut Known) -> Result<(), Status> {
    loop {
        let message = next(stream).await?;
        message.events.into_iter().for_each(|it| known.take(it));
        if known.sequence() >= message.head.unwrap().sequence {
            return Ok(());
        }
    }
}

async fn read(
    service: &Service,
    after: Option<v1::CommitPosition>,
    takes_snapshot: bool,
) -> Result<Known, Status> {
    let mut known = Known {
        position: after.clone(),
        ..Known::default()
    };
    let mut stream = open(&mut service.feed(), after, takes_snapshot).await?;
    read_on(&mut stream, &mut known).await.map(|()| known)
}

async fn trim(service: &Service, before: Timestamp) -> v1::TrimFeedResponse {
    let before_time = Some(prost_types::Timestamp {
        seconds: before.as_second(),
        nanos: before.subsec_nanosecond(),
    });
    let request = v1::TrimFeedRequest { before_time };
    let answer = service.feed_admin().trim_feed(request).await.unwrap();
    answer.into_inner()
}

/// Trims everything, in as many calls as it takes; a moment passes.
async fn trim_all(service: &Service) -> v1::TrimFeedResponse {
    service.clock.advance(SignedDuration::from_secs(1));
    let mut trimmed_events = 0;
    loop {
        let answer = trim(service, service.clock_now()).await;
        trimmed_events += answer.trimmed_events;
        if answer.complete {
            return v1::TrimFeedResponse {
                trimmed_events,
                ..answer
            };
        }
        assert!(answer.trimmed_events > 0, "a call makes progress");
    }
}

/// Bookings through several states, and refusals.
async fn trade(service: &Service, month: u32) {
    let night = |day: u32| format!("2027-{month:02}-{day:02}");
    for day in [1, 5, 9] {
        let request = suites(&night(day), &night(day + 2), 1);
        let held = service.hold(ALICE, request).await.unwrap();
        let name = held.booking.unwrap().name;
        if day > 1 {
            service.confirm(ALICE, &name).await.unwrap();
        }
        if day > 5 {
            service.cancel(ALICE, &name).await.unwrap();
        }
    }
    for _ in 0..2 {
        let refused = service.hold(BOB, suites(&night(1), &night(4), 3)).await;
        assert_eq!(reason(&refused.unwrap_err()), "CELL_UNAVAILABLE");
    }
}

/// Some thousands of events: nobody sells these nights, and each is demand denied.
async fn deny(service: &Service, requests: usize) {
    for _ in 0..requests {
        let refused = service.hold(BOB, suites("2031-01-01", "2032-01-01", 1));
        assert_eq!(reason(&refused.await.unwrap_err()), "NOT_SOLD");
    }
}

/// More than can be on its way to a reader that does not read: 15 MB in a few large events.
async fn crowd(service: &Service) {
    let sql = service.sql().await;
    let head = service.events(None).await.pop().unwrap();
    let position = head.position.unwrap();
    let micros = service.clock_now().as_microsecond();
    for number in 1..=250 {
        let event = v1::FeedEvent {
            position: Some(v1::CommitPosition {
                sequence: position.sequence + number,
                ..position.clone()
            }),
            decide_time: head.decide_time,
            event: Some(Event::HotelChanged(v1::HotelChanged {
                hotel: format!("hotels/h{}", number % 100),
                display_name: format!("{number} {}", "x".repeat(60_000)),
                ..Default::default()
            })),
            ..Default::default()
        };
        let values = [
            (position.sequence + number).into(),
            micros.into(),
            event.encode_to_vec().into(),
        ];
        let insert = "INSERT INTO outbox (sequence, decided_at, event) VALUES ($1, $2, $3)";
        let insert = Statement::from_sql_and_values(sql.get_database_backend(), insert, values);
        sql.execute_raw(insert).await.unwrap();
    }
    let advance = "UPDATE commit_head SET sequence = sequence + 250";
    sql.execute_unprepared(advance).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_and_the_rest_come_to_what_all_events_come_to() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        trade(&service, 1).await;
        let all = service.events(None).await;
        let mut exact = Known::of(all.clone());
        assert_eq!(
            trim(&service, START.parse().unwrap()).await.trimmed_events,
            0
        );

        let trimmed = trim_all(&service).await;
        assert_eq!(trimmed.trimmed_events, all.len() as i64);
        assert_eq!(trimmed.snapshot_position, exact.position);
        let snapshot = service.events(None).await;
        assert!(snapshot.iter().all(|event| event.snapshot));
        assert!(snapshot.len() < all.len());
        assert_eq!(Known::of(snapshot), exact);

        // More happens, and then some of that is trimmed, too.
        trade(&service, 2).await;
        let kept = service.events(exact.position.clone()).await;
        assert!(kept.iter().all(|event| !event.snapshot));
        let middle = exact.position.clone();
        kept.into_iter().for_each(|event| exact.take(event));
        assert_eq!(read(&service, None, false).await.unwrap(), exact);
        service.clock.advance(SignedDuration::from_mins(1));
        let before = service.clock_now();
        trade(&service, 3).await;
        assert!(trim(&service, before).await.trimmed_events > 0);
        let rest = service.events(exact.position.clone()).await;
        rest.into_iter().for_each(|event| exact.take(event));
        assert_eq!(read(&service, None, false).await.unwrap(), exact);
        assert_eq!(trim_all(&service).await.snapshot_position, exact.position);
        assert_eq!(read(&service, None, true).await.unwrap(), exact);
        assert_eq!(trim_all(&service).await.trimmed_events, 0);

        let expired = read(&service, middle, false).await.unwrap_err();
        assert_eq!(reason(&expired), "POSITION_EXPIRED");
        service.assert_sound().await;
        trade(&service, 4).await;
        assert!(read(&service, exact.position, false).await.is_ok());
    }
}

#[tokio::test]
async fn who_is_behind_is_told_so_or_goes_on_with_the_snapshot() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        trade(&service, 1).await;
        let all = service.events(None).await;
        trade(&service, 2).await;
        let exact = Known::of(service.events(None).await);
        trim_all(&service).await;
        for read_so_far in [1, all.len() / 2, all.len()] {
            let mut known = Known::of(all[..read_so_far].to_vec());
            let after = known.position.clone();
            let expired = open(&mut service.feed(), after.clone(), false).await;
            let expired = expired.unwrap_err();
            assert_eq!(
                (expired.code(), reason(&expired).as_str()),
                (Code::OutOfRange, "POSITION_EXPIRED")
            );
            let mut stream = open(&mut service.feed(), after, true).await.unwrap();
            read_on(&mut stream, &mut known).await.unwrap();
            assert_eq!(known, exact, "after {read_so_far}");
        }
        // Everything of position 0 is ahead; at the trim point nothing is missing.
        let zero = Some(v1::CommitPosition {
            incarnation: exact.position.clone().unwrap().incarnation,
            sequence: 0,
        });
        assert_eq!(read(&service, zero, false).await.unwrap(), exact);
        assert!(
            open(&mut service.feed(), exact.position, false)
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn a_trim_in_the_middle_of_reading_is_not_noticed() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        trade(&service, 1).await;
        crowd(&service).await;
        trade(&service, 2).await;
        let exact = Known::of(service.events(None).await);

        let (mut takes, mut wants_all) = (service.feed(), service.feed());
        let mut takes = open(&mut takes, None, true).await.unwrap();
        let mut wants_all = open(&mut wants_all, None, false).await.unwrap();
        let mut known = Known::default();
        let first = next(&mut takes).await.unwrap();
        first.events.into_iter().for_each(|it| known.take(it));
        trim_all(&service).await;
        read_on(&mut takes, &mut known).await.unwrap();
        assert_eq!(known, exact);
        // What it has not read in time is gone for who wants every event.
        let mut known = Known::default();
        let expired = read_on(&mut wants_all, &mut known).await.unwrap_err();
        assert_eq!(reason(&expired), "POSITION_EXPIRED");
    }
}

#[tokio::test]
async fn a_trim_in_the_middle_of_a_snapshot_is_not_noticed() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        trade(&service, 1).await;
        deny(&service, 1).await;
        trim_all(&service).await;
        let mut known = Known::of(service.events(None).await[..20].to_vec());
        // What is known is overtaken, and so is what is not known yet.
        deny(&service, 1).await;
        trade(&service, 2).await;
        let exact = read(&service, None, false).await.unwrap();
        trim_all(&service).await;
        let after = known.position.clone();
        let mut stream = open(&mut service.feed(), after, true).await.unwrap();
        read_on(&mut stream, &mut known).await.unwrap();
        assert_eq!(known, exact);
        assert_eq!(read(&service, None, false).await.unwrap(), exact);
    }
}

#[tokio::test]
async fn replicas_that_trim_at_once_trim_each_event_once() {
    let service = Service::start(TestDatabase::postgres()).await;
    deny(&service, 8).await;
    trade(&service, 1).await;
    let exact = Known::of(service.events(None).await);
    service.clock.advance(SignedDuration::from_secs(1));
    let before = service.clock_now();
    let process = Process::new();
    let other = Service::serve(&service.database.url, &service.clock, &process).await;
    let mut other = v1::feed_admin_service_client::FeedAdminServiceClient::new(other);
    let request = v1::TrimFeedRequest {
        before_time: Some(prost_types::Timestamp {
            seconds: before.as_second(),
            nanos: 0,
        }),
    };
    let theirs = async {
        // It may not be ready yet; nothing is done then.
        loop {
            match other.trim_feed(request).await {
                Ok(answer) => return answer.into_inner(),
                Err(error) => assert_eq!(error.code(), Code::Unavailable),
            }
        }
    };
    let (ours, theirs) = tokio::join!(trim(&service, before), theirs);
    assert!(ours.complete && theirs.complete);
    let moved = ours.trimmed_events + theirs.trimmed_events;
    assert_eq!(moved, exact.sequence());
    assert_eq!(read(&service, None, false).await.unwrap(), exact);
    process.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn what_is_older_than_the_setting_is_trimmed_and_what_is_not_is_kept() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        trade(&service, 1).await;
        let old = service.events(None).await.last().unwrap().position.clone();
        service.clock.advance(SignedDuration::from_hours(20));
        trade(&service, 2).await;
        let clock = service.clock.clone();
        let database = service.stop().await;

        clock.advance(SignedDuration::from_hours(5));
        let process = Process::new();
        let settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            database: DatabaseSettings::new(&database.url),
            feed_retention_days: NonZeroU32::new(1),
            ..Settings::default()
        };
        let running = banyan_reservation::start_by(clock, settings, &process)
            .await
            .unwrap();
        let url = format!("http://{}", running.grpc);
        let mut feed = FeedServiceClient::new(channel(&ClientSettings::new(url)).unwrap());
        let trimmed = async {
            loop {
                let Ok(mut stream) = open(&mut feed, None, true).await else {
                    continue;
                };
                let mut known = Known::default();
                let message = next(&mut stream).await.unwrap();
                let mut snapshot = message.events.iter().filter(|event| event.snapshot);
                let snapshot = snapshot
                    .next_back()
                    .and_then(|event| event.position.clone());
                message.events.into_iter().for_each(|it| known.take(it));
                if snapshot.is_some() {
                    return snapshot;
                }
            }
        };
        let trimmed = tokio::time::timeout(LIMIT, trimmed).await.unwrap();
        assert_eq!(trimmed, old);
        process.stop(LIMIT).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_to_be_trimmed_is_in_the_past() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let now = service.clock_now().as_second();
    for (before_time, want) in [
        (None, "MISSING"),
        (Some((now, 1)), "RANGE"),
        (Some((i64::MAX, 0)), "RANGE"),
        (Some((0, -1)), "RANGE"),
        (Some((0, i32::MAX)), "RANGE"),
    ] {
        let before_time =
            before_time.map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos });
        let request = v1::TrimFeedRequest { before_time };
        let refused = service.feed_admin().trim_feed(request).await.unwrap_err();
        assert_eq!(fields(&refused), [("before_time".into(), want.into())]);
    }
}
