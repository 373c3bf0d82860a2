//! Two services on one PostgreSQL: one order of commits, each cell sold once, the same catalogue at once.

use std::time::Duration;

use banyan_proto::reservation::v1::{
    self, booking_service_client::BookingServiceClient, feed_service_client::FeedServiceClient,
};
use futures::future::join_all;
use sea_orm::{ConnectionTrait as _, Statement};
use tonic::{Streaming, transport::Channel};

use super::{
    support::*,
    way::{Behind, Way, postgres, waiting_for_a_lock},
};

async fn hold_at(
    channel: &Channel,
    guest: &str,
    request: v1::HoldBookingRequest,
) -> Result<v1::HoldBookingResponse, tonic::Status> {
    let mut bookings = BookingServiceClient::new(channel.clone());
    let answer = bookings.hold_booking(by(guest, request)).await;
    answer.map(tonic::Response::into_inner)
}

fn sequence(held: &v1::HoldBookingResponse) -> i64 {
    held.position.as_ref().unwrap().sequence
}

/// The next events of a stream.
async fn news(stream: &mut Streaming<v1::ReadResponse>) -> Vec<i64> {
    loop {
        let message = tokio::time::timeout(LIMIT, stream.message()).await;
        let events = message.unwrap().unwrap().unwrap().events;
        if !events.is_empty() {
            let sequence = |it: v1::FeedEvent| it.position.unwrap().sequence;
            return events.into_iter().map(sequence).collect();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_stalled_before_commit_holds_the_order_up_and_no_reader_misses_an_event() {
    let Some(database) = postgres() else { return };
    let service = Service::start(database).await;
    let stalled = Behind::start(&service).await;
    let after = service.events(None).await.last().unwrap().position.clone();
    let last = after.as_ref().unwrap().sequence;
    let request = v1::ReadRequest {
        after,
        ..Default::default()
    };
    let mut here = service
        .feed()
        .read(request.clone())
        .await
        .unwrap()
        .into_inner();
    let mut there = FeedServiceClient::new(stalled.channel.clone());
    let mut there = there.read(request).await.unwrap().into_inner();

    stalled.way.send_replace(Way::StallsCommits);
    let night = || suites("2026-12-01", "2026-12-02", 1);
    let channel = stalled.channel.clone();
    let first = tokio::spawn(async move { hold_at(&channel, ALICE, night()).await });
    let sql = service.sql().await;
    // The stalled transaction has the head: others wait for it, whatever they want.
    let idle = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
                AND state = 'idle in transaction' AND query LIKE '%commit_head%'";
    let stalls = async {
        let statement = || Statement::from_string(sql.get_database_backend(), idle);
        while sql.query_all_raw(statement()).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, stalls).await.unwrap();
    let bookings = service.bookings();
    let second = tokio::spawn(async move {
        let held = bookings.clone().hold_booking(by(BOB, night())).await;
        held.map(tonic::Response::into_inner)
    });
    waiting_for_a_lock(&sql, 1).await;
    assert!(!first.is_finished() && !second.is_finished());
    let read = service.events(None).await;
    let seen = read.last().unwrap().position.as_ref().unwrap().sequence;
    assert_eq!(seen, last, "what is not committed is not read");

    stalled.way.send_replace(Way::Sound);
    let (first, second) = (
        first.await.unwrap().unwrap(),
        second.await.unwrap().unwrap(),
    );
    assert_eq!((sequence(&first), sequence(&second)), (last + 1, last + 2));
    for stream in [&mut here, &mut there] {
        let mut read = Vec::new();
        while read.len() < 2 {
            read.extend(news(stream).await);
        }
        assert_eq!(read, [last + 1, last + 2]);
    }
    service.assert_sound().await;
    drop((here, there));
    stalled.process.stop(LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_sell_each_room_once() {
    let Some(database) = postgres() else { return };
    let service = Service::start(database).await;
    let other = Behind::start(&service).await;
    let holds = (0..40).map(|n| {
        let guest = format!("guest-{n:02}-0123456789");
        let request = suites("2026-12-01", "2026-12-03", 1);
        let (service, other) = (&service, &other.channel);
        async move {
            match n % 2 {
                0 => service.hold(&guest, request).await,
                _ => hold_at(other, &guest, request).await,
            }
        }
    });
    let answers = join_all(holds).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (3, 37));
    let last = won.iter().map(|it| sequence(it.as_ref().unwrap())).max();
    for refusal in lost {
        let refusal = refusal.unwrap_err();
        assert_eq!(reason(&refusal), "CELL_UNAVAILABLE");
        // True where it was decided: the last room had gone by then.
        let at = decided_at(&refusal).unwrap().sequence;
        assert!(Some(at) >= last);
    }
    service.assert_sound().await;
    other.process.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn what_one_replica_sets_the_other_sells_at_once() {
    let Some(database) = postgres() else { return };
    let service = Service::start(database).await;
    let other = Behind::start(&service).await;
    let price = async |day: &str, next: &str| {
        let held = hold_at(&other.channel, ALICE, suites(day, next, 1)).await;
        held.unwrap()
            .booking
            .unwrap()
            .total_price
            .unwrap()
            .amount_minor
    };
    let before = price("2026-12-01", "2026-12-02").await;
    for set in [before + 100, before + 200] {
        let rates = v1::SetRatesRequest {
            room_type: SUITE.into(),
            from_date: "2026-12-01".into(),
            to_date: "2026-12-02".into(),
            weekdays: Vec::new(),
            price: Some(v1::Money {
                currency_code: "EUR".into(),
                amount_minor: set,
            }),
        };
        service.hotel_rules().set_rates(rates).await.unwrap();
        assert_eq!(price("2026-12-01", "2026-12-02").await, set);
    }
    other.process.stop(LIMIT).await.unwrap();
}
