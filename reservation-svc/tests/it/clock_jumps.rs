//! A clock that runs ahead: it decides nothing, so that time stands still for nobody once it is right again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use banyan_mesh::{process::Process, testing::TestDatabase};
use banyan_proto::reservation::v1::{self, booking_service_client::BookingServiceClient};
use banyan_reservation::inventory::Clock;
use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use sea_orm::{ConnectionTrait as _, DbBackend};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;

use super::{support::*, way::postgres};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// The machine's clock, set wrong by some seconds.
struct SetWrong {
    off: AtomicI64,
    began: Instant,
}

impl SetWrong {
    fn by(seconds: i64) -> Arc<Self> {
        Arc::new(Self {
            off: AtomicI64::new(seconds),
            began: Instant::now(),
        })
    }

    fn set(&self, seconds: i64) {
        self.off.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for SetWrong {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.off.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Tonight, by the clock of these tests.
fn tonight() -> v1::HoldBookingRequest {
    suites("2026-11-20", "2026-11-21", 1)
}

#[track_caller]
fn is_put_off<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let status = answer.unwrap_err();
    let told = (status.code(), reason(&status));
    assert_eq!(told, (Code::Unavailable, "CLOCK_AHEAD".to_owned()));
    let retry = status.get_error_details().retry_info().cloned().unwrap();
    assert!(retry.retry_delay.is_some());
}

async fn add_movie(service: &Service) -> Result<(), Status> {
    let request = v1::CreateMovieRequest {
        movie: Some(v1::Movie {
            title: "Late Show".to_owned(),
            ..Default::default()
        }),
    };
    service.cinema_rules().create_movie(request).await.map(drop)
}

/// Trims what is older than half a day by the clock.
async fn trim(service: &Service) -> Result<v1::TrimFeedResponse, Status> {
    let before = service.clock_now() - DAY / 2;
    let before_time = Some(prost_types::Timestamp {
        seconds: before.as_second(),
        nanos: 0,
    });
    let request = v1::TrimFeedRequest { before_time };
    let answer = service.feed_admin().trim_feed(request).await?;
    Ok(answer.into_inner())
}

/// What the metrics say of one of them.
fn metric(process: &Process, name: &str) -> i64 {
    let metrics = process.metrics().encode().unwrap();
    let value = metrics.lines().find_map(|it| it.strip_prefix(name));
    value.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_for_a_moment_stops_no_sales_afterwards() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let first = service.hold(ALICE, tonight()).await.unwrap();
        service.clock.jump(DAY);
        is_put_off(service.hold(ALICE, tonight()).await);
        // What would be refused is not refused either.
        is_put_off(
            service
                .hold(ALICE, suites("2026-12-01", "2026-12-02", 4))
                .await,
        );
        let name = &first.booking.as_ref().unwrap().name;
        is_put_off(service.confirm(ALICE, name).await);
        is_put_off(add_movie(&service).await);
        is_put_off(trim(&service).await);
        let counted = "reservation_clock_ahead_refusals_total";
        assert!(metric(&service.process, counted) >= 4);

        service.clock.jump(-DAY);
        let second = service.hold(ALICE, tonight()).await.unwrap();
        let [first, second] = [first, second].map(|it| it.booking.unwrap());
        assert_eq!(first.create_time, second.create_time);
        assert_eq!(first.expire_time, second.expire_time);
        service.confirm(ALICE, &first.name).await.unwrap();
        add_movie(&service).await.unwrap();
        assert_eq!(trim(&service).await.unwrap().trimmed_events, 0);
        let still = metric(&service.process, "reservation_decided_ahead_seconds");
        assert_eq!(still, 0);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn where_nobody_else_tells_the_time_a_jump_that_lasts_is_believed() {
    let service = Service::start(TestDatabase::sqlite()).await;
    service.clock.jump(SignedDuration::from_hours(2));
    for _ in 0..5 {
        is_put_off(service.hold(ALICE, tonight()).await);
        service.clock.advance(SignedDuration::from_mins(1));
    }
    let held = service.hold(ALICE, tonight()).await.unwrap();
    let made = held.booking.unwrap().create_time.unwrap();
    assert_eq!(made.seconds, service.clock_seconds());
}

/// A night to come, whatever the machine's clock says: so many days from now.
fn night_in(days: i64) -> v1::HoldBookingRequest {
    let zone = TimeZone::get("Europe/Lisbon").unwrap();
    let today = Timestamp::now().to_zoned(zone).date();
    let [from, to] = [days, days + 1].map(|days| today.saturating_add(days.days()).to_string());
    suites(&from, &to, 1)
}

async fn hold_by(
    channel: &Channel,
    request: v1::HoldBookingRequest,
) -> Result<v1::Booking, Status> {
    let mut bookings = BookingServiceClient::new(channel.clone());
    let answer = bookings.hold_booking(by(ALICE, request)).await?;
    Ok(answer.into_inner().booking.unwrap())
}

/// A service by the machine's clock, with a hotel to sell.
async fn serve(url: &str, clock: &Arc<SetWrong>) -> (Channel, Process) {
    let process = Process::new();
    let channel = Service::serve(url, clock, &process).await;
    let mut ready = process.readiness().watch();
    let waiting = ready.wait_for(|ready| *ready);
    tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap();
    (channel, process)
}

#[tokio::test]
async fn the_clock_of_postgresql_is_the_witness() {
    let Some(database) = postgres() else { return };
    let clock = SetWrong::by(0);
    let (channel, process) = serve(&database.url, &clock).await;
    hold_by(&channel, night_in(1)).await.unwrap();
    clock.set(DAY.as_secs());
    is_put_off(hold_by(&channel, night_in(3)).await);
    // As far as clocks differ that are kept in step.
    clock.set(10);
    hold_by(&channel, night_in(1)).await.unwrap();
    clock.set(0);
    hold_by(&channel, night_in(1)).await.unwrap();
    process.stop(LIMIT).await.unwrap();
}

/// The statements that operators are told to mend a head by which time stands still.
fn remedy(backend: DbBackend) -> &'static str {
    let (_, section) = OPERATIONS.split_once("## When a clock is wrong").unwrap();
    let mut blocks = section.split("```").skip(1).step_by(2);
    let nth = usize::from(backend == DbBackend::Sqlite);
    blocks.nth(nth).unwrap().strip_prefix("sql\n").unwrap()
}

#[tokio::test]
async fn time_that_stands_still_is_seen_and_mended() {
    for database in TestDatabase::each() {
        let clock = SetWrong::by(0);
        let (channel, process) = serve(&database.url, &clock).await;
        let sql = sea_orm::Database::connect(&database.url).await.unwrap();
        // As if decided by a clock that was three days ahead.
        let ahead = "UPDATE commit_head SET decided_at = decided_at + 259200000000";
        sql.execute_unprepared(ahead).await.unwrap();
        let past = hold_by(&channel, night_in(1)).await.unwrap_err();
        assert_eq!(past.code(), Code::InvalidArgument, "{past:?}");
        let long = hold_by(&channel, night_in(9)).await.unwrap();
        let still = || metric(&process, "reservation_decided_ahead_seconds");
        assert!((250_000..260_000).contains(&still()), "{}", still());

        let backend = sql.get_database_backend();
        let (channel, process) = match backend {
            DbBackend::Sqlite => {
                process.stop(LIMIT).await.unwrap();
                sql.execute_unprepared(remedy(backend)).await.unwrap();
                serve(&database.url, &clock).await
            }
            _ => {
                sql.execute_unprepared(remedy(backend)).await.unwrap();
                (channel, process)
            }
        };
        hold_by(&channel, night_in(1)).await.unwrap();
        let still = metric(&process, "reservation_decided_ahead_seconds");
        assert!(still < 5, "{still}");
        let mut bookings = BookingServiceClient::new(channel.clone());
        let name = long.name;
        let long = bookings.get_booking(by(ALICE, v1::GetBookingRequest { name }));
        let expires = long.await.unwrap().into_inner().expire_time.unwrap();
        assert!(expires.seconds <= Timestamp::now().as_second() + 600);
        process.stop(LIMIT).await.unwrap();
        sql.close().await.unwrap();
    }
}
