//! What becomes free goes along the line before anybody new gets it.

use std::time::Duration;

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, waitlist_entry::State};
use jiff::SignedDuration;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use tonic::{Code, Status};

use super::support::{ALICE, BOB, SUITE, Service, by, fact, fields, reason, stay, suites};

pub(crate) const CAROL: &str = "carol-0123456789abcdef";
const DAVE: &str = "dave-0123456789abcdef";

pub(crate) fn rooms(check_in: &str, check_out: &str, rooms: i32) -> v1::JoinWaitlistRequest {
    let claim = v1::join_waitlist_request::Claim::Stay(stay(check_in, check_out, rooms));
    v1::JoinWaitlistRequest {
        claim: Some(claim),
        ..Default::default()
    }
}

pub(crate) fn together(screening: &str, count: i32) -> v1::JoinWaitlistRequest {
    let seats = v1::WaitedSeats {
        screening: screening.into(),
        best: Some(v1::BestSeats {
            count,
            ..Default::default()
        }),
    };
    v1::JoinWaitlistRequest {
        claim: Some(v1::join_waitlist_request::Claim::Seats(seats)),
        ..Default::default()
    }
}

pub(crate) async fn join(
    service: &Service,
    guest: &str,
    request: v1::JoinWaitlistRequest,
) -> Result<v1::WaitlistEntry, Status> {
    let answer = service.waitlist().join_waitlist(by(guest, request)).await?;
    let entry = answer.into_inner().entry.unwrap();
    assert_eq!(entry.state(), State::Waiting);
    Ok(entry)
}

async fn entry(service: &Service, guest: &str, name: &str) -> Result<v1::WaitlistEntry, Status> {
    let request = v1::GetWaitlistEntryRequest { name: name.into() };
    let answer = service
        .waitlist()
        .get_waitlist_entry(by(guest, request))
        .await?;
    Ok(answer.into_inner())
}

async fn leave(service: &Service, guest: &str, name: &str) -> Result<v1::WaitlistEntry, Status> {
    let request = v1::LeaveWaitlistRequest {
        name: name.into(),
        ..Default::default()
    };
    let answer = service
        .waitlist()
        .leave_waitlist(by(guest, request))
        .await?;
    Ok(answer.into_inner().entry.unwrap())
}

pub(crate) async fn state(service: &Service, guest: &str, name: &str) -> State {
    entry(service, guest, name).await.unwrap().state()
}

/// All three suites of a night, in two bookings: of one room and of two.
pub(crate) async fn sell_out(service: &Service) -> [String; 2] {
    let mut names = Vec::new();
    for rooms in [1, 2] {
        let held = service
            .hold(ALICE, suites("2026-12-01", "2026-12-02", rooms))
            .await;
        let name = held.unwrap().booking.unwrap().name;
        service.confirm(ALICE, &name).await.unwrap();
        names.push(name);
    }
    names.try_into().unwrap()
}

