//! A database that crashes while the service runs.

use banyan_mesh::testing::Postgres;
use banyan_proto::compat::cinema::v1::{CheckHealthRequest, CreateMovieEventRequest};
use tonic::Code;

use crate::{
    feed_server::Feed,
    script::{refusals, screening},
    service::{Service, eventually},
};

#[test]
fn the_service_outlives_a_crash_of_its_database_and_loses_nothing() {
    let mut postgres = Postgres::start();
    let feed = Feed::new("a", 10);
    feed.commit([screening(10, false)]);
    feed.commit(refusals(20));
    let service = Service::start(&postgres.fresh_database(), &feed.serve());
    assert_eq!(service.load_factor_at("a", 21).denied, 20);
    let event = || CreateMovieEventRequest {
        movie_id: 1,
        title: "Stalker".to_owned(),
        action: "viewed".to_owned(),
        ..CreateMovieEventRequest::default()
    };
    let mut events = service.events();
    let before = service
        .block_on(events.create_movie_event(event()))
        .unwrap();

    postgres.kill();
    let away = service.block_on(events.create_movie_event(event()));
    assert_eq!(away.unwrap_err().code(), Code::Unavailable);
    let away = service.block_on(events.check_health(CheckHealthRequest {}));
    assert_eq!(away.unwrap_err().code(), Code::Unavailable);
    feed.commit(refusals(20));

    postgres.restart();
    assert_eq!(service.load_factor_at("a", 41).denied, 40);
    let after = eventually("events are written again", || {
        service.block_on(events.create_movie_event(event())).ok()
    });
    assert!(after.into_inner().offset > before.into_inner().offset);
}
