//! Connections that break while a commit is on its way: whether it is durable is looked up, and what cannot be found out
//! is neither told as done nor as refused.

use std::{collections::HashSet, time::Duration};

use banyan_proto::reservation::v1::{
    self, booking_service_client::BookingServiceClient,
    cinema_rules_service_client::CinemaRulesServiceClient,
};
use jiff::{ToSpan as _, civil::date};
use sea_orm::{ConnectionTrait as _, Statement};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;

use super::{
    support::*,
    way::{Behind, Way, postgres, waiting_for_a_lock},
};

/// Whether a batch has begun ahead shows by then, on a machine that is not busy; else it is looked for again.
const AHEAD_WAIT: Duration = Duration::from_millis(300);

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

/// What is changed beside the batches of commands, and without a request id.
#[derive(Clone, Copy, Debug)]
enum Change {
    Movie,
    Contact,
    Erasure,
}

fn contact(name: &str) -> Option<v1::Contact> {
    Some(v1::Contact {
        display_name: name.to_owned(),
        ..Default::default()
    })
}

impl Change {
    async fn make(self, channel: Channel, title: &str, name: String) -> Result<(), Status> {
        match self {
            Self::Movie => {
                let movie = Some(v1::Movie {
                    title: title.to_owned(),
                    ..Default::default()
                });
                let request = v1::CreateMovieRequest { movie };
                let mut rules = CinemaRulesServiceClient::new(channel);
                rules.create_movie(request).await.map(drop)
            }
            Self::Contact => {
                let request = v1::UpdateContactRequest {
                    name,
                    contact: contact("Eve"),
                    ..Default::default()
                };
                let mut bookings = BookingServiceClient::new(channel);
                bookings.update_contact(by(ALICE, request)).await.map(drop)
            }
            Self::Erasure => {
                let request = v1::EraseContactRequest { name };
                let mut bookings = BookingServiceClient::new(channel);
                bookings.erase_contact(by(ALICE, request)).await.map(drop)
            }
        }
    }