#[tokio::test]
async fn what_is_given_back_goes_to_the_first_in_line_that_fits() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let [one, two] = sell_out(&service).await;
        let family = join(&service, BOB, rooms("2026-12-01", "2026-12-02", 2)).await;
        let single = join(&service, CAROL, rooms("2026-12-01", "2026-12-02", 1)).await;
        let later = join(&service, DAVE, rooms("2026-12-01", "2026-12-02", 1)).await;
        let [family, single, later] = [family, single, later].map(|it| it.unwrap().name);

        service.cancel(ALICE, &one).await.unwrap();
        assert_eq!(state(&service, BOB, &family).await, State::Waiting);
        assert_eq!(state(&service, DAVE, &later).await, State::Waiting);
        let offered = entry(&service, CAROL, &single).await.unwrap();
        assert_eq!(offered.state(), State::Offered);
        let hold = service.get(CAROL, &offered.offer).await.unwrap();
        assert_eq!(hold.state(), v1::booking::State::Held);
        assert_eq!(hold.expire_time, offered.offer_expire_time);
        assert_eq!(
            hold.expire_time.unwrap().seconds,
            service.clock_seconds() + 15 * 60
        );
        let newcomer = service
            .hold(ALICE, suites("2026-12-01", "2026-12-02", 1))
            .await;
        assert_eq!(reason(&newcomer.unwrap_err()), "CELL_UNAVAILABLE");

        service.confirm(CAROL, &offered.offer).await.unwrap();
        assert_eq!(state(&service, CAROL, &single).await, State::Served);
        service.cancel(ALICE, &two).await.unwrap();
        assert_eq!(state(&service, BOB, &family).await, State::Offered);
        assert_eq!(state(&service, DAVE, &later).await, State::Waiting);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn an_offer_that_is_not_taken_goes_to_the_next() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let [one, _] = sell_out(&service).await;
        let mut names = Vec::new();
        for guest in [BOB, CAROL, DAVE] {
            let joined = join(&service, guest, rooms("2026-12-01", "2026-12-02", 1)).await;
            names.push(joined.unwrap().name);
        }
        service.cancel(ALICE, &one).await.unwrap();
        // Bob lets it run out: whoever asks next finds it gone to Carol already.
        service.clock.advance(SignedDuration::from_mins(15));
        let newcomer = service
            .hold(ALICE, suites("2026-12-01", "2026-12-02", 1))
            .await;
        assert_eq!(reason(&newcomer.unwrap_err()), "CELL_UNAVAILABLE");
        assert_eq!(state(&service, BOB, &names[0]).await, State::Left);
        let offer = entry(&service, CAROL, &names[1]).await.unwrap().offer;
        service.cancel(CAROL, &offer).await.unwrap();
        assert_eq!(state(&service, CAROL, &names[1]).await, State::Left);
        // Dave leaves with the offer in hand; nobody is left, so that a newcomer gets it.
        assert_eq!(state(&service, DAVE, &names[2]).await, State::Offered);
        let left = leave(&service, DAVE, &names[2]).await.unwrap();
        assert_eq!(left.state(), State::Left);
        let newcomer = service
            .hold(ALICE, suites("2026-12-01", "2026-12-02", 1))
            .await;
        assert!(newcomer.is_ok());
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn seats_are_waited_for_together() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let screening = service.screening().await.name;
        let map = v1::GetSeatMapRequest {
            name: format!("{screening}/seatMap"),
        };
        let map = service.cinemas().get_seat_map(map).await.unwrap();
        let seats: Vec<_> = map.into_inner().seats.into_iter().map(|it| it.id).collect();
        let mut holds = Vec::new();
        for seats in seats.chunks(4) {
            let seats: Vec<_> = seats.iter().map(String::as_str).collect();
            let held = service
                .hold(ALICE, super::support::seats(&screening, &seats))
                .await;
            holds.push(held.unwrap().booking.unwrap().name);
        }
        let many = join(&service, BOB, together(&screening, 5)).await.unwrap();
        let pair = join(&service, CAROL, together(&screening, 2))
            .await
            .unwrap();
        service.cancel(ALICE, &holds[0]).await.unwrap();
        assert_eq!(state(&service, BOB, &many.name).await, State::Waiting);
        let offered = entry(&service, CAROL, &pair.name).await.unwrap();
        assert_eq!(offered.state(), State::Offered);
        let offer = service.get(CAROL, &offered.offer).await.unwrap();
        let Some(v1::booking::Claim::Seats(offered)) = offer.claim else {
            panic!("not seats");
        };
        assert_eq!(offered.seats.len(), 2);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn nobody_waits_for_what_is_free_or_past_or_unknown() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let night = || rooms("2026-12-01", "2026-12-02", 1);
        let free = join(&service, BOB, night()).await.unwrap_err();
        assert_eq!(reason(&free), "ALREADY_AVAILABLE");
        let unsold = join(&service, BOB, rooms("2029-12-01", "2029-12-02", 1)).await;
        assert_eq!(reason(&unsold.unwrap_err()), "NOT_SOLD");
        let mut unknown = night();
        let Some(v1::join_waitlist_request::Claim::Stay(stay)) = &mut unknown.claim else {
            panic!("not a stay");
        };
        stay.room_type = SUITE.replace("suite", "cellar");
        let unknown = join(&service, BOB, unknown).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
        let wrong = join(&service, BOB, v1::JoinWaitlistRequest::default()).await;
        assert_eq!(
            fields(&wrong.unwrap_err()),
            [("claim".into(), "MISSING".into())]
        );
        let wrong = together("cinemas/grand-banyan/screenings/1", 0);
        let wrong = join(&service, BOB, wrong).await.unwrap_err();
        assert_eq!(
            fields(&wrong),
            [("seats.best.count".into(), "RANGE".into())]
        );

        sell_out(&service).await;
        let waiting = join(&service, BOB, night()).await.unwrap().name;
        let foreign = entry(&service, CAROL, &waiting).await.unwrap_err();
        assert_eq!(foreign.code(), Code::NotFound);
        let foreign = leave(&service, CAROL, &waiting).await.unwrap_err();
        assert_eq!(foreign.code(), Code::NotFound);
        service.clock.advance(SignedDuration::from_hours(24 * 12));
        assert_eq!(state(&service, BOB, &waiting).await, State::Over);
        let over = leave(&service, BOB, &waiting).await.unwrap_err();
        assert_eq!(reason(&over), "ENTRY_STATE");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_night_or_a_screening_that_is_past() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let yesterday = rooms("2026-11-19", "2026-11-20", 1);
        let past = join(&service, BOB, yesterday).await.unwrap_err();
        let found = fields(&past);
        assert_eq!(
            found,
            [("stay.check_in_date".into(), "RANGE".into())],
            "{past}"
        );
        let screening = service.screening().await;
        service.clock.advance(SignedDuration::from_hours(24 * 30));
        let begun = join(&service, BOB, together(&screening.name, 2)).await;
        assert_eq!(reason(&begun.unwrap_err()), "SCREENING_STARTED");
    }
}

