//! The bus on Kafka, played by librdkafka's own mock cluster. It lacks the call that makes topics.

use std::{collections::BTreeSet, time::Duration};

use banyan_analytics::{Settings, settings::BusSettings};
use banyan_mesh::{database::DatabaseSettings, testing::TestDatabase};
use banyan_proto::compat::cinema::v1::{
    CheckHealthRequest, CreateMovieEventRequest, CreateUserEventRequest,
};
use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};
use tonic::{Code, Status};

use crate::{
    logs,
    service::{Service, eventually},
};

type Cluster = MockCluster<'static, DefaultProducerContext>;

const PARTITIONS: i32 = 3;
const TOPICS: [&str; 3] = ["movie-events", "user-events", "payment-events"];

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    for topic in TOPICS {
        cluster.create_topic(topic, PARTITIONS, 1).unwrap();
    }
    cluster
}

fn start(database: &TestDatabase, cluster: &Cluster) -> Service {
    logs::keep();
    Service::with(Settings {
        database: DatabaseSettings::new(&database.url),
        reservation_url: "http://127.0.0.1:1".to_owned(),
        bus: BusSettings {
            kafka_brokers: Some(cluster.bootstrap_servers()),
            ..BusSettings::default()
        },
        ..Settings::default()
    })
}

fn health(service: &Service) -> Result<(), Status> {
    let mut events = service.events();
    service
        .block_on(events.check_health(CheckHealthRequest {}))
        .map(drop)
}

fn wait_until_up(service: &Service) {
    eventually("the bus is up", || health(service).ok());
}

/// Partition, offset and id of a written event.
type Written = (i32, i64, String);

fn write(service: &Service, movie_id: i64) -> Result<Written, Status> {
    let mut events = service.events();
    let answer = service.block_on(events.create_movie_event(CreateMovieEventRequest {
        movie_id,
        title: "Stalker".to_owned(),
        action: "viewed".to_owned(),
        ..CreateMovieEventRequest::default()
    }))?;
    let answer = answer.into_inner();
    Ok((answer.partition, answer.offset, answer.event.unwrap().id))
}

fn wait_until_read(service: &Service, topic: &str, events: i64) {
    let metric = format!("analytics_bus_events_consumed_total{{topic=\"{topic}\"}}");
    eventually("the events are read back", || {
        (service.metric(&metric) >= events).then_some(())
    });
}

fn times_read(id: &str) -> usize {
    let lines = logs::lines_with(id);
    lines
        .iter()
        .filter(|line| line.contains("Read event"))
        .count()
}

#[test]
fn kafka_gives_contiguous_offsets_and_every_event_is_read_back_without_its_payload() {
    let (database, cluster) = (TestDatabase::sqlite(), cluster());
    let service = start(&database, &cluster);
    wait_until_up(&service);

    let written: Vec<_> = (0..60)
        .map(|number| write(&service, number % 12 + 1).unwrap())
        .collect();
    let mut partitions = vec![BTreeSet::new(); PARTITIONS as usize];
    for (partition, offset, _) in &written {
        assert!(partitions[*partition as usize].insert(*offset));
    }
    for offsets in &partitions {
        assert_eq!(*offsets, (0..offsets.len() as i64).collect());
    }
    // Events of one movie stay in one partition.
    for (first, again) in written.iter().zip(&written[12..]) {
        assert_eq!(first.0, again.0);
    }

    let mut events = service.events();
    let user = CreateUserEventRequest {
        user_id: 3,
        action: "logged_in".to_owned(),
        timestamp: Some(prost_types::Timestamp::default()),
        username: None,
        email: Some("kafka@example.org".to_owned()),
    };
    service.block_on(events.create_user_event(user)).unwrap();
    wait_until_read(&service, "movie-events", 60);
    wait_until_read(&service, "user-events", 1);
    for (partition, offset, id) in &written {
        let lines = logs::lines_with(id);
        assert_eq!(lines.len(), 1, "{lines:?}");
        for part in [
            format!(r#""partition":{partition},"offset":{offset},"#),
            r#""topic":"movie-events""#.to_owned(),
        ] {
            assert!(lines[0].contains(&part), "{}", lines[0]);
        }
    }
    assert_eq!(logs::lines_with("kafka@example.org"), Vec::<String>::new());
    service.stop();
}

#[test]
fn kafka_away_is_an_honest_error_and_it_goes_on_once_kafka_is_back() {
    let (database, cluster) = (TestDatabase::sqlite(), cluster());
    let service = start(&database, &cluster);
    wait_until_up(&service);
    let before = write(&service, 1).unwrap();

    cluster.broker_down(-1).unwrap();
    let unknown = write(&service, 1).unwrap_err();
    assert_eq!(unknown.code(), Code::Unavailable);
    let down = eventually("the outage is noticed", || health(&service).err());
    assert_eq!(down.code(), Code::Unavailable);
    let refused = write(&service, 1).unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(
        service.process().readiness().is_ready(),
        "reports need no Kafka"
    );

    cluster.broker_up(-1).unwrap();
    wait_until_up(&service);
    let after = eventually("events are written again", || write(&service, 1).ok());
    assert_eq!(after.0, before.0);
    assert!(after.1 > before.1);
    eventually("and read back", || (times_read(&after.2) > 0).then_some(()));
    service.stop();
}

#[test]
fn kafka_is_read_on_from_the_committed_offset_after_a_restart() {
    let (database, cluster) = (TestDatabase::sqlite(), cluster());
    let service = start(&database, &cluster);
    wait_until_up(&service);
    let first: Vec<_> = (1..=6).map(|id| write(&service, id).unwrap()).collect();
    wait_until_read(&service, "movie-events", 6);
    service.stop();

    let service = start(&database, &cluster);
    wait_until_up(&service);
    let second: Vec<_> = (1..=6).map(|id| write(&service, id).unwrap()).collect();
    wait_until_read(&service, "movie-events", 6);
    for (_, _, id) in first.iter().chain(&second) {
        assert_eq!(times_read(id), 1);
    }
    service.stop();
}

#[test]
fn kafka_without_its_topics_is_down_until_they_are_there() {
    let (database, cluster) = (TestDatabase::sqlite(), MockCluster::new(1).unwrap());
    let service = start(&database, &cluster);
    let reason = || {
        let report = service.process().readiness().report();
        let kafka = report.dependencies.into_iter();
        kafka
            .into_iter()
            .find(|dependency| dependency.name == "kafka")?
            .reason
    };
    eventually("it is said why", || {
        reason().filter(|reason| reason.contains("topics"))
    });
    assert_eq!(health(&service).unwrap_err().code(), Code::Unavailable);
    assert_eq!(write(&service, 1).unwrap_err().code(), Code::Unavailable);

    for topic in TOPICS {
        cluster.create_topic(topic, PARTITIONS, 1).unwrap();
    }
    wait_until_up(&service);
    assert_eq!(write(&service, 1).unwrap().1, 0);
    service.stop();
}

#[test]
fn a_process_ends_in_time_while_kafka_is_away() {
    let (database, cluster) = (TestDatabase::sqlite(), cluster());
    let service = start(&database, &cluster);
    wait_until_up(&service);
    let written = write(&service, 1).unwrap();
    eventually("the event is read", || {
        (times_read(&written.2) > 0).then_some(())
    });
    cluster.broker_down(-1).unwrap();
    let begin = std::time::Instant::now();
    service.stop();
    assert!(begin.elapsed() < Duration::from_secs(20));
}
