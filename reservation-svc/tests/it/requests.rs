//! Request ids (AIP-155): a repetition has one effect and one answer.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use futures::future::join_all;
use jiff::SignedDuration;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::support::*;

fn with_id(mut request: v1::HoldBookingRequest, id: &str) -> v1::HoldBookingRequest {
    request.request_id = id.to_owned();
    request
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_and_has_one_effect() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut request = with_id(suites("2026-12-01", "2026-12-02", 1), "one");
        request.contact = Some(v1::Contact {
            email: "a@b".into(),
            ..Default::default()
        });
        let first = service.hold(ALICE, request.clone()).await.unwrap();
        service.clock.advance(SignedDuration::from_mins(30));
        let again = service.hold(ALICE, request.clone()).await.unwrap();
        assert_eq!(first, again);
        assert_eq!(
            service.events(None).await.len() as i64,
            first.position.unwrap().sequence
        );

        // The same id of another guest is another request.
        assert!(service.hold(BOB, request).await.is_ok());
    }
}

#[tokio::test]
async fn an_id_used_for_something_else_is_refused() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        service
            .hold(ALICE, with_id(suites("2026-12-01", "2026-12-02", 1), "one"))
            .await
            .unwrap();
        let refusal = service
            .hold(ALICE, with_id(suites("2026-12-01", "2026-12-02", 2), "one"))
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.code(), reason(&refusal).as_str()),
            (Code::AlreadyExists, "REQUEST_ID_REUSED")
        );
        assert_eq!(service.free_suites("2026-12-01", "2026-12-02").await, [2]);
    }
}

#[tokio::test]
async fn a_refusal_is_an_answer_too() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let others = service
            .hold(BOB, suites("2026-12-01", "2026-12-02", 3))
            .await
            .unwrap()
            .booking
            .unwrap();
        let request = with_id(suites("2026-12-01", "2026-12-02", 1), "one");
        let first = service.hold(ALICE, request.clone()).await.unwrap_err();
        service.cancel(BOB, &others.name).await.unwrap();
        let again = service.hold(ALICE, request).await.unwrap_err();
        let facts = |status: &tonic::Status| {
            let details = status.get_error_details();
            details
                .error_info()
                .map(|info| (info.reason.clone(), info.metadata.clone()))
        };
        assert!(facts(&first).is_some());
        assert_eq!(facts(&first), facts(&again));
        assert_eq!(cells(&first), cells(&again));
        assert_eq!(first.message(), again.message());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_have_one_effect() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let request = with_id(suites("2026-12-01", "2026-12-02", 1), "one");
        let answers = join_all((0..10).map(|_| service.hold(ALICE, request.clone()))).await;
        let names: Vec<_> = answers
            .into_iter()
            .map(|it| it.unwrap().booking.unwrap().name)
            .collect();
        assert!(names.iter().all(|name| *name == names[0]));
        assert_eq!(service.free_suites("2026-12-01", "2026-12-02").await, [2]);
        service.assert_sound().await;
    }
}