/// Whom the list itself would reach.
async fn kept_by_the_list(sql: &DatabaseConnection) -> Vec<Option<String>> {
    let backend = sql.get_database_backend();
    let statement = "SELECT email FROM waitlist_entries ORDER BY created_sequence, id";
    let rows = sql.query_all_raw(Statement::from_string(backend, statement));
    let rows = rows.await.unwrap();
    rows.iter()
        .map(|row| row.try_get("", "email").unwrap())
        .collect()
}

#[tokio::test]
async fn the_list_knows_whom_to_reach_only_while_it_must() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let [first, _] = sell_out(&service).await;
        let with_contact = |email: &str| v1::JoinWaitlistRequest {
            contact: Some(v1::Contact {
                email: email.into(),
                ..Default::default()
            }),
            ..rooms("2026-12-01", "2026-12-02", 1)
        };
        let mut names = Vec::new();
        for guest in [BOB, CAROL, DAVE] {
            let request = with_contact(&format!("{}@example.com", &guest[..4]));
            names.push(join(&service, guest, request).await.unwrap().name);
        }
        let sql = service.sql().await;
        let kept = kept_by_the_list(&sql).await;
        assert!(kept.iter().all(Option::is_some), "{kept:?}");

        service.cancel(ALICE, &first).await.unwrap();
        let offered = entry(&service, BOB, &names[0]).await.unwrap();
        let offer = service.get(BOB, &offered.offer).await.unwrap();
        assert_eq!(offer.contact.unwrap().email, "bob-@example.com");
        leave(&service, CAROL, &names[1]).await.unwrap();
        let kept = kept_by_the_list(&sql).await;
        assert_eq!(kept, [None, None, Some("dave@example.com".to_owned())]);

        // Whom nothing was offered until the night was past.
        service.clock.advance(SignedDuration::from_hours(24 * 30));
        let begun = std::time::Instant::now();
        while kept_by_the_list(&sql).await != [None, None, None] {
            assert!(begun.elapsed() < Duration::from_secs(30));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let events = service.events(None).await;
        assert!(!format!("{events:?}").contains("example.com"));
    }
}

#[tokio::test]
async fn nobody_fills_a_line_alone() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let [one, _] = sell_out(&service).await;
        let night = || rooms("2026-12-01", "2026-12-02", 1);
        let mut names = Vec::new();
        for _ in 0..10 {
            names.push(join(&service, BOB, night()).await.unwrap().name);
        }
        let refused = join(&service, BOB, night()).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(reason(&refused), "WAITLIST_LIMIT");
        assert_eq!(fact(&refused, "entries_max").unwrap(), "10");
        let other = join(&service, CAROL, night()).await.unwrap().name;
        leave(&service, BOB, &names[0]).await.unwrap();
        join(&service, BOB, night()).await.unwrap();
        // The line goes on as it was.
        service.cancel(ALICE, &one).await.unwrap();
        assert_eq!(state(&service, BOB, &names[1]).await, State::Offered);
        assert_eq!(state(&service, BOB, &names[2]).await, State::Waiting);
        assert_eq!(state(&service, CAROL, &other).await, State::Waiting);
    }
}

#[tokio::test]
async fn joining_twice_under_one_request_id_is_joining_once() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        sell_out(&service).await;
        let mut request = rooms("2026-12-01", "2026-12-02", 1);
        request.request_id = "one".into();
        let first = join(&service, BOB, request.clone()).await.unwrap();
        let again = join(&service, BOB, request.clone()).await.unwrap();
        assert_eq!(first, again);
        request.claim = rooms("2026-12-01", "2026-12-02", 2).claim;
        let reused = join(&service, BOB, request).await.unwrap_err();
        assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
        let second = join(&service, BOB, rooms("2026-12-01", "2026-12-02", 3)).await;
        let mut list = v1::ListWaitlistEntriesRequest {
            page_size: 1,
            ..Default::default()
        };
        let mut listed = Vec::new();
        for _ in 0..2 {
            let mut waitlist = service.waitlist();
            let page = waitlist.list_waitlist_entries(by(BOB, list.clone()));
            let page = page.await.unwrap().into_inner();
            listed.extend(page.entries.into_iter().map(|it| it.name));
            list.page_token = page.next_page_token;
        }
        assert_eq!(listed, [second.unwrap().name, first.name]);
        assert_eq!(list.page_token, "");
        let left = leave(&service, BOB, &listed[1]).await.unwrap();
        assert_eq!(left.state(), State::Left);
        let again = leave(&service, BOB, &listed[1]).await.unwrap_err();
        assert_eq!(reason(&again), "ENTRY_STATE");
    }
}
