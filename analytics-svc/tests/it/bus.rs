//! The embedded bus: contiguous offsets, durable answers, everything read back once.

use std::collections::{BTreeMap, BTreeSet};

use banyan_analytics::{
    Settings,
    bus::{
        Bus, Topic,
        embedded::EmbeddedBus,
        retention::{Limits, sweep},
    },
    migration::Migrator,
    settings::BusSettings,
    store::Store,
};
use banyan_mesh::{
    database::{Database, DatabaseSettings},
    process::Process,
    testing::TestDatabase,
};
use banyan_proto::{
    compat::cinema::v1::{
        CheckHealthRequest, CreateMovieEventRequest, CreatePaymentEventRequest,
        CreateUserEventRequest,
    },
    rpc,
};
use jiff::Timestamp;
use prost::Message as _;
use tonic::Code;

use crate::{
    logs,
    service::{PATIENCE, Service, eventually},
};

const NOWHERE: &str = "http://127.0.0.1:1";

fn viewed(movie_id: i64) -> CreateMovieEventRequest {
    CreateMovieEventRequest {
        movie_id,
        title: "Сталкер".to_owned(),
        action: "viewed".to_owned(),
        user_id: Some(7),
        rating: Some(9.5),
        genres: vec!["drama".to_owned()],
        description: None,
    }
}

fn paid(user_id: i64, amount: f64) -> CreatePaymentEventRequest {
    CreatePaymentEventRequest {
        payment_id: 1,
        user_id,
        amount,
        status: "completed".to_owned(),
        timestamp: Some(prost_types::Timestamp::default()),
        method_type: None,
    }
}

fn start(database: &TestDatabase) -> Service {
    let service = Service::start(&database.url, NOWHERE);
    eventually("the bus is up", || {
        let mut events = service.events();
        service
            .block_on(events.check_health(CheckHealthRequest {}))
            .ok()
    });
    service
}

#[test]
fn offsets_are_contiguous_however_many_write_at_once() {
    for database in TestDatabase::each() {
        let service = start(&database);
        let writers: Vec<_> = (0..120)
            .map(|number| {
                let mut events = service.events();
                async move {
                    let answer = events.create_movie_event(viewed(number % 12 + 1)).await;
                    let answer = answer.unwrap().into_inner();
                    (answer.partition, answer.offset, answer.event.unwrap().id)
                }
            })
            .collect();
        let places = service.block_on(async {
            let tasks: Vec<_> = writers.into_iter().map(tokio::spawn).collect();
            let mut places = Vec::new();
            for task in tasks {
                places.push(task.await.unwrap());
            }
            places
        });
        let ids: BTreeSet<_> = places.iter().map(|(_, _, id)| id).collect();
        assert_eq!(ids.len(), 120);
        let mut partitions: BTreeMap<i32, BTreeSet<i64>> = BTreeMap::new();
        for (partition, offset, _) in &places {
            assert!(partitions.entry(*partition).or_default().insert(*offset));
        }
        assert!(
            partitions
                .keys()
                .all(|partition| (0..3).contains(partition))
        );
        for offsets in partitions.values() {
            let count = i64::try_from(offsets.len()).unwrap();
            assert_eq!(*offsets, (0..count).collect());
        }
    }
}

#[test]
fn an_answered_event_survives_kills_and_is_read_back() {
    for database in TestDatabase::each() {
        let mut written = Vec::new();
        for _ in 0..3 {
            let service = start(&database);
            for number in 1..=10 {
                let mut events = service.events();
                let answer = service.block_on(events.create_movie_event(viewed(number)));
                let answer = answer.unwrap().into_inner();
                written.push((answer.partition, answer.offset, answer.event.unwrap().id));
            }
            service.kill();
        }
        // Whatever the killed ones had read, the last one reads the rest.
        let service = start(&database);
        let unread = |service: &Service| {
            let store = open(service, &database);
            service.block_on(store.unread_events("banyan-analytics", Topic::Movies, 100))
        };
        if database.url.starts_with("postgres") {
            eventually("everything is read back", || {
                unread(&service).unwrap().is_empty().then_some(())
            });
        }
        service.kill();

        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = eventually("the database is free", || {
            let settings = DatabaseSettings::new(&database.url);
            let process = Process::new();
            let opened = Database::start::<Migrator>(&process, &settings, "test");
            runtime.block_on(opened).ok().map(Store::new)
        });
        let read = runtime.block_on(async {
            store.ready().await;
            let bus = EmbeddedBus::new(store, 3);
            bus.deliver("audit").await.unwrap()
        });
        let mut read: Vec<_> = read
            .into_iter()
            .flat_map(|delivery| {
                let partition = delivery.partition;
                delivery
                    .events
                    .into_iter()
                    .map(move |(offset, event)| (partition, offset, event.id))
            })
            .collect();
        read.sort();
        written.sort();
        assert_eq!(read, written);
        runtime.shutdown_background();
    }
}

/// A second store on a server's database.
fn open(service: &Service, database: &TestDatabase) -> Store {
    service.block_on(async {
        let settings = DatabaseSettings::new(&database.url);
        let process = Process::new();
        let database = Database::start::<Migrator>(&process, &settings, "test");
        let store = Store::new(database.await.unwrap());
        tokio::time::timeout(PATIENCE, store.ready()).await.unwrap();
        store
    })
}

