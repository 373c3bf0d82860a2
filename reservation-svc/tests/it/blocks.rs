//! What an operator may not ask of a block.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use tonic::Code;

use super::support::{SUITE, Service, fields, reason};

#[tokio::test]
async fn what_is_wrong_with_a_block_is_said() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let now = service.clock_seconds();
        let at = |seconds: i64| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let sound = || v1::CreateBlockRequest {
            room_type: SUITE.into(),
            from_date: "2026-12-01".into(),
            to_date: "2026-12-05".into(),
            rooms: 1,
            release_time: at(now + 86_400),
            ..Default::default()
        };
        let create = async |change: fn(&mut v1::CreateBlockRequest, i64)| {
            let mut request = sound();
            change(&mut request, now);
            let made = service.front_desk().create_block(request).await;
            made.unwrap_err()
        };
        type Change = fn(&mut v1::CreateBlockRequest, i64);
        let cases: &[(Change, &str, &str)] = &[
            (
                |it, _| it.room_type = "suites".into(),
                "room_type",
                "FORMAT",
            ),
            (|it, _| it.from_date = "soon".into(), "from_date", "FORMAT"),
            (|it, _| it.to_date = "2026-12-01".into(), "to_date", "RANGE"),
            (|it, _| it.to_date = "2028-12-05".into(), "to_date", "RANGE"),
            (
                |it, _| it.from_date = "2026-11-19".into(),
                "from_date",
                "RANGE",
            ),
            (|it, _| it.rooms = 0, "rooms", "RANGE"),
            (|it, _| it.rooms = 501, "rooms", "RANGE"),
            (|it, _| it.title = "t".repeat(201), "title", "RANGE"),
            (|it, _| it.release_time = None, "release_time", "MISSING"),
            (
                |it, now| it.release_time.as_mut().unwrap().seconds = now - 1,
                "release_time",
                "RANGE",
            ),
            (
                |it, now| it.release_time.as_mut().unwrap().seconds = now + 3 * 366 * 86_400,
                "release_time",
                "RANGE",
            ),
        ];
        for (change, field, fault) in cases {
            let refused = create(*change).await;
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
            let want = [((*field).to_owned(), (*fault).to_owned())];
            assert_eq!(fields(&refused), want, "{refused}");
        }
        let unknown = create(|it, _| it.room_type = SUITE.replace("suite", "cellar")).await;
        assert_eq!(unknown.code(), Code::NotFound);
        let many = create(|it, _| it.rooms = 4).await;
        assert_eq!(reason(&many), "CELL_UNAVAILABLE");
        service.assert_sound().await;
    }
}
