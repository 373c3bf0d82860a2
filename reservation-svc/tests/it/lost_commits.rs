//! Connections that break while a commit is on its way: whether it is durable is looked up, and what cannot be found out
//! is neither told as done nor as refused.

use banyan_mesh::{process::Process, testing::TestDatabase};
use banyan_proto::reservation::v1::{self, booking_service_client::BookingServiceClient};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::watch,
};
use tonic::{Code, transport::Channel};
use tonic_types::StatusExt as _;

use super::support::*;

/// What the way to the database does with a COMMIT.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Sound,
    /// The COMMIT gets lost with the connection.
    LosesCommits,
    /// The COMMIT arrives; its answer gets lost with the connection.
    LosesAnswers,
    /// As that, and from then on nobody gets through any more.
    Ends,
}

/// A way to a PostgreSQL server that can be broken; its port.
async fn way_to(server: String, how: watch::Receiver<Way>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let cut = watch::channel(false).0;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // Mended, it is whole again.
            cut.send_if_modified(|cut| {
                std::mem::replace(cut, *cut && *how.borrow() == Way::Ends) != *cut
            });
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(carry(client, server, how.clone(), cut.clone()));
        }
    });
    port
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    how: watch::Receiver<Way>,
    cut: watch::Sender<bool>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move {
        tokio::io::copy(&mut from_server, &mut to_client).await.ok();
        from_server
    });
    while let Some(bytes) = read(&mut from_client).await {
        if *cut.borrow() {
            return;
        }
        let commits = bytes.windows(7).any(|it| it == b"COMMIT\0");
        let how = *how.borrow();
        if commits && how != Way::Sound {
            // From here on the client hears nothing any more.
            answers.abort();
            if how == Way::Ends {
                cut.send_replace(true);
            }
            if how != Way::LosesCommits {
                to_server.write_all(&bytes).await.unwrap();
                // Terminate, so that the server hangs up when it has done the rest.
                to_server.write_all(b"X\0\0\0\x04").await.unwrap();
                to_server.flush().await.unwrap();
            }
            return;
        }
        if to_server.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 64 * 1024];
    match from.read(&mut bytes).await {
        Ok(0) | Err(_) => None,
        Ok(read) => {
            bytes.truncate(read);
            Some(bytes)
        }
    }
}

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
    let database = TestDatabase::each()
        .into_iter()
        .find(|it| it.url.starts_with("postgres"));
    let Some(database) = database else { return };
    let service = Service::start(database).await;
    let (server, name) = service.database.url.rsplit_once('/').unwrap();
    let (user, server) = server.split_once('@').unwrap();
    let (break_it, how) = watch::channel(Way::Sound);
    let port = way_to(server.to_owned(), how).await;
    let url = format!("{user}@127.0.0.1:{port}/{name}");

    let process = Process::new();
    let channel = Service::serve(&url, &service.clock, &process).await;
    let mut ready = process.readiness().watch();
    tokio::time::timeout(LIMIT, ready.wait_for(|ready| *ready))
        .await
        .unwrap()
        .unwrap();
    let bookings = BookingServiceClient::new(channel);

    for (way, id, reasons) in [
        // Looked up and not found, tried once more, and lost again: it was not done, and that is known.
        (Way::LosesCommits, "lost", Some("DATABASE_UNAVAILABLE")),
        // Looked up and found: it was done, and the answer counts.
        (Way::LosesAnswers, "done", None),
        (Way::Ends, "unknown", Some("OUTCOME_UNKNOWN")),
    ] {
        let before = service.events(None).await.len();
        break_it.send_replace(way);
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
        break_it.send_replace(Way::Sound);
        let again = hold(&bookings, id).await.unwrap();
        if let Ok(first) = answer {
            assert_eq!(first, again);
        }
        let booking = again.booking.unwrap();
        assert_eq!(service.get(ALICE, &booking.name).await.unwrap(), booking);
        assert_eq!(service.events(None).await.len(), before + 1, "{way:?}");
        service.assert_sound().await;
    }
    process.stop(LIMIT).await.unwrap();
}
