//! Connections that break while a commit is on its way: whether it is durable is looked up, and what cannot be found out
//! is neither told as done nor as refused.

use banyan_proto::reservation::v1::{self, booking_service_client::BookingServiceClient};
use tonic::{Code, transport::Channel};
use tonic_types::StatusExt as _;

use super::{
    support::*,
    way::{Behind, Way, postgres},
};

async fn hold(
    bookings: &BookingServiceClient<Channel>,
    id: &str,
) -> Result<v1::HoldBookingResponse, tonic::Status> {
    let mut request = suites("2026-12-01", "2026-12-02", 1);
    request.request_id = id.to_owned();
    let answer = bookings.clone().hold_booking(by(ALICE, request)).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_commit_is_looked_up_and_what_stays_unknown_is_told_as_such() {
    let Some(database) = postgres() else { return };
    let service = Service::start(database).await;
    let behind = Behind::start(&service).await;
    let bookings = BookingServiceClient::new(behind.channel);

    for (way, id, reasons) in [
        // Looked up and not found, tried once more, and lost again: it was not done, and that is known.
        (Way::LosesCommits, "lost", Some("DATABASE_UNAVAILABLE")),
        // Looked up and found: it was done, and the answer counts.
        (Way::LosesAnswers, "done", None),
        (Way::Ends, "unknown", Some("OUTCOME_UNKNOWN")),
    ] {
        let before = service.events(None).await.len();
        behind.way.send_replace(way);
        let answer = hold(&bookings, id).await;
        if let (Err(status), Some(wanted)) = (&answer, reasons) {
            let told = (status.code(), reason(status));
            assert_eq!(told, (Code::Unavailable, wanted.to_owned()), "{way:?}");
            // Who repeats at once and without a request id what may have been done may book twice.
            let may_repeat = status.get_error_details().retry_info().is_some();
            assert_eq!(may_repeat, wanted != "OUTCOME_UNKNOWN", "{way:?}");
        } else {
            assert_eq!(answer.is_ok(), reasons.is_none(), "{way:?}: {answer:?}");
        }
        behind.way.send_replace(Way::Sound);
        let again = hold(&bookings, id).await.unwrap();
        if let Ok(first) = answer {
            assert_eq!(first, again);
        }
        let booking = again.booking.unwrap();
        assert_eq!(service.get(ALICE, &booking.name).await.unwrap(), booking);
        assert_eq!(service.events(None).await.len(), before + 1, "{way:?}");
        service.assert_sound().await;
    }
    behind.process.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_dies_before_commit_costs_the_caller_nothing() {
    let Some(database) = postgres() else { return };
    let service = Service::start(database).await;
    let behind = Behind::start(&service).await;
    let bookings = BookingServiceClient::new(behind.channel);
    for id in ["one", "two", "three"] {
        behind.way.send_replace(Way::CutsOne);
        hold(&bookings, id).await.unwrap();
        assert_eq!(*behind.way.borrow(), Way::Sound);
    }
    service.assert_sound().await;
    behind.process.stop(LIMIT).await.unwrap();
}