#[test]
fn every_event_is_read_back_logged_without_its_payload_and_committed() {
    logs::keep();
    for database in TestDatabase::each() {
        let service = start(&database);
        let user = CreateUserEventRequest {
            user_id: 3,
            action: "logged_in".to_owned(),
            timestamp: Some(prost_types::Timestamp::default()),
            username: Some("ada".to_owned()),
            email: Some("ada@example.org".to_owned()),
        };
        let answer = service.block_on(async {
            let mut events = service.events();
            events.create_payment_event(paid(3, 12.5)).await.unwrap();
            events
                .create_user_event(user.clone())
                .await
                .unwrap()
                .into_inner()
        });
        let event = answer.event.unwrap();
        assert_eq!(
            (answer.status.as_str(), event.r#type.as_str()),
            ("success", "user")
        );
        assert_eq!(event.payload, Some(user));
        for topic in ["user-events", "payment-events"] {
            let metric = format!("analytics_bus_events_consumed_total{{topic=\"{topic}\"}}");
            eventually("the event is read back", || {
                (service.metric(&metric) == 1).then_some(())
            });
        }
        let lines = logs::lines_with(&event.id);
        assert_eq!(lines.len(), 1, "{lines:?}");
        for part in [
            r#""topic":"user-events""#,
            r#""event.type":"user""#,
            r#""offset":0"#,
        ] {
            assert!(lines[0].contains(part), "{}", lines[0]);
        }
        assert_eq!(logs::lines_with("ada@example.org"), Vec::<String>::new());
    }
}

#[test]
fn events_that_make_no_sense_are_refused_and_not_written() {
    let database = TestDatabase::sqlite();
    let service = start(&database);
    let mut events = service.events();
    let long = CreateMovieEventRequest {
        title: "x".repeat(501),
        rating: Some(10.5),
        ..viewed(0)
    };
    let status = service
        .block_on(events.create_movie_event(long))
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let message = status.message();
    for field in [
        "movie_id must be positive",
        "title must be",
        "rating must be",
    ] {
        assert!(message.contains(field), "{message}");
    }
    for amount in [-0.01, f64::NAN, f64::INFINITY] {
        let answer = service.block_on(events.create_payment_event(paid(1, amount)));
        assert_eq!(answer.unwrap_err().code(), Code::InvalidArgument);
    }
    let first = service.block_on(events.create_payment_event(paid(1, 0.0)));
    assert_eq!(first.unwrap().into_inner().offset, 0);
}

#[test]
fn retention_removes_read_events_only_and_never_gives_an_offset_twice() {
    for database in TestDatabase::each() {
        let service = Service::with(Settings {
            database: DatabaseSettings::new("postgres://nobody@127.0.0.1:1/none"),
            ..Settings::default()
        });
        let store = open(&service, &database);
        let bus = EmbeddedBus::new(store.clone(), 1);
        let event = |id: i64| banyan_analytics::bus::Event {
            topic: Topic::Users,
            id: id.to_string(),
            key: "k".to_owned(),
            written_at: Timestamp::from_second(id).unwrap(),
            payload: "{}".to_owned(),
        };
        service.block_on(async {
            for id in 0..10 {
                bus.publish(event(id)).await.unwrap();
            }
            let limits = |written_before, events_max| Limits {
                written_before: Timestamp::from_second(written_before).unwrap(),
                events_max,
            };
            assert_eq!(sweep(&store, limits(100, 0)).await.unwrap(), 0, "unread");
            let read = store.commit_events("banyan-analytics", Topic::Users, 0, 0, 8);
            assert!(read.await.unwrap());
            assert_eq!(sweep(&store, limits(3, 1_000)).await.unwrap(), 3, "too old");
            assert_eq!(sweep(&store, limits(0, 5)).await.unwrap(), 2, "too many");
            assert_eq!(
                sweep(&store, limits(100, 0)).await.unwrap(),
                3,
                "all that is read"
            );
            assert_eq!(bus.publish(event(10)).await.unwrap().offset, 10);
            let again = store.commit_events("banyan-analytics", Topic::Users, 0, 0, 8);
            assert!(
                !again.await.unwrap(),
                "a slower consumer moves nothing back"
            );
        });
    }
}

#[test]
fn the_bus_is_unavailable_while_its_database_is_away() {
    let service = Service::with(Settings {
        database: DatabaseSettings::new("postgres://nobody@127.0.0.1:1/none"),
        bus: BusSettings::default(),
        ..Settings::default()
    });
    let mut events = service.events();
    let health = service.block_on(events.check_health(CheckHealthRequest {}));
    let written = service.block_on(events.create_movie_event(viewed(1)));
    for status in [health.unwrap_err(), written.unwrap_err()] {
        assert_eq!(status.code(), Code::Unavailable);
        let details = rpc::Status::decode(status.details()).unwrap().details;
        let info = rpc::ErrorInfo::decode(details[0].value.as_slice()).unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("BUS_UNAVAILABLE", "analytics.banyan")
        );
    }
    let report = service.load_factor().unwrap_err();
    assert_eq!(report.code(), Code::Unavailable);
    let details = rpc::Status::decode(report.details()).unwrap().details;
    let info = rpc::ErrorInfo::decode(details[0].value.as_slice()).unwrap();
    assert_eq!(info.reason, "DATABASE_UNAVAILABLE");
}