    async fn is_made(self, service: &Service, title: &str, name: &str) -> bool {
        match self {
            Self::Movie => {
                let sql = service.sql().await;
                let count = "SELECT count(*) AS n FROM movies WHERE title = $1";
                let backend = sql.get_database_backend();
                let count = Statement::from_sql_and_values(backend, count, [title.into()]);
                let row = sql.query_one_raw(count).await.unwrap().unwrap();
                let made = row.try_get::<i64>("", "n").unwrap();
                assert!(made <= 1, "{title}: {made}");
                made == 1
            }
            Self::Contact => service.get(ALICE, name).await.unwrap().contact == contact("Eve"),
            Self::Erasure => service.get(ALICE, name).await.unwrap().contact.is_none(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_commit_of_whoever_writes_beside_the_batches_is_looked_up_too() {
    let Some(database) = postgres() else { return };
    let service = Service::start(database).await;
    let behind = Behind::start(&service).await;
    let request = v1::HoldBookingRequest {
        contact: contact("Ada"),
        ..suites("2026-12-01", "2026-12-02", 1)
    };
    let name = service.hold(ALICE, request).await.unwrap();
    let name = name.booking.unwrap().name;
    let lost = (Way::LosesCommits, Some("DATABASE_UNAVAILABLE"));
    let done = (Way::LosesAnswers, None);
    for (change, (way, reasons)) in [
        (Change::Movie, lost),
        (Change::Movie, done),
        (Change::Contact, lost),
        (Change::Contact, done),
        (Change::Erasure, lost),
        (Change::Erasure, done),
        (Change::Movie, (Way::Ends, Some("OUTCOME_UNKNOWN"))),
    ] {
        let (title, channel) = (format!("{way:?}"), behind.channel.clone());
        behind.way.send_replace(way);
        let answer = change.make(channel, &title, name.clone()).await;
        behind.way.send_replace(Way::Sound);
        let told = answer.as_ref().err().map(reason);
        assert_eq!(told.as_deref(), reasons, "{change:?} {way:?}: {answer:?}");
        let is_made = change.is_made(&service, &title, &name).await;
        assert_eq!(is_made, way != Way::LosesCommits, "{change:?} {way:?}");
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

/// Guests who book one night after the other until told to stop, each hold under a request id of its own, which is
/// repeated until it is answered.
struct Guests {
    tasks: Vec<JoinHandle<Vec<v1::Booking>>>,
    /// How many answers there were, and how many of them were failures.
    answered: watch::Sender<(usize, usize)>,
    stop: CancellationToken,
}

const GUESTS: usize = 9;
const NIGHTS_MAX: usize = 100;

impl Guests {
    fn start(bookings: &BookingServiceClient<Channel>) -> Self {
        let (answered, stop) = (watch::Sender::new((0, 0)), CancellationToken::new());
        let tasks = (0..GUESTS).map(|guest| {
            let (bookings, answered, stop) = (bookings.clone(), answered.clone(), stop.clone());
            tokio::spawn(async move {
                let mut booked = Vec::new();
                while !stop.is_cancelled() && booked.len() < NIGHTS_MAX {
                    // As many suites a night as there are.
                    let nth = NIGHTS_MAX * (guest / 3) + booked.len();
                    let id = format!("{guest}-{nth}");
                    booked.push(until_held(&bookings, nth, &id, &answered).await);
                }
                booked
            })
        });
        Self {
            tasks: tasks.collect(),
            answered,
            stop,
        }
    }

    async fn until(&self, is_so: impl FnMut(&(usize, usize)) -> bool) {
        let mut answered = self.answered.subscribe();
        let waiting = answered.wait_for(is_so);
        tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap();
    }

    async fn end(self) -> Vec<v1::Booking> {
        self.stop.cancel();
        let booked = futures::future::join_all(self.tasks).await;
        booked.into_iter().flat_map(Result::unwrap).collect()
    }
}

async fn until_held(
    bookings: &BookingServiceClient<Channel>,
    nth: usize,
    id: &str,
    answered: &watch::Sender<(usize, usize)>,
) -> v1::Booking {
    let first = date(2026, 12, 1).saturating_add(i64::try_from(nth).unwrap().days());
    let (from, to) = (first.to_string(), first.saturating_add(1.day()).to_string());
    loop {
        let mut request = suites(&from, &to, 1);
        request.request_id = id.to_owned();
        let answer = bookings.clone().hold_booking(by(ALICE, request)).await;
        answered.send_modify(|(all, failed)| {
            *all += 1;
            *failed += usize::from(answer.is_err());
        });
        match answer {
            Ok(held) => return held.into_inner().booking.unwrap(),
            Err(status) => assert_eq!(reason(&status), "DATABASE_UNAVAILABLE", "{status:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_lost_while_the_next_batch_has_begun_is_looked_up_all_the_same() {
    for way in [Way::LosesCommits, Way::LosesAnswers] {
        let Some(database) = postgres() else { return };
        let service = Service::start(database).await;
        let behind = Behind::start(&service).await;
        let sql = service.sql().await;
        let before = service.events(None).await.len();
        let guests = Guests::start(&BookingServiceClient::new(behind.channel.clone()));
        // Until a batch waits for its COMMIT, and the next one's transaction for the head.
        let begun = async {
            loop {
                behind.way.send_replace(Way::StallsCommits);
                let waiting = waiting_for_a_lock(&sql, 1);
                if tokio::time::timeout(AHEAD_WAIT, waiting).await.is_ok() {
                    return;
                }
                let (answers, _) = *guests.answered.borrow();
                behind.way.send_replace(Way::Sound);
                guests.until(|(all, _)| *all > answers).await;
            }
        };
        tokio::time::timeout(LIMIT, begun).await.unwrap();
        let (answers, _) = *guests.answered.borrow();
        behind.way.send_replace(way);
        guests.until(|(all, _)| *all > answers + GUESTS).await;
        behind.way.send_replace(Way::Sound);
        let (_, failed) = *guests.answered.borrow();
        // What was found to be done has cost its callers nothing.
        assert_eq!(failed > 0, way == Way::LosesCommits, "{way:?}: {failed}");

        let booked = guests.end().await;
        let names: HashSet<_> = booked.iter().map(|it| &it.name).collect();
        assert_eq!(names.len(), booked.len(), "{way:?}");
        // Each was done once, whatever was repeated.
        let events = service.events(None).await.len() - before;
        assert_eq!(events, booked.len(), "{way:?}");
        for booking in &booked {
            assert_eq!(&service.get(ALICE, &booking.name).await.unwrap(), booking);
        }
        service.assert_sound().await;
        sql.close().await.unwrap();
        behind.process.stop(LIMIT).await.unwrap();
        service.stop().await;
    }
}
