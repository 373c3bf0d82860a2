//! Many holds in one call, none of which keeps another from its own result.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::{
    reservation::v1::{self, batch_hold_result::Result as Held},
    rpc,
};
use prost::Message as _;
use tonic::{Code, Status};

use super::support::*;

async fn hold(
    service: &Service,
    requests: Vec<v1::HoldBookingRequest>,
) -> Result<Vec<Held>, Status> {
    let request = v1::BatchHoldRequest { requests };
    let answer = service.bookings().batch_hold(by(ALICE, request)).await?;
    let results = answer.into_inner().results.into_iter();
    Ok(results.map(|it| it.result.unwrap()).collect())
}

fn refusal(held: &Held) -> (Code, String) {
    let Held::Status(status) = held else {
        panic!("{held:?}")
    };
    let info = status
        .details
        .iter()
        .find(|it| it.type_url.ends_with("ErrorInfo"));
    let info = rpc::ErrorInfo::decode(&info.unwrap().value[..]).unwrap();
    (Code::from(status.code), info.reason)
}

fn booking(held: &Held) -> &v1::Booking {
    match held {
        Held::Response(response) => response.booking.as_ref().unwrap(),
        Held::Status(status) => panic!("{status:?}"),
    }
}

#[tokio::test]
async fn each_has_its_own_result_in_the_order_of_the_requests() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let nothing = v1::HoldBookingRequest::default();
        let named = |id: &str| v1::HoldBookingRequest {
            request_id: id.into(),
            ..suites("2026-12-05", "2026-12-06", 1)
        };
        let requests = vec![
            suites("2026-12-01", "2026-12-02", 2),
            suites("2026-12-01", "2026-12-02", 2),
            nothing,
            suites("2026-12-01", "2026-12-02", 1),
            named("one"),
            named("one"),
        ];
        let results = hold(&service, requests).await.unwrap();
        assert_eq!(results.len(), 6);
        booking(&results[0]);
        let unavailable = (Code::FailedPrecondition, "CELL_UNAVAILABLE".to_owned());
        assert_eq!(refusal(&results[1]), unavailable);
        let mistake = (Code::InvalidArgument, "INVALID_REQUEST".to_owned());
        assert_eq!(refusal(&results[2]), mistake);
        booking(&results[3]);
        // The same request id is the same request, within one call, too.
        assert_eq!(booking(&results[4]), booking(&results[5]));
        let again = hold(&service, vec![named("one")]).await.unwrap();
        assert_eq!(booking(&again[0]), booking(&results[4]));
        assert_eq!(service.free_suites("2026-12-01", "2026-12-02").await, [0]);
        assert_eq!(service.free_suites("2026-12-05", "2026-12-06").await, [2]);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_call_has_1_to_500_requests() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let many = |count| vec![suites("2026-12-01", "2026-12-02", 1); count];
    for (count, fault) in [(0, "MISSING"), (501, "RANGE")] {
        let status = hold(&service, many(count)).await.unwrap_err();
        assert_eq!(fields(&status), [("requests".into(), fault.into())]);
    }
    let results = hold(&service, many(500)).await.unwrap();
    let granted = results.iter().filter(|it| matches!(it, Held::Response(_)));
    assert_eq!((results.len(), granted.count()), (500, 3));
}
