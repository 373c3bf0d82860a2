//! A database that is restored from a backup and goes on from there: whoever knows more of it than it does itself is told.

use std::time::Duration;

use banyan_mesh::{database::DatabaseSettings, process::Process, testing::TestDatabase};
use banyan_proto::reservation::v1;
use banyan_reservation::{Renewed, Settings, after_restore};
use sea_orm::ConnectionTrait as _;
use tonic::{Code, Status};

use super::{support::*, way::postgres};

/// A copy of a database that nobody uses.
async fn copy(database: &TestDatabase) -> TestDatabase {
    let (at, copy, statements) = match database.url.starts_with("sqlite") {
        true => {
            let copy = TestDatabase::sqlite();
            let to = copy.url.strip_prefix("sqlite://").unwrap().to_owned();
            let into = format!("VACUUM INTO '{to}'");
            (database.url.clone(), copy, vec![into])
        }
        false => {
            let copy = TestDatabase::postgres();
            let (server, from) = database.url.rsplit_once('/').unwrap();
            let (_, to) = copy.url.rsplit_once('/').unwrap();
            let statements = vec![
                format!("DROP DATABASE {to}"),
                // Connections of the service that has ended may still be about to.
                format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{from}'"
                ),
                format!("CREATE DATABASE {to} TEMPLATE {from}"),
            ];
            (format!("{server}/postgres"), copy, statements)
        }
    };
    let sql = sea_orm::Database::connect(at).await.unwrap();
    for statement in statements {
        sql.execute_unprepared(&statement).await.unwrap();
    }
    sql.close().await.unwrap();
    copy
}

/// Books so many rooms, a night each.
async fn book(service: &Service, nights: std::ops::Range<i32>) {
    for night in nights {
        let (from, to) = (
            format!("2026-12-{night:02}"),
            format!("2026-12-{:02}", night + 1),
        );
        service.hold(ALICE, suites(&from, &to, 1)).await.unwrap();
    }
}

async fn last(service: &Service) -> v1::CommitPosition {
    let events = service.events(None).await;
    events.last().unwrap().position.clone().unwrap()
}

/// A database whose feed was followed up to a position after it was copied, and the copy.
async fn followed_and_copied(database: TestDatabase) -> (v1::CommitPosition, TestDatabase) {
    let service = Service::start(database).await;
    book(&service, 1..3).await;
    let clock = service.clock.clone();
    let database = service.stop().await;
    let copy = copy(&database).await;
    let service = Service::start_at(database, clock).await;
    book(&service, 3..6).await;
    let cursor = last(&service).await;
    service.stop().await;
    (cursor, copy)
}

/// Whether it is refused to read on after a position; by which incarnation.
async fn refused(service: &Service, after: &v1::CommitPosition) -> Option<String> {
    let request = v1::ReadRequest {
        after: Some(after.clone()),
        ..Default::default()
    };
    let refusal: Status = service.feed().read(request).await.err()?;
    assert_eq!(refusal.code(), Code::OutOfRange);
    assert_eq!(reason(&refusal), "INCARNATION_CHANGED");
    fact(&refusal, "incarnation")
}

async fn renew(database: &TestDatabase) -> Renewed {
    let process = Process::new();
    let settings = Settings {
        database: DatabaseSettings::new(&database.url),
        ..Settings::default()
    };
    let renewed = after_restore(&settings, &process).await.unwrap();
    process.stop(LIMIT).await.unwrap();
    renewed
}

#[tokio::test]
async fn a_position_of_before_the_restore_is_refused_however_far_it_has_gone_on() {
    for database in TestDatabase::each() {
        let (cursor, copy) = followed_and_copied(database).await;
        let renewed = renew(&copy).await;
        assert_eq!(renewed.before, cursor.incarnation);
        assert_eq!(renewed.sequence, cursor.sequence - 3);
        let service = Service::start(copy).await;
        book(&service, 10..20).await;
        let head = last(&service).await;
        assert!(head.sequence > cursor.sequence);
        assert_eq!(refused(&service, &cursor).await, Some(renewed.now.clone()));
        // From the beginning it is one history, of one incarnation.
        let events = service.events(None).await;
        let incarnations = events
            .iter()
            .map(|it| &it.position.as_ref().unwrap().incarnation);
        assert!(incarnations.into_iter().all(|it| *it == renewed.now));
        assert_eq!(refused(&service, &head).await, None);
        service.assert_sound().await;
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_told_again_after_the_restore_is_of_the_history_that_goes_on() {
    let (one, vain) = (
        || v1::HoldBookingRequest {
            request_id: "one".into(),
            ..suites("2026-12-01", "2026-12-02", 1)
        },
        || v1::HoldBookingRequest {
            request_id: "vain".into(),
            ..suites("2026-12-01", "2026-12-02", 4)
        },
    );
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let held = service.hold(ALICE, one()).await.unwrap();
        let before = held.position.unwrap();
        service.hold(ALICE, vain()).await.unwrap_err();
        let database = service.stop().await;
        let renewed = renew(&database).await;
        assert_eq!(renewed.before, before.incarnation);
        let service = Service::start(database).await;
        let again = service.hold(ALICE, one()).await.unwrap();
        assert_eq!(again.booking, held.booking);
        let vain = service.hold(ALICE, vain()).await.unwrap_err();
        let list = v1::ListBookingChangesRequest {
            parent: held.booking.unwrap().name,
            ..Default::default()
        };
        let mut bookings = service.bookings();
        let changes = bookings.list_booking_changes(by(ALICE, list)).await;
        let change = changes.unwrap().into_inner().changes.remove(0);
        assert_eq!(again.position.as_ref().unwrap().sequence, before.sequence);
        for position in [again.position, decided_at(&vain), change.position] {
            let position = position.unwrap();
            assert_eq!(position.incarnation, renewed.now);
            assert_eq!(refused(&service, &position).await, None);
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn postgresql_tells_a_restore_by_itself() {
    let Some(database) = postgres() else { return };
    let (cursor, copy) = followed_and_copied(database).await;
    let service = Service::start(copy).await;
    book(&service, 10..20).await;
    // It is found out beside what the service does.
    let found_out = async {
        loop {
            if let Some(incarnation) = refused(&service, &cursor).await {
                return incarnation;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let incarnation = tokio::time::timeout(LIMIT, found_out).await.unwrap();
    assert_ne!(incarnation, cursor.incarnation);
    assert_eq!(last(&service).await.incarnation, incarnation);
    service.stop().await;
}

#[tokio::test]
async fn a_file_in_use_is_not_given_another_incarnation() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let settings = Settings {
        database: DatabaseSettings::new(&service.database.url),
        ..Settings::default()
    };
    let process = Process::new();
    let error = after_restore(&settings, &process).await.unwrap_err();
    assert!(format!("{error:#}").contains("in use"), "{error:#}");
    service.stop().await;
}
